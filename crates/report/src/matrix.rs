//! The matrix of models and techniques as a page that works offline: which technique helps which model, heat maps, quality
//! against speed, techniques over all models, and every cell with what is known of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Schema, SchemaRef};
use benchbook_core::counted;
use benchbook_query::Answer;

use crate::Result;
use crate::charts::{Figure, document_after, heat_map};
use crate::helped::helped;
use crate::html::{SCRIPT, STYLE, escaped, table};
use crate::optimized::{FITS, commands, optimized};
use crate::row::{Row, rows};
use crate::text::Cells;
use crate::trades::{front, trade_figures};

/// Rows of a table at most.
const MOST_ROWS: usize = 2_000;

/// The look of this page besides: as wide as the columns of all models need.
const LOOK: &str = include_str!("matrix.css");

/// What leads from a cell of a map to its rows.
const LEADS: &str = include_str!("matrix.js");

/// The title of the table to which it leads, by which the script finds it.
const EVERY: &str = "Every cell";

/// What a cell tells first.
const DETAILS: [&str; 41] = [
    "model",
    "technique",
    "optimization",
    "cell",
    "why",
    "helps",
    "quality",
    "weights",
    "part",
    "case_name",
    "speedup",
    "low",
    "high",
    "said",
    "matrix_q",
    "replicates",
    "time_ns",
    "baseline_ns",
    "tokens_per_second",
    "baseline_tokens_per_second",
    "first_token_ns",
    "baseline_first_token_ns",
    "memory_ratio",
    "weight_bytes",
    "cache_bytes",
    "flops_saved",
    "sparsity",
    "capacity_kept",
    "token_depth",
    "values_read",
    "guesses_kept",
    "kl_divergence",
    "agreement",
    "perplexity_ratio",
    "accuracy_difference",
    "energy_ratio",
    "energy",
    "word_error_difference",
    "positions_kept",
    "formats_tried",
    "reason",
];

/// The page of a matrix, of the rows of the named queries `matrix`, `cross_model`, `optimizations` and `adaptive`, and of the machines on
/// which it was measured: `cpu_model`, `threads` and `runs`. `techniques` are their names, each with what it does.
///
/// # Errors
/// Columns that cannot be shown.
pub fn matrix_page(
    matrix: &Answer,
    cross_model: &Answer,
    optimizations: &Answer,
    adaptive: &Answer,
    machines: &Answer,
    techniques: &[(&str, &str)],
) -> Result<String> {
    let mut first = format!("<style>{STYLE}{LOOK}</style>\n{}<h2>What helps which model</h2>\n", measured_on(machines));
    first += &helped(matrix);
    first += &meant(matrix, techniques);
    let named = optimized(optimizations, matrix, adaptive, across);
    if !named.rows.is_empty() {
        let notes = [
            "A row for each technique that people mean by the name of an optimization, or for the command that measures it where it is no \
             technique of a model; a column for each model.",
            "▲ faster, ▼ slower, = equivalent and ? undecided: the verdict of the run, however small the difference; only what is 1.2× \
             and more is claimed above. –: nobody asked for it. Not applicable: the technique does not suit the model. Why something is \
             not here, does not fit or has failed, every cell below says.",
            "Of searches and loops, the best setting stands here that fresh processes have confirmed, beside the usual one or with its \
             time.",
        ];
        first += &part("Optimizations by name", &named, &notes);
        first += &commands(optimizations, adaptive);
    }
    let over_models = [
        "On how many models a technique was measured, and is faster or slower by the verdict of its run. speedup is the geometric mean \
         over them: models are no sample of all models, so that it has no interval. memory ratio and kl divergence are medians.",
    ];
    let front_notes = [
        "Of each model, the techniques that neither another one nor the model as it is beats both in speed and in what is lost, by their \
         estimates (Pareto): in quality where weights are real, with its 95 % interval, and in how far answers move where they are seeded, \
         which says nothing of quality.",
    ];
    let notes = [
        "A cell is paired block by block with its model as it is, in so many replicates: processes that were started anew. said is the \
         verdict of its run, matrix q the q-value over the whole matrix, and helps what can be claimed. baseline is the model as it is. \
         memory ratio is weights and cache over the model's own, capacity kept the share of its numbers that is left, sparsity the \
         share of those of its layers that is gone; token depth is how many layers a token goes through, values read the share of values \
         that attention reads, and guesses kept that of guesses.",
        "kl divergence (nats a token) and agreement (of the best token) are beside the same model as it is. Where weights are \
         seeded, they say nothing of quality; where they are real, quality is kept, lost or undecided by the 95 % interval of \
         perplexity, accuracy or word errors beside the model as it is.",
        "energy ratio is what a call took of the processors' energy, whole packages with what idles, over that of the model as it is; \
         energy says why there is none.",
    ];
    let mut body = String::new();
    let parts = [
        ("Techniques over all models", cells_of(cross_model, None)?, &over_models[..]),
        ("The best trades of speed for exactness", cells_of(&front(matrix)?, None)?, &front_notes[..]),
        (EVERY, cells_of(matrix, Some(&DETAILS))?, &notes[..]),
    ];
    for (title, cells, under) in parts {
        if !cells.rows.is_empty() {
            body += &part(title, &cells.without_empty(), under);
        }
    }
    // Writing to a String cannot fail.
    let _ = writeln!(body, "<script>{SCRIPT}{LEADS}</script>");
    if matrix.rows() > 0 {
        first += "<p>A click on a cell of a map leads to all that is known of it, in the table of every cell.</p>\n";
    }
    Ok(document_after("Models and techniques", &first, &matrix_figures(matrix)?, &body))
}

