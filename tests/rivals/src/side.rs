//! One side of a comparison: calls whose true time against the other side's is known.

use std::hint::black_box;

use clap::ValueEnum;
use serde::Serialize;

use crate::product::Product;
use crate::{Result, Share, dependent};

/// Dependent operations in one call without extra: about 20 µs at 3 GHz.
pub const OPERATIONS: u64 = 20_000;

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Operations that each need the one before.
    Dependent,
    /// The product of two f32 matrices of 64 × 64 on one thread.
    Gemm,
}

impl Work {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Work::Dependent => "dependent",
            Work::Gemm => "gemm",
        }
    }
}

/// Calls of one kind of work with an extra share.
#[derive(Debug, Clone)]
pub struct Side(Call);

#[derive(Debug, Clone)]
enum Call {
    Dependent { operations: u64, seed: u64 },
    Gemm { product: Product, share: Share },
}

impl Side {
    /// Calls of `work` that take 1 + `extra` times as long as those without.
    ///
    /// `dependent` does more operations in each call; `gemm` makes more calls (see [`Share`]).
    ///
    /// # Errors
    /// [`crate::Error::OutOfRange`] unless `extra` lies in [0, 10].
    pub fn new(work: Work, extra: f64, seed: u64) -> Result<Self> {
        let share = Share::new(extra)?;
        Ok(Self(match work {
            Work::Dependent => Call::Dependent { operations: operations(extra), seed },
            Work::Gemm => Call::Gemm { product: Product::new(seed), share },
        }))
    }

    /// Dependent operations in one call of this side; none for other work.
    #[must_use]
    pub fn operations(&self) -> Option<u64> {
        match self.0 {
            Call::Dependent { operations, .. } => Some(operations),
            Call::Gemm { .. } => None,
        }
    }

    /// One call; its result is to be given to `black_box`.
    pub fn call(&mut self) -> u64 {
        match &mut self.0 {
            Call::Dependent { operations, seed } => dependent(black_box(*operations), black_box(*seed)),
            Call::Gemm { product, share } => {
                (0..share.calls()).fold(0, |_, _| u64::from(black_box(product.multiply()).to_bits()))
            }
        }
    }
}

/// Operations with the extra share.
fn operations(extra: f64) -> u64 {
    (OPERATIONS as f64 * (1.0 + extra)).round() as u64
}
