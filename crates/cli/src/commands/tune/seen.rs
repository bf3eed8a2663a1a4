//! What a store holds of settings: their times, their times beside the usual setting, their metrics, and what failed.

use std::collections::{BTreeMap, HashMap};

use benchbook_query::{Session, TIME, quoted};
use benchbook_report::rows;
use benchbook_search::{Observation, Point};

use super::space::Subject;
use crate::error::Failure;

/// What is to be good, and what a setting has to keep to.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    pub metric: String,
    pub under: Vec<(String, f64)>,
    pub over: Vec<(String, f64)>,
}

/// What is known of a setting.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Of each metric the value, that of the time in nanoseconds.
    pub values: BTreeMap<String, f64>,
    /// The logarithm of the usual setting's time over its own, in the same blocks.
    pub log_ratio: Option<f64>,
    /// Why there is nothing, where a trial of it has ended so.
    pub lost: Option<String>,
}

/// Settings by case and variant.
pub type Known = HashMap<(String, String), Found>;

/// How trials end that say something of their setting: others are measured again.
const ENDED: [&str; 4] = ["failed", "wrong", "unsupported", "invalid"];

/// What these runs say of a workload; `usual` is the variant that others stand beside.
///
/// # Errors
/// The store cannot be asked.
pub fn read(session: &Session, runs: &[String], workload: &str, goal: &Goal, usual: &str) -> Result<Known, Failure> {
    let mut known = Known::new();
    if runs.is_empty() {
        return Ok(known);
    }
    let runs = runs.iter().map(|run| quoted(run)).collect::<Vec<_>>().join(", ");
    let (workload, usual) = (quoted(workload), quoted(usual));
    let times = format!(
        "SELECT case_name, variant, replicate_median(time_ns, replicate) AS value FROM results \
         WHERE valid AND workload = {workload} AND run_id IN ({runs}) GROUP BY case_name, variant"
    );
    each(session, &times, &mut known, |found, row| {
        found.values.extend(row.float("value").map(|value| (TIME.to_owned(), value)));
    })?;
    let ratios = format!(
        "SELECT case_name, variant, avg(ratio) AS value FROM (\
         SELECT run_id, case_name, candidate AS variant, replicate, avg(log_ratio) AS ratio FROM pairs \
         WHERE workload = {workload} AND baseline = {usual} AND run_id IN ({runs}) \
         GROUP BY run_id, case_name, candidate, replicate) AS r GROUP BY case_name, variant"
    );
    each(session, &ratios, &mut known, |found, row| found.log_ratio = row.float("value"))?;
    let metrics: Vec<String> = goal.metrics().filter(|name| *name != TIME).map(quoted).collect();
    if !metrics.is_empty() {
        let metrics = metrics.join(", ");
        let values = format!(
            "SELECT case_name, variant, metric, avg(value) AS value FROM metric_values \
             WHERE workload = {workload} AND lost IS NULL AND metric IN ({metrics}) AND run_id IN ({runs}) \
             GROUP BY case_name, variant, metric"
        );
        each(session, &values, &mut known, |found, row| {
            found.values.extend(row.text("metric").zip(row.float("value")));
        })?;
    }
    let lost = format!(
        "SELECT t.case_name, t.variant, min(u.reason) AS reason FROM trials t \
         JOIN unusable u ON u.run_id = t.run_id AND u.trial = t.trial \
         WHERE t.workload = {workload} AND t.run_id IN ({runs}) GROUP BY t.case_name, t.variant"
    );
    each(session, &lost, &mut known, |found, row| {
        found.lost = row.text("reason").filter(|reason| ENDED.contains(&reason.as_str()));
    })?;
    known.retain(|_, found| !found.values.is_empty() || found.lost.is_some());
    Ok(known)
}

fn each(
    session: &Session,
    sql: &str,
    known: &mut Known,
    mut take: impl FnMut(&mut Found, benchbook_report::Row<'_>),
) -> Result<(), Failure> {
    for row in rows(&session.sql(sql)?) {
        if let Some(key) = row.text("case_name").zip(row.text("variant")) {
            take(known.entry(key).or_default(), row);
        }
    }
    Ok(())
}

impl Goal {
    /// Every metric that it names.
    pub fn metrics(&self) -> impl Iterator<Item = &str> {
        let bounds = self.under.iter().chain(&self.over).map(|(name, _)| name.as_str());
        std::iter::once(self.metric.as_str()).chain(bounds)
    }

    /// A metric that it names and none of these settings has, though one of them has values.
    pub fn absent<'a>(&'a self, known: &Known) -> Option<&'a str> {
        let measured: Vec<&Found> = known.values().filter(|found| !found.values.is_empty()).collect();
        let mut metrics = self.metrics();
        metrics.find(|name| !measured.is_empty() && measured.iter().all(|found| !found.values.contains_key(*name)))
    }

    /// How far a setting is beyond its bounds, the shares of all of them together; infinitely far where a value is missing.
    fn excess(&self, found: &Found) -> f64 {
        let of = |name: &str| found.values.get(name).copied();
        let scale = |bound: f64| if bound == 0.0 { 1.0 } else { bound.abs() };
        let above = |(name, bound): &(String, f64)| of(name).map(|value| (value - bound).max(0.0) / scale(*bound));
        let below = |(name, bound): &(String, f64)| of(name).map(|value| (bound - value).max(0.0) / scale(*bound));
        let all = self.under.iter().map(above).chain(self.over.iter().map(below));
        all.map(|excess| excess.unwrap_or(f64::INFINITY)).sum()
    }

    /// What a search learns of a point. The time of a setting beside the usual one, which stands in the same blocks, is that
    /// beside it; of other metrics more may be better.
    pub fn observed(&self, point: Point, found: &Found, beside: Option<[&Subject; 2]>, higher: bool) -> Observation {
        let own = found.values.get(&self.metric).copied();
        let loss = match beside {
            Some([subject, usual]) if self.metric == TIME && subject == usual => own.map(|_| 0.0),
            Some(_) if self.metric == TIME => found.log_ratio.map(|ratio| -ratio),
            None if self.metric == TIME => own.map(f64::ln),
            _ if higher => own.map(|value| -value),
            _ => own,
        };
        match loss {
            Some(_) => Observation { point, loss, excess: self.excess(found) },
            None => Observation::failed(point),
        }
    }
}

