//! The matrix of models and techniques as a page that works offline: which technique helps which model, heat maps, quality
//! against speed, techniques over all models, and every cell with what is known of it.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Schema, SchemaRef};
use benchbook_query::Answer;

use crate::Result;
use crate::charts::{Figure, Mark, chart, document_after, heat_map};
use crate::html::{SCRIPT, STYLE, escaped, table};
use crate::optimized::{cost, optimized, speed};
use crate::row::{Row, rows};
use crate::text::Cells;

/// Rows of a table at most.
const MOST_ROWS: usize = 2_000;

/// What a cell tells first.
const DETAILS: [&str; 28] = [
    "model",
    "technique",
    "optimization",
    "cell",
    "helps",
    "quality",
    "weights",
    "speedup",
    "low",
    "high",
    "said",
    "matrix_q",
    "memory_ratio",
    "weight_bytes",
    "cache_bytes",
    "flops_saved",
    "sparsity",
    "capacity_kept",
    "kl_divergence",
    "agreement",
    "perplexity_ratio",
    "accuracy_difference",
    "energy_ratio",
    "energy",
    "word_error_difference",
    "positions_kept",
    "why",
    "reason",
];

/// The page of a matrix, of the rows of the named queries `matrix`, `cross_model`, `optimizations` and `adaptive`.
///
/// # Errors
/// Columns that cannot be shown.
pub fn matrix_page(matrix: &Answer, cross_model: &Answer, optimizations: &Answer, adaptive: &Answer) -> Result<String> {
    let mut first = format!("<style>{STYLE}</style>\n<h2>What helps which model</h2>\n{}", helped(matrix));
    let notes = [
        "A cell is paired block by block with its model as it is; a win is claimed from the lower bound of its 95 % interval on, \
         and at a q-value of 5 % over the whole matrix. memory_ratio is weights and cache over the model's own.",
        "KL divergence (nats a token) and agreement (of the best token) are beside the same model as it is. Where weights are \
         seeded, they say nothing of quality; where they are real, quality is kept, lost or undecided by the 95 % interval of \
         perplexity, accuracy or word errors beside the model as it is.",
        "energy_ratio is what a call took of the processors' energy, whole packages with what idles, over that of the model as it is; \
         energy says why there is none.",
    ]
    .map(str::to_owned);
    let names = [
        "An optimization stands here by the name that people have for it, with the techniques that are it, or with the command that \
         measures it where it is no technique of a model. A speedup has its 95 % interval and the verdict of its run; answers move, \
         beside the model as it is, by so many nats a token. Of searches and loops, the best setting that fresh processes have confirmed \
         stands here, beside the usual one or with its time.",
    ]
    .map(str::to_owned);
    let named = optimized(optimizations, matrix, adaptive, across);
    if !named.rows.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(first, "<h2>Optimizations by name</h2>\n{}", table(&named, "", &names));
    }
    let mut body = String::new();
    let parts = [
        ("Techniques over all models", cells_of(cross_model, None)?, &[][..]),
        ("Fastest for what it moves", cells_of(&front(matrix)?, None)?, &[][..]),
        ("Every cell", cells_of(matrix, Some(&DETAILS))?, &notes[..]),
    ];
    for (title, cells, under) in parts {
        if !cells.rows.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(body, "<h2>{title}</h2>\n{}", table(&cells, "", under));
        }
    }
    let _ = writeln!(body, "<script>{SCRIPT}</script>");
    Ok(document_after("Models and techniques", &first, &matrix_figures(matrix)?, &body))
}

/// Heat maps of speed and memory, a row a technique and a column a model, and how far answers move against speed; none where there is
/// no cell.
///
/// # Errors
/// Columns that cannot be drawn.
pub fn matrix_figures(matrix: &Answer) -> Result<Vec<Figure>> {
    if matrix.rows() == 0 {
        return Ok(Vec::new());
    }
    let speed = map(matrix, true, |row| {
        let [low, high] = ["low", "high"].map(|end| row.float(end).unwrap_or(f64::NAN));
        Some([row.float("speedup")?, low, high])
    })?;
    let memory = map(matrix, false, |row| row.float("memory_ratio").map(|share| [1.0 / share, f64::NAN, f64::NAN]))?;
    let mut figures = vec![
        heat_map(&[speed])?.with_title("Speed over the model as it is"),
        heat_map(&[memory])?.with_title("Memory of the model as it is over that of weights and cache"),
    ];
    let moved = scatter(matrix)?;
    if moved.num_rows() > 0 {
        let figure = chart(&[moved], Mark::Scatter, "speedup", "KL divergence (nats a token)", Some("technique"))?;
        figures.push(figure.with_title("How far answers move, against speed"));
    }
    Ok(figures)
}

