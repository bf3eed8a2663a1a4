//! Two unpaired samples by their moments: ratio of means, Welch's test, effect sizes.

use arrow::array::ArrayRef;
use arrow::datatypes::Field;
use benchbook_stats::verdict::{Rules, sequential_verdict_from};
use benchbook_stats::{cohens_d_from, hedges_g_from, ratio_interval_from, welch_from};
use datafusion::common::Result;
use datafusion::common::cast::as_boolean_array;

use super::family::{Argument, Cell, Family, Kind, Output, Short, reason};
use super::moments::{REASON, Sides, X, export, float, import, int, state_fields};
use super::state::{Rows, State};
use super::summary::floats;

const IS_CANDIDATE: Argument = Argument { name: "is_candidate", kind: Kind::Flag };

pub(super) static UNPAIRED: Family = Family {
    summary: "unpaired_summary",
    arguments: &[X, IS_CANDIDATE],
    level: true,
    optional: &[],
    outputs: &[
        int("n_baseline"),
        int("n_candidate"),
        float("mean_baseline"),
        float("mean_candidate"),
        float("speedup"),
        float("low"),
        float("high"),
        float("welch_t"),
        float("welch_df"),
        float("welch_p"),
        float("cohens_d"),
        float("hedges_g"),
        Output { name: "verdict", kind: Kind::Text },
        float("p_value"),
        REASON,
    ],
    shorts: &[
        Short {
            name: "speedup",
            field: "speedup",
            level: true,
            doc: "Unpaired, descriptive: mean of the baseline over mean of the candidate; above 1 the candidate is \
                  faster. Verdicts use paired_speedup.",
        },
        Short {
            name: "speedup_low",
            field: "low",
            level: true,
            doc: "Unpaired, descriptive: lower bound of the ratio of means, by the delta method on its logarithm.",
        },
        Short {
            name: "speedup_high",
            field: "high",
            level: true,
            doc: "Unpaired, descriptive: upper bound of the ratio of means, by the delta method on its logarithm.",
        },
        Short {
            name: "speedup_reason",
            field: "reason",
            level: true,
            doc: "Why speedup or a bound of it is NULL: too-few, not-positive, not-finite, constant, too-small.",
        },
        Short {
            name: "welch_p",
            field: "welch_p",
            level: false,
            doc: "Two-sided p-value of Welch's t test of equal means; rows taken as independent.",
        },
        Short {
            name: "cohens_d",
            field: "cohens_d",
            level: false,
            doc: "Cohen's d: (candidate - baseline) over the pooled standard deviation; below 0 the candidate is \
                  faster.",
        },
        Short {
            name: "hedges_g",
            field: "hedges_g",
            level: false,
            doc: "Hedges' g: Cohen's d without its bias in small samples.",
        },
    ],
    doc: "Two unpaired samples side by side, in constant memory: means, ratio of means with its interval, Welch's t \
          test, effect sizes. The verdict takes rows for one each of a replicate: it is descriptive, never \
          equivalent, and undecided below five. It is of this comparison alone: the query sequential judges all of \
          two runs together, by the p-value of the interval (p_value, NULL below five).",
};

/// State of `unpaired_summary`: baseline, candidate.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UnpairedState(Sides<2>);

impl State for UnpairedState {
    fn family() -> &'static Family {
        &UNPAIRED
    }

    fn state_fields() -> Vec<Field> {
        state_fields(2)
    }

    fn update(states: &mut [Self], arguments: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let x = floats(arguments, 0)?;
        let is_candidate = as_boolean_array(&arguments[1])?;
        let (values, candidates) = (x.values(), is_candidate.values());
        rows.each(&[x, is_candidate], |row, group| {
            states[group].0[usize::from(candidates.value(row))].push(values[row]);
        });
        Ok(())
    }

    fn merge(states: &mut [Self], columns: &[ArrayRef], groups: &[usize]) -> Result<()> {
        import(columns, |row, [baseline, candidate]| {
            let state = &mut states[groups[row]].0;
            state[0].merge(baseline);
            state[1].merge(candidate);
        })
    }

    fn export(states: &[Self]) -> Result<Vec<ArrayRef>> {
        Ok(export(states.iter().map(|state| state.0)))
    }

    fn finish(&self, level: f64) -> Vec<Cell> {
        let [baseline, candidate] = &self.0;
        let ratio = ratio_interval_from(candidate, baseline, level);
        let reason = ratio.as_ref().err().map(reason);
        let means = baseline.mean().ok().zip(candidate.mean().ok());
        // The ratio itself needs no spread: one value on each side will do.
        let speedup = means.filter(|(b, c)| *b > 0.0 && *c > 0.0).map(|(b, c)| b / c);
        let bounds = ratio.ok().map(|interval| (interval.low, interval.high));
        let rules = Rules { level, ..Rules::default() };
        let verdict = sequential_verdict_from(candidate, baseline, &rules).ok();
        let welch = welch_from(candidate, baseline).ok();
        vec![
            Cell::Int(i64::try_from(baseline.n).ok()),
            Cell::Int(i64::try_from(candidate.n).ok()),
            Cell::float(baseline.mean()),
            Cell::float(candidate.mean()),
            Cell::Float(speedup),
            Cell::Float(bounds.map(|bounds| bounds.0)),
            Cell::Float(bounds.map(|bounds| bounds.1)),
            Cell::Float(welch.as_ref().map(|test| test.statistic)),
            Cell::Float(welch.as_ref().map(|test| test.df)),
            Cell::Float(welch.as_ref().map(|test| test.p)),
            Cell::float(cohens_d_from(candidate, baseline)),
            Cell::float(hedges_g_from(candidate, baseline)),
            Cell::Text(verdict.map(|verdict| verdict.label.text())),
            Cell::Float(verdict.and_then(|verdict| verdict.p_value)),
            Cell::Text(reason),
        ]
    }
}
