//! What training gives where factors of products are floats of eight bits, in `f64`: forward and weights in e4m3, gradients in e5m2, each
//! tensor by a scale of its own (Micikevicius et al., arXiv 2209.05433, section 3.1).
//!
//! Such an answer is right to the bits of `f32` only until one number, which lies between two floats of eight bits, goes to the other one:
//! it is an eighth or a quarter of itself away then, all that is computed of it is rounded anew, and the norms of gradients end up as far
//! from each other as two draws of the rounding are, some hundredths of themselves. How many numbers can go both ways, and what comes of
//! it, no count of them tells; so the steps are computed again with every number moved by what `f32` may have moved it before it is
//! rounded, up and down, and what these differ by is excused ([`Reference::among`]). Of few tokens hardly ever one lies so near the
//! middle: there an answer is held to what `f32` is.

use std::collections::BTreeMap;

use benchbook_core::{Array, Inputs, Reference};

use super::slopes::{BUDGET, Course, Tensors, product, steps_of, to_input, to_weights};

/// By which largest number tensors are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EightBits {
    /// Their own.
    Dynamic,
    /// The largest that those of the same place have had in the 16 steps before; in the first step their own (*delayed scaling* of
    /// Transformer Engine).
    Delayed,
}

/// Steps that delayed scaling looks back.
const HISTORY: usize = 16;

/// A float of eight bits (OCP OFP8, section 5).
#[derive(Clone, Copy)]
struct Format {
    /// Bits behind the point.
    behind: i32,
    /// The exponent of its smallest normal number, of which the steps of smaller ones are.
    least: i32,
    largest: f64,
}

const E4M3: Format = Format { behind: 3, least: -6, largest: 448.0 };
const E5M2: Format = Format { behind: 2, least: -14, largest: 57_344.0 };

/// Parts of a product: what comes in, weights, and the gradient of what goes out.
const INPUT: usize = 0;
const WEIGHTS: usize = 1;
const GRADIENT: usize = 2;

/// How a part is rounded.
#[derive(Clone, Copy)]
struct Rule {
    format: Format,
    /// The part of the same product whose largest number becomes that of the format.
    scaled_by: usize,
    /// What is larger becomes this.
    most: f64,
}

const fn rule(part: usize, format: Format) -> Rule {
    Rule { format, scaled_by: part, most: format.largest }
}

/// How the three parts are rounded.
const RULES: [Rule; 3] = [rule(INPUT, E4M3), rule(WEIGHTS, E4M3), rule(GRADIENT, E5M2)];

impl Rule {
    /// The scale of tensors with this largest number; 1 where there is none, as `f32` knows it.
    fn scale(self, largest: f64) -> f64 {
        let scale = self.format.largest / largest;
        if (largest as f32).is_normal() && (scale as f32).is_normal() { scale } else { 1.0 }
    }

    /// The nearest number of the format, of two as near the even one.
    fn nearest(self, number: f64) -> f64 {
        let exponent = (number.abs().log2().floor() as i32).max(self.format.least);
        let step = 2.0_f64.powi(exponent - self.format.behind);
        ((number / step).round_ties_even() * step).clamp(-self.most, self.most)
    }
}

/// Pairs of ways in which all numbers are moved, from where steps are dear to where they are cheap.
const PAIRS: std::ops::RangeInclusive<usize> = 2..=4;

/// How far numbers are moved that sums give, as a share of themselves and of the root of their mean square: 2⁻²⁰, as a sum of 256 terms in
/// `f32` errs by √256 · 2⁻²⁴, of terms that may cancel.
const OF_SUMS: f64 = 1.0 / 1_048_576.0;

/// The same of weights, which begin as the same `f32`: 2⁻²², for the scale, the product by it, and two steps of the optimizer.
const OF_WEIGHTS: f64 = 1.0 / 4_194_304.0;

/// One way in which numbers are moved before they are rounded.
struct Moves {
    seed: u64,
    /// 1.0, or −1.0 for the other way of each number.
    way: f64,
    /// Tensors that have been moved.
    tensors: u64,
}

impl Moves {
    fn new(seed: u64, way: f64) -> Self {
        Self { seed, way, tensors: 0 }
    }

    /// Numbers of a part, each moved up or down.
    fn moved(&mut self, part: usize, numbers: &[f64]) -> Vec<f64> {
        self.tensors += 1;
        let ups = Array::bernoulli(vec![numbers.len()], 0.5, self.seed, self.tensors);
        let square = numbers.iter().map(|number| number * number).sum::<f64>() / numbers.len() as f64;
        let [own, all] = if part == WEIGHTS { [OF_WEIGHTS, 0.0] } else { [OF_SUMS, OF_SUMS * square.sqrt()] };
        let one = |(number, up): (&f64, bool)| {
            let way = if up { self.way } else { -self.way };
            number + way * (own * number.abs() + all)
        };
        numbers.iter().zip(ups.as_flags()).map(one).collect()
    }
}

