//! What a report says, whatever it is written as.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use benchbook_query::{Answer, Session, quoted};
use benchbook_record::{RunRow, Store};
use benchbook_report::{
    By, Cells, counts, default_baseline, metrics, nothing_to_compare, paired, paired_metrics, paired_speedup, warnings,
    weak,
};
use serde::Serialize;

use crate::error::Failure;

/// Rows of one table in a report.
const MOST_ROWS: usize = 500;

/// The heading of the paired comparisons.
pub const COMPARISON: &str = "Comparison";

/// A titled table with a sentence that says how to read it.
#[derive(Debug, Serialize)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// How to read it.
    pub about: String,
    /// The table.
    pub cells: Cells,
}

/// Everything in a report but its charts.
#[derive(Debug, Serialize)]
pub struct Content {
    /// The row of `runs`.
    pub run: RunRow,
    /// `finished`, `interrupted`, …
    pub state: String,
    /// What the others are compared with.
    pub baseline: String,
    /// One sentence on the outcome.
    pub headline: String,
    /// What was run, and on what: name and value.
    pub facts: Vec<(&'static str, String)>,
    /// The tables.
    pub sections: Vec<Section>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
    /// The paired comparisons, for the chart.
    #[serde(skip)]
    pub compared: Answer,
}

impl Content {
    /// Gathers the content for a run.
    pub fn gather(store: &Store, session: &Session, run: &str, baseline: Option<&str>) -> Result<Self, Failure> {
        let entry = store.resolve(run)?;
        let row = store.run_row(&entry.run_id)?;
        let asked = baseline.is_some();
        let baseline = match baseline {
            Some(named) => named.to_owned(),
            None => default_baseline(session, &entry.run_id)?,
        };
        let named = |name: &str| -> Result<Answer, Failure> {
            Ok(session.named(name, &BTreeMap::from([("run".to_owned(), entry.run_id.clone())]))?)
        };
        let compared = paired_speedup(session, &entry.run_id, &baseline)?;
        if compared.rows() == 0 && asked {
            return Err(nothing_to_compare(session, &entry.run_id, By::Implementation, &baseline)?.into());
        }
        let mut left_out = warnings(session, &entry.run_id)?;
        left_out.extend(compared.left_out.to_string().lines().map(str::to_owned));
        let mut sections = Vec::new();
        if compared.rows() > 0 {
            let about = format!(
                "Paired block by block with {baseline}. A speedup above 1 means that the candidate is faster; verdicts \
                 hold at 95 % over all comparisons, equivalence means within 1 %. MDE is the minimum \
                 detectable effect."
            );
            sections.push(Section { title: COMPARISON, about, cells: paired(&compared) });
        }
        let beside = paired_metrics(session, &entry.run_id, &baseline)?;
        if beside.rows() > 0 {
            let about = format!(
                "What is known beside the times of each trial, paired by replicate with {baseline}: one value in a \
                 replicate. A ratio above 1 means that the candidate is better; verdicts hold at 95 % over all \
                 comparisons of a metric, and equivalence means within its own margin."
            );
            sections.push(Section { title: "Metrics", about, cells: metrics(&beside) });
        }
        let mut add = |title, about: String, answer: &Answer| -> Result<(), Failure> {
            if answer.rows() > MOST_ROWS {
                left_out.push(format!("{title}: {MOST_ROWS} of {} rows are shown, ask SQL for all", answer.rows()));
            }
            let cells = Cells::of(&answer.schema, &answer.batches, MOST_ROWS)?.without("run id");
            if !cells.rows.is_empty() {
                sections.push(Section { title, about, cells });
            }
            Ok(())
        };
        let about = "Valid samples; each replicate counts once. The median is the geometric mean of the replicates' medians, its interval Student's over their logarithms (95 %), from five replicates on. Outliers are counted, not dropped.";
        add("Times", about.into(), &named("summary")?)?;
        add(
            "Memory",
            "What a call holds at its highest beside its inputs: the median over the replicates, between the lowest and the highest. A variant whose memory cannot be counted has no row. The ratio is to the baseline's, with its interval over replicates.".into(),
            &memory(session, &entry.run_id, &baseline)?,
        )?;
        let about = "Largest error over all replicates and outputs, as a share of the largest value, or of four times the row's where that is less.";
        add("Correctness", about.into(), &checks(session, &entry.run_id)?)?;
        add("Not measured", "Trials that did not end well, and why.".into(), &endings(session, &entry.run_id)?)?;
        add("Events", "What happened during the run.".into(), &events(session, &entry.run_id)?)?;
        add("Samples left out", "Samples that no number above uses.".into(), &named("left_out")?)?;
        let headline = headline(session, &entry.run_id, &compared)?;
        let state = entry.state.name().to_owned();
        Ok(Self { facts: facts(&row, &state), state, run: row, baseline, headline, sections, left_out, compared })
    }
}

fn memory(session: &Session, run_id: &str, baseline: &str) -> Result<Answer, Failure> {
    let pairs = [("run", run_id), ("baseline", baseline)];
    Ok(session.named("memory", &pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())?)
}

fn checks(session: &Session, run_id: &str) -> Result<Answer, Failure> {
    Ok(session.sql(&format!(
        "select t.workload, t.case_name, t.variant, count(*) as checks, \
         sum(case when c.passed then 0 else 1 end) as failed, max(c.max_scaled_error) as max_scaled_error, \
         max(c.tolerance) as tolerance, min(c.rows_checked) as rows_checked \
         from checks c join trials t on t.run_id = c.run_id and t.trial = c.trial where c.run_id = {} \
         group by t.workload, t.case_name, t.variant order by min(t.trial)",
        quoted(run_id)
    ))?)
}

fn endings(session: &Session, run_id: &str) -> Result<Answer, Failure> {
    Ok(session.sql(&format!(
        "select t.case_name, t.variant, t.replicate, o.status, o.stop_reason \
         from outcomes o join trials t on t.run_id = o.run_id and t.trial = o.trial \
         where o.run_id = {} and o.status <> 'ok' order by o.trial",
        quoted(run_id)
    ))?)
}

fn events(session: &Session, run_id: &str) -> Result<Answer, Failure> {
    let sql = "select at_ns, level, kind, message from events where run_id =";
    Ok(session.sql(&format!("{sql} {} order by at_ns", quoted(run_id)))?)
}

/// How the run ended, how many comparisons ended how, and what the checks say: never more than is known.
fn headline(session: &Session, run_id: &str, compared: &Answer) -> Result<String, Failure> {
    let count = |sql: &str| -> Result<i64, Failure> {
        let answer = session.sql(sql)?;
        let batch = answer.batches.iter().find(|batch| batch.num_rows() > 0);
        Ok(batch.map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0)))
    };
    let of_run = format!("where run_id = {}", quoted(run_id));
    let interrupted =
        count(&format!("select count(*) from outcomes {of_run} and trial is null and status = 'ok'"))? == 0;
    let checks = count(&format!("select count(*) from checks {of_run}"))?;
    let failed = count(&format!("select count(*) from checks {of_run} and not passed"))?;
    let ill = count(&format!("select count(*) from outcomes {of_run} and trial is not null and status <> 'ok'"))?;
    let begun = if interrupted { "The run did not end as planned. " } else { "" };
    let checks = match (checks, failed) {
        (0, _) => "no correctness check can be read, so no number here is vouched for".into(),
        (_, 0) => "every correctness check passed".into(),
        (_, failed) => format!("{failed} correctness checks failed"),
    };
    let ill = if ill == 0 { String::new() } else { format!("; {ill} trials did not end well (see Not measured)") };
    let few = if weak(compared) { " (on too few replicates to gate anything)" } else { "" };
    Ok(format!("{begun}{}{few}; {checks}{ill}.", counts(compared)))
}

