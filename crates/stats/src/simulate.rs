//! Simulated comparisons whose true ratio is known: how often does the interval hold it?

use crate::dist::normal;
use crate::plan::{Costs, Limits, allocate, components};
use crate::verdict::{Rules, paired_verdict};
use crate::{Error, Result, check};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The distribution of the noise of blocks; each is used with a mean of 0 and a variance of 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Normal.
    Normal,
    /// Student's t with three degrees of freedom: symmetric, its tails so heavy that it has no third moment.
    StudentT3,
    /// The exponential of a standard normal: a skewness of 6, as where only one side is disturbed.
    LogNormal,
}

/// How the log ratios of blocks come about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    /// The true log ratio.
    pub effect: f64,
    /// The standard deviation of what a process adds to all of its log ratios (normal).
    pub process: f64,
    /// The standard deviation of one block's log ratio within a process.
    pub block: f64,
    /// The distribution of that noise.
    pub noise: Noise,
    /// The correlation of neighbouring blocks, in (-1, 1): the noise is an AR(1) series.
    pub autocorrelation: f64,
    /// How much log time both sides gain a block as the machine drifts. The sides are half a block apart in
    /// random order, so that half of it stays in a log ratio, one way or the other.
    pub drift: f64,
    /// The standard deviation between processes of a drift of the log ratio a block, as of warming up.
    pub slope: f64,
}

impl Model {
    /// Noise alone, with a standard deviation of 1: a replicate is a series without a change or a drift.
    pub const fn noise(noise: Noise, autocorrelation: f64) -> Self {
        Self { effect: 0.0, process: 0.0, block: 1.0, noise, autocorrelation, drift: 0.0, slope: 0.0 }
    }
}

/// A generator of replicates, the same for the same seed on every machine.
#[derive(Debug, Clone)]
pub struct Simulator {
    model: Model,
    generator: ChaCha8Rng,
}

impl Simulator {
    /// The generator of one comparison: those of different `comparison` share no draw.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a standard deviation or a drift below zero or not finite, and for an
    /// autocorrelation outside (-1, 1); [`Error::NotFinite`] for the effect.
    pub fn new(model: &Model, seed: u64, comparison: u64) -> Result<Self> {
        check::finite(&[model.effect], 1)?;
        for (what, value) in
            [("process", model.process), ("block", model.block), ("drift", model.drift), ("slope", model.slope)]
        {
            check::not_negative(what, value)?;
        }
        let value = model.autocorrelation;
        if value.is_nan() || value.abs() >= 1.0 {
            return Err(Error::OutOfRange { what: "autocorrelation", value, range: "(-1, 1)" });
        }
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(comparison);
        Ok(Self { model: *model, generator })
    }

    /// The log ratios of the blocks of one replicate, in order.
    pub fn replicate(&mut self, blocks: usize) -> Vec<f64> {
        let model = self.model;
        let own = model.effect + model.process * self.normal();
        let slope = model.slope * self.normal();
        let innovation = (1.0 - model.autocorrelation * model.autocorrelation).sqrt();
        let mut last = self.noise();
        (0..blocks)
            .map(|block| {
                let candidate_first = self.generator.next_u64() & 1 == 0;
                let apart = if candidate_first { 0.5 } else { -0.5 };
                let value = own + slope * block as f64 + model.drift * apart + model.block * last;
                last = model.autocorrelation * last + innovation * self.noise();
                value
            })
            .collect()
    }

    fn noise(&mut self) -> f64 {
        match self.model.noise {
            Noise::Normal => self.normal(),
            Noise::StudentT3 => {
                let squares: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
                // Z / √(χ² / 3), over its standard deviation √3.
                self.normal() / squares.sqrt()
            }
            Noise::LogNormal => {
                let e = std::f64::consts::E;
                (self.normal().exp() - e.sqrt()) / (e * (e - 1.0)).sqrt()
            }
        }
    }

    /// The inverse of the distribution function at a uniform number of 53 bits, never 0 nor 1.
    fn normal(&mut self) -> f64 {
        let uniform = ((self.generator.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        normal::quantile(uniform)
    }
}

/// How a simulated comparison is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// The replicates of the pilot.
    pub pilot: usize,
    /// The blocks of each of them.
    pub blocks: usize,
    /// The stop rule: what the plan made from the pilot rests on. `None` stops after the pilot.
    pub stop: Option<(Costs, Limits)>,
}

/// What became of the simulated comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// How many comparisons there were.
    pub trials: u64,
    /// Those whose interval holds the true ratio.
    pub covered: u64,
    /// Those whose interval lies below it.
    pub below: u64,
    /// Those whose interval lies above it.
    pub above: u64,
    /// Those without an interval.
    pub without: u64,
    /// The replicates of all comparisons together: how far the stop rule went.
    pub replicates: u64,
}

/// Counts how often the direction interval of [`paired_verdict`] holds the true ratio when each comparison
/// is measured by `design`: a pilot, a plan from it, the replicates that the plan wants more, and the verdict
/// on all of them, its rules naming the pilot where there is a plan. The same seed gives the same counts on every machine and any number of threads.
///
/// # Errors
/// Those of [`Simulator::new`], [`components`], [`allocate`] and [`paired_verdict`].
pub fn coverage(model: &Model, design: &Design, rules: &Rules, trials: u64, seed: u64) -> Result<Coverage> {
    let one = |comparison: u64| -> Result<Coverage> {
        let replicates = measure(Simulator::new(model, seed, comparison)?, design)?;
        let numbered = (0_i64..).zip(&replicates);
        let blocks: Vec<(i64, f64)> =
            numbered.flat_map(|(replicate, values)| values.iter().map(move |v| (replicate, *v))).collect();
        let verdict = paired_verdict(&blocks, &Rules { pilot: design.stop.map(|_| design.pilot), ..*rules })?;
        let truth = model.effect.exp();
        let mut counts = Coverage { trials: 1, replicates: replicates.len() as u64, ..Coverage::default() };
        match (verdict.low, verdict.high) {
            (Some(_), Some(high)) if high < truth => counts.below = 1,
            (Some(low), Some(_)) if low > truth => counts.above = 1,
            (Some(_), Some(_)) => counts.covered = 1,
            _ => counts.without = 1,
        }
        Ok(counts)
    };
    (0..trials).into_par_iter().map(one).try_reduce(Coverage::default, |a, b| Ok(a.plus(b)))
}

impl Coverage {
    fn plus(self, other: Self) -> Self {
        Self {
            trials: self.trials + other.trials,
            covered: self.covered + other.covered,
            below: self.below + other.below,
            above: self.above + other.above,
            without: self.without + other.without,
            replicates: self.replicates + other.replicates,
        }
    }
}

/// The replicates of one comparison: the pilot's, and those that its plan wants more.
fn measure(mut simulator: Simulator, design: &Design) -> Result<Vec<Vec<f64>>> {
    let mut replicates: Vec<Vec<f64>> = (0..design.pilot).map(|_| simulator.replicate(design.blocks)).collect();
    if let Some((costs, limits)) = &design.stop {
        let pilot: Vec<&[f64]> = replicates.iter().map(Vec::as_slice).collect();
        let plan = allocate(&components(&pilot)?, costs, limits)?;
        replicates.extend((design.pilot..plan.replicates).map(|_| simulator.replicate(plan.blocks)));
    }
    Ok(replicates)
}
