//! Matrix multiplication by a right factor of which a share is zero.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Work};

use crate::matmul::{Matmul, MatmulParams};

/// Matrix multiplication: `a` `[m, k]` times `b` `[k, n]`, of which so many percent are zero, gives `[m, n]`.
///
/// Which weights are zero is drawn: each by itself, or blocks of a step and sixteen columns. Whoever leaves them out solves the
/// same problem as whoever multiplies by them, so that all are held to one answer, and the sparsity from which on leaving out
/// is faster is that at which two lines cross (the query `crossover`, with `x=zero_percent`).
pub struct SparseMatmul;

/// Columns of a block.
const BLOCK: usize = 16;

const STRUCTURES: [&str; 2] = ["single", "blocks"];

benchbook_core::parameters! {
    /// Parameters of [`SparseMatmul`].
    pub struct SparseMatmulParams {
        /// rows of the result
        m: usize = 128, 1..=1 << 17;
        /// columns of the result
        n: usize = 1024, 1..=1 << 17;
        /// length of the sums; follows n unless set
        k: usize = 1024, 1..=1 << 17;
        /// how many of a hundred weights are zero
        zero_percent: usize = 90, 0..=100;
        /// what is zero together: single weights, or blocks of sixteen columns
        structure: String = "single".to_owned(), STRUCTURES;
    }
}

impl SparseMatmulParams {
    /// Columns that are zero together.
    fn wide(&self) -> usize {
        if self.structure == "blocks" { BLOCK } else { 1 }
    }

    /// The same product, whatever is zero.
    fn dense(&self) -> MatmulParams {
        MatmulParams { m: self.m, n: self.n, k: self.k }
    }
}

impl Problem for SparseMatmul {
    const NAME: &'static str = "sparse-matmul";
    const ABOUT: &'static str = "matrix multiplication by a right factor of which a share is zero";
    type Params = SparseMatmulParams;

    fn presets() -> Vec<Preset> {
        let of = |size: i64, percent: i64, structure: &str| {
            let params = Params::default().with("n", size.into()).with("zero_percent", percent.into());
            params.with("structure", structure.into())
        };
        let full = STRUCTURES.into_iter().flat_map(|structure| [50, 70, 90, 95].map(|zero| of(2048, zero, structure)));
        vec![
            Preset { name: "quick", cases: vec![of(256, 90, "single"), of(256, 90, "blocks")] },
            Preset { name: "default", cases: full.collect() },
        ]
    }

    fn ugly() -> Vec<SparseMatmulParams> {
        let of = |structure: &str, zero_percent, [m, n, k]: [usize; 3]| SparseMatmulParams {
            m,
            n,
            k,
            zero_percent,
            structure: structure.to_owned(),
        };
        vec![
            of("single", 0, [1, 1, 1]),
            of("single", 100, [3, 17, 33]),
            of("blocks", 100, [1, 33, 1]),
            of("blocks", 0, [5, 31, 67]),
            of("single", 90, [67, 130, 257]),
            of("blocks", 75, [129, 67, 33]),
            of("single", 99, [2, 5, 3001]),
            // A column is a block of its own.
            of("single", 50, [5, 1, 129]),
            of("blocks", 50, [37, 1, 67]),
        ]
    }

    fn derive(given: Params) -> Params {
        given.following("k", "n")
    }

    fn label(params: &SparseMatmulParams) -> String {
        let SparseMatmulParams { m, n, k, zero_percent, structure } = params;
        format!("{m}×{k}·{k}×{n} {zero_percent} % zero, {structure}")
    }

    fn inputs(params: &SparseMatmulParams, seed: u64) -> Inputs {
        let SparseMatmulParams { m, n, k, zero_percent, .. } = *params;
        let (wide, share) = (params.wide(), zero_percent as f32 / 100.0);
        let zero: Vec<bool> = Array::bernoulli(vec![k, n.div_ceil(wide)], share, seed, 3).as_flags().collect();
        let mut right = Array::normal(vec![k, n], seed, 2);
        for (row, zero) in right.of_mut::<f32>().chunks_exact_mut(n).zip(zero.chunks_exact(n.div_ceil(wide))) {
            for (block, _) in row.chunks_mut(wide).zip(zero).filter(|(_, zero)| **zero) {
                block.fill(0.0);
            }
        }
        Inputs::from([("a", Array::normal(vec![m, k], seed, 1)), ("b", right)])
    }

    fn some_inputs(params: &SparseMatmulParams, seed: u64, names: &[String]) -> Inputs {
        if names.iter().all(|name| name == "a") {
            return Matmul::some_inputs(&params.dense(), seed, names);
        }
        Self::inputs(params, seed)
    }

    fn reference(params: &SparseMatmulParams, inputs: &Inputs, seed: u64) -> Reference {
        Matmul::reference(&params.dense(), inputs, seed)
    }

    /// What is not zero: a variant that multiplies by zeros has work of its own.
    fn work(params: &SparseMatmulParams, dtype: DType) -> Work {
        let [m, n, k] = [params.m, params.n, params.k].map(|size| size as f64);
        let kept = k * n * (1.0 - params.zero_percent as f64 / 100.0);
        Work { flops: 2.0 * m * kept, bytes: (m * k + kept + m * n) * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &SparseMatmulParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(_params: &SparseMatmulParams, inputs: &Inputs) -> Vec<Metric> {
        let weights = inputs.numbers("b");
        let zero = weights.iter().filter(|weight| **weight == 0.0).count();
        vec![Metric::modelled("sparsity", zero as f64 / weights.len() as f64, "share")]
    }
}
