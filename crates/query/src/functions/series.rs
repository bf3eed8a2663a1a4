//! Series in time: how far values depend on the one before, and whether they drift. Every value is kept.

use benchbook_stats::serial::{autocorrelation, drift, effective_sample_size};

use super::family::{Argument, Cell, Family, Kind, Output, Short};
use super::points::OfPoints;

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

/// What `series_summary` makes of values with their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series;

impl OfPoints for Series {
    fn family() -> &'static Family {
        &SERIES
    }

    fn finish(mut points: Vec<[f64; 2]>, _level: f64) -> Vec<Cell> {
        // The value breaks ties of the order, so that the order of arrival never matters.
        points.sort_unstable_by(|a, b| a[1].total_cmp(&b[1]).then(a[0].total_cmp(&b[0])));
        let values: Vec<f64> = points.into_iter().map(|[value, _]| value).collect();
        let trend = drift(&values).ok();
        vec![
            Cell::count(values.len()),
            Cell::float(autocorrelation(&values, 1)),
            Cell::float(effective_sample_size(&values)),
            Cell::Float(trend.as_ref().map(|trend| trend.share)),
            Cell::Float(trend.as_ref().map(|trend| trend.p_value)),
        ]
    }
}
