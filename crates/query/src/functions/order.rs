//! Order statistics: exact, so every value is kept until the group is finished.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field};
use benchbook_stats::{mad, median, median_interval, outliers};
use datafusion::common::Result;
use datafusion::common::cast::as_float64_array;

use super::family::{Argument, Cell, Family, Kind, Output, Short, reason};
use super::lists;
use super::state::{Rows, State};
use super::summary::floats;

static ORDER: Family = Family {
    summary: "order_summary",
    arguments: &[Argument { name: "x", kind: Kind::Float }],
    level: true,
    optional: &[],
    outputs: &[
        Output { name: "n", kind: Kind::Int },
        Output { name: "median", kind: Kind::Float },
        Output { name: "low", kind: Kind::Float },
        Output { name: "high", kind: Kind::Float },
        Output { name: "mad", kind: Kind::Float },
        Output { name: "outliers", kind: Kind::Int },
        Output { name: "reason", kind: Kind::Text },
    ],
    shorts: &[
        Short {
            name: "median_ci_low",
            field: "low",
            level: true,
            doc: "Lower bound of the median's interval from order statistics; exact for independent values, which samples \
                  of one process are not (replicate_low is for those). Keeps every value.",
        },
        Short {
            name: "median_ci_high",
            field: "high",
            level: true,
            doc: "Upper bound of the median's interval from order statistics; exact for independent values, which samples \
                  of one process are not (replicate_high is for those). Keeps every value.",
        },
        Short {
            name: "mad",
            field: "mad",
            level: false,
            doc: "Median absolute deviation from the median, unscaled; exact, keeps every value.",
        },
        Short {
            name: "outliers",
            field: "outliers",
            level: false,
            doc: "How many values lie outside Tukey's fences (quartiles of type 7, 1.5 interquartile ranges); exact, \
                  keeps every value.",
        },
    ],
    doc: "Count, median with its interval from order statistics, MAD (unscaled) and outliers; exact, keeps every \
          value.",
};

/// State of `order_summary`: the values, in no order.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderState(Vec<f64>);

impl State for OrderState {
    fn family() -> &'static Family {
        &ORDER
    }

    fn state_fields() -> Vec<Field> {
        vec![lists::field("values", DataType::Float64)]
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let x = floats(arguments, 0)?;
        let values = x.values();
        rows.each(&[x], |row, group| states[group].0.push(values[row]));
        Ok(())
    }

    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()> {
        let (values, ranges) = lists::parts(&columns[0])?;
        let values = as_float64_array(values)?.values();
        for (group, range) in groups.iter().zip(ranges) {
            states[*group].0.extend_from_slice(&values[range]);
        }
        Ok(())
    }

    fn export(states: &[Self]) -> Result<Vec<ArrayRef>> {
        lists::check(states.iter().map(|state| state.0.len()).sum())?;
        let values: Float64Array = states.iter().flat_map(|state| state.0.iter().copied()).map(Some).collect();
        Ok(vec![lists::column(states.iter().map(|state| state.0.len()), Arc::new(values))?])
    }

    fn finish(&self, level: f64) -> Vec<Cell> {
        let x = self.0.as_slice();
        let interval = median_interval(x, level);
        let reason = interval.as_ref().err().map(reason);
        let bounds = interval.ok().map(|interval| (interval.low, interval.high));
        vec![
            Cell::count(x.len()),
            Cell::float(median(x)),
            Cell::Float(bounds.map(|bounds| bounds.0)),
            Cell::Float(bounds.map(|bounds| bounds.1)),
            Cell::float(mad(x)),
            Cell::Int(outliers(x).ok().and_then(|count| i64::try_from(count).ok())),
            Cell::Text(reason),
        ]
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<f64>()
    }
}
