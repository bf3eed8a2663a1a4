//! What speed costs: quality where weights are real, and how far answers move where they are seeded, which says nothing of quality.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use benchbook_query::Answer;

use crate::Result;
use crate::charts::{Around, Figure, Mark, Trade, chart, trade};
use crate::matrix::{across, is_real};
use crate::row::{Row, rows};

/// In what it is told how much of a model's answers is lost.
#[derive(Debug)]
struct Measure {
    /// The column of the query `matrix`; its 95 % interval stands in those of this name with `_low` and `_high`.
    column: &'static str,
    /// As the table has it.
    name: &'static str,
    /// The title of its axis, with the better side.
    axis: &'static str,
    /// What it is of the model as it is.
    same: f64,
    /// Whether less is better.
    falls: bool,
    /// Whether it is a ratio.
    log: bool,
}

/// Of real weights, held against real text, labels or speech.
const REAL: &[&Measure] = &[
    &Measure {
        column: "perplexity_ratio",
        name: "perplexity ratio",
        axis: "perplexity ratio (×, less is better, log scale)",
        same: 1.0,
        falls: true,
        log: true,
    },
    &Measure {
        column: "accuracy_difference",
        name: "accuracy difference",
        axis: "accuracy difference (more is better)",
        same: 0.0,
        falls: false,
        log: false,
    },
    &Measure {
        column: "word_error_difference",
        name: "word error difference",
        axis: "word error difference (less is better)",
        same: 0.0,
        falls: true,
        log: false,
    },
];

const SEEDED: &Measure = &Measure {
    column: "kl_divergence",
    name: "KL divergence, seeded: says nothing of quality",
    axis: "KL divergence, seeded (nats a token)",
    same: 0.0,
    falls: true,
    log: false,
};

const SPEED: &str = "speed over the model as it is (×)";

/// A cell that has a speed, and something by which it is told what is lost.
struct Cell {
    model: String,
    technique: String,
    measure: &'static Measure,
    speed: Around,
    quality: Around,
}

impl Measure {
    /// Speed and loss, of which more is worse.
    fn numbers(&self, speed: f64, value: f64) -> [f64; 2] {
        [speed, if self.falls { value } else { -value }]
    }

    /// Those of the model as it is.
    fn plain(&self) -> [f64; 2] {
        self.numbers(1.0, self.same)
    }

    fn is_seeded(&self) -> bool {
        self.column == SEEDED.column
    }
}

impl Cell {
    fn of(row: &Row<'_>) -> Option<Self> {
        let known = |measure: &&'static Measure| row.float(measure.column).is_some();
        let measure = if is_real(row) { REAL.iter().copied().find(known)? } else { Some(SEEDED).filter(known)? };
        let ends = ["low", "high"].map(|end| format!("{}_{end}", measure.column));
        Some(Self {
            model: across(row)?,
            technique: row.text("technique")?,
            measure,
            speed: around(row, "speedup", ["low", "high"])?,
            quality: around(row, measure.column, ends.each_ref().map(String::as_str))?,
        })
    }

    fn numbers(&self) -> [f64; 2] {
        self.measure.numbers(self.speed.value, self.quality.value)
    }

    /// Whether both are of one model, and told in the same.
    fn is_beside(&self, other: &Self) -> bool {
        self.model == other.model && self.measure.column == other.measure.column
    }

    /// Whether neither another technique of its model nor the model as it is beats it in both, by their estimates.
    fn is_best(&self, all: &[Self]) -> bool {
        let own = self.numbers();
        let others = all.iter().filter(|other| self.is_beside(other)).map(Self::numbers);
        own.iter().all(|number| number.is_finite())
            && !others.chain([self.measure.plain()]).any(|other| beats(other, own))
    }
}

/// Whether one is as fast and loses as little, and is better in one of the two (Pareto).
fn beats([speed, loss]: [f64; 2], [other_speed, other_loss]: [f64; 2]) -> bool {
    speed >= other_speed && loss <= other_loss && (speed > other_speed || loss < other_loss)
}

fn around(row: &Row<'_>, value: &str, [low, high]: [&str; 2]) -> Option<Around> {
    let ends = row.float(low).zip(row.float(high)).map(|(low, high)| [low, high]);
    Some(Around { value: row.float(value)?, ends })
}

fn cells(matrix: &Answer) -> Vec<Cell> {
    rows(matrix).filter_map(|row| Cell::of(&row)).collect()
}

