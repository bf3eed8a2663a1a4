//! Series in time: how far values depend on the one before, and whether they drift. Every value is kept.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field};
use benchbook_stats::serial::{autocorrelation, drift, effective_sample_size};
use datafusion::common::Result;
use datafusion::common::cast::as_float64_array;

use super::cells::Cell;
use super::family::{Argument, Family, Kind, Output, Short};
use super::lists;
use super::state::{Rows, State};
use super::summary::floats;

static SERIES: Family = Family {
    summary: "series_summary",
    arguments: &[Argument { name: "value", kind: Kind::Float }, Argument { name: "order", kind: Kind::Float }],
    level: false,
    optional: &[],
    outputs: &[
        Output { name: "n", kind: Kind::Int },
        Output { name: "autocorrelation", kind: Kind::Float },
        Output { name: "effective_n", kind: Kind::Float },
        Output { name: "drift", kind: Kind::Float },
        Output { name: "drift_p", kind: Kind::Float },
    ],
    shorts: &[
        Short {
            name: "autocorrelation",
            field: "autocorrelation",
            level: false,
            doc: "Autocorrelation at lag 1 of the values in that order; near 0 where they are independent. Keeps \
                  every value.",
        },
        Short {
            name: "effective_n",
            field: "effective_n",
            level: false,
            doc: "How many independent values would tell as much of the mean as these. Keeps every value.",
        },
        Short {
            name: "drift",
            field: "drift",
            level: false,
            doc: "Change from the first value to the last as a share of the median (Theil and Sen): 0.03 is 3 % up. \
                  Keeps every value.",
        },
        Short {
            name: "drift_p",
            field: "drift_p",
            level: false,
            doc: "Two-sided p-value of no drift (Mann-Kendall, corrected for autocorrelation). Keeps every value.",
        },
    ],
    doc: "Values in the order given: autocorrelation at lag 1, effective sample size and drift with its p-value; NULL \
          where one cannot be given. Keeps every value.",
};

/// State of `series_summary`: values with their order, as they arrive.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeriesState(Vec<[f64; 2]>);

impl SeriesState {
    /// The values in their order; the value breaks ties, so that the order of arrival never matters.
    fn in_order(&self) -> Vec<f64> {
        let mut points = self.0.clone();
        points.sort_unstable_by(|a, b| a[1].total_cmp(&b[1]).then(a[0].total_cmp(&b[0])));
        points.into_iter().map(|[value, _]| value).collect()
    }
}

impl State for SeriesState {
    fn family() -> &'static Family {
        &SERIES
    }

    fn state_fields() -> Vec<Field> {
        vec![lists::field("points", DataType::Float64)]
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let (value, order) = (floats(arguments, 0)?, floats(arguments, 1)?);
        rows.each(&[value, order], |row, group| states[group].0.push([value.value(row), order.value(row)]));
        Ok(())
    }

    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let (values, ranges) = lists::parts(&columns[0])?;
        let values = as_float64_array(values)?.values();
        for (group, range) in groups.iter().zip(ranges) {
            let (points, _) = values[range].as_chunks::<2>();
            states[*group].0.extend_from_slice(points);
        }
        Ok(())
    }

    fn export(states: &[Self]) -> Result<Vec<ArrayRef>> {
        let lengths = || states.iter().map(|state| 2 * state.0.len());
        lists::check(lengths().sum())?;
        let values: Float64Array = states.iter().flat_map(|state| state.0.as_flattened()).copied().map(Some).collect();
        Ok(vec![lists::column(lengths(), Arc::new(values))?])
    }

    fn finish(&self, _level: f64) -> Vec<Cell> {
        let values = self.in_order();
        let trend = drift(&values).ok();
        vec![
            Cell::count(values.len()),
            Cell::float(autocorrelation(&values, 1)),
            Cell::float(effective_sample_size(&values)),
            Cell::Float(trend.as_ref().map(|trend| trend.share)),
            Cell::Float(trend.as_ref().map(|trend| trend.p_value)),
        ]
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<[f64; 2]>()
    }
}
