//! Comparisons: variants within a run, or two runs where their environments allow it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use benchbook_core::{Opaque, baseline_of, nearest, on_one_line};
use benchbook_query::{Answer, Session, TIME, quoted};
use benchbook_record::environment_difference;

use super::gaps::gaps;
use super::verdicts;
use crate::figures::with_text;
use crate::row::rows;
use crate::text::Cells;
use crate::{Error, Result};

/// What differs between baseline and candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Each implementation beside the baseline's.
    Implementation,
    /// Each implementation beside itself on another device.
    Device,
    /// Each implementation beside itself in another dtype.
    Dtype,
}

impl By {
    /// Everything that can differ.
    pub const ALL: [Self; 3] = [Self::Implementation, Self::Device, Self::Dtype];

    /// The name of the column, and of the option's value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Implementation => "implementation",
            Self::Device => "device",
            Self::Dtype => "dtype",
        }
    }

    /// What counts as 1 when nobody names it: `naive`, `flex` or `f32` where a run has them, else the first by name.
    ///
    /// # Errors
    /// [`Error::Nothing`] for a run without trials.
    pub(crate) fn baseline(self, session: &Session, run_id: &str) -> Result<String> {
        let names = distinct(session, "trials", run_id, self.name())?;
        let usual = match self {
            Self::Implementation => baseline_of(names.iter().map(String::as_str)),
            Self::Device => names.iter().map(String::as_str).find(|name| *name == "flex"),
            Self::Dtype => names.iter().map(String::as_str).find(|name| *name == "f32"),
        };
        let nothing = || Error::Nothing(format!("run {run_id} has no trials, there is nothing to compare"));
        usual.map(str::to_owned).or_else(|| names.first().cloned()).ok_or_else(nothing)
    }
}

/// The values of a column of a table that belong to a run, in order.
pub(crate) fn distinct(session: &Session, table: &str, run_id: &str, column: &str) -> Result<Vec<String>> {
    let answer = session
        .sql(&format!("select distinct {column} as name from {table} where run_id = {} order by 1", quoted(run_id)))?;
    Ok(rows(&answer).filter_map(|row| row.text("name")).collect())
}

/// A comparison and how to read it.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What was compared, and what the verdicts mean.
    pub note: String,
    /// What a reader must know of the runs: interrupted ones, and what is missing of their plans.
    pub warnings: Vec<String>,
    /// The rows, with every digit; the column `warnings` holds those above, a line each.
    pub answer: Answer,
    /// The rows as people read them.
    pub cells: Opaque<Cells>,
}

/// Compares the variants of a run with a baseline (`None`: see [`default_baseline`]), paired block by block.
///
/// # Errors
/// An unknown run, or [`Error::Nothing`] where it has nothing beside the baseline.
pub fn within(session: &Session, run: &str, baseline: Option<&str>) -> Result<Comparison> {
    within_by(session, run, By::Implementation, baseline)
}

/// Compares the variants of a run that differ in one thing, paired block by block; the baseline is an implementation or
/// a whole variant, a device, or a dtype.
///
/// # Errors
/// As [`within`].
pub fn within_by(session: &Session, run: &str, by: By, baseline: Option<&str>) -> Result<Comparison> {
    within_metric(session, run, by, baseline, TIME)
}

/// As [`within_by`], by any metric: the time of samples ([`TIME`]), paired block by block, or one that has a value in
/// each replicate, paired by replicate.
///
/// # Errors
/// As [`within`], and [`Error::Nothing`] for a metric that the run does not have.
pub fn within_metric(session: &Session, run: &str, by: By, baseline: Option<&str>, metric: &str) -> Result<Comparison> {
    let run = session.store().resolve(run)?;
    let of_time = metric == TIME;
    if !of_time {
        refuse_unknown(session, &run.run_id, metric)?;
    }
    let baseline = match baseline {
        Some(named) => named.to_owned(),
        None => by.baseline(session, &run.run_id)?,
    };
    let given = [("run", run.run_id.as_str()), ("baseline", baseline.as_str()), ("by", by.name())];
    let answer = match of_time {
        true => session.named("speedup", &params(&given))?,
        false => session.named("metrics", &params(&[&given[..], &[("metric", metric)]].concat()))?,
    };
    if answer.rows() == 0 {
        return Err(nothing_to_compare(session, &run.run_id, by, &baseline)?);
    }
    let beside = match by {
        By::Implementation => format!("baseline {baseline}"),
        By::Device | By::Dtype => format!("each implementation beside itself by {}, baseline {baseline}", by.name()),
    };
    let (note, cells) = match of_time {
        true => (
            format!(
                "paired blocks, {beside}. A speedup above 1 means that the candidate is faster; \
                 verdicts hold at 95 % over all comparisons, equivalence means within 1 %, MDE is the minimum \
                 detectable effect."
            ),
            verdicts::paired(&answer),
        ),
        false => (verdicts::reading(&answer, &beside), verdicts::metrics(&answer)),
    };
    let note = format!("Run {}: {note}", run.run_id);
    let warnings = warnings(session, &run.run_id)?;
    Ok(Comparison { note, cells: cells.into(), answer: with_warnings(answer, &warnings)?, warnings })
}

/// Refuses a metric that a run does not have, with the nearest and all that it has.
fn refuse_unknown(session: &Session, run_id: &str, metric: &str) -> Result<()> {
    let others = distinct(session, "metric_values", run_id, "metric")?;
    if others.iter().any(|known| known == metric) {
        return Ok(());
    }
    let known: Vec<&str> = std::iter::once(TIME).chain(others.iter().map(String::as_str)).collect();
    let near = nearest(metric, known.iter().copied());
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Err(Error::Nothing(format!("run {run_id} has no metric `{metric}`{hint}; it has {}", known.join(", "))))
}

