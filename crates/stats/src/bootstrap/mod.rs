//! The bootstrap: BCa intervals, dependent series, and processes that hold blocks.
//!
//! What is bootstrapped, and which values each resample is made of: random indices that are the same on every
//! machine.

mod bca;
mod blocks;
mod items;

pub use bca::{bca, bca_paired_ratio, bca_ratio};
pub use blocks::series_interval;
pub(crate) use blocks::{SeriesMean, hierarchical_interval, series_mean};
pub use items::items_interval;

use crate::describe::{mean_of, median_unchecked, quantile_of_sorted};
use crate::{Error, Interval, Result, check};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The statistic of a sample that a bootstrap interval is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The arithmetic mean.
    Mean,
    /// The median.
    Median,
}

impl Statistic {
    /// The statistic of at least one finite value; may reorder `x`.
    fn of(self, x: &mut [f64]) -> f64 {
        match self {
            Self::Mean => mean_of(x),
            Self::Median => median_unchecked(x),
        }
    }
}

/// The indices of the resamples of a bootstrap: drawn from a seed, or given.
#[derive(Debug, Clone, PartialEq)]
pub struct Resamples(Source);

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Seeded { count: usize, seed: u64 },
    Given(Vec<Vec<usize>>),
}

impl Resamples {
    /// `count` resamples drawn with replacement. The same seed gives the same resamples on every
    /// machine and any number of threads; the two samples of an unpaired ratio get draws of their own.
    #[must_use]
    pub fn seeded(count: usize, seed: u64) -> Self {
        Self(Source::Seeded { count, seed })
    }

    /// Given indices into the sample, from 0: one row a resample, each as long as the sample.
    #[must_use]
    pub fn given(rows: Vec<Vec<usize>>) -> Self {
        Self(Source::Given(rows))
    }

    /// How many resamples there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.0 {
            Source::Seeded { count, .. } => *count,
            Source::Given(rows) => rows.len(),
        }
    }

    /// That every given row fits a sample of `size` values.
    fn fit(&self, size: usize) -> Result<()> {
        let Source::Given(rows) = &self.0 else { return Ok(()) };
        match rows.iter().position(|row| row.len() != size || row.iter().any(|&i| i >= size)) {
            Some(row) => Err(Error::BadResample { row, size }),
            None => Ok(()),
        }
    }

    /// Replaces `indices` by those of one resample. `sample` tells the samples of one bootstrap apart.
    fn draw(&self, row: usize, sample: u64, size: usize, indices: &mut Vec<usize>) {
        indices.clear();
        match &self.0 {
            Source::Given(rows) => indices.extend_from_slice(&rows[row]),
            Source::Seeded { seed, .. } => {
                let mut generator = stream(*seed, 2 * row as u64 + sample);
                indices.extend((0..size).map(|_| index_below(size, &mut generator)));
            }
        }
    }
}

/// The percentile interval (Efron, 1979) of draws in ascending order, of which there is at least one.
fn percentile(estimate: f64, sorted: &[f64], level: f64) -> Result<Interval> {
    let tail = (1.0 - level) / 2.0;
    Ok(Interval {
        estimate: check::number(estimate)?,
        low: check::number(quantile_of_sorted(sorted, tail))?,
        high: check::number(quantile_of_sorted(sorted, 1.0 - tail))?,
        level,
    })
}

/// The generator of one resample: independent of how many others run, and on which thread.
fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

/// An index below `size`: the high word of a product, with a bias below size / 2^64.
fn index_below(size: usize, generator: &mut ChaCha8Rng) -> usize {
    ((u128::from(generator.next_u64()) * size as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_samples_never_share_their_draws() {
        let resamples = Resamples::seeded(3, 7);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for row in 0..3 {
            resamples.draw(row, 0, 50, &mut first);
            resamples.draw(row, 1, 50, &mut second);
            assert_ne!(first, second);
        }
    }

    #[test]
    fn rows_that_do_not_fit_are_named() {
        let resamples = Resamples::given(vec![vec![0, 1, 1], vec![0, 3, 1], vec![0]]);
        assert_eq!(resamples.fit(3), Err(Error::BadResample { row: 1, size: 3 }));
        assert_eq!(resamples.fit(4), Err(Error::BadResample { row: 0, size: 4 }));
    }
}
