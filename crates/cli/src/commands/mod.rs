//! The commands, one a file or folder.

pub mod calibrate;
pub mod compare;
pub mod doctor;
pub mod feedback;
pub mod gate;
pub mod kernel;
pub mod list;
pub mod matrix;
mod newer;
pub mod notebook;
pub mod report;
pub mod run;
mod search;
mod solved;
pub mod sql;
pub mod store;
pub mod tune;
pub mod validate;
pub mod worker;
