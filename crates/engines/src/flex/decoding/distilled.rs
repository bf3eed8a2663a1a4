//! A draft that is distilled here: the first layers of a model, and a matrix behind them that is fitted to what the whole model makes of
//! texts that it has written itself (Hinton et al., arXiv 1503.02531; of whole texts: Kim & Rush, arXiv 1606.07947).

use std::sync::Arc;

use benchbook_core::Array;
use benchbook_models::compress::cholesky;
use benchbook_simd::Result;
use benchbook_workloads::decoding::SpeculativeDecodingParams;

use super::contiguous;
use super::gpt2::{Gpt2, Weights};
use super::text::{Model, Part, Text, best};

/// Positions that are learned from, for each number of a position.
const POSITIONS: usize = 8;

/// Texts at most, and those that are written together.
const MOST_TEXTS: usize = 64;
const TOGETHER: usize = 16;

/// What is added to the mean square of each number, as a share of the mean of all: what hardly varies is left as it is.
const RIDGE: f64 = 0.05;

/// Of the beginnings of texts that are learned from, which are those of no case.
const SEED: u64 = 0x00d1_5711;

/// What the first layers, and all of them, make of the same positions before their logits, `[positions, width]` each.
pub struct Learned {
    first: Vec<f32>,
    whole: Vec<f32>,
}

/// The weights of a draft of the first layers.
///
/// # Errors
/// A kernel refuses its call.
pub fn distilled(weights: &Arc<Weights>, params: &SpeculativeDecodingParams) -> Result<Arc<Weights>> {
    let texts = (POSITIONS * params.width).div_ceil(params.tokens).min(MOST_TEXTS);
    let learned = Learned::of(weights, params, [texts as u64, SEED])?;
    weights.with_between(&learned.fitted(params.width))
}

impl Learned {
    /// Of so many texts as the model goes on with beginnings of this seed, as long as those of the case.
    ///
    /// # Errors
    /// A kernel refuses its call.
    pub fn of(weights: &Arc<Weights>, params: &SpeculativeDecodingParams, [texts, seed]: [u64; 2]) -> Result<Self> {
        let (model, vocabulary, prompt) = (params.model(), params.vocabulary, params.prompt);
        let depths = [params.layers, params.draft_layers];
        let [mut whole, mut first] = depths.map(|depth| Gpt2::new(weights, depth, contiguous(&model, weights)));
        let [mut of_whole, mut of_first]: [Vec<_>; 2] =
            [&whole, &first].map(|model| (0..TOGETHER).map(|_| model.text()).collect());
        let drawn = Array::normal(vec![texts as usize * prompt], seed, 1);
        // The lower bits of normal numbers are as good as uniform.
        let drawn: Vec<usize> = drawn.of::<f32>().iter().map(|one| one.to_bits() as usize % vocabulary).collect();
        let mut learned = Self { first: Vec::new(), whole: Vec::new() };
        for beginnings in drawn.chunks(TOGETHER * prompt) {
            for text in of_whole.iter_mut().chain(&mut of_first) {
                text.truncate(0)?;
            }
            let mut last: Vec<Vec<usize>> = beginnings.chunks(prompt).map(<[usize]>::to_vec).collect();
            for _ in 0..params.tokens {
                let part = |(text, tokens)| Part { text, tokens, wanted: 1 };
                let parts: Vec<Part<'_>> = last.iter().map(Vec::as_slice).enumerate().map(part).collect();
                let [seen, _] = first.seen(&mut of_first, &parts)?;
                learned.first.extend_from_slice(seen);
                let [seen, logits] = whole.seen(&mut of_whole, &parts)?;
                learned.whole.extend_from_slice(seen);
                last = logits.chunks_exact(vocabulary).map(|logits| vec![best(logits)]).collect();
            }
        }
        Ok(learned)
    }

