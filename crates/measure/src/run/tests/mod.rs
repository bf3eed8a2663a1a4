//! What a run makes of plans and of workers, without a process.

mod budgets;
mod disturbed;
mod endings;
mod expand;
mod mock;
mod order;
mod rest;
mod second_stage;
mod start;
mod steps;
