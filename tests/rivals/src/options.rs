//! What every rival is asked.

use clap::Args;

use crate::{Error, Result, Side, Work};

/// The question: is B, with its extra share of work, slower than A?
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The work measured.
    #[arg(long, value_enum)]
    pub work: Work,
    /// Share of work that B does more: 0.05 is 5 %, 0 compares A with itself.
    #[arg(long)]
    pub extra: f64,
    /// Time for the measurement of both sides, seconds.
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// Seed of the data, and of the tool where it takes one.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Options {
    /// The side without the extra share.
    ///
    /// # Errors
    /// See [`Side::new`].
    pub fn a(&self) -> Result<Side> {
        Side::new(self.work, 0.0, self.seed)
    }

    /// The side with the extra share.
    ///
    /// # Errors
    /// See [`Side::new`].
    pub fn b(&self) -> Result<Side> {
        Side::new(self.work, self.extra, self.seed)
    }

    /// The time for the measurement, seconds.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] below 0.1 s or above an hour.
    pub fn seconds(&self) -> Result<f64> {
        if (0.1..=3600.0).contains(&self.seconds) {
            Ok(self.seconds)
        } else {
            Err(Error::OutOfRange { what: "--seconds", value: self.seconds, range: "[0.1, 3600]" })
        }
    }
}
