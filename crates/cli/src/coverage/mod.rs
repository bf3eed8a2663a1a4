//! What of the catalogue works in this build, told from what the program holds.

mod catalogue;
pub mod error;
mod evidence;
pub mod report;
#[cfg(test)]
mod tests;

pub use report::{Available, Claim, coverage};
