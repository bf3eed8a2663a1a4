//! Rotary position embedding, by itself.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use crate::attention::window::turned;
use crate::rows::by_rows;
use crate::tolerance::tolerance_of_scores;

/// Rotary position embedding (Su et al., arXiv 2104.09864, section 3.2.2): pair (i, i + d/2) of a position turns by
/// position · 10000^(−2i / d). Angles are preparation.
///
/// These are the pairs of GPT-NeoX, and of LLaMA in Transformers (`rotate_half`). The paper pairs neighbours, (2i, 2i + 1): the same
/// rotation with the columns of the weights before it in another order.
///
/// Input: `input` `[batch, heads, seq, head_dim]`.
pub struct Rotary;

benchbook_core::parameters! {
    /// Parameters of [`Rotary`].
    pub struct RotaryParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// heads
        heads: usize = 8, 1..=1 << 20;
        /// positions of a sequence
        seq: usize = 512, 1..=1 << 20;
        /// width of a head, even
        head_dim: usize = 64, 2..=1 << 20;
    }
}

/// Numbers of a case at most.
const MOST: f64 = 1e10;

impl Problem for Rotary {
    const NAME: &'static str = "rotary";
    const ABOUT: &'static str = "rotary position embedding of queries or keys";
    type Params = RotaryParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, heads: i64| Params::default().with("seq", seq.into()).with("heads", heads.into());
        vec![
            Preset { name: "quick", cases: vec![of(128, 8), of(512, 8)] },
            Preset { name: "default", cases: vec![of(1, 32), of(512, 32), of(2048, 32)] },
        ]
    }

    fn ugly() -> Vec<RotaryParams> {
        let sizes = [[1, 1, 1, 2], [1, 3, 17, 34], [2, 2, 67, 6], [1, 1, 1031, 130]];
        sizes.map(|[batch, heads, seq, head_dim]| RotaryParams { batch, heads, seq, head_dim }).into()
    }

    fn check(params: &RotaryParams) -> Result<(), (&'static str, String)> {
        let RotaryParams { batch, heads, seq, head_dim } = *params;
        if !head_dim.is_multiple_of(2) {
            return Err(("head_dim", format!("{head_dim} is odd: numbers are rotated in pairs")));
        }
        if [batch, heads, seq, head_dim].map(|size| size as f64).iter().product::<f64>() > MOST {
            return Err(("seq", "batch × heads × seq × head_dim is over 10^10 numbers".to_owned()));
        }
        Ok(())
    }

    fn label(params: &RotaryParams) -> String {
        let RotaryParams { batch, heads, seq, head_dim } = *params;
        format!("b{batch} h{heads} s{seq} d{head_dim}")
    }

    fn inputs(params: &RotaryParams, seed: u64) -> Inputs {
        let RotaryParams { batch, heads, seq, head_dim } = *params;
        Inputs::from([("input", Array::normal(vec![batch, heads, seq, head_dim], seed, 1))])
    }

    fn reference(params: &RotaryParams, inputs: &Inputs, seed: u64) -> Reference {
        let RotaryParams { batch, heads, seq, head_dim } = *params;
        let input = inputs.numbers("input");
        by_rows(vec![batch, heads, seq, head_dim], 4 * head_dim, seed, |row| {
            turned(&input[row * head_dim..][..head_dim], row % seq)
        })
    }

    /// Three operations a number.
    fn work(params: &RotaryParams, dtype: DType) -> Work {
        let RotaryParams { batch, heads, seq, head_dim } = *params;
        let numbers: f64 = [batch, heads, seq, head_dim].map(|size| size as f64).iter().product();
        Work { flops: 3.0 * numbers, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    /// Angles and two products are rounded before they are added.
    fn tolerance(_params: &RotaryParams, dtype: DType) -> f64 {
        tolerance_of_scores(dtype)
    }
}
