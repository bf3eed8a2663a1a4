//! The commands, one a file.

pub mod compare;
pub mod doctor;
pub mod list;
pub mod report;
pub mod run;
pub mod schema;
pub mod sql;
pub mod store;
