//! The facade as a `dylib` for notebooks, and nothing else.

pub use benchbook::*;