/// A column of texts.
fn texts(values: Vec<Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

/// What [`heat_map`] takes: of each cell a ratio with its interval and, where it is `judged`, its verdict; or why there is none.
fn map(matrix: &Answer, judged: bool, ratio: impl Fn(&Row<'_>) -> Option<[f64; 3]>) -> Result<RecordBatch> {
    let all: Vec<Row<'_>> = rows(matrix).collect();
    let word = |name: &str| texts(all.iter().map(|row| row.text(name)).collect());
    let ratios: Vec<Option<[f64; 3]>> = all.iter().map(ratio).collect();
    let side = |side: usize| -> ArrayRef {
        let numbers = ratios.iter().map(|ratio| ratio.map(|ratio| ratio[side]).filter(|number| number.is_finite()));
        Arc::new(numbers.collect::<Float64Array>())
    };
    let said = all.iter().map(|row| row.text("said").filter(|_| judged)).collect();
    let why = |row: &Row<'_>| {
        let cell = row.text("cell").filter(|cell| cell != "measured")?;
        Some(row.text("why").map_or_else(|| cell.clone(), |why| format!("{cell}: {why}")))
    };
    let columns: [(&str, ArrayRef); 7] = [
        ("down", word("technique")),
        ("across", texts(all.iter().map(across).collect())),
        ("ratio", side(0)),
        ("low", side(1)),
        ("high", side(2)),
        ("verdict", texts(said)),
        ("reason", texts(all.iter().map(why).collect())),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))?)
}

/// Whether a cell is of real weights, which are held against real text or labels.
fn is_real(row: &Row<'_>) -> bool {
    row.text("weights").as_deref() == Some("real")
}

/// The column of a cell: its model, which real weights have besides under the label of their case.
fn across(row: &Row<'_>) -> Option<String> {
    row.text(if is_real(row) { "case_name" } else { "model" })
}

/// Cells that have a speed and a divergence.
fn scatter(matrix: &Answer) -> Result<RecordBatch> {
    let known: Vec<(String, f64, f64)> = rows(matrix)
        .filter_map(|row| Some((row.text("technique")?, row.float("speedup")?, row.float("kl_divergence")?)))
        .collect();
    let names = texts(known.iter().map(|(name, ..)| Some(name.clone())).collect());
    let numbers = |of: fn(&(String, f64, f64)) -> f64| -> ArrayRef {
        Arc::new(known.iter().map(|one| Some(of(one))).collect::<Float64Array>())
    };
    let columns = [
        ("technique", names),
        ("speedup", numbers(|one| one.1)),
        ("KL divergence (nats a token)", numbers(|one| one.2)),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// Of each model the techniques that no other one beats in both: speed, and how little it moves the answers (Pareto).
fn front(matrix: &Answer) -> Result<Answer> {
    let known: Vec<(String, String, f64, f64)> = rows(matrix)
        .filter_map(|row| {
            Some((across(&row)?, row.text("technique")?, row.float("speedup")?, row.float("kl_divergence")?))
        })
        .collect();
    let beats = |one: &(String, String, f64, f64), other: &(String, String, f64, f64)| {
        let as_good = one.2 >= other.2 && one.3 <= other.3;
        one.0 == other.0 && as_good && (one.2 > other.2 || one.3 < other.3)
    };
    let best: Vec<_> = known.iter().filter(|one| !known.iter().any(|other| beats(other, one))).collect();
    let number = |of: fn(&(String, String, f64, f64)) -> f64| -> ArrayRef {
        Arc::new(best.iter().map(|one| Some(of(one))).collect::<Float64Array>())
    };
    let columns = [
        ("model", texts(best.iter().map(|one| Some(one.0.clone())).collect())),
        ("technique", texts(best.iter().map(|one| Some(one.1.clone())).collect())),
        ("speedup", number(|one| one.2)),
        ("kl_divergence", number(|one| one.3)),
    ];
    Ok(RecordBatch::try_from_iter(columns)?.into())
}

/// The cells of some columns of an answer, or of all.
fn cells_of(answer: &Answer, columns: Option<&[&str]>) -> Result<Cells> {
    let Some(names) = columns else { return Cells::of(&answer.schema, &answer.batches, MOST_ROWS) };
    let places: Vec<usize> = names.iter().filter_map(|name| answer.schema.index_of(name).ok()).collect();
    let schema: SchemaRef = Arc::new(Schema::project(&answer.schema, &places)?);
    let batches = answer.batches.iter().map(|batch| batch.project(&places));
    Cells::of(&schema, &batches.collect::<Result<Vec<_>, _>>()?, MOST_ROWS)
}

/// A line for each model: what is faster or smaller there and by how much, or that nothing is.
fn helped(matrix: &Answer) -> String {
    let mut models: Vec<String> = Vec::new();
    for model in rows(matrix).filter_map(|row| row.text("model")) {
        if !models.contains(&model) {
            models.push(model);
        }
    }
    if models.is_empty() {
        return "<p>There are no cells yet: <code>benchbook matrix --quick</code> measures some.</p>\n".to_owned();
    }
    let mut lines = String::from("<ul>\n");
    for model in &models {
        let of_model = || rows(matrix).filter(move |row| row.text("model").as_ref() == Some(model));
        // Of a model that has both, speed is told of where tokens come one by one, as in use.
        let seeded = of_model().any(|row| !is_real(&row));
        let alike = || of_model().filter(move |row| !(seeded && is_real(row)));
        let measured = alike().filter(|row| row.text("cell").as_deref() == Some("measured")).count();
        let gains: Vec<String> = alike().filter_map(|row| gain(&row)).collect();
        let mut told = match (measured, gains.is_empty()) {
            (0, _) => alike().find_map(|row| row.text("why")).unwrap_or_else(|| "nothing was measured".to_owned()),
            (count, true) => format!("none of {count} techniques gains anything that can be claimed"),
            (_, false) => gains.join("; "),
        };
        for quality in ["kept", "lost", "undecided"] {
            let of_quality = of_model().filter(|row| row.text("quality").as_deref() == Some(quality));
            let names: Vec<String> = of_quality.filter_map(|row| row.text("technique")).collect();
            if !names.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(told, "; on real text or labels, quality is {quality} by {}", names.join(", "));
            }
        }
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "<li><b>{}</b>: {}</li>", escaped(model), escaped(&told));
    }
    lines + "</ul>\n"
}

