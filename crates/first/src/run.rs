//! The run: two lengths, fresh processes, and the usual record, which stays a journal.

use std::error::Error;
use std::path::{Path, PathBuf};

use benchbook_core::{Axis, CaseSpec, Plan, Registry, SamplingSpec, Value};
use benchbook_measure::journal::{LocalStore, as_journal};
use benchbook_measure::run::{Silent, Start, keeps_disturbed};
use benchbook_workloads::CODE_DIGEST;
use benchbook_workloads::attention::Attention;

/// Tokens of the cases.
const LENGTHS: [i64; 2] = [512, 1024];

/// Blocks of each replicate: the whole takes less than a minute.
const BLOCKS: u64 = 10;

/// A run that has ended.
pub struct Done {
    /// Its folder in the store.
    pub folder: PathBuf,
    /// Its cases, in the order of the plan.
    pub cases: Vec<String>,
    /// Whether no trial has a result that may be used.
    pub measured_nothing: bool,
}

fn plan() -> Plan {
    let case = CaseSpec {
        workload: "attention".into(),
        preset: None,
        params: [("seq_q".to_owned(), Axis(LENGTHS.map(Value::Int).to_vec()))].into(),
        implementations: Vec::new(),
    };
    let sampling = SamplingSpec { blocks: BLOCKS, keep_disturbed: keeps_disturbed(), ..SamplingSpec::quick() };
    Plan { sampling, ..Plan::of("first-look", vec![case]) }
}

/// Measures the plan by workers of this very program.
///
/// # Errors
/// The store cannot be written, or no worker can be started.
pub fn measured(store: &Path) -> Result<Done, Box<dyn Error>> {
    let local = LocalStore::create_or_open(store)?;
    let mut problems = Registry::default();
    problems.workload(Attention);
    let start = Start::new(plan(), as_journal).problems(problems, CODE_DIGEST);
    let mut ready = start.workers_of(std::env::current_exe()?)?;
    let summary = ready.run(&local, &mut Silent)?;
    let measured_nothing = summary.measured_nothing();
    let cases = ready.cells.into_iter().map(|cell| cell.case.name).collect();
    Ok(Done { folder: summary.folder, cases, measured_nothing })
}
