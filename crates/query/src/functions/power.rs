//! Power laws: a straight line through logarithms. Every point is kept until the group is finished.

use benchbook_stats::fit::power_law;

use super::family::{Argument, Cell, Family, Kind, Output, Short, reason};
use super::points::OfPoints;

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

/// What `power_summary` makes of points.
#[derive(Debug, Clone, Default)]
pub(crate) struct Power;

impl OfPoints for Power {
    fn family() -> &'static Family {
        &POWER
    }

    fn finish(mut points: Vec<[f64; 2]>, level: f64) -> Vec<Cell> {
        // The same sums whatever the order of arrival.
        points.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().map(|[x, y]| (*x, *y)).unzip();
        let fit = power_law(&x, &y, level);
        let reason = fit.as_ref().err().map(reason);
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
}
