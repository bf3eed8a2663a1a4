//! A run under way: its parts, none of which knows of another.

use benchbook_core::Plan;

use super::budget::Budget;
use super::given_up::GivenUp;
use super::interrupt::Interrupt;
use super::recorder::Recorder;
use super::schedule::Schedule;
use crate::clock::Now;
use crate::executor::{Executor, Spawn};

/// What the stages, groups and trials of a run work with.
pub struct Running<'a> {
    /// What is asked for.
    pub plan: &'a Plan,
    /// What is written, and told.
    pub recorder: Recorder<'a>,
    /// In which order, and by which numbers.
    pub schedule: Schedule,
    /// How much time there is.
    pub budget: Budget,
    /// What is not tried again.
    pub given_up: GivenUp,
    /// Whether it is to end.
    pub interrupt: Interrupt<'a>,
    /// Who starts the workers.
    pub spawn: &'a mut dyn Spawn,
    /// Workers that end while those that follow start.
    pub let_go: Vec<Box<dyn Executor>>,
    /// What time it is.
    pub now: Now<'a>,
}

impl Running<'_> {
    /// The reading of the clock.
    pub fn now_ns(&self) -> i64 {
        (self.now)()
    }
}
