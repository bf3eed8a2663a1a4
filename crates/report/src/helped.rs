//! What helps which model: the best techniques of each, how to read them, and a row for each gain with how sure it is and what it costs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use benchbook_core::counted;
use benchbook_query::Answer;

use crate::html::{escaped, table};
use crate::matrix::{across, is_real};
use crate::optimized::{ABSENT, FITS, cost, moved, share, speed};
use crate::row::{Row, rows};
use crate::text::Cells;

/// What the page is about.
const ABOUT: &str = "A technique changes a model: fewer bits, fewer weights, a cache that forgets. Each was timed in turn with the model \
    as it is, in fresh processes. Below stands what can be claimed of each model. A cell has the technique; how many times as fast it \
    makes the model, with the 95 % interval; the share of the memory that is left; and what becomes of the quality. – is where nothing \
    can be claimed.";

/// How to read it; the numbers are the usual ones of the query `matrix`.
const READ: [(&str, &str); 4] = [
    (
        "Speed",
        "2× takes half the time. The two numbers behind it are its 95 % interval: the speedup is hardly outside of them. A technique \
         is called faster only where the whole interval lies at 1.2× or above, and where the q-value over the whole matrix is at most 5 %.",
    ),
    (
        "Memory",
        "the share that is left of the bytes of weights and cache. They are counted, and so exact; a technique is called smaller where \
         they are at least 15 % fewer.",
    ),
    (
        "Quality",
        "judged by the model's real weights on real text, labels or speech: kept where the 95 % interval excludes a loss of more than \
         1 %, lost where it excludes that there is none, undecided otherwise. Not judged is what was run with weights from a seed alone: \
         there the page says how far answers move from those of the model as it is (KL divergence in nats a token; 0 is not at all, 1 \
         is much).",
    ),
    (
        "How much of a model",
        "stands under its name: all of it by real weights; by seeded ones as many of its first layers as there is room for, which tell its \
         time and its memory.",
    ),
];

/// What is told first of a model: the best of its gains, in memory or else in speed, of those that keep the quality or of all.
const BEST: [(&str, bool, bool); 4] = [
    ("fastest", false, false),
    ("fastest that keeps the quality", false, true),
    ("smallest", true, false),
    ("smallest that keeps the quality", true, true),
];

/// From the worst to the best.
const QUALITIES: [&str; 3] = ["lost", "undecided", "kept"];

/// What a technique gains in a model.
struct Gain<'a> {
    row: Row<'a>,
    technique: String,
    helps: String,
    /// What becomes of the quality of the model, where that is known.
    quality: Option<String>,
}

