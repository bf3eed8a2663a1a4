//! The largest numbers of many, and what is left of the others.
#![expect(unsafe_code, reason = "plain loops that are compiled for each instruction set")]

use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::memory::LINE;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Numbers that are looked at to guess a threshold.
const SAMPLE: usize = 1 << 14;

/// Deviations by which a guess takes more than is wanted.
const DEVIATIONS: f64 = 4.0;

/// Numbers that are summed before they are looked at, while they are in a cache.
const BLOCK: usize = 1024;

/// All bits but the sign.
const SIZE: u32 = 0x7fff_ffff;

/// What was left of the gradient before, and room for what is left of this one.
#[derive(Debug)]
pub struct Feedback<'a> {
    /// What the last compression left, which is added to the gradient.
    pub before: &'a [f32],
    /// What this one leaves.
    pub left: &'a mut [f32],
}

impl Feedback<'_> {
    /// # Errors
    /// Another number of numbers.
    pub(super) fn check(&self, numbers: usize) -> Result<()> {
        expect_len("what was left before", &[numbers], self.before.len())?;
        expect_len("what is left", &[numbers], self.left.len())
    }
}

/// Room that a call of [`top_k`] leaves to the next one.
#[derive(Debug, Default)]
pub struct TopKRoom {
    sample: Vec<u32>,
    /// Of each task those that may be among the largest.
    found: Vec<Vec<u64>>,
    all: Vec<u64>,
}

/// The `indices.len()` numbers with the largest absolute values, with their places in ascending order (Lin et al., "Deep gradient
/// compression", arXiv 1712.01887, section 3); of equal ones the first. With feedback, what was left before is added first, and what is
/// not taken is left (Seide et al., "1-bit stochastic gradient descent", Interspeech 2014; Karimireddy et al., arXiv 1901.09847).
///
/// A sample gives a threshold that lets a few more pass, so that the gradient is read once. Where it lets too few pass, everything is
/// looked at. Nothing is allocated once `room` has been used for as many numbers.
///
/// # Errors
/// Slices of the wrong length, more numbers wanted than there are, or more than 2³² of them, an instruction set that is absent.
pub fn top_k(
    isa: Isa,
    gradient: &[f32],
    mut feedback: Option<Feedback>,
    room: &mut TopKRoom,
    indices: &mut [i64],
    values: &mut [f32],
) -> Result<()> {
    let (numbers, wanted) = (gradient.len(), indices.len());
    expect_len("the values", &[wanted], values.len())?;
    if wanted > numbers || u32::try_from(numbers).is_err() {
        return Err(Error::Shape(format!("the largest {wanted} of {numbers} numbers cannot be taken")));
    }
    if let Some(feedback) = &feedback {
        feedback.check(numbers)?;
    }
    let before = feedback.as_ref().map(|feedback| feedback.before);
    let sum = |place: usize| gradient[place] + before.map_or(0.0, |before| before[place]);
    let guess = threshold(wanted, numbers, |place| size(sum(place)), &mut room.sample);
    for least in [guess, 0] {
        let left = feedback.as_mut().map(|feedback| &mut *feedback.left);
        with_isa!(isa, |tools| run(&tools, least, gradient, before, left, &mut room.found));
        room.all.clear();
        room.found.iter().for_each(|found| room.all.extend_from_slice(found));
        if room.all.len() >= wanted {
            break;
        }
    }
    if wanted == 0 {
        return Ok(());
    }
    let (taken, ..) = split(&mut room.all, wanted);
    taken.sort_unstable_by_key(|key| place(*key));
    for ((index, value), key) in indices.iter_mut().zip(values).zip(taken) {
        let place = place(*key);
        (*index, *value) = (place as i64, sum(place));
        if let Some(feedback) = &mut feedback {
            feedback.left[place] = 0.0;
        }
    }
    Ok(())
}

/// The keys of the `wanted` largest, in any order, and the others.
fn split(all: &mut [u64], wanted: usize) -> (&mut [u64], &mut [u64]) {
    if wanted < all.len() {
        all.select_nth_unstable_by(wanted, |one, other| other.cmp(one));
    }
    all.split_at_mut(wanted)
}

/// By what numbers are ordered: their sizes as bits, and of equal ones the first is the largest.
fn key(size: u32, place: usize) -> u64 {
    (u64::from(size) << 32) | u64::from(!(place as u32))
}

fn place(key: u64) -> usize {
    !(key as u32) as usize
}

/// The absolute value of a number as bits, which are ordered as it is.
#[inline(always)]
fn size(number: f32) -> u32 {
    number.to_bits() & SIZE
}

