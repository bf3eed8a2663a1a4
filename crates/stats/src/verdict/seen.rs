//! What a number of processes can have missed.

use super::Label;
use crate::{Error, Result, check};

/// Replicates from which `equivalent` is said without a reservation: a slow mode of more than 13 % of all processes
/// would have shown.
pub const SEEN_REPLICATES: usize = 22;

/// The share of slow processes from which on `replicates` processes exclude a slow mode at `level`.
///
/// A mode that a process has with probability p is missed by all of R processes with probability (1 − p)^R, so that
/// the bound is 1 − (1 − level)^(1/R): 45 % for 5 replicates at 95 %, 13 % for 22.
///
/// # Errors
/// [`Error::TooFew`] for no replicate, [`Error::OutOfRange`] for the level.
pub fn unseen_share(replicates: usize, level: f64) -> Result<f64> {
    check::level(level)?;
    if replicates == 0 {
        return Err(Error::TooFew { needed: 1, got: 0 });
    }
    Ok(-((1.0 - level).ln() / replicates as f64).exp_m1())
}

impl Label {
    /// The verdict on so many replicates in words, with what it cannot have seen: what people read.
    #[must_use]
    pub fn said(self, replicates: usize) -> &'static str {
        match self {
            Self::Equivalent if replicates < SEEN_REPLICATES => "equivalent in the processes seen",
            label => label.text(),
        }
    }
}
