//! A chain of operations that a transformer has between its products: a residual sum, its norm, and a gate.

use benchbook_core::{
    Answer, Check, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work, sample_rows,
};
use rayon::prelude::*;

use crate::blocks::{Activation, rms_normed};
use crate::draw::{check_numbers, normal};
use crate::rows::BUDGET;

/// A residual sum, its RMS norm (with 10⁻⁵ added to the mean square), and the product of that with SiLU of a gate (Zhang & Sennrich,
/// arXiv 1910.07467; Hendrycks & Gimpel, arXiv 1606.08415, section 2): what fusion saves is memory's work.
///
/// Inputs: `input`, `residual` and `gate` `[rows, width]`, `gain` `[width]`. Outputs: `sum` and `output` `[rows, width]`.
pub struct NormChain;

/// Matrices that are read and written at least: three inputs and two outputs.
const MOVED: f64 = 5.0;

benchbook_core::parameters! {
    /// Parameters of [`NormChain`].
    pub struct NormChainParams {
        /// positions
        rows: usize = 512, 1..=1 << 20;
        /// numbers of a position
        width: usize = 2048, 1..=1 << 17;
    }
}

impl Problem for NormChain {
    const NAME: &'static str = "norm-chain";
    const ABOUT: &'static str = "a residual sum, its RMS norm, and the product of that with SiLU of a gate";
    type Params = NormChainParams;

    fn presets() -> Vec<Preset> {
        let of = |rows: i64| Params::default().with("rows", Value::Int(rows));
        vec![
            Preset { name: "quick", cases: vec![of(128), of(1024)] },
            // The last has inputs and outputs of 64 MiB each.
            Preset { name: "default", cases: vec![of(128), of(1024), of(8192)] },
        ]
    }

    fn ugly() -> Vec<NormChainParams> {
        [[1, 2], [3, 17], [67, 33], [1, 1031], [5, 4099]].map(|[rows, width]| NormChainParams { rows, width }).into()
    }

    fn check(params: &NormChainParams) -> Result<(), (&'static str, String)> {
        check_numbers("rows", &[params.rows, params.width])
    }

    fn label(params: &NormChainParams) -> String {
        format!("{}×{}", params.rows, params.width)
    }

    fn inputs(params: &NormChainParams, seed: u64) -> Inputs {
        let NormChainParams { rows, width } = *params;
        let of = |stream: u64| normal(vec![rows, width], [0.0, 1.0], seed, stream);
        let gain = normal(vec![width], [1.0, 0.1], seed, 4);
        Inputs::from([("input", of(1)), ("residual", of(2)), ("gate", of(3)), ("gain", gain)])
    }

    fn reference(params: &NormChainParams, inputs: &Inputs, seed: u64) -> Reference {
        let NormChainParams { rows, width } = *params;
        let kept = sample_rows(rows, (BUDGET / (8 * width)).max(16), seed);
        let [input, residual, gate] = ["input", "residual", "gate"].map(|name| inputs.numbers(name));
        let gain = inputs.numbers("gain");
        let one = |row: &usize| -> [Vec<f64>; 2] {
            let [input, residual, gate] = [input, residual, gate].map(|all| &all[row * width..][..width]);
            let sum: Vec<f64> = input.iter().zip(residual).map(|(x, y)| f64::from(*x) + f64::from(*y)).collect();
            let gated = |(x, gate): (f64, &f32)| x * Activation::Silu.apply(f64::from(*gate));
            let out = rms_normed(&sum, gain).into_iter().zip(gate).map(gated).collect();
            [sum, out]
        };
        let found: Vec<[Vec<f64>; 2]> = kept.par_iter().map(one).collect();
        let answer = |(which, name): (usize, &'static str)| Answer {
            name: name.into(),
            shape: vec![rows, width],
            rows: kept.clone(),
            values: found.iter().flat_map(|both| both[which].iter().copied()).collect(),
            check: Check::Near,
        };
        Reference { answers: ["sum", "output"].into_iter().enumerate().map(answer).collect() }
    }

    /// For each number a sum, two operations for the mean square, two to normalise, and four for the gate beside its exponential.
    fn work(params: &NormChainParams, dtype: DType) -> Work {
        let [rows, width] = [params.rows, params.width].map(|size| size as f64);
        Work { flops: 9.0 * rows * width, bytes: (MOVED * rows * width + width) * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &NormChainParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(params: &NormChainParams, _inputs: &Inputs) -> Vec<Metric> {
        vec![Metric::modelled("exponentials", (params.rows * params.width) as f64, "count")]
    }
}
