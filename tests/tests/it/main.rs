//! The program as its users meet it, where nothing is judged by the time and no process is looked at or ended.

mod allocations;
mod decoding;
mod fixture;
mod matrix;
mod sql;
mod text_injection;
mod training;