impl<'a> Gain<'a> {
    /// The gain of a cell, where there is one; of seeded weights, quality is that of the real ones among the cells of the model.
    fn of(row: &Row<'a>, of_model: &[Row<'a>]) -> Option<Self> {
        let (technique, helps) = (row.text("technique")?, row.text("helps")?);
        if !helps.starts_with("faster") && !helps.starts_with("smaller") {
            return None;
        }
        let known: Vec<String> = match row.text("quality") {
            Some(quality) => vec![quality],
            None => {
                let alike = of_model.iter().filter(|other| other.text("technique").as_ref() == Some(&technique));
                alike.filter_map(|other| other.text("quality")).collect()
            }
        };
        let worst = QUALITIES.into_iter().find(|quality| known.iter().any(|one| one == quality));
        Some(Self { row: *row, quality: worst.map(str::to_owned), technique, helps })
    }

    fn is_faster(&self) -> bool {
        self.helps.starts_with("faster")
    }

    fn is_kept(&self) -> bool {
        self.quality.as_deref() == Some("kept")
    }

    /// The speedup that is sure: the lower end of its interval.
    fn least_speedup(&self) -> f64 {
        self.row.float("low").or_else(|| self.row.float("speedup")).unwrap_or(f64::NEG_INFINITY)
    }

    /// How much memory it saves: the more, the larger.
    fn saves(&self) -> f64 {
        -self.row.float("memory_ratio").unwrap_or(f64::INFINITY)
    }

    /// By which gains are ordered: those in speed come first, then those in memory, whose number is below zero.
    fn rank(&self) -> f64 {
        if self.is_faster() { self.least_speedup() } else { self.saves() }
    }

    /// The technique with its numbers, in lines: `int8`, `2.1× (2 to 2.2)`, `0.26 of the memory`, `quality kept`.
    fn told(&self) -> String {
        let numbers = speed(&self.row).into_iter().chain(cost(&self.row, Some(self.quality())));
        std::iter::once(self.technique.clone()).chain(numbers).collect::<Vec<_>>().join("\n")
    }

    /// What becomes of the quality, or how far answers move where nothing judges it.
    fn quality(&self) -> String {
        self.quality.clone().unwrap_or_else(|| match moved(&self.row) {
            Some(moved) => format!("not judged: {moved}"),
            None => "not judged".to_owned(),
        })
    }

    fn cells(&self) -> Vec<String> {
        let shares = ["memory_ratio", "energy_ratio"].map(|name| share(&self.row, name));
        let [memory, energy] = shares.map(Option::unwrap_or_default);
        let model = across(&self.row).unwrap_or_default();
        let speed = speed(&self.row).unwrap_or_default();
        vec![model, self.technique.clone(), self.helps.clone(), speed, memory, energy, self.quality()]
    }
}

/// A row for each model, how to read it, and a row for each gain.
pub fn helped(matrix: &Answer) -> String {
    let mut models: Vec<String> = Vec::new();
    for model in rows(matrix).filter_map(|row| row.text("model")) {
        if !models.contains(&model) {
            models.push(model);
        }
    }
    if models.is_empty() {
        return "<p>There are no cells yet: <code>benchbook matrix --quick</code> measures some.</p>\n".to_owned();
    }
    let (mut best_of, mut gained) = (Vec::new(), Vec::new());
    for model in &models {
        let of_model: Vec<Row<'_>> = rows(matrix).filter(|row| row.text("model").as_ref() == Some(model)).collect();
        // Of a model that has both, speed is told of where tokens come one by one, as in use.
        let seeded = of_model.iter().any(|row| !is_real(row));
        let alike = || of_model.iter().filter(move |row| !(seeded && is_real(row)));
        let mut gains: Vec<Gain<'_>> = alike().filter_map(|row| Gain::of(row, &of_model)).collect();
        gains.sort_by(|one, other| other.rank().total_cmp(&one.rank()));
        let measured = alike().filter(|row| row.text("cell").as_deref() == Some("measured"));
        let measured: BTreeSet<String> = measured.filter_map(|row| row.text("technique")).collect();
        let told = match (measured.len(), gains.is_empty()) {
            (0, _) => alike().find_map(|row| row.text("why")).unwrap_or_else(|| "nothing was measured".to_owned()),
            (count, true) => format!("none of {count} gains anything that can be claimed"),
            (count, false) => {
                let helpful: BTreeSet<&str> = gains.iter().map(|gain| gain.technique.as_str()).collect();
                format!("{} of {count}", helpful.len())
            }
        };
        let best = BEST.map(|(_, smallest, kept)| best(&gains, smallest, kept).map_or(ABSENT.to_owned(), Gain::told));
        let parts: BTreeSet<String> = alike().filter_map(|row| row.text("part")).collect();
        let named = std::iter::once(model.clone()).chain(parts).collect::<Vec<_>>().join("\n");
        best_of.push([named, told].into_iter().chain(best).collect());
        gained.extend(gains.iter().map(Gain::cells));
    }
    let header: Vec<String> =
        ["model", "techniques that help"].into_iter().chain(BEST.map(|(name, ..)| name)).map(str::to_owned).collect();
    let best_of = Cells { numeric: vec![false; header.len()], header, rows: best_of };
    let mut html = format!("<p>{}</p>\n{}<h3>How to read it</h3>\n<dl>\n", escaped(ABOUT), table(&best_of, FITS, &[]));
    for (word, meaning) in READ {
        // Writing to a String cannot fail.
        let _ = writeln!(html, "<dt>{word}</dt><dd>{}</dd>", escaped(meaning));
    }
    html += "</dl>\n";
    if !gained.is_empty() {
        let count = counted(gained.len(), "gain");
        let all = table(&gains_of(gained), FITS, &[]);
        let _ = writeln!(html, "<details><summary>All that can be claimed: {count}</summary>\n{all}</details>");
    }
    html
}