/// Of each model that has real weights, its quality against speed; and how far answers move against speed where weights are seeded. None
/// where nothing is known of either.
///
/// # Errors
/// Columns that cannot be drawn.
pub fn trade_figures(matrix: &Answer) -> Result<Vec<Figure>> {
    let all = cells(matrix);
    let mut names: Vec<&str> = all.iter().map(|cell| cell.technique.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut figures = Vec::new();
    for (place, first) in all.iter().enumerate() {
        // The first of a model and its measure stands for all of these.
        if first.measure.is_seeded() || all[..place].iter().any(|before| before.is_beside(first)) {
            continue;
        }
        let of_model: Vec<&Cell> = all.iter().filter(|cell| cell.is_beside(first)).collect();
        let (measure, alone) = (first.measure, |value: f64| Around { value, ends: None });
        let plain = Trade {
            name: "the model as it is",
            look: None,
            speed: alone(1.0),
            quality: alone(measure.same),
            is_best: !of_model.iter().any(|cell| beats(cell.numbers(), measure.plain())),
        };
        let mut trades = vec![plain];
        trades.extend(of_model.iter().map(|cell| Trade {
            name: &cell.technique,
            look: names.binary_search(&cell.technique.as_str()).ok(),
            speed: cell.speed,
            quality: cell.quality,
            is_best: cell.is_best(&all),
        }));
        let title = format!("Quality against speed, real weights: {}", first.model);
        figures.push(trade(&trades, measure.axis, measure.log)?.with_title(&title));
    }
    let seeded: Vec<&Cell> = all.iter().filter(|cell| cell.measure.is_seeded()).collect();
    if !seeded.is_empty() {
        let columns = [
            ("technique", texts(seeded.iter().map(|cell| cell.technique.as_str()))),
            (SPEED, floats(seeded.iter().map(|cell| Some(cell.speed.value)))),
            (SEEDED.axis, floats(seeded.iter().map(|cell| Some(cell.quality.value)))),
        ];
        let moved = RecordBatch::try_from_iter(columns)?;
        let figure = chart(&[moved], Mark::Scatter, SPEED, SEEDED.axis, Some("technique"))?;
        let title = "How far answers move, against speed: weights are seeded, which says nothing of quality";
        figures.push(figure.with_title(title));
    }
    Ok(figures)
}

/// Of each model the techniques that are beaten in neither speed nor what is lost, as a table.
///
/// # Errors
/// Columns of different lengths.
pub fn front(matrix: &Answer) -> Result<Answer> {
    let all = cells(matrix);
    let best: Vec<&Cell> = all.iter().filter(|cell| cell.is_best(&all)).collect();
    let ends =
        |of: fn(&Cell) -> Around, end: usize| floats(best.iter().map(move |cell| of(cell).ends.map(|ends| ends[end])));
    let columns = [
        ("model", texts(best.iter().map(|cell| cell.model.as_str()))),
        ("technique", texts(best.iter().map(|cell| cell.technique.as_str()))),
        ("speedup", floats(best.iter().map(|cell| Some(cell.speed.value)))),
        ("low", ends(|cell| cell.speed, 0)),
        ("high", ends(|cell| cell.speed, 1)),
        ("measure", texts(best.iter().map(|cell| cell.measure.name))),
        ("value", floats(best.iter().map(|cell| Some(cell.quality.value)))),
        ("value_low", ends(|cell| cell.quality, 0)),
        ("value_high", ends(|cell| cell.quality, 1)),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?.into())
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn floats(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::matrix::tests::{CELLS, answer};

    fn told(answer: &Answer, name: &str) -> Vec<String> {
        rows(answer).filter_map(|row| row.text(name)).collect()
    }

    /// A model by real weights on two things and by seeded ones: heading, technique, weights, speedup, and of perplexity, accuracy and
    /// divergence what is known, each of the first two with an interval.
    fn matrix() -> Answer {
        type One = (&'static str, &'static str, &'static str, f64, [Option<f64>; 3]);
        let cells: [One; 7] = [
            ("a brown", "int8", "real", 2.0, [Some(1.001), None, Some(0.5)]),
            ("a brown", "2of4", "real", 1.5, [Some(9.0), None, Some(0.4)]),
            ("a brown", "slow", "real", 0.9, [Some(1.0), None, Some(0.0)]),
            ("a labels", "int8", "real", 2.0, [None, Some(-0.1), None]),
            ("a labels", "2of4", "real", 1.5, [None, Some(0.02), None]),
            ("a", "nf4", "seeded", 1.2, [None, None, Some(0.3)]),
            ("a text", "chunks", "real", 1.1, [None; 3]),
        ];
        let word = |of: fn(&One) -> &'static str| texts(cells.iter().map(of));
        let number = |place: usize, by: f64| floats(cells.iter().map(move |cell| cell.4[place].map(|one| one + by)));
        let speed = |by: f64| floats(cells.iter().map(move |cell| Some(cell.3 + by)));
        let columns = [
            ("model", texts(cells.iter().map(|_| "a"))),
            ("heading", word(|cell| cell.0)),
            ("technique", word(|cell| cell.1)),
            ("weights", word(|cell| cell.2)),
            ("speedup", speed(0.0)),
            ("low", speed(-0.25)),
            ("high", speed(0.25)),
            ("perplexity_ratio", number(0, 0.0)),
            ("perplexity_ratio_low", number(0, -0.125)),
            ("perplexity_ratio_high", number(0, 0.125)),
            ("accuracy_difference", number(1, 0.0)),
            ("accuracy_difference_low", number(1, -0.125)),
            ("accuracy_difference_high", number(1, 0.125)),
            ("kl_divergence", number(2, 0.0)),
        ];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap().into()
    }

    #[test]
    fn real_weights_stand_by_their_quality_apart_from_seeded_ones() {
        let figures = trade_figures(&matrix()).unwrap();
        let titles: Vec<&str> = figures.iter().map(Figure::title).collect();
        let real = ["a brown", "a labels"].map(|model| format!("Quality against speed, real weights: {model}"));
        assert_eq!(titles[..2], real);
        assert!(titles.len() == 3 && titles[2].ends_with("weights are seeded, which says nothing of quality"));
        let axes: Vec<&Value> =
            figures.iter().map(|figure| &figure.value()["layout"]["yaxis"]["title"]["text"]).collect();
        let wanted = [
            "perplexity ratio (×, less is better, log scale)",
            "accuracy difference (more is better)",
            "KL divergence, seeded (nats a token)",
        ];
        assert_eq!(axes, wanted);
        let points = |figure: &Figure, name: &str| -> Vec<(Value, Value)> {
            let traces = figure.value()["data"].as_array().unwrap();
            let own = traces.iter().filter(|one| one["legendgroup"] == name || one["name"] == name);
            own.map(|one| (one["x"].clone(), one["y"].clone())).collect()
        };
        let int8 = points(&figures[0], "int8");
        assert!(int8.contains(&(json!([2.0]), json!([1.001]))), "{int8:?}");
        assert!(int8.contains(&(json!([1.75, 2.25, null]), json!([1.001, 1.001, null]))), "{int8:?}");
        let labels = points(&figures[1], "2of4");
        assert!(labels.contains(&(json!([1.5, 1.5, null]), json!([0.02 - 0.125, 0.02 + 0.125, null]))), "{labels:?}");
        // A divergence that real weights have too is no point among those of seeded ones.
        let seeded = figures[2].value()["data"].as_array().unwrap();
        assert_eq!(seeded.len(), 1, "{seeded:?}");
        assert_eq!(points(&figures[2], "nf4"), [(json!([1.2]), json!([0.3]))]);
    }

    #[test]
    fn a_technique_looks_alike_in_every_figure() {
        let figures = trade_figures(&matrix()).unwrap();
        let look = |figure: &Figure| {
            let traces = figure.value()["data"].as_array().unwrap().clone();
            let named = traces.into_iter().find(|one| one["name"] == "int8").unwrap();
            (named["marker"]["color"].clone(), named["marker"]["symbol"].clone())
        };
        assert_eq!(look(&figures[0]), look(&figures[1]));
    }

    #[test]
    fn the_front_leaves_out_who_is_beaten_in_both() {
        let best = front(&answer(&CELLS)).unwrap();
        assert_eq!(told(&best, "technique"), ["int8", "2of4"], "nf4 is slower than int8, and moves more");
        let best = front(&matrix()).unwrap();
        // Of labels more is better, so that both stay; the model as it is beats what is slower and no better.
        let kept = [told(&best, "model"), told(&best, "technique"), told(&best, "measure")];
        let [perplexity, accuracy] = ["perplexity ratio", "accuracy difference"];
        let wanted = [
            ["a brown", "a labels", "a labels", "a"],
            ["int8", "int8", "2of4", "nf4"],
            [perplexity, accuracy, accuracy, SEEDED.name],
        ];
        assert_eq!(kept, wanted);
        let first = rows(&best).next().unwrap();
        assert_eq!(
            ["value_low", "value", "value_high"].map(|name| first.float(name)),
            [Some(1.001 - 0.125), Some(1.001), Some(1.001 + 0.125)]
        );
    }

    #[test]
    fn nothing_is_drawn_of_cells_that_tell_nothing() {
        assert!(trade_figures(&answer(&CELLS[3..])).unwrap().is_empty());
    }
}
