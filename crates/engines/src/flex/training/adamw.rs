//! Steps of AdamW: in one pass, in a pass for each operation, and with moments of eight bits, in a file, or in another process.

use benchbook_core::{
    Answer, Array, Check, DType, Inputs, Loop, Looping, Metric, Reference, Result, Row, Setting, Step, Subject,
};
use benchbook_formats::{Axis, E4M3FN, Groups, Rounding, Scaled};
use benchbook_simd::{self as simd, AdamWStep, CodedMoments, Isa};
use benchbook_workloads::training::{AdamW, AdamWParams, BETAS, DECAY, EPSILON, RATE};
use rayon::prelude::*;

use super::adamw_burn::BURN;
use super::elsewhere::Elsewhere;
use super::filed::Filed;
use crate::flex::calls::failed;
use crate::flex::decoding::Who;
use crate::flex::row::{fused_row, plain_row};
use crate::flex::weight_only::own_bytes;

/// Implementations of `adamw`.
pub const ROWS: [Row<AdamW>; 6] = [FUSED, PASSES, EIGHT_BITS, FILED, ELSEWHERE, BURN];

/// Numbers that share a scale.
const GROUP: usize = 256;

/// Numbers of a task of a pass.
const TASK: usize = 1 << 14;

const FUSED: Row<AdamW> = fused_row::<AdamW>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, one pass over parameters, gradients and moments",
    &[DType::F32],
    |name, setting, params, inputs| {
        let moments = Wide::of(inputs);
        prepare((name, setting), params, inputs, (moments.clone(), moments, Vec::new()))
    },
)
.catalogue(&["TR2"]);

const PASSES: Row<AdamW> = plain_row::<AdamW>(
    "passes",
    "plain loops by all threads: a pass over memory for each operation, as an optimizer made of tensor operations has it",
    &[DType::F32],
    |name, setting, params, inputs| {
        let moments = Passes { of: Wide::of(inputs), below: vec![0.0; params.rows * params.width] };
        prepare((name, setting), params, inputs, (moments.of.clone(), moments, Vec::new()))
    },
);

const EIGHT_BITS: Row<AdamW> = fused_row::<AdamW>(
    "fused-8bit",
    "hand-written: AVX-512, AVX2 or portable, one pass; first moments and roots of second ones are e4m3fn in blocks of 256 with a \
     scale each (arXiv 2110.02861; arXiv 2310.18313)",
    &[DType::F32],
    |name, setting, params, inputs| {
        let coded = CodedMoments::new(inputs.numbers("first"), &roots(inputs));
        let coded = Who::new(name, setting).said(coded)?;
        // Of each parameter, it and its gradient are read and it is written; codes and scales are read and written.
        let bytes = params.steps * (3 * size_of::<f32>() * params.rows * params.width + 2 * coded.bytes());
        prepare((name, setting), params, inputs, (coded.clone(), Coded(coded), vec![own_bytes(bytes)]))
    },
)
.catalogue(&["TR2"])
.approximating(of_codes);

const FILED: Row<AdamW> = fused_row::<AdamW>(
    "fused-file",
    "as fused, moments in a file of the folder for temporary files (TMPDIR), a stretch of which is read, stepped and written at a \
     time; the system may keep the file in memory",
    &[DType::F32],
    |name, setting, params, inputs| {
        let start = Wide::of(inputs);
        let moments = Filed::new(&std::env::temp_dir(), &start).map_err(|why| failed(name, &setting.device, &why))?;
        let bytes = Metric::modelled("file_bytes", moments.file_bytes() as f64, "bytes");
        prepare((name, setting), params, inputs, (start, moments, vec![bytes]))
    },
)
.catalogue(&["TR2"])
.on_request();

const ELSEWHERE: Row<AdamW> = fused_row::<AdamW>(
    "fused-process",
    "as fused, moments in another process, of which a stretch at a time comes through a pipe, is stepped and goes back",
    &[DType::F32],
    |name, setting, params, inputs| {
        let start = Wide::of(inputs);
        let keeper = crate::ring::program().and_then(|program| Elsewhere::new(&program, start.first.len()));
        let keeper = keeper.map_err(|why| failed(name, &setting.device, &why))?;
        prepare((name, setting), params, inputs, (start, keeper, Vec::new()))
    },
)
.catalogue(&["TR2"])
.on_request();

/// What an optimizer keeps from step to step. What goes wrong is told in words.
pub(super) trait Moments {
    /// What they are before the first step.
    type Start;

    /// Takes a step.
    fn step(&mut self, step: &AdamWStep, parameter: &mut [f32], gradient: &[f32]) -> Result<(), String>;

    /// Goes back to before the first step; where that fails, the next step says so.
    fn set(&mut self, start: &Self::Start);

