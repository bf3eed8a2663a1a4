//! A time over replicates: each counts once. Every value is kept until the group is finished.

use benchbook_stats::{geometric_mean, median, replicate_interval};

use super::family::{Argument, Cell, Family, Kind, Output, Short, reason};
use super::points::OfPoints;

static REPLICATES: Family = Family {
    summary: "replicate_summary",
    arguments: &[Argument { name: "x", kind: Kind::Float }, Argument { name: "replicate", kind: Kind::Float }],
    level: true,
    optional: &[],
    outputs: &[
        Output { name: "replicates", kind: Kind::Int },
        Output { name: "n", kind: Kind::Int },
        Output { name: "median", kind: Kind::Float },
        Output { name: "low", kind: Kind::Float },
        Output { name: "high", kind: Kind::Float },
        Output { name: "reason", kind: Kind::Text },
    ],
    shorts: &[
        Short {
            name: "replicate_median",
            field: "median",
            level: true,
            doc: "Median of a typical replicate: the geometric mean of the medians of the replicates of one run, so \
                  that each process counts once. Keeps every value.",
        },
        Short {
            name: "replicate_low",
            field: "low",
            level: true,
            doc: "Lower bound of replicate_median for processes started anew: Student's t over the logarithms of the \
                  replicates' medians; NULL below 5 replicates. Keeps every value.",
        },
        Short {
            name: "replicate_high",
            field: "high",
            level: true,
            doc: "Upper bound of replicate_median for processes started anew: Student's t over the logarithms of the \
                  replicates' medians; NULL below 5 replicates. Keeps every value.",
        },
        Short {
            name: "replicate_reason",
            field: "reason",
            level: true,
            doc: "Why replicate_median or a bound of it is NULL: too-few, not-positive, not-finite, constant. Keeps \
                  every value.",
        },
    ],
    doc: "Samples of the replicates of one run: how many replicates and samples, the geometric mean of the replicates' \
          medians, and its interval over replicates. Keeps every value.",
};

/// What `replicate_summary` makes of samples with their replicates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replicates;

impl OfPoints for Replicates {
    fn family() -> &'static Family {
        &REPLICATES
    }

    fn finish(mut points: Vec<[f64; 2]>, level: f64) -> Vec<Cell> {
        points.sort_unstable_by(|a, b| a[1].total_cmp(&b[1]));
        let replicates: Vec<Vec<f64>> =
            points.chunk_by(|a, b| a[1] == b[1]).map(|samples| samples.iter().map(|[x, _]| *x).collect()).collect();
        let medians: Result<Vec<f64>, _> = replicates.iter().map(|samples| median(samples)).collect();
        let typical = medians.clone().and_then(|medians| geometric_mean(&medians));
        let interval = medians.and_then(|medians| replicate_interval(&medians, level));
        let reason = interval.as_ref().err().map(reason);
        let bounds = interval.ok().map(|interval| (interval.low, interval.high));
        vec![
            Cell::count(replicates.len()),
            Cell::count(points.len()),
            Cell::float(typical),
            Cell::Float(bounds.map(|bounds| bounds.0)),
            Cell::Float(bounds.map(|bounds| bounds.1)),
            Cell::Text(reason),
        ]
    }
}