/// The table of all gains.
fn gains_of(rows: Vec<Vec<String>>) -> Cells {
    let columns = [
        ("model", false),
        ("technique", false),
        ("gain", false),
        ("speed over the model as it is (95 % interval)", true),
        ("share of its memory", true),
        ("share of its energy", true),
        ("quality", false),
    ];
    let header = columns.map(|(name, _)| name.to_owned()).to_vec();
    Cells { header, numeric: columns.map(|(_, numeric)| numeric).to_vec(), rows }.without_empty()
}

/// The gain that saves the most memory, or else the one whose speedup is surely the largest, of those that keep the quality or of all.
fn best<'a, 'b>(gains: &'b [Gain<'a>], smallest: bool, kept: bool) -> Option<&'b Gain<'a>> {
    let is_of = |gain: &Gain<'_>| if smallest { gain.helps.contains("smaller") } else { gain.is_faster() };
    let by = |gain: &Gain<'_>| if smallest { gain.saves() } else { gain.least_speedup() };
    let all = gains.iter().filter(|gain| is_of(gain) && (!kept || gain.is_kept()));
    all.max_by(|one, other| by(one).total_cmp(&by(other)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use benchbook_query::named_queries;

    use super::*;
    use crate::matrix::matrix_figures;
    use crate::matrix::tests::{CELLS, answer};

    fn words(words: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(words.to_vec()))
    }

    fn floats(numbers: &[Option<f64>]) -> ArrayRef {
        Arc::new(Float64Array::from(numbers.to_vec()))
    }

    fn told(columns: Vec<(&str, ArrayRef)>) -> Answer {
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap().into()
    }

    #[test]
    fn a_model_has_a_row_that_says_what_helps_and_so_has_a_gain() {
        let html = helped(&answer(&CELLS));
        let [int8, nf4] = [
            "int8\n2.1× (2 to 2.2)\n0.26 of the memory\nquality not judged: answers move by 0.1 nats",
            "nf4\n1.5× (1.4 to 1.6)\n0.14 of the memory\nquality not judged: answers move by 0.3 nats",
        ];
        let of_a = format!("<td>a</td><td>2 of 3</td><td>{int8}</td><td>–</td><td>{nf4}</td><td>–</td>");
        assert!(html.contains(&of_a), "{html}");
        assert!(html.contains("<td>b</td><td>b has experts</td><td>–</td>"), "{html}");
        let row = "<tr><td>a</td><td>nf4</td><td>smaller</td><td class=\"n\">1.5× (1.4 to 1.6)</td><td class=\"n\">0.14</td>\
                   <td>not judged: answers move by 0.3 nats</td></tr>";
        assert!(html.contains(row) && !html.contains("share of its energy"), "{html}");
        let none = helped(&answer(&[("c", "2of4", "measured", None, Some([0.5, 1.0, 0.0]), Some("slower"))]));
        assert!(none.contains("none of 1 gains anything that can be claimed") && !none.contains("<details"), "{none}");
    }

    #[test]
    fn real_weights_stand_beside_seeded_ones_and_say_what_becomes_of_quality() {
        let matrix = told(vec![
            ("model", words(&[Some("a"), Some("a"), Some("m")])),
            ("technique", words(&[Some("int8"), Some("int8"), Some("nf4")])),
            ("cell", words(&[Some("measured"); 3])),
            ("helps", words(&[Some("smaller"), Some("faster"), Some("no gain to claim")])),
            ("quality", words(&[None, Some("kept"), Some("lost")])),
            ("weights", words(&[Some("seeded"), Some("real"), Some("real")])),
            ("heading", words(&[Some("a"), Some("a 24×16"), Some("m lee")])),
            ("part", words(&[Some("2 of 30 layers"), Some("all of it"), Some("all of it")])),
            ("speedup", floats(&[Some(1.1), Some(1.5), Some(1.0)])),
            ("memory_ratio", floats(&[Some(0.26), Some(0.25), Some(1.0)])),
        ]);
        let html = helped(&matrix);
        let int8 = "int8\n1.1×\n0.26 of the memory\nquality kept";
        let of_a =
            format!("<td>a\n2 of 30 layers</td><td>1 of 1</td><td>–</td><td>–</td><td>{int8}</td><td>{int8}</td>");
        assert!(html.contains(&of_a), "{html}");
        assert!(html.contains("<td class=\"n\">0.26</td><td>kept</td></tr>"), "{html}");
        assert!(html.contains("<td>m\nall of it</td><td>none of 1 gains anything that can be claimed</td>"), "{html}");
        let speed = matrix_figures(&matrix).unwrap().remove(0).text();
        assert!(speed.contains("int8, a 24×16"), "{speed}");
    }

    #[test]
    fn who_keeps_the_quality_is_named_beside_who_is_best_without() {
        let matrix = told(vec![
            ("model", words(&[Some("a"); 5])),
            ("technique", words(&["half", "int8", "int8", "slim", "tiny"].map(Some))),
            ("cell", words(&[Some("measured"); 5])),
            ("helps", words(&["faster", "faster and smaller", "faster", "smaller", "smaller, but slower"].map(Some))),
            ("quality", words(&["lost", "kept", "undecided", "kept", "lost"].map(Some))),
            ("weights", words(&[Some("real"); 5])),
            ("heading", words(&["a lee", "a lee", "a brown", "a lee", "a lee"].map(Some))),
            ("speedup", floats(&[3.0, 2.0, 1.5, 1.0, 0.5].map(Some))),
            ("memory_ratio", floats(&[1.0, 0.3, 0.9, 0.4, 0.1].map(Some))),
        ]);
        let html = helped(&matrix);
        let half = "half\n3×\n1 of the memory\nquality lost";
        let int8 = "int8\n2×\n0.3 of the memory\nquality kept";
        let tiny = "tiny\n0.5×\n0.1 of the memory\nquality lost";
        let best = format!("<td>4 of 4</td><td>{half}</td><td>{int8}</td><td>{tiny}</td><td>{int8}</td></tr>");
        assert!(html.contains(&best), "{html}");
        let at = |cells: &str| html.find(cells).unwrap();
        assert!(at("<td>a lee</td><td>half</td>") < at("<td>a brown</td><td>int8</td>"), "the fastest comes first");
        assert!(at("<td>a brown</td><td>int8</td>") < at("<td>tiny</td>"));
        assert!(at("<td>tiny</td>") < at("<td>slim</td>"), "then the smallest");
    }

    #[test]
    fn the_limits_that_are_told_are_those_of_the_query() {
        let queries = named_queries().unwrap();
        let matrix = queries.iter().find(|query| query.name == "matrix").unwrap();
        let text: String = READ.iter().map(|(_, meaning)| *meaning).collect();
        let shares = |value: f64| format!("{} %", (100.0 * value).round());
        let limits: [(&str, fn(f64) -> String); 3] =
            [("least_speedup", |value| format!("{value}×")), ("less_memory", shares), ("less_quality", shares)];
        for (name, said) in limits {
            let param = matrix.params.iter().find(|param| param.name == name).unwrap();
            let limit = said(param.default.as_ref().unwrap().parse().unwrap());
            assert!(text.contains(&limit), "{name}: {limit}");
        }
    }
}
