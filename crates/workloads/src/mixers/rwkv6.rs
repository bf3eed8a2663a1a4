//! The recurrence of RWKV-6.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::draw::{check_numbers, decays, denormals, extremes, normal};
use super::rows::{by_heads, rwkv6_step};

/// The recurrence of RWKV-6 (Peng et al., arXiv 2404.05892, section 4.2), whose decay depends on the input, before its group norm.
///
/// Of each head, with d = exp(−exp(`w`)): y = r (S + diag(u) k ⊗ v), S ← diag(d) S + k ⊗ v. The shifts and small products that make r, k,
/// v and w of a step and the one before are not part of it. A case of one step is a step of decoding.
///
/// Inputs: `r`, `k`, `v`, `w` `[batch, seq, heads, head_dim]`, `u` `[heads, head_dim]`, `start` `[batch, heads, head_dim, head_dim]`, a row for
/// each key. Outputs: `output` `[batch, seq, heads, head_dim]`, and `state` like `start` after the last step.
pub struct Rwkv6;

benchbook_core::parameters! {
    /// Parameters of [`Rwkv6`].
    pub struct Rwkv6Params {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// steps of a sequence
        seq: usize = 1024, 1..=1 << 24;
        /// heads, each with a square state
        heads: usize = 12, 1..=1 << 20;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 12;
        /// whether steps forget all, or nothing, and some numbers are denormal
        extreme: bool = false;
    }
}

impl Problem for Rwkv6 {
    const NAME: &'static str = "rwkv-6";
    const ABOUT: &'static str = "the recurrence of RWKV-6, whose decay depends on the input";
    type Params = Rwkv6Params;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64| Params::default().with("seq", Value::Int(seq));
        let small = |seq: i64| of(seq).with("heads", Value::Int(2));
        vec![
            Preset { name: "quick", cases: vec![small(1), small(200)] },
            Preset { name: "default", cases: [1, 1024, 4096].map(of).into() },
        ]
    }

    fn ugly() -> Vec<Rwkv6Params> {
        let of =
            |extreme, [batch, seq, heads, head_dim]: [usize; 4]| Rwkv6Params { batch, seq, heads, head_dim, extreme };
        let sizes = [[1, 1, 1, 1], [2, 1, 3, 67], [1, 2, 2, 17], [2, 35, 3, 33], [1, 66, 1, 64], [1, 33, 2, 5]];
        let extreme = [[2, 4, 1, 19], [1, 40, 2, 9]];
        sizes.map(|size| of(false, size)).into_iter().chain(extreme.map(|size| of(true, size))).collect()
    }

    fn check(params: &Rwkv6Params) -> Result<(), (&'static str, String)> {
        let Rwkv6Params { batch, seq, heads, head_dim, .. } = *params;
        check_numbers("seq", &[batch, seq, heads, head_dim])?;
        check_numbers("heads", &[batch, heads, head_dim, head_dim])
    }

    fn label(params: &Rwkv6Params) -> String {
        let Rwkv6Params { batch, seq, heads, head_dim, extreme } = *params;
        format!("b{batch} s{seq} h{heads} d{head_dim}{}", if extreme { " extreme" } else { "" })
    }

    fn inputs(params: &Rwkv6Params, seed: u64) -> Inputs {
        let Rwkv6Params { batch, seq, heads, head_dim, extreme } = *params;
        let wide = |stream| Array::normal(vec![batch, seq, heads, head_dim], seed, stream);
        // Decays of some 0.95, between those of the first and the last channels as they are initialised.
        let (mut v, mut w) = (wide(3), normal(vec![batch, seq, heads, head_dim], [-3.0, 1.0], seed, 4));
        if extreme {
            denormals(&mut v);
            extremes(&mut w, seq);
        }
        Inputs::from([
            ("r", wide(1)),
            ("k", wide(2)),
            ("v", v),
            ("w", w),
            ("u", Array::normal(vec![heads, head_dim], seed, 5)),
            ("start", Array::normal(vec![batch, heads, head_dim, head_dim], seed, 6)),
        ])
    }

    /// Step by step, one head after another.
    fn reference(params: &Rwkv6Params, inputs: &Inputs, seed: u64) -> Reference {
        let Rwkv6Params { batch, seq, heads, head_dim, .. } = *params;
        let [r, k, v, w, u, start] = ["r", "k", "v", "w", "u", "start"].map(|name| inputs.numbers(name));
        let cost = 4 * seq * head_dim * head_dim;
        by_heads([batch, seq, heads, head_dim], [head_dim; 2], cost, seed, start, |state, position, head| {
            let at = (position * heads + head) * head_dim;
            rwkv6_step(state, [r, k, v, w].map(|all| &all[at..][..head_dim]), &u[head * head_dim..][..head_dim])
        })
    }

    /// Of each number of a state and step 5 operations: two multiply-adds and the product of key and value.
    fn work(params: &Rwkv6Params, dtype: DType) -> Work {
        let Rwkv6Params { batch, seq, heads, head_dim, .. } = *params;
        let [batch, seq, heads, head_dim] = [batch, seq, heads, head_dim].map(|size| size as f64);
        let numbers = batch * heads * head_dim * (5.0 * seq + 2.0 * head_dim) + heads * head_dim;
        Work { flops: 5.0 * batch * seq * heads * head_dim * head_dim, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &Rwkv6Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(_params: &Rwkv6Params, inputs: &Inputs) -> Vec<Metric> {
        decays(inputs.get("w"), |number| (-number.exp()).exp())
    }
}
