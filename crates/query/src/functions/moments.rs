//! Families whose state is a few moments: they take any number of rows in constant memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, UInt64Array};
use arrow::datatypes::{DataType, Field};
use benchbook_stats::{Moments, mean_interval_from};
use datafusion::common::Result;
use datafusion::common::cast::{as_float64_array, as_uint64_array};

use super::family::{Argument, Cell, Family, Kind, Output, Short, reason};
use super::state::{Rows, State};
use super::summary::floats;

pub(super) const X: Argument = Argument { name: "x", kind: Kind::Float };

pub(super) const fn float(name: &'static str) -> Output {
    Output { name, kind: Kind::Float }
}

pub(super) const fn int(name: &'static str) -> Output {
    Output { name, kind: Kind::Int }
}

pub(super) const REASON: Output = Output { name: "reason", kind: Kind::Text };

static MEAN: Family = Family {
    summary: "mean_summary",
    arguments: &[X],
    level: true,
    optional: &[],
    outputs: &[int("n"), float("mean"), float("std_dev"), float("low"), float("high"), REASON],
    shorts: &[
        Short { name: "ci_low", field: "low", level: true, doc: "Lower bound of Student's interval of the mean." },
        Short { name: "ci_high", field: "high", level: true, doc: "Upper bound of Student's interval of the mean." },
    ],
    doc: "Count, mean, standard deviation (n - 1) and Student's interval of the mean, in constant memory.",
};

static LOGS: Family = Family {
    summary: "log_summary",
    arguments: &[X],
    level: false,
    optional: &[],
    outputs: &[int("n"), float("geomean"), REASON],
    shorts: &[Short {
        name: "geomean",
        field: "geomean",
        level: false,
        doc: "Geometric mean, in constant memory; NULL if a value is not above zero.",
    }],
    doc: "Count and geometric mean, in constant memory.",
};

/// Moments of one sample, or of a baseline (0) and a candidate (1).
pub(super) type Sides<const N: usize> = [Moments; N];

pub(super) fn state_fields(sides: usize) -> Vec<Field> {
    (0..sides)
        .flat_map(|side| {
            [
                Field::new(format!("n{side}"), DataType::UInt64, false),
                Field::new(format!("mean{side}"), DataType::Float64, false),
                Field::new(format!("m2_{side}"), DataType::Float64, false),
            ]
        })
        .collect()
}

pub(super) fn export<const N: usize>(states: impl Iterator<Item = Sides<N>> + Clone) -> Vec<ArrayRef> {
    (0..N)
        .flat_map(|side| -> [ArrayRef; 3] {
            let of = states.clone().map(move |sides| sides[side]);
            [
                Arc::new(of.clone().map(|moments| moments.n).collect::<UInt64Array>()),
                Arc::new(of.clone().map(|moments| moments.mean).collect::<Float64Array>()),
                Arc::new(of.map(|moments| moments.m2).collect::<Float64Array>()),
            ]
        })
        .collect()
}

pub(super) fn import<const N: usize>(columns: &[ArrayRef], mut visit: impl FnMut(usize, &Sides<N>)) -> Result<()> {
    let mut counts = Vec::with_capacity(N);
    let mut rest = Vec::with_capacity(N);
    for side in columns.chunks_exact(3) {
        counts.push(as_uint64_array(&side[0])?.values());
        rest.push((as_float64_array(&side[1])?.values(), as_float64_array(&side[2])?.values()));
    }
    #[expect(clippy::needless_range_loop, reason = "a row of several columns")]
    for row in 0..columns[0].len() {
        let sides = std::array::from_fn(|side| Moments {
            n: counts[side][row],
            mean: rest[side].0[row],
            m2: rest[side].1[row],
        });
        visit(row, &sides);
    }
    Ok(())
}

/// State of `mean_summary`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MeanState(Moments);

impl State for MeanState {
    fn family() -> &'static Family {
        &MEAN
    }

    fn state_fields() -> Vec<Field> {
        state_fields(1)
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let x = floats(arguments, 0)?;
        let values = x.values();
        rows.each(&[x], |row, group| states[group].0.push(values[row]));
        Ok(())
    }

    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()> {
        import(columns, |row, [moments]| states[groups[row]].0.merge(moments))
    }

    fn export(states: &[Self]) -> Result<Vec<ArrayRef>> {
        Ok(export(states.iter().map(|state| [state.0])))
    }

    fn finish(&self, level: f64) -> Vec<Cell> {
        let interval = mean_interval_from(&self.0, level);
        let reason = interval.as_ref().err().map(reason);
        let bounds = interval.ok().map(|interval| (interval.low, interval.high));
        vec![
            Cell::Int(i64::try_from(self.0.n).ok()),
            Cell::float(self.0.mean()),
            Cell::Float(self.0.variance().ok().map(f64::sqrt)),
            Cell::Float(bounds.map(|bounds| bounds.0)),
            Cell::Float(bounds.map(|bounds| bounds.1)),
            Cell::Text(reason),
        ]
    }
}

/// State of `log_summary`: moments of the logarithms, and the worst of what spoils them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogState {
    logs: Moments,
    flaw: Flaw,
}

/// Why there are no logarithms; the last of several is told, as by the statistics of whole samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    #[default]
    None,
    NotPositive,
    NotFinite,
}

impl Flaw {
    const ALL: [Self; 3] = [Self::None, Self::NotPositive, Self::NotFinite];

    fn of(value: f64) -> Self {
        match value {
            value if !value.is_finite() => Self::NotFinite,
            value if value <= 0.0 => Self::NotPositive,
            _ => Self::None,
        }
    }

    fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::NotPositive => Some("not-positive"),
            Self::NotFinite => Some("not-finite"),
        }
    }
}

impl State for LogState {
    fn family() -> &'static Family {
        &LOGS
    }

    fn state_fields() -> Vec<Field> {
        let mut fields = state_fields(1);
        fields.push(Field::new("flaw", DataType::UInt64, false));
        fields
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let x = floats(arguments, 0)?;
        let values = x.values();
        rows.each(&[x], |row, group| {
            let (state, value) = (&mut states[group], values[row]);
            state.flaw = state.flaw.max(Flaw::of(value));
            // The logarithm of zero or less is not finite, which spoils the moments for good, as it should.
            state.logs.push(value.ln());
        });
        Ok(())
    }

    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let flaws = as_uint64_array(&columns[3])?.values();
        import(&columns[..3], |row, [logs]| {
            let state = &mut states[groups[row]];
            state.logs.merge(logs);
            state.flaw = state.flaw.max(Flaw::ALL[flaws[row] as usize]);
        })
    }

    fn export(states: &[Self]) -> Result<Vec<ArrayRef>> {
        let mut columns = export(states.iter().map(|state| [state.logs]));
        columns.push(Arc::new(states.iter().map(|state| state.flaw as u64).collect::<UInt64Array>()));
        Ok(columns)
    }

    fn finish(&self, _level: f64) -> Vec<Cell> {
        let mean = self.logs.mean();
        let reason = self.flaw.word().or_else(|| mean.as_ref().err().map(reason));
        vec![Cell::Int(i64::try_from(self.logs.n).ok()), Cell::Float(mean.ok().map(f64::exp)), Cell::Text(reason)]
    }
}