    /// First and second moments.
    fn numbers(&mut self) -> Result<[Vec<f32>; 2], String>;

    /// Bytes of memory that they take.
    fn bytes(&self) -> usize;

    /// Other processes that have them.
    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }
}

fn told(error: simd::Error) -> String {
    error.to_string()
}

/// As they are.
#[derive(Clone)]
pub(super) struct Wide {
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
}

impl Wide {
    fn of(inputs: &Inputs) -> Self {
        let second = inputs.numbers("root").iter().map(|root| root * root).collect();
        Self { first: inputs.numbers("first").to_vec(), second }
    }
}

impl Moments for Wide {
    type Start = Self;

    fn step(&mut self, step: &AdamWStep, parameter: &mut [f32], gradient: &[f32]) -> Result<(), String> {
        simd::adamw(step, [parameter, &mut self.first, &mut self.second], gradient).map_err(told)
    }

    fn set(&mut self, start: &Self) {
        self.first.copy_from_slice(&start.first);
        self.second.copy_from_slice(&start.second);
    }

    fn numbers(&mut self) -> Result<[Vec<f32>; 2], String> {
        Ok([self.first.clone(), self.second.clone()])
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.first[..]) + size_of_val(&self.second[..])
    }
}

/// The same, a pass for each operation.
struct Passes {
    of: Wide,
    /// What stands below the fraction.
    below: Vec<f32>,
}

/// What `one` makes of each number, in its place.
fn each(numbers: &mut [f32], one: impl Fn(f32) -> f32 + Sync) {
    numbers.par_chunks_mut(TASK).for_each(|part| part.iter_mut().for_each(|number| *number = one(*number)));
}

/// The same of each and another.
fn with(numbers: &mut [f32], others: &[f32], one: impl Fn(f32, f32) -> f32 + Sync) {
    let parts = numbers.par_chunks_mut(TASK).zip(others.par_chunks(TASK));
    parts.for_each(|(part, others)| {
        part.iter_mut().zip(others).for_each(|(number, other)| *number = one(*number, *other));
    });
}

impl Moments for Passes {
    type Start = Wide;

    fn step(&mut self, step: &AdamWStep, parameter: &mut [f32], gradient: &[f32]) -> Result<(), String> {
        let [by_first, by_second] = step.betas.map(|beta| 1.0 - beta.powf(step.step as f64));
        let [[stays, comes], [stays_second, comes_second]] =
            step.betas.map(|beta| [beta, 1.0 - beta].map(|share| share as f32));
        let [keep, unbiased, epsilon, rate] =
            [1.0 - step.rate * step.decay, 1.0 / by_second.sqrt(), step.epsilon, step.rate / by_first]
                .map(|factor| factor as f32);
        let Self { of: Wide { first, second }, below } = self;
        each(parameter, |x| x * keep);
        each(first, |x| x * stays);
        with(first, gradient, |x, gradient| x + gradient * comes);
        each(second, |x| x * stays_second);
        with(second, gradient, |x, gradient| x + gradient * gradient * comes_second);
        with(below, second, |_, second| second.sqrt());
        each(below, |x| x * unbiased + epsilon);
        with(below, first, |below, first| first / below);
        with(parameter, below, |x, fraction| x - rate * fraction);
        Ok(())
    }

    fn set(&mut self, start: &Wide) {
        self.of.set(start);
    }

    fn numbers(&mut self) -> Result<[Vec<f32>; 2], String> {
        self.of.numbers()
    }

    fn bytes(&self) -> usize {
        self.of.bytes()
    }
}

/// In eight bits each.
struct Coded(CodedMoments);

impl Moments for Coded {
    type Start = CodedMoments;

    fn step(&mut self, step: &AdamWStep, parameter: &mut [f32], gradient: &[f32]) -> Result<(), String> {
        simd::adamw_coded(step, parameter, &mut self.0, gradient).map_err(told)
    }

    fn set(&mut self, start: &CodedMoments) {
        self.0.clone_from(start);
    }

