//! Matrix multiplication by plain loops in `f64`.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer.
pub fn matmul_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [m, n, k] = ["m", "n", "k"].map(|name| params.size(name));
    let (a, b) = (inputs.get("a"), inputs.get("b"));
    let rows = sample_rows(m, (BUDGET / (n * k)).max(16), seed);
    let one = |row: &usize| -> Vec<f64> {
        let mut sums = vec![0.0; n];
        for (p, left) in a.data[row * k..][..k].iter().enumerate() {
            let right = &b.data[p * n..][..n];
            sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += f64::from(*left) * f64::from(*right));
        }
        sums
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![m, n], rows, values }
}
