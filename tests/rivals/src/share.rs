//! A share of extra calls, carried over from call to call so that none is lost to rounding.

use crate::{Error, Result};

/// Parts of one call: a share is kept as a whole number of them, so that sums are exact.
const WHOLE: u64 = 1_000_000;

/// How many calls are made in place of each one.
#[derive(Debug, Clone)]
pub struct Share {
    parts: u64,
    carried: u64,
}

impl Share {
    /// A share of `extra` calls more, to the millionth.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `extra` lies in [0, 10].
    pub fn new(extra: f64) -> Result<Self> {
        if !(0.0..=10.0).contains(&extra) {
            return Err(Error::OutOfRange { what: "--extra", value: extra, range: "[0, 10]" });
        }
        Ok(Self { parts: (extra * WHOLE as f64).round() as u64, carried: 0 })
    }

    /// Calls in place of the next one: 1, and one more whenever the shares carried over make a whole.
    ///
    /// The first n answers add up to n + ⌊n × extra⌋.
    pub fn calls(&mut self) -> u64 {
        let sum = self.carried + self.parts;
        self.carried = sum % WHOLE;
        1 + sum / WHOLE
    }
}