    fn numbers(&mut self) -> Result<[Vec<f32>; 2], String> {
        let [first, root] = self.0.numbers();
        Ok([first, root.iter().map(|root| root * root).collect()])
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// A loop of steps, each of which finds the same gradient.
struct Steps<M: Moments> {
    name: &'static str,
    device: String,
    params: AdamWParams,
    gradient: Array,
    /// What is there before the first step.
    start: (Vec<f32>, M::Start),
    parameter: Vec<f32>,
    moments: M,
    done: usize,
    metrics: Vec<Metric>,
}

fn prepare<M: Moments + 'static>(
    (name, setting): (&'static str, &Setting),
    params: &AdamWParams,
    inputs: &Inputs,
    (start, moments, more): (M::Start, M, Vec<Metric>),
) -> Result<Box<dyn Subject>> {
    let parameter = inputs.numbers("parameter").to_vec();
    let bytes = Metric::modelled("state_bytes", moments.bytes() as f64, "bytes");
    let steps = Steps {
        name,
        device: setting.device.clone(),
        params: params.clone(),
        gradient: inputs.get("gradient").clone(),
        start: (parameter.clone(), start),
        parameter,
        moments,
        done: 0,
        metrics: [bytes].into_iter().chain(more).collect(),
    };
    Ok(Box::new(Looping::new(name, setting, &AdamW::steps(params), steps)))
}

impl<M: Moments> Loop for Steps<M> {
    fn begin(&mut self) {
        self.parameter.copy_from_slice(&self.start.0);
        self.moments.set(&self.start.1);
        self.done = 0;
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        self.done += 1;
        let step = AdamWStep {
            rate: RATE,
            betas: BETAS,
            epsilon: EPSILON,
            decay: DECAY,
            step: self.params.before + self.done,
            isa: Isa::detect(),
        };
        let gradient = self.gradient.of::<f32>();
        let stepped = self.moments.step(&step, &mut self.parameter, gradient);
        stepped.map_err(|why| failed(self.name, &self.device, &why))?;
        Ok(Step { tokens: 0, more: self.done < self.params.steps })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let shape = || vec![self.params.rows, self.params.width];
        let [first, second] = self.moments.numbers().map_err(|why| failed(self.name, &self.device, &why))?;
        Ok([&self.parameter, &first, &second].map(|numbers| Array::new(shape(), numbers)).into())
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn processes(&self) -> Vec<u32> {
        self.moments.processes()
    }

    /// The gradient alone: what else there is begins anew with each loop.
    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        if input != "gradient" {
            return Ok(false);
        }
        self.gradient.write(first, values);
        Ok(true)
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}

/// Roots of second moments; the sign of what is given says nothing.
fn roots(inputs: &Inputs) -> Vec<f32> {
    inputs.numbers("root").iter().map(|root| root.abs()).collect()
}

/// Numbers as their codes stand for them.
fn rounded(numbers: &[f32]) -> Option<Vec<f32>> {
    let groups = Groups::new([1, numbers.len()], Axis::Columns, GROUP).ok()?;
    let coded = Scaled { element: E4M3FN }.quantised(numbers, &groups, Rounding::NearestEven);
    Some(coded.ok()?.dequantised())
}

/// The same steps one number after another, with moments that are rounded after each; in `f32`, since a number of `f64` may lie on the
/// other side of the middle between two codes.
fn of_codes(params: &AdamWParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    let AdamWParams { rows, width, steps, before } = *params;
    let kept = AdamW::kept(params, seed);
    // Where groups end with rows, others have no say.
    let taken: Vec<usize> = if width.is_multiple_of(GROUP) { kept.clone() } else { (0..rows).collect() };
    let of = |numbers: &[f32]| -> Vec<f32> {
        taken.iter().flat_map(|row| numbers[row * width..][..width].iter().copied()).collect()
    };
    let [mut parameter, gradient, first] = ["parameter", "gradient", "first"].map(|name| of(inputs.numbers(name)));
    let [mut first, mut root] = [rounded(&first)?, rounded(&of(&roots(inputs)))?];
    let narrow = |number: f64| number as f32;
    let [first_stays, first_comes] = [BETAS[0], 1.0 - BETAS[0]].map(narrow);
    let [second_stays, second_comes] = [BETAS[1], 1.0 - BETAS[1]].map(narrow);
    for step in before + 1..=before + steps {
        let [by_first, by_second] = BETAS.map(|beta| 1.0 - beta.powf(step as f64));
        let (unbiased, rate) = (narrow(1.0 / by_second.sqrt()), narrow(RATE / by_first));
        let (keep, epsilon) = (narrow(1.0 - RATE * DECAY), narrow(EPSILON));
        let moments = first.iter_mut().zip(&mut root);
        for ((parameter, slope), (first, root)) in parameter.iter_mut().zip(&gradient).zip(moments) {
            *first = *first * first_stays + slope * first_comes;
            let second = *root * *root * second_stays + slope * slope * second_comes;
            *root = second.sqrt();
            let below = *root * unbiased + epsilon;
            *parameter = *parameter * keep - rate * (*first / below);
        }
        (first, root) = (rounded(&first)?, rounded(&root)?);
    }
    let second: Vec<f32> = root.iter().map(|root| root * root).collect();
    let answer = |(name, numbers): (&'static str, Vec<f32>)| Answer {
        name: name.into(),
        shape: vec![rows, width],
        rows: taken.clone(),
        values: numbers.into_iter().map(f64::from).collect(),
        check: Check::Near,
    };
    let all = [("parameter", parameter), ("first", first), ("second", second)];
    Some(Reference { answers: all.map(answer).into() })
}