/// What the techniques of the matrix do, to be opened.
fn meant(matrix: &Answer, techniques: &[(&str, &str)]) -> String {
    let asked: BTreeSet<String> = rows(matrix).filter_map(|row| row.text("technique")).collect();
    let known: Vec<&(&str, &str)> = techniques.iter().filter(|(name, _)| asked.contains(*name)).collect();
    if known.is_empty() {
        return String::new();
    }
    let count = counted(known.len(), "technique");
    let mut html = format!("<details><summary>What each technique does: {count}</summary>\n<dl>\n");
    for (name, about) in known {
        // Writing to a String cannot fail.
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(about));
    }
    html + "</dl>\n</details>\n"
}

/// A table under its title, with what has to be known of it.
fn part(title: &str, cells: &Cells, under: &[&str]) -> String {
    let under: Vec<String> = under.iter().map(|line| (*line).to_owned()).collect();
    format!("<h2>{title}</h2>\n{}", table(cells, FITS, &under))
}

/// Where the numbers of the page hold; nothing where there is no run.
fn measured_on(machines: &Answer) -> String {
    let machine = |row: Row<'_>| {
        let processor = row.text("cpu_model").unwrap_or_else(|| "an unnamed processor".to_owned());
        let threads = row.integer("threads").map(|threads| format!(", {}", counted(threads as usize, "thread")));
        let runs = row.integer("runs").map(|runs| format!(" ({})", counted(runs as usize, "run")));
        format!("{processor}{}{}", threads.unwrap_or_default(), runs.unwrap_or_default())
    };
    let all: Vec<String> = rows(machines).map(machine).collect();
    if all.is_empty() { String::new() } else { format!("<p>Measured on {}.</p>\n", escaped(&all.join("; "))) }
}

/// Heat maps of speed and memory, a row a technique and a column a model; of each model with real weights its quality against speed; and
/// how far answers of seeded ones move against speed. None where there is no cell.
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
    figures.extend(trade_figures(matrix)?);
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
pub fn is_real(row: &Row<'_>) -> bool {
    row.text("weights").as_deref() == Some("real")
}

/// The column of a cell: its model, or the label of its case where the model has several (`heading` of the query `matrix`).
pub fn across(row: &Row<'_>) -> Option<String> {
    row.text("heading").or_else(|| row.text("model"))
}

/// The cells of some columns of an answer, or of all.
fn cells_of(answer: &Answer, columns: Option<&[&str]>) -> Result<Cells> {
    let Some(names) = columns else { return Cells::of(&answer.schema, &answer.batches, MOST_ROWS) };
    let places: Vec<usize> = names.iter().filter_map(|name| answer.schema.index_of(name).ok()).collect();
    let schema: SchemaRef = Arc::new(Schema::project(&answer.schema, &places)?);
    let batches = answer.batches.iter().map(|batch| batch.project(&places));
    Cells::of(&schema, &batches.collect::<Result<Vec<_>, _>>()?, MOST_ROWS)
}

#[cfg(test)]
pub mod tests {
    use arrow::array::Int64Array;

    use super::*;

    /// Models, techniques, what the cell is, why, speedup, share of the memory, divergence, and what helps.
    pub type One<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, Option<[f64; 3]>, Option<&'a str>);

    pub const CELLS: [One<'_>; 5] = [
        ("a", "int8", "measured", None, Some([2.104, 0.26, 0.1]), Some("faster and smaller")),
        ("a", "nf4", "measured", None, Some([1.5, 0.14, 0.3]), Some("smaller")),
        ("a", "2of4", "measured", None, Some([2.5, 0.55, 0.4]), Some("slower")),
        ("a", "heads-25", "not applicable", Some("<one> key head"), None, None),
        ("b", "int8", "not here", Some("b has experts"), None, None),
    ];

    pub fn answer(cells: &[One<'_>]) -> Answer {
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

    const ABOUT: [(&str, &str); 3] =
        [("int8", "eight bits & a scale"), ("nf4", "four bits"), ("e4m3", "floats of eight bits")];

    #[test]
    fn a_page_shows_every_cell_and_needs_no_network() {
        let (matrix, cross) = (answer(&CELLS), answer(&[]));
        let optimizations: Answer = RecordBatch::try_from_iter_with_nullable([
            ("optimization", texts(vec![Some("weights of few bits".to_owned())]), true),
            ("technique", texts(vec![Some("int8".to_owned())]), true),
        ])
        .unwrap()
        .into();
        let counts = |counts: [i64; 2]| -> ArrayRef { Arc::new(Int64Array::from(counts.to_vec())) };
        let machines: Answer = RecordBatch::try_from_iter_with_nullable([
            ("cpu_model", texts(vec![Some("A<B> 9".to_owned()), None]), true),
            ("threads", counts([2, 1]), true),
            ("runs", counts([41, 1]), true),
        ])
        .unwrap()
        .into();
        let page = matrix_page(&matrix, &cross, &optimizations, &answer(&[]), &machines, &ABOUT).unwrap();
        let parts = [
            "<summary>What each technique does: 2 techniques</summary>",
            "<dt>int8</dt><dd>eight bits &amp; a scale</dd>",
            "<p>Measured on A&lt;B&gt; 9, 2 threads (41 runs); an unnamed processor, 1 thread (1 run).</p>",
            "Optimizations by name",
            "weights of few bits",
            "default-src 'none'",
            "Speed over the model as it is",
            "What helps which model",
            "Every cell",
            "&lt;one&gt; key head",
            "The best trades of speed for exactness",
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
        let none = answer(&[]);
        let page = matrix_page(&none, &none, &none, &none, &none, &ABOUT).unwrap();
        assert!(!page.contains("What each technique does"), "of no cell there is nothing to explain");
        assert!(page.contains("benchbook matrix --quick") && page.contains("There are no figures"));
    }
}
