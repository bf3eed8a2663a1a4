//! Programmable attention: scores that a closure changes, tiles that it leaves out.

mod closures;
mod composed;
mod programs;

pub use closures::Closures;
pub use composed::Composed;
