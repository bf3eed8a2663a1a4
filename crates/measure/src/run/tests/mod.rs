//! What a run makes of plans and of workers, without a process.

mod expand;
mod outcomes;
