//! `benchbook validate`: whether kernels are right on this machine, in seconds; nothing is said of their speed.

use std::io::Write;

use benchbook_core::{CaseSpec, Plan, SamplingSpec, counted};
use benchbook_query::{Session, quoted};
use benchbook_record::{LocalStore, Store};
use benchbook_report::rows;

use crate::args::ValidateArgs;
use crate::commands::run::{local_path, start};
use crate::error::{EXIT_ERROR, EXIT_WRONG, Failure};
use crate::people::people;
use crate::progress::{Bar, interrupt_flag};

/// Every kernel once, in one process, for as short as it takes to look at it before and after it was timed.
const SAMPLING: SamplingSpec = SamplingSpec {
    blocks: 2,
    min_sample_ns: 1_000_000,
    warmup_ns: 20_000_000,
    keep_disturbed: true,
    timeout_ns: 60_000_000_000,
};

/// Measures each workload of a category for a moment, and says which outputs were wrong.
pub fn validate(store: &str, arguments: &ValidateArgs) -> Result<u8, Failure> {
    let interrupted = interrupt_flag("finishing the journal")?;
    let beside = arguments.beside.found()?;
    let mut ready = start(plan(arguments)?).beside(beside.workers.clone()).interrupted(&interrupted).workers()?;
    let local = LocalStore::create_or_open(local_path(store)?)?;
    let mut bar = Bar::new();
    let summary = ready.run(&local, &mut bar);
    bar.clear();
    let summary = summary?;
    let wrong = wrong(&Session::open(&Store::open(store)?)?, &summary.run_id)?;
    let mut out = people();
    writeln!(out, "{summary}")?;
    for line in &wrong {
        writeln!(out, "{line}")?;
    }
    if summary.interrupted || summary.measured_nothing() {
        return Ok(EXIT_ERROR);
    }
    let right = counted(usize::try_from(summary.ended.ok).unwrap_or(usize::MAX), "kernel");
    if wrong.is_empty() {
        writeln!(out, "{right} right, before and after being timed")?;
        return Ok(0);
    }
    writeln!(out, "{right} right, {} not", wrong.len())?;
    Ok(EXIT_WRONG)
}

fn plan(arguments: &ValidateArgs) -> Result<Plan, Failure> {
    let case = |workload: &&str| CaseSpec {
        workload: (*workload).to_owned(),
        preset: Some("quick".to_owned()),
        params: [].into(),
        implementations: Vec::new(),
    };
    let cases = arguments.category.workloads.iter().map(case).collect();
    let plan = Plan::of(&format!("validate-{}", arguments.category.name), cases);
    let devices = arguments.beside.devices_of(&arguments.category)?;
    Ok(Plan { replicates: 1, threads: arguments.threads, devices, sampling: SAMPLING, ..plan })
}

/// A line for each trial of a run that was not right, with what became of it.
fn wrong(session: &Session, run_id: &str) -> Result<Vec<String>, Failure> {
    let answer = session.sql(&format!(
        "select t.workload, t.case_name, t.variant, o.status, o.stop_reason from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial \
         where o.run_id = {} and o.status not in ('ok', 'unsupported') order by t.trial",
        quoted(run_id)
    ))?;
    let line = |row: benchbook_report::Row<'_>| {
        let word = |name: &str| row.text(name).unwrap_or_default();
        let [workload, case, variant] = ["workload", "case_name", "variant"].map(word);
        format!("{}: {workload} {case} by {variant}: {}", word("status"), word("stop_reason"))
    };
    Ok(rows(&answer).map(line).collect())
}

#[cfg(test)]
mod tests {
    use benchbook_record::{OutcomeRow, Readable as _, RunRow, RunWriter, Status, TrialRow, to_parquet};
    use benchbook_workloads::CATEGORIES;
    use serde_json::json;

    use super::*;
    use crate::args::BesideArgs;

    #[test]
    fn what_is_not_right_is_told_and_what_cannot_be_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::create_or_open(folder.path().join("store")).unwrap();
        let mut writer = RunWriter::create(&store, &RunRow::new("validate-system")).unwrap();
        let run_id = writer.run_id().to_owned();
        let ends = [
            (0, "a", Status::Ok, "blocks"),
            (1, "b", Status::Wrong, "its output is off by 2"),
            (2, "c", Status::Unsupported, "written for f64"),
            (3, "d", Status::Failed, "no memory"),
        ];
        for (trial, name, status, why) in ends {
            let row: TrialRow = serde_json::from_value(json!({
                "trial": trial, "workload": "w", "case_name": "s4", "params": {}, "variant": format!("{name}/flex/f32/1t"),
                "implementation": name, "device": "flex", "dtype": "f32", "threads": 1, "replicate": 0,
                "isolation": "process", "input_seed": 7, "cache": "hot",
            }))
            .unwrap();
            writer.trial(&row).unwrap();
            let stop_reason = Some(why.to_owned());
            writer
                .outcome(&OutcomeRow { trial: Some(trial), at_ns: 1, status, stop_reason, prepare_ns: None })
                .unwrap();
        }
        writer.finish(to_parquet).unwrap();
        let session = Session::open(&store.reader().unwrap()).unwrap();
        let told = wrong(&session, &run_id).unwrap();
        assert_eq!(
            told,
            ["wrong: w s4 by b/flex/f32/1t: its output is off by 2", "failed: w s4 by d/flex/f32/1t: no memory"]
        );
        assert!(wrong(&session, "another run").unwrap().is_empty());
    }

    #[test]
    fn each_workload_of_a_category_is_looked_at_for_a_moment() {
        for category in CATEGORIES {
            let asked = ValidateArgs { category, threads: Some(1), beside: BesideArgs::default() };
            let Ok(plan) = plan(&asked) else {
                assert_eq!(category.name, "gpu", "nobody has its device");
                continue;
            };
            assert!(plan.check().is_ok() && plan.cases.len() == category.workloads.len(), "{}", category.name);
            assert_eq!((plan.replicates, plan.threads, plan.sampling.blocks), (1, Some(1), 2));
        }
    }
}
