//! The feed-forward part of a block: up, a nonlinearity, down.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Value, Work};

use super::Activation;
use crate::draw::weights;
use crate::rows::{by_rows, times};
use crate::tolerance::tolerance_of_scores;

/// A feed-forward network of one hidden layer, without biases: gelu(x·W_up)·W_down (by tanh, as GPT-2 has it), or
/// (silu(x·W_gate) ⊙ x·W_up)·W_down (SwiGLU: Shazeer, arXiv 2002.05202, as LLaMA has it).
///
/// Inputs: `input` `[rows, width]`, standard normal; `w_up` `[width, hidden]` and `w_down` `[hidden, width]`, of SwiGLU `w_gate`
/// `[width, hidden]` too. Weights stay from call to call.
pub struct Mlp;

const FORMS: [&str; 2] = ["gelu", "swiglu"];

benchbook_core::parameters! {
    /// Parameters of [`Mlp`].
    pub struct MlpParams {
        /// positions
        rows: usize = 512, 1..=1 << 20;
        /// numbers of a position
        width: usize = 768, 1..=1 << 15;
        /// numbers between the products; four times the width unless set
        hidden: usize = 3072, 1..=1 << 17;
        /// what lies between the products: gelu or swiglu
        form: String = "gelu".to_owned(), FORMS;
    }
}

impl MlpParams {
    /// Matrices of weights.
    fn products(&self) -> usize {
        if self.form == "swiglu" { 3 } else { 2 }
    }
}

impl Problem for Mlp {
    const NAME: &'static str = "mlp";
    const ABOUT: &'static str = "a feed-forward network of one hidden layer: GELU, or SwiGLU";
    type Params = MlpParams;

    fn presets() -> Vec<Preset> {
        let of = |[rows, width, hidden]: [i64; 3], form: &str| {
            let params = Params::default().with("rows", rows.into()).with("width", width.into());
            params.with("hidden", hidden.into()).with("form", form.into())
        };
        vec![
            Preset { name: "quick", cases: vec![of([128, 256, 1024], "gelu"), of([128, 256, 704], "swiglu")] },
            Preset {
                name: "default",
                cases: vec![
                    of([512, 768, 3072], "gelu"),
                    of([512, 2048, 5632], "swiglu"),
                    of([1, 768, 3072], "gelu"),
                    of([1, 2048, 5632], "swiglu"),
                ],
            },
        ]
    }

    fn ugly() -> Vec<MlpParams> {
        let sizes = [[3, 17, 5], [1, 1, 1], [67, 33, 130]];
        let of =
            |form: &str, [rows, width, hidden]: [usize; 3]| MlpParams { rows, width, hidden, form: form.to_owned() };
        FORMS.into_iter().flat_map(|form| sizes.map(|sizes| of(form, sizes))).collect()
    }

    fn derive(given: Params) -> Params {
        let hidden = match given.0.get("width") {
            Some(Value::Int(width)) if !given.0.contains_key("hidden") => width.saturating_mul(4),
            _ => return given,
        };
        given.with("hidden", hidden.into())
    }

    fn label(params: &MlpParams) -> String {
        let MlpParams { rows, width, hidden, form } = params;
        format!("{form} {rows}×{width}→{hidden}")
    }

    fn inputs(params: &MlpParams, seed: u64) -> Inputs {
        let MlpParams { rows, width, hidden, .. } = *params;
        let mut inputs = Inputs::from([
            ("input", Array::normal(vec![rows, width], seed, 1)),
            ("w_up", weights([width, hidden], seed, 2)),
            ("w_down", weights([hidden, width], seed, 3)),
        ]);
        if params.form == "swiglu" {
            inputs.insert("w_gate", weights([width, hidden], seed, 4));
        }
        inputs
    }

    fn reference(params: &MlpParams, inputs: &Inputs, seed: u64) -> Reference {
        let MlpParams { rows, width, hidden, .. } = *params;
        let [input, up, down] = ["input", "w_up", "w_down"].map(|name| inputs.numbers(name));
        let gate = (params.form == "swiglu").then(|| inputs.numbers("w_gate"));
        by_rows(vec![rows, width], params.products() * width * hidden, seed, |row| {
            let input = input[row * width..][..width].iter().map(|x| f64::from(*x));
            let product = |weights: &[f32]| times(input.clone(), weights, hidden);
            let mut between = product(up);
            match gate.map(product) {
                Some(gate) => {
                    between.iter_mut().zip(gate).for_each(|(one, gate)| *one *= Activation::Silu.apply(gate));
                }
                None => between.iter_mut().for_each(|one| *one = Activation::Gelu.apply(*one)),
            }
            times(between.into_iter(), down, width)
        })
    }

    fn work(params: &MlpParams, dtype: DType) -> Work {
        let [rows, width, hidden] = [params.rows, params.width, params.hidden].map(|size| size as f64);
        let products = params.products() as f64;
        let numbers = 2.0 * rows * width + products * width * hidden;
        Work { flops: 2.0 * products * rows * width * hidden, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &MlpParams, dtype: DType) -> f64 {
        tolerance_of_scores(dtype)
    }
}
