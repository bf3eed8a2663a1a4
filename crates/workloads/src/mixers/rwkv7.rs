//! The recurrence of RWKV-7.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::draw::{check_numbers, decays, denormals, extremes};
use super::rows::{by_heads, rwkv7_step, sigmoid};

/// The recurrence of RWKV-7 (Peng et al., arXiv 2503.14456, section 4.1) before its group norm: the state is corrected where it is
/// wrong about a key.
///
/// Of each head, with d = exp(−e^(−½) σ(`w`)), κ = `kappa` / ‖`kappa`‖ and α = σ(`a`): S ← S (diag(d) − κ ⊗ (α κ)) + v ⊗ k, y = S r. The
/// products that make the inputs, and the mixing of keys with α, are not part of it. A case of one step is a step of decoding.
///
/// Inputs: `r`, `w`, `k`, `v`, `kappa`, `a` `[batch, seq, heads, head_dim]`, `start` `[batch, heads, head_dim, head_dim]`, a row for each value.
/// Outputs: `output` `[batch, seq, heads, head_dim]`, and `state` like `start` after the last step.
pub struct Rwkv7;

benchbook_core::parameters! {
    /// Parameters of [`Rwkv7`].
    pub struct Rwkv7Params {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// steps of a sequence
        seq: usize = 1024, 1..=1 << 24;
        /// heads, each with a square state
        heads: usize = 12, 1..=1 << 20;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 12;
        /// whether steps leave and remove as much, or as little, as they can, and some numbers are denormal
        extreme: bool = false;
    }
}

impl Problem for Rwkv7 {
    const NAME: &'static str = "rwkv-7";
    const ABOUT: &'static str = "the recurrence of RWKV-7, which corrects what its state says of a key";
    type Params = Rwkv7Params;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64| Params::default().with("seq", Value::Int(seq));
        let small = |seq: i64| of(seq).with("heads", Value::Int(2));
        vec![
            Preset { name: "quick", cases: vec![small(1), small(200)] },
            Preset { name: "default", cases: [1, 1024, 4096].map(of).into() },
        ]
    }

    fn ugly() -> Vec<Rwkv7Params> {
        let of =
            |extreme, [batch, seq, heads, head_dim]: [usize; 4]| Rwkv7Params { batch, seq, heads, head_dim, extreme };
        let sizes = [[1, 1, 3, 1], [2, 1, 3, 67], [1, 2, 2, 17], [2, 35, 3, 33], [1, 66, 1, 64], [1, 33, 2, 5]];
        let extreme = [[2, 4, 1, 19], [1, 40, 2, 9]];
        sizes.map(|size| of(false, size)).into_iter().chain(extreme.map(|size| of(true, size))).collect()
    }

    fn check(params: &Rwkv7Params) -> Result<(), (&'static str, String)> {
        let Rwkv7Params { batch, seq, heads, head_dim, .. } = *params;
        check_numbers("seq", &[batch, seq, heads, head_dim])?;
        check_numbers("heads", &[batch, heads, head_dim, head_dim])
    }

    fn label(params: &Rwkv7Params) -> String {
        let Rwkv7Params { batch, seq, heads, head_dim, extreme } = *params;
        format!("b{batch} s{seq} h{heads} d{head_dim}{}", if extreme { " extreme" } else { "" })
    }

    fn inputs(params: &Rwkv7Params, seed: u64) -> Inputs {
        let Rwkv7Params { batch, seq, heads, head_dim, extreme } = *params;
        let wide = |stream| Array::normal(vec![batch, seq, heads, head_dim], seed, stream);
        let [mut w, mut v, mut a] = [2, 4, 6].map(wide);
        if extreme {
            denormals(&mut v);
            extremes(&mut w, seq);
            // Of larger rates more is removed.
            extremes(&mut a, seq);
        }
        Inputs::from([
            ("r", wide(1)),
            ("w", w),
            ("k", wide(3)),
            ("v", v),
            ("kappa", wide(5)),
            ("a", a),
            ("start", Array::normal(vec![batch, heads, head_dim, head_dim], seed, 7)),
        ])
    }

    /// Step by step, one head after another.
    fn reference(params: &Rwkv7Params, inputs: &Inputs, seed: u64) -> Reference {
        let Rwkv7Params { batch, seq, heads, head_dim, .. } = *params;
        let [r, w, k, v, kappa, a, start] =
            ["r", "w", "k", "v", "kappa", "a", "start"].map(|name| inputs.numbers(name));
        let cost = 5 * seq * head_dim * head_dim;
        by_heads([batch, seq, heads, head_dim], [head_dim; 2], cost, seed, start, |state, position, head| {
            let at = (position * heads + head) * head_dim;
            rwkv7_step(state, [r, w, k, v, kappa, a].map(|all| &all[at..][..head_dim]))
        })
    }

    /// Of each number of a state and step 9 operations: four multiply-adds and the product of key and value.
    fn work(params: &Rwkv7Params, dtype: DType) -> Work {
        let Rwkv7Params { batch, seq, heads, head_dim, .. } = *params;
        let [batch, seq, heads, head_dim] = [batch, seq, heads, head_dim].map(|size| size as f64);
        let numbers = batch * heads * head_dim * (7.0 * seq + 2.0 * head_dim);
        Work { flops: 9.0 * batch * seq * heads * head_dim * head_dim, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &Rwkv7Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(_params: &Rwkv7Params, inputs: &Inputs) -> Vec<Metric> {
        decays(inputs.get("w"), |number| (-(-0.5_f64).exp() * sigmoid(number)).exp())
    }
}
