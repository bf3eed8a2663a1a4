//! The rank test: exact ranks, so every value is kept until the group is finished.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field};
use benchbook_stats::{Method, mann_whitney};
use datafusion::common::Result;
use datafusion::common::cast::{as_boolean_array, as_float64_array};

use super::family::{Argument, Cell, Family, Kind, Output, Short, reason};
use super::lists;
use super::state::{Rows, State};
use super::summary::floats;

static RANKS: Family = Family {
    summary: "rank_summary",
    arguments: &[Argument { name: "x", kind: Kind::Float }, Argument { name: "is_candidate", kind: Kind::Flag }],
    level: false,
    optional: &[],
    outputs: &[
        Output { name: "n_baseline", kind: Kind::Int },
        Output { name: "n_candidate", kind: Kind::Int },
        Output { name: "u", kind: Kind::Float },
        Output { name: "p", kind: Kind::Float },
        Output { name: "reason", kind: Kind::Text },
    ],
    shorts: &[Short {
        name: "mann_whitney_p",
        field: "p",
        level: false,
        doc: "Two-sided p-value of the Mann-Whitney U test; rows taken as independent; exact ranks, keeps every value.",
    }],
    doc: "Mann-Whitney U test of a candidate against a baseline; exact ranks, keeps every value.",
};

/// State of `rank_summary`: values of baseline (0) and candidate (1), in no order.
#[derive(Debug, Clone, Default)]
pub(crate) struct RankState([Vec<f64>; 2]);

impl State for RankState {
    fn family() -> &'static Family {
        &RANKS
    }

    fn state_fields() -> Vec<Field> {
        vec![lists::field("baseline", DataType::Float64), lists::field("candidate", DataType::Float64)]
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let x = floats(arguments, 0)?;
        let is_candidate = as_boolean_array(&arguments[1])?;
        let values = x.values();
        rows.each(&[x, is_candidate], |row, group| {
            states[group].0[usize::from(is_candidate.value(row))].push(values[row]);
        });
        Ok(())
    }

    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()> {
        for (side, column) in columns.iter().enumerate() {
            let (values, ranges) = lists::parts(column)?;
            let values = as_float64_array(values)?.values();
            for (group, range) in groups.iter().zip(ranges) {
                states[*group].0[side].extend_from_slice(&values[range]);
            }
        }
        Ok(())
    }

    fn export(states: &[Self]) -> Result<Vec<ArrayRef>> {
        (0..2)
            .map(|side| {
                let of = || states.iter().map(move |state| &state.0[side]);
                lists::check(of().map(Vec::len).sum())?;
                let values: Float64Array = of().flatten().copied().map(Some).collect();
                lists::column(of().map(Vec::len), Arc::new(values))
            })
            .collect()
    }

    fn finish(&self, _level: f64) -> Vec<Cell> {
        let [baseline, candidate] = &self.0;
        let test = mann_whitney(candidate, baseline, Method::Auto);
        let reason = test.as_ref().err().map(reason);
        let test = test.ok();
        vec![
            Cell::count(baseline.len()),
            Cell::count(candidate.len()),
            Cell::Float(test.as_ref().map(|test| test.statistic)),
            Cell::Float(test.as_ref().map(|test| test.p)),
            Cell::Text(reason),
        ]
    }

    fn heap_bytes(&self) -> usize {
        self.0.iter().map(|values| values.capacity() * size_of::<f64>()).sum()
    }
}