/// A size that is exceeded by somewhat more numbers than are wanted, as a sample has it; 0 where all have to be looked at.
fn threshold(wanted: usize, numbers: usize, size: impl Fn(usize) -> u32, sample: &mut Vec<u32>) -> u32 {
    let apart = numbers / SAMPLE;
    if apart < 2 {
        return 0;
    }
    sample.clear();
    sample.extend((0..SAMPLE).map(|index| size(index * apart)));
    let expected = wanted as f64 / numbers as f64 * SAMPLE as f64;
    let rank = (expected + DEVIATIONS * expected.sqrt()).ceil() as usize + 1;
    if rank >= SAMPLE {
        return 0;
    }
    *sample.select_nth_unstable_by(rank, |one, other| other.cmp(one)).1
}

fn run<T: Tools + Sync>(
    tools: &T,
    least: u32,
    gradient: &[f32],
    before: Option<&[f32]>,
    left: Option<&mut [f32]>,
    found: &mut Vec<Vec<u64>>,
) {
    let numbers = each(gradient.len().div_ceil(LINE), LINE) * LINE;
    found.iter_mut().for_each(Vec::clear);
    found.resize_with(found.len().max(gradient.len().div_ceil(numbers)), Vec::new);
    let part = |task: usize, all: &[f32]| task * numbers..all.len().min((task + 1) * numbers);
    let tasks = gradient.chunks(numbers).zip(found).enumerate();
    match (before, left) {
        (Some(before), Some(left)) => {
            parallel_for(tasks.zip(left.chunks_mut(numbers)), |((task, (gradient, found)), left)| {
                let summed = Some((&before[part(task, before)], left));
                tools.run(Part { least, first: task * numbers, gradient, summed, found });
            });
        }
        _ => parallel_for(tasks, |(task, (gradient, found))| {
            tools.run(Part { least, first: task * numbers, gradient, summed: None, found });
        }),
    }
}

/// A stretch of the gradient, from number `first` on.
struct Part<'a> {
    least: u32,
    first: usize,
    gradient: &'a [f32],
    /// What is added, and where the sums go.
    summed: Option<(&'a [f32], &'a mut [f32])>,
    found: &'a mut Vec<u64>,
}

impl Kernel for Part<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { least, first, gradient, summed, found } = self;
        let Some((before, left)) = summed else {
            return looked_at(least, first, gradient, found);
        };
        let blocks = gradient.chunks(BLOCK).zip(before.chunks(BLOCK)).zip(left.chunks_mut(BLOCK)).enumerate();
        for (block, ((gradient, before), left)) in blocks {
            left.iter_mut().zip(gradient).zip(before).for_each(|((to, one), other)| *to = one + other);
            looked_at(least, first + block * BLOCK, left, found);
        }
    }
}

/// Adds the keys of those that are no smaller than the threshold.
#[inline(always)]
fn looked_at(least: u32, first: usize, numbers: &[f32], found: &mut Vec<u64>) {
    let (lines, rest) = numbers.as_chunks::<LINE>();
    for (line, numbers) in lines.iter().enumerate() {
        // Most lines have none.
        if numbers.iter().map(|number| size(*number)).fold(0, u32::max) >= least {
            passed(least, first + line * LINE, numbers, found);
        }
    }
    passed(least, first + lines.len() * LINE, rest, found);
}

/// The same, number by number.
#[inline(always)]
fn passed(least: u32, first: usize, numbers: &[f32], found: &mut Vec<u64>) {
    for (place, number) in numbers.iter().enumerate().filter(|(_, number)| size(**number) >= least) {
        found.push(key(size(*number), first + place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_by_size_and_then_by_place() {
        let mut all = [key(size(-2.0), 7), key(size(2.0), 3), key(size(1.0), 0), key(size(-3.0), 9)];
        all.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(all.map(place), [9, 3, 7, 0]);
        let (taken, others) = split(&mut all, 3);
        taken.sort_unstable_by_key(|key| place(*key));
        assert_eq!((taken.iter().map(|key| place(*key)).collect::<Vec<_>>(), others.len()), (vec![3, 7, 9], 1));
    }

    #[test]
    fn a_sample_lets_a_few_more_pass() {
        let numbers = 1 << 20;
        // Sizes in an order that no stride of a power of two meets twice.
        let size = |place: usize| (place * 0x9e37_79b1 % numbers) as u32;
        for wanted in [numbers / 1000, numbers / 100, numbers / 4] {
            let least = threshold(wanted, numbers, size, &mut Vec::new());
            let passed = numbers - least as usize;
            assert!(passed >= wanted && passed < wanted + wanted / 2 + 1000, "{passed} for {wanted}");
        }
        assert_eq!(threshold(numbers, numbers, size, &mut Vec::new()), 0);
        assert_eq!(threshold(1, 2 * SAMPLE - 1, size, &mut Vec::new()), 0, "a few are all looked at");
    }
}
