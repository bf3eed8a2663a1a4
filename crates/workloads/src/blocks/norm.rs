//! Norms of positions: layer norm, and RMS norm.

use benchbook_core::{DType, Inputs, Params, Preset, Problem, Reference, Work};

use super::numbers;
use crate::draw::normal;
use crate::rows::by_rows;

/// What is added to a variance or a mean square.
pub const EPSILON: f64 = 1e-5;

/// Layer norm (Ba et al., arXiv 1607.06450): (x − mean) / √(variance + 10⁻⁵) · gain + bias over the last axis.
///
/// Inputs: `input` `[rows, width]`, `gain` and `bias` `[width]`.
pub struct LayerNorm;

/// RMS norm (Zhang & Sennrich, arXiv 1910.07467): x / √(mean square + 10⁻⁵) · gain over the last axis.
///
/// Inputs: `input` `[rows, width]`, `gain` `[width]`.
pub struct RmsNorm;

benchbook_core::parameters! {
    /// Parameters of [`LayerNorm`].
    pub struct LayerNormParams {
        /// positions
        rows: usize = 512, 1..=1 << 20;
        /// numbers of a position
        width: usize = 768, 1..=1 << 17;
    }
}

benchbook_core::parameters! {
    /// Parameters of [`RmsNorm`].
    pub struct RmsNormParams {
        /// positions
        rows: usize = 512, 1..=1 << 20;
        /// numbers of a position
        width: usize = 2048, 1..=1 << 17;
    }
}

/// Cases of 1 to 64 MiB of `f32`, and one of a single position.
pub(super) fn presets(width: i64) -> Vec<Preset> {
    let of = |rows: i64| Params::default().with("rows", rows.into()).with("width", width.into());
    let rows_of = |mib: i64| mib * (1 << 18) / width;
    vec![
        Preset { name: "quick", cases: vec![of(128), of(512)] },
        Preset { name: "default", cases: vec![of(1), of(rows_of(1)), of(rows_of(8)), of(rows_of(64))] },
    ]
}

/// Rows and widths on which a wrong kernel shows.
pub(super) const UGLY: [[usize; 2]; 5] = [[1, 2], [3, 17], [67, 33], [1, 1031], [5, 4099]];

/// Everybody's label.
pub(super) fn label(rows: usize, width: usize) -> String {
    format!("{rows}×{width}")
}

/// The layer norm of a position.
pub(crate) fn layer_normed(x: &[f64], gain: &[f32], bias: &[f32]) -> Vec<f64> {
    layer_normed_by(x, [gain, bias], EPSILON)
}

/// The same with something else added to the variance.
pub fn layer_normed_by(x: &[f64], [gain, bias]: [&[f32]; 2], epsilon: f64) -> Vec<f64> {
    let count = x.len() as f64;
    let mean = x.iter().sum::<f64>() / count;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let scale = 1.0 / (variance + epsilon).sqrt();
    let one = |(x, (gain, bias)): (&f64, (&f32, &f32))| (x - mean) * scale * f64::from(*gain) + f64::from(*bias);
    x.iter().zip(gain.iter().zip(bias)).map(one).collect()
}

/// The RMS norm of a position.
pub(crate) fn rms_normed(x: &[f64], gain: &[f32]) -> Vec<f64> {
    rms_normed_by(x, gain, EPSILON)
}

/// The same with something else added to the mean square.
pub fn rms_normed_by(x: &[f64], gain: &[f32], epsilon: f64) -> Vec<f64> {
    let square = x.iter().map(|x| x.powi(2)).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (square + epsilon).sqrt();
    x.iter().zip(gain).map(|(x, gain)| x * scale * f64::from(*gain)).collect()
}

impl Problem for LayerNorm {
    const NAME: &'static str = "layer-norm";
    const ABOUT: &'static str = "layer norm over the last axis, with gain and bias";
    type Params = LayerNormParams;

    fn presets() -> Vec<Preset> {
        presets(768)
    }

    fn ugly() -> Vec<LayerNormParams> {
        UGLY.map(|[rows, width]| LayerNormParams { rows, width }).into()
    }

    fn label(params: &LayerNormParams) -> String {
        label(params.rows, params.width)
    }

    fn inputs(params: &LayerNormParams, seed: u64) -> Inputs {
        let LayerNormParams { rows, width } = *params;
        Inputs::from([
            // Not around zero, or a norm that forgets the mean would pass.
            ("input", normal(vec![rows, width], [0.5, 1.0], seed, 1)),
            ("gain", normal(vec![width], [1.0, 0.1], seed, 2)),
            ("bias", normal(vec![width], [0.0, 0.1], seed, 3)),
        ])
    }

    fn reference(params: &LayerNormParams, inputs: &Inputs, seed: u64) -> Reference {
        let LayerNormParams { rows, width } = *params;
        let [input, gain, bias] = ["input", "gain", "bias"].map(|name| inputs.numbers(name));
        by_rows(vec![rows, width], width, seed, |row| {
            layer_normed(&numbers(&input[row * width..][..width]), gain, bias)
        })
    }

    /// For each number one operation for the mean, three for the variance, two to normalise, two for gain and bias.
    fn work(params: &LayerNormParams, dtype: DType) -> Work {
        let [rows, width] = [params.rows, params.width].map(|size| size as f64);
        Work { flops: 8.0 * rows * width, bytes: (2.0 * rows * width + 2.0 * width) * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &LayerNormParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

impl Problem for RmsNorm {
    const NAME: &'static str = "rms-norm";
    const ABOUT: &'static str = "RMS norm over the last axis, with gain";
    type Params = RmsNormParams;

    fn presets() -> Vec<Preset> {
        presets(2048)
    }

    fn ugly() -> Vec<RmsNormParams> {
        UGLY.map(|[rows, width]| RmsNormParams { rows, width }).into()
    }

    fn label(params: &RmsNormParams) -> String {
        label(params.rows, params.width)
    }

    fn inputs(params: &RmsNormParams, seed: u64) -> Inputs {
        let RmsNormParams { rows, width } = *params;
        Inputs::from([
            // Not around zero, or a norm that takes the mean off would pass.
            ("input", normal(vec![rows, width], [0.5, 1.0], seed, 1)),
            ("gain", normal(vec![width], [1.0, 0.1], seed, 2)),
        ])
    }

    fn reference(params: &RmsNormParams, inputs: &Inputs, seed: u64) -> Reference {
        let RmsNormParams { rows, width } = *params;
        let [input, gain] = ["input", "gain"].map(|name| inputs.numbers(name));
        by_rows(vec![rows, width], width, seed, |row| rms_normed(&numbers(&input[row * width..][..width]), gain))
    }

    /// For each number two operations for the mean square, one to normalise, one for the gain.
    fn work(params: &RmsNormParams, dtype: DType) -> Work {
        let [rows, width] = [params.rows, params.width].map(|size| size as f64);
        Work { flops: 4.0 * rows * width, bytes: (2.0 * rows * width + width) * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &RmsNormParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}
