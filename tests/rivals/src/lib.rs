//! Other tools, and a noisy neighbour, on work whose true ratio is known.
//!
//! A **ratio** is the time of side B (with the extra share) / the time of side A (without): above 1 says that B is
//! slower. Every rival tells its answer as one line of JSON: see [`Answer`].

mod answer;
mod bursts;
mod criterion_report;
mod error;
mod options;
mod product;
mod random;
mod share;
mod side;
mod tango_report;
mod welch;
#[path = "../../../crates/measure/src/known_work/work.rs"]
mod work;

pub use answer::{Answer, Direction, Estimate, Took, tell};
pub use bursts::{Burst, Bursts};
pub use criterion_report::{Report, Verdict, parse_change, parse_report, parse_sampled};
pub use error::{Error, Result};
pub use options::Options;
pub use share::Share;
pub use side::{OPERATIONS, Side, Work};
pub use tango_report::{Pair, Paired, paired, parse_dump, parse_line};
pub use welch::{Welch, welch};
pub use work::dependent;
