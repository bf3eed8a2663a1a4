//! Power laws: a straight line through logarithms. Every point is kept until the group is finished.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field};
use benchbook_stats::fit::power_law;
use datafusion::common::Result;
use datafusion::common::cast::as_float64_array;

use super::cells::Cell;
use super::family::{Argument, Family, Kind, Output, Short};
use super::lists;
use super::reason;
use super::state::{Rows, State};
use super::summary::floats;

static POWER: Family = Family {
    summary: "power_summary",
    arguments: &[Argument { name: "x", kind: Kind::Float }, Argument { name: "y", kind: Kind::Float }],
    level: true,
    optional: &[],
    outputs: &[
        Output { name: "n", kind: Kind::Int },
        Output { name: "exponent", kind: Kind::Float },
        Output { name: "low", kind: Kind::Float },
        Output { name: "high", kind: Kind::Float },
        Output { name: "coefficient", kind: Kind::Float },
        Output { name: "r_squared", kind: Kind::Float },
        Output { name: "reason", kind: Kind::Text },
    ],
    shorts: &[
        Short {
            name: "power_exponent",
            field: "exponent",
            level: true,
            doc: "Exponent of y = c * x^e, by least squares on the logarithms; needs three points. Keeps every point.",
        },
        Short {
            name: "power_exponent_low",
            field: "low",
            level: true,
            doc: "Lower bound of power_exponent (Student). Keeps every point.",
        },
        Short {
            name: "power_exponent_high",
            field: "high",
            level: true,
            doc: "Upper bound of power_exponent (Student). Keeps every point.",
        },
    ],
    doc: "Fit of y = c * x^e by least squares on the logarithms, with Student's interval of the exponent. Keeps every \
          point.",
};

/// State of `power_summary`: the points, in no order.
#[derive(Debug, Clone, Default)]
pub(crate) struct PowerState(Vec<[f64; 2]>);

impl State for PowerState {
    fn family() -> &'static Family {
        &POWER
    }

    fn state_fields() -> Vec<Field> {
        vec![lists::field("points", DataType::Float64)]
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let (x, y) = (floats(arguments, 0)?, floats(arguments, 1)?);
        rows.each(&[x, y], |row, group| states[group].0.push([x.value(row), y.value(row)]));
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

    fn finish(&self, level: f64) -> Vec<Cell> {
        let mut points = self.0.clone();
        // The same sums whatever the order of arrival.
        points.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().map(|[x, y]| (*x, *y)).unzip();
        let fit = power_law(&x, &y, level);
        let reason = fit.as_ref().err().map(reason::word);
        let fit = fit.ok();
        vec![
            Cell::count(points.len()),
            Cell::Float(fit.map(|fit| fit.exponent.estimate)),
            Cell::Float(fit.map(|fit| fit.exponent.low)),
            Cell::Float(fit.map(|fit| fit.exponent.high)),
            Cell::Float(fit.map(|fit| fit.coefficient)),
            Cell::Float(fit.map(|fit| fit.r_squared)),
            Cell::Text(reason),
        ]
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<[f64; 2]>()
    }
}
