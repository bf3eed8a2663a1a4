//! What a Jupyter kernel needs, what of it is here, and how to get the rest.

mod examine;
mod finding;

pub use examine::examine;
pub use finding::{Area, Finding, Level, worst};