/// What is known of a part of a product.
#[derive(Default)]
struct Site {
    /// The largest numbers of all steps.
    largest: Vec<f64>,
    /// The one that scales this step.
    scales: f64,
    /// The part as it was rounded last.
    rounded: Vec<f64>,
}

/// A product by its weights: the name of their tensor, and the layer.
type Place = (&'static str, usize);

/// Factors of all products of a model, in eight bits.
struct Rounded {
    scaling: EightBits,
    rules: [Rule; 3],
    moves: Option<Moves>,
    sites: BTreeMap<Place, [Site; 3]>,
}

impl Rounded {
    fn new(scaling: EightBits, rules: [Rule; 3], moves: Option<Moves>) -> Self {
        Self { scaling, rules, moves, sites: BTreeMap::new() }
    }

    /// Looks at parts of a product, the first of which is `first`, and rounds them.
    fn round(&mut self, place: Place, first: usize, parts: &[&[f64]]) -> &[Site; 3] {
        let Self { scaling, rules, moves, sites } = self;
        let sites = sites.entry(place).or_default();
        let parts: Vec<Vec<f64>> = parts
            .iter()
            .enumerate()
            .map(|(part, numbers)| match moves.as_mut() {
                Some(moves) => moves.moved(first + part, numbers),
                None => numbers.to_vec(),
            })
            .collect();
        for (site, numbers) in sites[first..].iter_mut().zip(&parts) {
            let now = numbers.iter().fold(0.0_f64, |largest, number| largest.max(number.abs()));
            let before = site.largest.iter().rev().take(HISTORY).copied().reduce(f64::max);
            site.scales = before.filter(|_| *scaling == EightBits::Delayed).unwrap_or(now);
            site.largest.push(now);
        }
        for (part, numbers) in (first..).zip(&parts) {
            let rule = rules[part];
            let scale = rule.scale(sites[rule.scaled_by].scales);
            sites[part].rounded = numbers.iter().map(|number| rule.nearest(number * scale) / scale).collect();
        }
        sites
    }
}

/// Factors of all products of a model with its weights, as they are or rounded.
pub(super) struct Factors(Option<Rounded>);

impl Factors {
    /// As they are.
    pub(super) fn exact() -> Self {
        Self(None)
    }

    /// Rows of `from` numbers times weights `[from, to]`.
    pub(super) fn forward(&mut self, place: Place, x: &[f64], weights: &[f64], size: [usize; 2]) -> Vec<f64> {
        match &mut self.0 {
            None => product(x, weights, size),
            Some(rounded) => {
                let [input, weights, _] = rounded.round(place, INPUT, &[x, weights]);
                product(&input.rounded, &weights.rounded, size)
            }
        }
    }

    /// The gradients of what came in and of the weights, by both as they were forward and the gradient of the result.
    pub(super) fn backward(
        &mut self,
        place: Place,
        [x, weights, grad]: [&[f64]; 3],
        size: [usize; 2],
    ) -> [Vec<f64>; 2] {
        match &mut self.0 {
            None => [to_input(grad, weights, size), to_weights(x, grad, size)],
            Some(rounded) => {
                let [input, weights, grad] = rounded.round(place, GRADIENT, &[grad]);
                let grad = &grad.rounded;
                [to_input(grad, &weights.rounded, size), to_weights(&input.rounded, grad, size)]
            }
        }
    }
}

/// Steps by these factors, as [`steps_of`] makes them.
fn steps_by(
    rounded: Rounded,
    course: Course,
    names: &[&'static str],
    inputs: &Inputs,
    of: &impl Fn(&Tensors, &[i32], &mut Factors) -> (f64, Tensors),
) -> Reference {
    let mut factors = Factors(Some(rounded));
    steps_of(course, names, inputs, |weights, ids| of(weights, ids, &mut factors))
}

/// What steps give whose factors are rounded, and what of it another rounding excuses: as many steps as the budget of all ways allows, the
/// first among them, once as they are and some times ([`PAIRS`]) moved to either side, so that what lies near the middle goes the other way
/// in one of the two. A batch has its loss and gradients by `of`.
pub(super) fn in_eight_bits(
    scaling: EightBits,
    course: Course,
    names: &[&'static str],
    inputs: &Inputs,
    of: impl Fn(&Tensors, &[i32], &mut Factors) -> (f64, Tensors),
) -> Reference {
    let pairs = ((BUDGET / (2.0 * course.products * course.steps as f64)) as usize).clamp(*PAIRS.start(), *PAIRS.end());
    let course = Course { products: course.products * (2 * pairs + 1) as f64, ..course };
    let steps = |moves: Option<Moves>| steps_by(Rounded::new(scaling, RULES, moves), course, names, inputs, &of);
    let ways = (0..pairs).flat_map(|pair| [1.0, -1.0].map(|way| Moves::new(pair as u64, way)));
    let others: Vec<Reference> = ways.map(|moves| steps(Some(moves))).collect();
    steps(None).among(&others)
}

#[cfg(test)]
mod tests;
