//! What a cell shows: one bundle of HTML, plotly's JSON and plain text.

mod bundle;
mod progress;
mod show;
mod stack;

pub use bundle::Bundle;
pub(crate) use progress::Lines;
pub use show::Show;
pub use stack::Stack;
