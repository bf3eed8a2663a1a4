//! What a run makes of plans and of workers, without a process.

mod budgets;
mod endings;
mod mock;
mod order;
mod rest;
mod samples;
mod second_stage;
mod start;
