//! The state-space duality of Mamba-2.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Value, Work};

use super::CHUNK;
use super::draw::{check_numbers, denormals, extremes, time_constants};
use super::rows::{by_heads, softplus, ssd_step};

/// The state-space duality (Dao & Gu, arXiv 2405.21060, section 6, as in Mamba-2's own code: with softplus and the skip D x, and
/// without the gate and the norm after it).
///
/// With Δ = softplus(`delta` + `delta_bias`) and A = −exp(`a_log`), one number a head: h ← exp(Δ A) h + Δ x Bᵀ, y = h C + D x. A case of
/// one step is a step of decoding. In how large chunks it is computed is a matter of implementations, and changes nothing.
///
/// Inputs: `x` `[batch, seq, heads, head_dim]`, `delta` `[batch, seq, heads]`, `b`, `c` `[batch, seq, groups, state]`, `delta_bias`,
/// `a_log`, `d` `[heads]`, `start` `[batch, heads, head_dim, state]`. Outputs: `output` `[batch, seq, heads, head_dim]`, and `state`
/// `[batch, heads, head_dim, state]` after the last step.
pub struct Ssd;

benchbook_core::parameters! {
    /// Parameters of [`Ssd`].
    pub struct SsdParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// steps of a sequence
        seq: usize = 512, 1..=1 << 24;
        /// heads, each with a decay and a state of its own
        heads: usize = 24, 1..=1 << 20;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 20;
        /// groups of heads that share B and C; they divide the heads
        groups: usize = 1, 1..=1 << 20;
        /// numbers of B, and of C
        state: usize = 128, 1..=256;
        /// whether steps forget all, or nothing, and some numbers are denormal
        extreme: bool = false;
    }
}

impl Problem for Ssd {
    const NAME: &'static str = "state-space-duality";
    const ABOUT: &'static str = "the state-space duality of Mamba-2, with its softplus and skip";
    type Params = SsdParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, heads: i64| Params::default().with("seq", Value::Int(seq)).with("heads", Value::Int(heads));
        vec![
            Preset { name: "quick", cases: vec![of(1, 4), of(200, 4)] },
            Preset { name: "default", cases: [1, 2048, 8192].map(|seq| of(seq, 24)).into() },
        ]
    }

    fn ugly() -> Vec<SsdParams> {
        let of = |[batch, seq, heads, head_dim, groups, state]: [usize; 6], extreme| SsdParams {
            batch,
            seq,
            heads,
            head_dim,
            groups,
            state,
            extreme,
        };
        vec![
            of([1, 1, 1, 1, 1, 1], false),
            of([2, 1, 6, 67, 2, 33], false),
            of([1, 2, 3, 5, 1, 17], true),
            of([2, 65, 4, 17, 4, 3], false),
            of([1, 130, 6, 66, 2, 40], true),
            of([1, 70, 1, 3, 1, 256], true),
        ]
    }

    fn check(params: &SsdParams) -> Result<(), (&'static str, String)> {
        let SsdParams { batch, seq, heads, head_dim, groups, state, .. } = *params;
        if !heads.is_multiple_of(groups) {
            return Err(("groups", format!("{groups} groups do not divide {heads} heads, give a divisor of them")));
        }
        check_numbers("seq", &[batch, seq, (heads * head_dim).max(groups * state)])?;
        check_numbers("heads", &[batch, heads, head_dim, state])
    }

    fn label(params: &SsdParams) -> String {
        let SsdParams { batch, seq, heads, head_dim, groups, state, extreme } = *params;
        let extreme = if extreme { " extreme" } else { "" };
        format!("b{batch} s{seq} h{heads} d{head_dim} g{groups} n{state}{extreme}")
    }

    fn inputs(params: &SsdParams, seed: u64) -> Inputs {
        let SsdParams { batch, seq, heads, head_dim, groups, state, extreme } = *params;
        let mut x = Array::normal(vec![batch, seq, heads, head_dim], seed, 1);
        let mut delta = Array::normal(vec![batch, seq, heads], seed, 2);
        if extreme {
            denormals(&mut x);
            extremes(&mut delta, seq);
        }
        // As it is initialised: −A lies between 1 and 16.
        let a_log: Vec<f32> = (0..heads).map(|head| (1.0 + 15.0 * head as f32 / heads as f32).ln()).collect();
        Inputs::from([
            ("x", x),
            ("delta", delta),
            ("b", Array::normal(vec![batch, seq, groups, state], seed, 3)),
            ("c", Array::normal(vec![batch, seq, groups, state], seed, 4)),
            ("delta_bias", time_constants(heads)),
            ("a_log", Array::new(vec![heads], &a_log)),
            ("d", Array::normal(vec![heads], seed, 5)),
            ("start", Array::normal(vec![batch, heads, head_dim, state], seed, 6)),
        ])
    }

    /// Step by step, one head after another.
    fn reference(params: &SsdParams, inputs: &Inputs, seed: u64) -> Reference {
        let SsdParams { batch, seq, heads, head_dim, groups, state, .. } = *params;
        let [x, delta, b, c, delta_bias, a_log, d, start] =
            ["x", "delta", "b", "c", "delta_bias", "a_log", "d", "start"].map(|name| inputs.numbers(name));
        let cost = 3 * seq * head_dim * state;
        by_heads([batch, seq, heads, head_dim], [head_dim, state], cost, seed, start, |h, position, head| {
            let number = |from: &[f32], at: usize| f64::from(from[at]);
            let delta = softplus(number(delta, position * heads + head) + number(delta_bias, head));
            let decay = (-delta * number(a_log, head).exp()).exp();
            let shared = (position * groups + head / (heads / groups)) * state;
            let x = &x[(position * heads + head) * head_dim..][..head_dim];
            let given = ssd_step(h, [decay, delta], x, [b, c].map(|all| &all[shared..][..state]));
            given.iter().zip(x).map(|(given, x)| given + number(d, head) * f64::from(*x)).collect()
        })
    }

    /// That of chunks of 64 steps, or of one where there are fewer: scores are shared by the heads of a group, and each is
    /// computed once for a pair of steps.
    fn work(params: &SsdParams, dtype: DType) -> Work {
        let SsdParams { batch, seq, heads, head_dim, groups, state, .. } = *params;
        let chunk = CHUNK.min(seq) as f64;
        let [batch, seq, heads, head_dim, groups, state] =
            [batch, seq, heads, head_dim, groups, state].map(|size| size as f64);
        let scores = (chunk + 1.0) / 2.0 * (groups * state + heads * head_dim);
        let flops = 2.0 * batch * seq * (scores + 2.0 * heads * head_dim * state);
        let numbers = batch * seq * (2.0 * heads * head_dim + heads + 2.0 * groups * state);
        let bytes = (numbers + 2.0 * batch * heads * head_dim * state + 3.0 * heads) * dtype.bytes() as f64;
        Work { flops, bytes }
    }

    fn tolerance(_params: &SsdParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}