/// Whether more of a metric is better, by what metrics state of themselves.
///
/// # Errors
/// The store cannot be asked.
pub fn is_higher(session: &Session, metric: &str) -> Result<bool, Failure> {
    if metric == TIME {
        return Ok(false);
    }
    let stated = format!("SELECT max(better) AS better FROM metric_values WHERE metric = {}", quoted(metric));
    let answer = session.sql(&stated)?;
    let better = rows(&answer).next().and_then(|row| row.text("better"));
    Ok(better.as_deref() == Some("higher"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use benchbook_core::{Case, DType, Params, Variant};
    use benchbook_search::{Value, best};

    fn found(values: &[(&str, f64)]) -> Found {
        Found { values: values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(), ..Found::default() }
    }

    fn goal(metric: &str) -> Goal {
        let pair = |(name, value): (&str, f64)| (name.to_owned(), value);
        Goal { metric: metric.into(), under: vec![pair(("memory", 100.0))], over: vec![pair(("quality", 0.5))] }
    }

    fn subject(implementation: &str) -> Subject {
        let (device, dtype) = ("flex".into(), DType::F32);
        Subject {
            case: Case { workload: "w".into(), name: "c".into(), params: Params::default() },
            variant: Variant { implementation: implementation.into(), device, dtype, threads: 1, build: None },
        }
    }

    #[test]
    fn the_shares_beyond_all_bounds_are_added_up() {
        let excess = |values: &[(&str, f64)]| goal("time").excess(&found(values));
        assert!(excess(&[("memory", 100.0), ("quality", 0.5)]) <= 0.0);
        assert!((excess(&[("memory", 150.0), ("quality", 0.25)]) - 1.0).abs() < 1e-12);
        assert_eq!(excess(&[("memory", 1.0)]), f64::INFINITY, "what was not measured meets no bound");
    }

    #[test]
    fn a_time_counts_beside_the_usual_setting_and_alone_where_there_is_none() {
        let goal = Goal { under: Vec::new(), over: Vec::new(), ..goal("time") };
        let [one, usual] = ["tiled:depth=64", "tiled"].map(subject);
        let observed = |found: &Found, beside| goal.observed(vec![Value::Int(0)], found, beside, false).loss;
        let timed = Found { log_ratio: Some(0.25), ..found(&[("time", 1e6)]) };
        assert_eq!(observed(&timed, Some([&one, &usual])), Some(-0.25));
        assert_eq!(observed(&timed, Some([&usual, &usual])), Some(0.0));
        assert_eq!(observed(&timed, None), Some(1e6_f64.ln()));
        // Without a common block there is no ratio, and a time of other blocks is none.
        assert_eq!(observed(&found(&[("time", 1e6)]), Some([&one, &usual])), None);
        assert_eq!(observed(&Found::default(), Some([&usual, &usual])), None);
    }

    #[test]
    fn of_other_metrics_the_better_side_wins() {
        let goal = Goal { under: Vec::new(), over: Vec::new(), ..goal("quality") };
        for (higher, wanted) in [(true, 1), (false, 0)] {
            let seen = [0.2, 0.7].map(|quality| {
                goal.observed(vec![Value::Float(quality)], &found(&[("quality", quality)]), None, higher)
            });
            assert_eq!(best(&seen), Some(&seen[wanted]));
        }
    }

    #[test]
    fn a_metric_that_nothing_has_is_named() {
        let known = |found: Found| Known::from([(("c".to_owned(), "v".to_owned()), found)]);
        let goal = goal("time");
        assert_eq!(goal.absent(&known(found(&[("time", 1.0), ("memory", 1.0)]))), Some("quality"));
        assert_eq!(goal.absent(&known(found(&[("time", 1.0), ("memory", 1.0), ("quality", 1.0)]))), None);
        let failed = Found { lost: Some("failed".into()), ..Found::default() };
        assert_eq!(goal.absent(&known(failed)), None, "what failed has no metrics");
    }
}
