//! Other processes: started, tied to this one, listened to within bounds, and ended with all that they have started.
//!
//! Nothing here knows more of benchbook than where its Python lies, so that `xtask` can use it before anything else is built.

mod affinity;
mod answer;
mod mark;
mod program;
mod python;
mod stat;
mod supervised;
mod tools;
mod words;

pub use answer::output;
pub use mark::Mark;
pub use program::Program;
pub use python::{ENGINES, PYTHON, engines, python};
pub use stat::Process;
pub use supervised::{Ended, Supervised};
pub use tools::{at_home, git, is_program, minimal_target, without_cargo};
pub use words::{LastWords, Lines, last_words};