/// What a technique gains, where it does, how sure that is and what it costs: `int8 is faster and smaller (2.1× (2 to 2.2), 0.26 of the
/// memory, answers move by 0.1 nats)`.
fn gain(row: &Row<'_>) -> Option<String> {
    let (technique, helps) = (row.text("technique")?, row.text("helps")?);
    let is_gain = helps.starts_with("faster") || helps.starts_with("smaller");
    let numbers: Vec<String> = speed(row).into_iter().chain(cost(row)).collect();
    is_gain.then(|| format!("{technique} is {helps} ({})", numbers.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Models, techniques, what the cell is, why, speedup, share of the memory, divergence, and what helps.
    type One<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, Option<[f64; 3]>, Option<&'a str>);

    const CELLS: [One<'_>; 5] = [
        ("a", "int8", "measured", None, Some([2.104, 0.26, 0.1]), Some("faster and smaller")),
        ("a", "nf4", "measured", None, Some([1.5, 0.14, 0.3]), Some("smaller")),
        ("a", "2of4", "measured", None, Some([2.5, 0.55, 0.4]), Some("slower")),
        ("a", "heads-25", "not applicable", Some("<one> key head"), None, None),
        ("b", "int8", "not here", Some("b has experts"), None, None),
    ];

    fn answer(cells: &[One<'_>]) -> Answer {
        let word = |of: fn(&One<'_>) -> Option<String>| texts(cells.iter().map(of).collect());
        let number = |place: usize| -> ArrayRef {
            Arc::new(cells.iter().map(|cell| cell.4.map(|numbers| numbers[place])).collect::<Float64Array>())
        };
        let shifted = |by: f64| -> ArrayRef {
            Arc::new(cells.iter().map(|cell| cell.4.map(|numbers| numbers[0] + by)).collect::<Float64Array>())
        };
        let columns: [(&str, ArrayRef); 10] = [
            ("model", word(|cell| Some(cell.0.to_owned()))),
            ("technique", word(|cell| Some(cell.1.to_owned()))),
            ("cell", word(|cell| Some(cell.2.to_owned()))),
            ("why", word(|cell| cell.3.map(str::to_owned))),
            ("helps", word(|cell| cell.5.map(str::to_owned))),
            ("said", word(|cell| cell.4.map(|_| "faster".to_owned()))),
            ("speedup", number(0)),
            ("low", shifted(-0.1)),
            ("high", shifted(0.1)),
            ("memory_ratio", number(1)),
        ];
        let more = [("kl_divergence", number(2))];
        let all = columns.into_iter().chain(more).map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(all).unwrap().into()
    }

    #[test]
    fn a_model_has_a_line_that_says_what_helps() {
        let told = helped(&answer(&CELLS));
        let gains = "int8 is faster and smaller (2.1× (2 to 2.2), 0.26 of the memory, answers move by 0.1 nats); nf4 is smaller \
                     (1.5× (1.4 to 1.6), 0.14 of the memory, answers move by 0.3 nats)";
        assert!(told.contains(&format!("<li><b>a</b>: {gains}</li>")), "{told}");
        assert!(told.contains("<li><b>b</b>: b has experts</li>"), "{told}");
        let none = helped(&answer(&[("c", "2of4", "measured", None, Some([0.5, 1.0, 0.0]), Some("slower"))]));
        assert!(none.contains("none of 1 techniques gains anything"), "{none}");
    }

    #[test]
    fn real_weights_stand_beside_seeded_ones_and_say_what_becomes_of_quality() {
        let word = |words: [Option<&str>; 3]| texts(words.map(|word| word.map(str::to_owned)).to_vec());
        let number = |numbers: [f64; 3]| -> ArrayRef { Arc::new(Float64Array::from(numbers.to_vec())) };
        let columns: [(&str, ArrayRef); 9] = [
            ("model", word([Some("a"), Some("a"), Some("m")])),
            ("technique", word([Some("int8"), Some("int8"), Some("nf4")])),
            ("cell", word([Some("measured"); 3])),
            ("helps", word([Some("smaller"), Some("faster"), Some("no gain to claim")])),
            ("quality", word([None, Some("kept"), Some("lost")])),
            ("weights", word([Some("seeded"), Some("real"), Some("real")])),
            ("case_name", word([Some("a seeded 4+4"), Some("a 24×16"), Some("m lee")])),
            ("speedup", number([1.1, 1.5, 1.0])),
            ("memory_ratio", number([0.26, 0.25, 1.0])),
        ];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        let matrix: Answer = RecordBatch::try_from_iter_with_nullable(columns).unwrap().into();
        let told = helped(&matrix);
        let of_a = "int8 is smaller (1.1×, 0.26 of the memory); on real text or labels, quality is kept by int8";
        assert!(told.contains(&format!("<li><b>a</b>: {of_a}</li>")), "{told}");
        let of_m =
            "none of 1 techniques gains anything that can be claimed; on real text or labels, quality is lost by nf4";
        assert!(told.contains(&format!("<li><b>m</b>: {of_m}</li>")), "{told}");
        let speed = matrix_figures(&matrix).unwrap().remove(0).text();
        assert!(speed.contains("int8, a 24×16"), "{speed}");
    }

    #[test]
    fn the_front_leaves_out_who_is_beaten_in_both() {
        let best = front(&answer(&CELLS)).unwrap();
        let names: Vec<String> = rows(&best).filter_map(|row| row.text("technique")).collect();
        assert_eq!(names, ["int8", "2of4"], "nf4 is slower than int8, and moves more");
    }

    #[test]
    fn a_page_shows_every_cell_and_needs_no_network() {
        let (matrix, cross) = (answer(&CELLS), answer(&[]));
        let optimizations: Answer = RecordBatch::try_from_iter_with_nullable([
            ("optimization", texts(vec![Some("weights of few bits".to_owned())]), true),
            ("technique", texts(vec![Some("int8".to_owned())]), true),
        ])
        .unwrap()
        .into();
        let page = matrix_page(&matrix, &cross, &optimizations, &answer(&[])).unwrap();
        let parts = [
            "Optimizations by name",
            "weights of few bits",
            "default-src 'none'",
            "Speed over the model as it is",
            "What helps which model",
            "Every cell",
            "&lt;one&gt; key head",
            "Fastest for what it moves",
        ];
        for part in parts {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<one>") && !page.contains("Techniques over all models"));
        let at = |part: &str| page.find(part).unwrap();
        assert!(at("What helps which model") < at("Optimizations by name"), "what a reader asks comes first");
        assert!(at("Optimizations by name") < at("<figure>\n"));
        assert_eq!(matrix_figures(&matrix).unwrap().len(), 3);
        let speed = matrix_figures(&matrix).unwrap().remove(0).text();
        assert!(speed.contains("heads-25, a") && speed.contains("not applicable"), "{speed}");
        assert!(speed.contains("faster"), "{speed}");
    }

    #[test]
    fn an_empty_store_says_what_to_do() {
        let page = matrix_page(&answer(&[]), &answer(&[]), &answer(&[]), &answer(&[])).unwrap();
        assert!(page.contains("benchbook matrix --quick") && page.contains("There are no figures"));
    }
}
