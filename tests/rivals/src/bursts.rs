//! When a noisy neighbour works and when it rests.

use std::time::Duration;

use crate::random::Random;
use crate::{Error, Result};

/// Work, then rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// Time of work.
    pub on: Duration,
    /// Time of rest after it.
    pub off: Duration,
}

/// An endless sequence of bursts, exponentially distributed and fixed by the seed.
#[derive(Debug, Clone)]
pub struct Bursts {
    random: Random,
    on: f64,
    off: f64,
}

impl Bursts {
    /// Bursts of `burst_ms` milliseconds on average that fill the share `load` of the time.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `load` lies in (0, 1] and `burst_ms` in [0.1, 60000].
    pub fn new(seed: u64, load: f64, burst_ms: f64) -> Result<Self> {
        if !(load > 0.0 && load <= 1.0) {
            return Err(Error::OutOfRange { what: "--load", value: load, range: "(0, 1]" });
        }
        if !(0.1..=60_000.0).contains(&burst_ms) {
            return Err(Error::OutOfRange { what: "--burst-ms", value: burst_ms, range: "[0.1, 60000]" });
        }
        let on = burst_ms / 1e3;
        Ok(Self { random: Random::new(seed), on, off: on * (1.0 - load) / load })
    }
}

impl Iterator for Bursts {
    type Item = Burst;

    fn next(&mut self) -> Option<Burst> {
        let mut draw = |mean| Duration::try_from_secs_f64(self.random.exponential(mean)).unwrap_or(Duration::MAX);
        Some(Burst { on: draw(self.on), off: draw(self.off) })
    }
}
