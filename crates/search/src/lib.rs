//! Search for good settings: a space of whole numbers, floats and choices, and optimisers that say what to try next.
//!
//! Pure functions: nothing here measures, reads a clock, or touches a file. An optimiser has no state but the
//! observations that it is given and its seed, so that a search goes on after a kill wherever its observations are kept.
//! Random search is the rival of every other method (Bergstra & Bengio, "Random search for hyper-parameter
//! optimization", JMLR 13, 2012).

mod error;
mod feedback;
mod kernel;
mod observation;
mod random;
mod search;
mod space;
mod table;
mod tpe;

pub use error::{Error, Result};
pub use feedback::{Decision, Feedback, Move, Rule};
pub use observation::{Observation, best, order};
pub use search::{Method, Search};
pub use space::{Axis, Domain, Point, Scale, Space, Value};
pub use table::{OPTUNA, Regret, Table};