fn facts(run: &RunRow, state: &str) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".into());
    let flag = |value: Option<bool>| value.map_or("unknown", |on| if on { "on" } else { "off" }).to_owned();
    let size = |value: Option<i64>| {
        value.map_or_else(|| "unknown".into(), |bytes| indicatif::BinaryBytes(bytes.max(0).cast_unsigned()).to_string())
    };
    let commit = text(&run.git_commit) + if run.git_dirty == Some(true) { ", with changes not committed" } else { "" };
    let pairs = |map: &BTreeMap<String, String>| {
        map.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    };
    vec![
        ("Run", format!("{} ({state})", run.run_id)),
        ("Started", run.started_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
        ("Suite", run.suite.clone()),
        ("Command", text(&run.command)),
        ("Processor", text(&run.cpu_model)),
        ("Cores, threads", format!("{} usable, {} given to every variant", number(run.cpu_cores), number(run.threads))),
        (
            "Governor, turbo, SMT",
            format!("{}, {}, {}", text(&run.cpu_governor), flag(run.cpu_turbo), flag(run.cpu_smt)),
        ),
        ("Memory, last-level cache", format!("{}, {}", size(run.memory_bytes), size(run.l3_bytes))),
        ("System", format!("{}, kernel {}", text(&run.os), text(&run.kernel))),
        ("Source", commit),
        ("Build", format!("{}, benchbook {}", text(&run.build_profile), text(&run.benchbook_version))),
        ("Libraries", pairs(&run.libraries)),
        ("Environment", text(&run.environment_id)),
    ]
}

fn number(value: Option<i64>) -> String {
    value.map_or_else(|| "unknown".into(), |value| value.to_string())
}
