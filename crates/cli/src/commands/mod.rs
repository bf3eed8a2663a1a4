//! The commands, one a file.

pub mod compare;
pub mod doctor;
pub mod kernel;
pub mod list;
pub mod notebook;
pub mod report;
pub mod run;
pub mod schema;
pub mod sql;
pub mod store;
