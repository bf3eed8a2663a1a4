//! A step of AdamW in one pass over parameters, gradients and moments.
#![expect(unsafe_code, reason = "a plain loop that is compiled for each instruction set")]

use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::memory::LINE;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// A step of AdamW (Loshchilov & Hutter, arXiv 1711.05101, algorithm 2), as PyTorch has it: ε stands outside of the root.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub rate: f64,
    /// Shares of the moments that stay.
    pub betas: [f64; 2],
    /// What is added to the root of the second moment.
    pub epsilon: f64,
    /// Share of the parameters that goes with the step, times the learning rate.
    pub decay: f64,
    /// Which step it is, counted from 1.
    pub step: usize,
    /// Instructions to use.
    pub isa: Isa,
}

/// The factors of a step, each rounded to `f32` once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factors {
    /// What stays of a parameter.
    keep: f32,
    /// Of each moment what stays, and what comes.
    first: [f32; 2],
    second: [f32; 2],
    /// What frees the root of the second moment of its bias.
    unbiased: f32,
    epsilon: f32,
    /// The rate, over what frees the first moment of its bias.
    rate: f32,
}

impl AdamWStep {
    /// # Errors
    /// A step 0, which nothing is free of bias in.
    pub(super) fn factors(&self) -> Result<Factors> {
        if self.step == 0 {
            return Err(Error::Shape("steps are counted from 1: before the first, moments have no scale".into()));
        }
        let [first, second] = self.betas;
        let [by_first, by_second] = self.betas.map(|beta| 1.0 - beta.powf(self.step as f64));
        Ok(Factors {
            keep: (1.0 - self.rate * self.decay) as f32,
            first: [first, 1.0 - first].map(|share| share as f32),
            second: [second, 1.0 - second].map(|share| share as f32),
            unbiased: (1.0 / by_second.sqrt()) as f32,
            epsilon: self.epsilon as f32,
            rate: (self.rate / by_first) as f32,
        })
    }
}

impl Factors {
    /// What becomes of a parameter and of its moments; the last is the root of the second one. No product and sum are rounded as one,
    /// so that every instruction set gives the same bits.
    #[inline(always)]
    pub(super) fn updated(&self, [parameter, gradient, first, second]: [f32; 4]) -> [f32; 4] {
        let first = first * self.first[0] + gradient * self.first[1];
        let second = second * self.second[0] + gradient * gradient * self.second[1];
        let root = second.sqrt();
        let below = root * self.unbiased + self.epsilon;
        [parameter * self.keep - self.rate * (first / below), first, second, root]
    }
}

/// Takes a step: `parameter`, `first` and `second`, the moments, are written in place, each as long as `gradient`. Every number is read
/// and written once. Nothing is allocated.
///
/// # Errors
/// Slices of different lengths, a step 0, an instruction set that is absent.
pub fn adamw(step: &AdamWStep, [parameter, first, second]: [&mut [f32]; 3], gradient: &[f32]) -> Result<()> {
    let (length, by) = ([gradient.len()], step.factors()?);
    expect_len("the parameters", &length, parameter.len())?;
    expect_len("the first moments", &length, first.len())?;
    expect_len("the second moments", &length, second.len())?;
    with_isa!(step.isa, |tools| run(&tools, by, [parameter, first, second], gradient));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, by: Factors, [parameter, first, second]: [&mut [f32]; 3], gradient: &[f32]) {
    let numbers = each(gradient.len().div_ceil(LINE), LINE) * LINE;
    let moments = first.chunks_mut(numbers).zip(second.chunks_mut(numbers));
    let all = parameter.chunks_mut(numbers).zip(gradient.chunks(numbers)).zip(moments);
    parallel_for(all, |((parameter, gradient), (first, second))| {
        tools.run(Stretch { by, parameter, gradient, first, second });
    });
}

/// A stretch of all of them.
struct Stretch<'a> {
    by: Factors,
    parameter: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Kernel for Stretch<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { by, parameter, gradient, first, second } = self;
        let moments = first.iter_mut().zip(second);
        for ((parameter, gradient), (first, second)) in parameter.iter_mut().zip(gradient).zip(moments) {
            [*parameter, *first, *second, _] = by.updated([*parameter, *gradient, *first, *second]);
        }
    }
}