/// The answer with the warnings in a column of their own: NULL where there are none.
fn with_warnings(mut answer: Answer, warnings: &[String]) -> Result<Answer> {
    let text = (!warnings.is_empty()).then(|| warnings.join("\n"));
    let add = |batch: &RecordBatch| with_text(batch, "warnings", text.as_deref());
    let schema = add(&RecordBatch::new_empty(Arc::clone(&answer.schema)))?.schema();
    let batches = answer.batches.iter().map(add).collect::<Result<_>>()?;
    (answer.schema, answer.batches) = (schema, batches);
    Ok(answer)
}

/// The paired comparisons of a run with a baseline; no rows where there are none.
///
/// # Errors
/// A store that cannot be read.
pub fn paired_speedup(session: &Session, run_id: &str, baseline: &str) -> Result<Answer> {
    Ok(session.named("speedup", &params(&[("run", run_id), ("baseline", baseline)]))?)
}

/// The comparisons of a run with a baseline by every metric, beside time, that is known to have a better side; no rows
/// where there are none.
///
/// # Errors
/// A store that cannot be read.
pub fn paired_metrics(session: &Session, run_id: &str, baseline: &str) -> Result<Answer> {
    Ok(session.named("metrics", &params(&[("run", run_id), ("baseline", baseline), ("stated", "true")]))?)
}

/// What a reader of any table of a run must know: that it was interrupted, what of its plan is missing, that its
/// time was used up, that nothing could be planned, who had more threads than were given.
///
/// # Errors
/// A store that cannot be read.
pub fn warnings(session: &Session, run_id: &str) -> Result<Vec<String>> {
    let answer = session.sql(&format!(
        "select message from events where run_id = {} and trial is null \
         and kind in ('budget_exhausted', 'not_planned', 'more_threads') order by at_ns",
        quoted(run_id)
    ))?;
    let messages = answer.batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
    let all = gaps(session, run_id)?.into_iter().chain(messages.map(str::to_owned));
    // A line each, whatever the names in it hold.
    Ok(all.map(|text| on_one_line(&text)).collect())
}

/// What others are compared with when nobody names it: `naive` where a run has it, else the first by name.
///
/// # Errors
/// [`Error::Nothing`] for a run without trials.
pub fn default_baseline(session: &Session, run_id: &str) -> Result<String> {
    By::Implementation.baseline(session, run_id)
}

/// The error to say that a run has nothing beside its baseline, with what it has and why it lacks the rest.
///
/// # Errors
/// A store that cannot be read.
pub fn nothing_to_compare(session: &Session, run_id: &str, by: By, baseline: &str) -> Result<Error> {
    let (column, sides) = match by {
        By::Implementation => ("variant", "variants"),
        By::Device => ("device", "devices"),
        By::Dtype => ("dtype", "dtypes"),
    };
    let names = distinct(session, "trials", run_id, column)?.join(", ");
    let text = format!("run {run_id} has nothing to compare with `{baseline}`; its {sides} are {names}");
    Ok(Error::Nothing([vec![text], warnings(session, run_id)?].concat().join("\n")))
}

/// Compares two runs, unpaired; `anyway` also where their environments differ.
///
/// # Errors
/// [`Error::NotComparable`] where they differ or share no case and variant, [`Error::Nothing`] for a run with itself.
pub fn across(session: &Session, baseline: &str, candidate: &str, anyway: bool) -> Result<Comparison> {
    let store = session.store();
    let (a, b) = (store.resolve(baseline)?, store.resolve(candidate)?);
    if a.run_id == b.run_id {
        return Err(Error::Nothing(format!(
            "both names mean run {}, give two runs, or a baseline within one",
            a.run_id
        )));
    }
    let differences = environment_difference(&store.run_row(&a.run_id)?, &store.run_row(&b.run_id)?);
    let mut note = format!(
        "Runs {} (baseline) and {}: unpaired, sequential. They were measured at different times, so this is\n\
         descriptive: drift between them counts as a difference, and nothing is ever called equivalent.",
        a.run_id, b.run_id
    );
    if !differences.is_empty() {
        let list: Vec<String> = differences.iter().map(|difference| format!("  {difference}")).collect();
        let list = list.join("\n");
        if !anyway {
            let text = format!("these two runs may not be compared, because they differ in\n{list}");
            return Err(Error::NotComparable(text));
        }
        note += &format!("\nCompared by force, although they differ in\n{list}");
    }
    let share = session.sql(&format!(
        "select 1 from trials a join trials b on a.workload = b.workload and a.case_name = b.case_name \
         and a.implementation = b.implementation and a.device = b.device and a.dtype = b.dtype where a.run_id = {} and b.run_id = {} limit 1",
        quoted(&a.run_id),
        quoted(&b.run_id)
    ))?;
    if share.rows() == 0 {
        return Err(Error::NotComparable(
            "the two runs share no case and variant, so there is nothing to compare".into(),
        ));
    }
    let answer = session.named("sequential", &params(&[("baseline", &a.run_id), ("candidate", &b.run_id)]))?;
    let mut told = Vec::new();
    for run_id in [&a.run_id, &b.run_id] {
        told.extend(warnings(session, run_id)?.into_iter().map(|warning| format!("run {run_id}: {warning}")));
    }
    let cells = verdicts::sequential(&answer).into();
    Ok(Comparison { note, cells, answer: with_warnings(answer, &told)?, warnings: told })
}

fn params(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