    /// The matrix `[width, width]` that brings the one nearest to the other: with X and Y for them, I + (XᵀX + λI)⁻¹ Xᵀ(Y − X) (ridge
    /// regression: Hoerl & Kennard 1970).
    pub fn fitted(&self, width: usize) -> Vec<f32> {
        let [mut squares, mut right] = [vec![0.0_f64; width * width], vec![0.0_f64; width * width]];
        for (x, y) in self.first.chunks_exact(width).zip(self.whole.chunks_exact(width)) {
            let rows = squares.chunks_exact_mut(width).zip(right.chunks_exact_mut(width));
            for (one, (squares, right)) in x.iter().zip(rows) {
                let one = f64::from(*one);
                for ((square, right), (x, y)) in squares.iter_mut().zip(right).zip(x.iter().zip(y)) {
                    *square += one * f64::from(*x);
                    *right += one * f64::from(y - x);
                }
            }
        }
        let mean = squares.iter().step_by(width + 1).sum::<f64>() / width as f64;
        squares.iter_mut().step_by(width + 1).for_each(|square| *square += RIDGE * mean + f64::MIN_POSITIVE);
        solve(&mut squares, &mut right, width);
        right.iter_mut().step_by(width + 1).for_each(|number| *number += 1.0);
        right.iter().map(|number| *number as f32).collect()
    }

    /// How far the one is from the other behind a matrix: the mean square of what is left.
    #[cfg(test)]
    pub fn left(&self, between: &[f32], width: usize) -> f64 {
        let of = |(x, y): (&[f32], &[f32])| -> f64 {
            let column = |at: usize| x.iter().zip(between[at..].iter().step_by(width)).map(|(x, a)| x * a).sum::<f32>();
            (0..width).map(|at| f64::from(column(at) - y[at]).powi(2)).sum()
        };
        let rows = self.first.chunks_exact(width).zip(self.whole.chunks_exact(width));
        rows.map(of).sum::<f64>() / self.first.len() as f64
    }
}

/// Puts what a · x = b has for x in the place of b, of all its columns; a and b are `[size, size]`, and a is symmetric and positive
/// (its Cholesky factor takes its place).
fn solve(a: &mut [f64], b: &mut [f64], size: usize) {
    cholesky(a, size);
    let less = |row: &mut [f64], factor: f64, known: &[f64]| {
        row.iter_mut().zip(known).for_each(|(x, y)| *x -= factor * y);
    };
    for i in 0..size {
        let (done, rest) = b.split_at_mut(i * size);
        let row = &mut rest[..size];
        done.chunks_exact(size).enumerate().for_each(|(k, known)| less(row, a[i * size + k], known));
        row.iter_mut().for_each(|x| *x /= a[i * size + i]);
    }
    for i in (0..size).rev() {
        let (rest, done) = b.split_at_mut((i + 1) * size);
        let row = &mut rest[i * size..];
        done.chunks_exact(size).zip(i + 1..).for_each(|(known, k)| less(row, a[k * size + i], known));
        row.iter_mut().for_each(|x| *x /= a[i * size + i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_solved_fits() {
        let a = [4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0];
        let x = [1.0, -2.0, 0.5, 3.0, 0.25, -1.0, 0.0, 7.0, 2.0];
        let product = |row: usize, column: usize| (0..3).map(|k| a[row * 3 + k] * x[k * 3 + column]).sum::<f64>();
        let mut b: Vec<f64> = (0..9).map(|at| product(at / 3, at % 3)).collect();
        solve(&mut a.clone(), &mut b, 3);
        assert!(b.iter().zip(x).all(|(found, right)| (found - right).abs() < 1e-12), "{b:?}");
    }

    #[test]
    fn a_matrix_that_there_is_is_found() {
        // The second is the first with its two numbers in each other's place, the one twice as large.
        let first: Vec<f32> = (0..40).map(|at| ((at * at * 7 + at * 3) % 19) as f32 - 9.0).collect();
        let whole = first.chunks_exact(2).flat_map(|pair| [pair[1], 2.0 * pair[0]]).collect();
        let learned = Learned { first, whole };
        let found = learned.fitted(2);
        // As far as the ridge lets it.
        for (found, right) in found.iter().zip([0.0, 2.0, 1.0, 0.0]) {
            assert!((found - right).abs() < 0.15, "{found} {right}");
        }
        assert!(learned.left(&found, 2) < 0.02 * learned.left(&[1.0, 0.0, 0.0, 1.0], 2));
    }
}
