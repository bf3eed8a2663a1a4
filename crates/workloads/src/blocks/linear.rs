//! A linear layer: y = f(x·W + b).

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use super::Activation;
use crate::draw::{normal, weights};
use crate::rows::{add_product, by_rows};

/// A linear layer with its bias, and what follows it.
///
/// Inputs: `input` `[rows, inner]`, standard normal; `weight` `[inner, outer]`, with variance 1 / inner; `bias` `[outer]`.
/// Weights stay from call to call: bringing them into another layout is preparation, as loading a model is.
pub struct Linear;

benchbook_core::parameters! {
    /// Parameters of [`Linear`].
    pub struct LinearParams {
        /// positions
        rows: usize = 512, 1..=1 << 20;
        /// numbers of a position before
        inner: usize = 768, 1..=1 << 17;
        /// numbers of a position after
        outer: usize = 3072, 1..=1 << 17;
        /// what follows the product: none, relu, gelu (by tanh) or silu
        activation: String = "none".to_owned(), Activation::NAMES;
    }
}

impl Problem for Linear {
    const NAME: &'static str = "linear";
    const ABOUT: &'static str = "a linear layer with bias, alone or with an activation behind it";
    type Params = LinearParams;

    fn presets() -> Vec<Preset> {
        let of = |[rows, inner, outer]: [i64; 3], activation: &str| {
            let sizes = [("rows", rows), ("inner", inner), ("outer", outer)];
            let sized = |params: Params, (name, size): (&str, i64)| params.with(name, size.into());
            sizes.into_iter().fold(Params::default(), sized).with("activation", activation.into())
        };
        let (gpt2, llama) = ([512, 768, 3072], [512, 4096, 4096]);
        vec![
            Preset { name: "quick", cases: vec![of([128, 256, 512], "none"), of([128, 256, 512], "gelu")] },
            Preset {
                name: "default",
                cases: vec![of(gpt2, "none"), of(gpt2, "gelu"), of(llama, "none"), of([1, 4096, 4096], "none")],
            },
        ]
    }

    fn ugly() -> Vec<LinearParams> {
        let sizes = [[1, 1, 1], [3, 17, 33], [1, 67, 5], [67, 1, 3], [33, 130, 67]];
        let names = Activation::NAMES.into_iter().cycle();
        let of = |([rows, inner, outer], name): ([usize; 3], &str)| LinearParams {
            rows,
            inner,
            outer,
            activation: name.to_owned(),
        };
        sizes.into_iter().zip(names).map(of).collect()
    }

    fn label(params: &LinearParams) -> String {
        let LinearParams { rows, inner, outer, activation } = params;
        let activation = if activation == "none" { String::new() } else { format!(" {activation}") };
        format!("{rows}×{inner}→{outer}{activation}")
    }

    fn inputs(params: &LinearParams, seed: u64) -> Inputs {
        let LinearParams { rows, inner, outer, .. } = *params;
        Inputs::from([
            ("input", Array::normal(vec![rows, inner], seed, 1)),
            ("weight", weights([inner, outer], seed, 2)),
            ("bias", normal(vec![outer], [0.0, 0.1], seed, 3)),
        ])
    }

    fn reference(params: &LinearParams, inputs: &Inputs, seed: u64) -> Reference {
        let LinearParams { rows, inner, outer, .. } = *params;
        let activation = Activation::of(&params.activation);
        let [input, weight, bias] = ["input", "weight", "bias"].map(|name| inputs.numbers(name));
        by_rows(vec![rows, outer], inner * outer, seed, |row| {
            let mut sums: Vec<f64> = bias.iter().map(|number| f64::from(*number)).collect();
            add_product(&mut sums, input[row * inner..][..inner].iter().map(|x| f64::from(*x)), weight);
            sums.into_iter().map(|sum| activation.apply(sum)).collect()
        })
    }

    fn work(params: &LinearParams, dtype: DType) -> Work {
        let [rows, inner, outer] = [params.rows, params.inner, params.outer].map(|size| size as f64);
        let numbers = rows * inner + inner * outer + outer + rows * outer;
        Work { flops: 2.0 * rows * inner * outer, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &LinearParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}
