//! The program as its users meet it, where no time judges and no process is looked at.

mod allocations;
mod decoding;
mod feedback;
mod fixture;
mod matrix;
mod sql;
mod text_injection;
mod training;
mod tune;
