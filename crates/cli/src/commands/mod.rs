//! The commands, one a file.

pub mod calibrate;
pub mod compare;
pub mod doctor;
pub mod gate;
pub mod kernel;
pub mod list;
pub mod notebook;
mod plan_file;
pub mod report;
pub mod run;
pub mod schema;
mod search;
pub mod sql;
pub mod store;
pub mod worker;
