//! Two factors in the place of a matrix: shared by all who multiply by them, and what they multiply to.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rayon::prelude::*;

use super::factors::factors;

/// Two factors `[k, rank]` and `[rank, n]` of a matrix `[k, n]`, as [`factors`] finds them.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// `[k, rank]`
    pub first: Vec<f32>,
    /// `[rank, n]`
    pub second: Vec<f32>,
    /// k, the rank and n.
    pub size: [usize; 3],
}

/// What factors depend on: a digest of the matrix, its size and the rank.
type Key = (u64, [usize; 2], usize);

/// Factors that somebody has: those of a decoder are asked for again by who says what it stands for. Nothing lives by being known here.
static KNOWN: Mutex<BTreeMap<Key, Weak<Factors>>> = Mutex::new(BTreeMap::new());

/// Rows and columns of a block of a product in `f64`, whose sums stay in a first-level cache.
const ROWS: usize = 16;
const COLUMNS: usize = 128;

/// Numbers of a part that a thread digests.
const PART: usize = 1 << 16;

impl Factors {
    /// Finds those of a matrix `[k, n]`.
    pub fn of(matrix: &[f32], [k, n]: [usize; 2], rank: usize) -> Self {
        #[cfg(test)]
        tests::FOUND.set(tests::FOUND.get() + 1);
        let [first, second] = factors(matrix, [k, n], rank);
        Self { first, second, size: [k, rank, n] }
    }

    /// The same, which are found once for as long as anybody has them.
    pub fn shared(matrix: &[f32], size: [usize; 2], rank: usize) -> Arc<Self> {
        let key = (digest(matrix), size, rank);
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let held = known().get(&key).and_then(Weak::upgrade);
        if let Some(held) = held {
            return held;
        }
        let found = Arc::new(Self::of(matrix, size, rank));
        let mut all = known();
        all.retain(|_, factors| factors.strong_count() > 0);
        all.insert(key, Arc::downgrade(&found));
        found
    }

    /// The matrix `[k, n]` that they multiply to, by plain loops in `f64`: each sum has its terms in order, and is rounded once.
    pub fn product(&self) -> Vec<f32> {
        let [k, rank, n] = self.size;
        let mut product = vec![0.0; k * n];
        if product.is_empty() || rank == 0 {
            return product;
        }
        let bands = product.par_chunks_mut(ROWS * n).zip(self.first.par_chunks(ROWS * rank));
        bands.for_each(|(band, first)| {
            for column in (0..n).step_by(COLUMNS) {
                let columns = COLUMNS.min(n - column);
                let (mut sums, mut right) = ([[0.0_f64; COLUMNS]; ROWS], [0.0_f64; COLUMNS]);
                for (step, row) in self.second.chunks_exact(n).enumerate() {
                    let row = &row[column..][..columns];
                    right.iter_mut().zip(row).for_each(|(to, number)| *to = f64::from(*number));
                    for (sums, first) in sums.iter_mut().zip(first.chunks_exact(rank)) {
                        let left = f64::from(first[step]);
                        sums.iter_mut().zip(&right).for_each(|(sum, right)| *sum += left * right);
                    }
                }
                for (to, sums) in band.chunks_exact_mut(n).zip(&sums) {
                    to[column..][..columns].iter_mut().zip(sums).for_each(|(to, sum)| *to = *sum as f32);
                }
            }
        });
        product
    }
}

/// Tells numbers apart from all others, bit for bit.
fn digest(numbers: &[f32]) -> u64 {
    let of_part = |part: &[f32]| -> u64 {
        let mut hasher = DefaultHasher::new();
        part.iter().for_each(|number| hasher.write_u32(number.to_bits()));
        hasher.finish()
    };
    let parts: Vec<u64> = numbers.par_chunks(PART).map(of_part).collect();
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::compress::factors::drawn;
    use crate::description::Description;
    use crate::technique;
    use crate::weights::Seeded;

    thread_local! {
        /// How often this thread has found factors.
        pub(super) static FOUND: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn factors_are_those_of_their_matrix_size_and_rank() {
        let matrix = drawn("a matrix", &[12, 10], 73);
        let one = Factors::shared(&matrix, [12, 10], 3);
        assert_eq!(*one, Factors::of(&matrix, [12, 10], 3));
        assert!(Arc::ptr_eq(&one, &Factors::shared(&matrix, [12, 10], 3)));
        let mut near = matrix.clone();
        near[119] = -near[119];
        let others = [
            Factors::shared(&near, [12, 10], 3),
            Factors::shared(&matrix, [10, 12], 3),
            Factors::shared(&matrix, [12, 10], 4),
        ];
        assert!(others.iter().all(|other| **other != *one), "{others:?}");
    }

    #[test]
    fn a_decoder_and_what_it_stands_for_have_the_same_factors() {
        let model = Description::parse(
            "name = \"tiny\"\nsource = \"made up\"\nparameters = 1\n\n[text]\narchitecture = \"llama\"\nlayers = 2\nheads = 4\n\
             kv_heads = 2\nhead_dim = 8\nwidth = 32\nhidden = 48\nvocabulary = 97\ncontext = 64\ntied = false\nepsilon = 1e-5\n\
             rotary_base = 1e4\n",
        )
        .unwrap();
        let (source, before) = (Seeded { seed: 71 }, FOUND.get());
        let applied = technique::named("low-rank-4th").unwrap().applied(&model, &source, 24).unwrap();
        let stands_for = || {
            for tensor in &model.tensors() {
                applied.numbers(tensor).unwrap();
            }
        };
        let decoder = applied.decoder().unwrap();
        assert_eq!(FOUND.get() - before, 6, "gate, up and down of two layers");
        stands_for();
        let other = applied.decoder().unwrap();
        stands_for();
        assert_eq!(FOUND.get() - before, 6);
        drop((decoder, other));
        stands_for();
        assert_eq!(FOUND.get() - before, 12, "what nobody has is not held");
    }

    /// Sizes that fill no block, some of them, or none at all.
    #[test]
    fn a_product_is_that_of_plain_loops() {
        for size in [[1, 1, 1], [37, 5, 300], [16, 3, 128], [4, 0, 3]] {
            let [k, rank, n] = size;
            let [first, second] = [[k, rank], [rank, n]].map(|shape| drawn("a factor", &shape, 79));
            let sum = |at: usize| -> f64 {
                let terms =
                    (0..rank).map(|step| [first[at / n * rank + step], second[step * n + at % n]].map(f64::from));
                terms.fold(0.0, |sum, [left, right]| sum + left * right)
            };
            let wanted: Vec<f32> = (0..k * n).map(|at| sum(at) as f32).collect();
            assert_eq!(Factors { first, second, size }.product(), wanted, "{size:?}");
        }
    }
}
