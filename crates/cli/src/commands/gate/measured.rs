//! Measuring for a gate: into which store, and until when.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::Plan;
use benchbook_measure::run::{Ready, RunSummary, Start};
use benchbook_record::LocalStore;

use crate::commands::run::start;
use crate::error::Failure;
use crate::progress::Bar;

/// Where runs of a gate go, and what ends them.
pub struct Bench<'a> {
    pub store: &'a LocalStore,
    pub interrupted: &'a Arc<AtomicBool>,
}

impl Bench<'_> {
    /// A run of this plan, tagged as a gate's.
    pub fn start(&self, plan: &Plan) -> Start {
        start(Plan { tags: vec!["gate".into()], ..plan.clone() }).interrupted(self.interrupted)
    }

    /// Measures what is ready; an interrupt is a failure, since half a gate judges nothing.
    pub fn measure(&self, ready: &mut Ready) -> Result<RunSummary, Failure> {
        let mut bar = Bar::new();
        let summary = ready.run(self.store, &mut bar);
        bar.clear();
        let summary = summary?;
        if summary.interrupted {
            return Err(Failure::say(format!("interrupted: what was measured stands in run {}", summary.run_id)));
        }
        Ok(summary)
    }
}
