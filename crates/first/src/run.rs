//! The run: two lengths, fresh processes, the usual record.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::{Axis, CaseSpec, Plan, SamplingSpec, Value};
use benchbook_measure::record::LocalStore;
use benchbook_measure::run::{Expanded, RunSettings, Silent, command_line, expand, keeps_disturbed, run, run_row};
use benchbook_measure::{all_threads, clock, offer_of, spawner};

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
    let budget_start_ns = clock::now_ns();
    let interrupted = Arc::new(AtomicBool::new(false));
    let (plan, threads) = (plan(), all_threads());
    let local = LocalStore::create_or_open(store)?;
    let mut offer = offer_of(std::env::current_exe()?, threads, &interrupted)?;
    let Expanded { cells, left_out } = expand(&plan, threads, &offer.known, &mut offer.asked)?;
    let row = run_row(&plan, threads, &offer.hello, &offer.known, &command_line())?;
    // The worker that answered questions goes before anything is measured.
    drop(offer.asked);
    let settings = RunSettings {
        store: &local,
        row,
        known: &offer.known,
        interrupted: &interrupted,
        budget_start_ns,
        left_out: &left_out,
    };
    let mut spawn = spawner(offer.program.clone(), Arc::clone(&interrupted));
    let summary = run(&plan, &cells, settings, &mut spawn, &mut Silent)?;
    let measured_nothing = summary.measured_nothing();
    let cases = cells.into_iter().map(|cell| cell.case.name).collect();
    Ok(Done { folder: summary.folder, cases, measured_nothing })
}
