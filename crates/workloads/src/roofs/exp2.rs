//! What exponentials give at best.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use super::CHAINS;

/// Sums of powers of two whose exponents shrink by a factor, all of them in registers: the exponentials a second that other
/// kernels, which have to do with more than these, can reach at best.
///
/// Input: `from` `[tasks, 384]`. Result, in the same shape: Σ 2^(x · factor^step) over all steps.
pub struct Exp2;

/// Exponentials of a number.
pub const POWERS: usize = 512;

/// Chosen so that the result depends on every step: over all of them an exponent shrinks by a factor of e.
pub const SHRINK: f32 = 1.0 - 1.0 / POWERS as f32;

benchbook_core::parameters! {
    /// Parameters of [`Exp2`].
    pub struct Exp2Params {
        /// groups of 384 numbers
        tasks: usize = 512, 1..=1 << 20;
    }
}

impl Problem for Exp2 {
    const NAME: &'static str = "exp2";
    const ABOUT: &'static str =
        "powers of two in registers: the exponentials a second that other kernels can reach at best";
    type Params = Exp2Params;

    fn presets() -> Vec<Preset> {
        let of = |tasks: i64| Params::default().with("tasks", tasks.into());
        vec![Preset { name: "quick", cases: vec![of(256)] }, Preset { name: "default", cases: vec![of(512)] }]
    }

    fn ugly() -> Vec<Exp2Params> {
        [1, 3, 17].map(|tasks| Exp2Params { tasks }).into()
    }

    fn label(params: &Exp2Params) -> String {
        format!("{} × {CHAINS} numbers, {POWERS} powers each", params.tasks)
    }

    fn inputs(params: &Exp2Params, seed: u64) -> Inputs {
        Inputs::from([("from", Array::normal(vec![params.tasks, CHAINS], seed, 1))])
    }

    fn reference(_params: &Exp2Params, inputs: &Inputs, _seed: u64) -> Reference {
        let from = inputs.get("from");
        let factors: Vec<f64> = (0..POWERS).map(|step| f64::from(SHRINK).powi(step as i32)).collect();
        let sum = |number: &f32| factors.iter().map(|factor| (f64::from(*number) * factor).exp2()).sum::<f64>();
        let values = from.of::<f32>().iter().map(sum).collect();
        Reference::of(from.shape().to_vec(), (0..from.rows()).collect(), values)
    }

    /// An exponential counts as one operation, and what brings about the next as none.
    fn work(params: &Exp2Params, dtype: DType) -> Work {
        let numbers = (params.tasks * CHAINS) as f64;
        Work { flops: POWERS as f64 * numbers, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    /// A sum, and an exponent, round in each of 512 steps by half a unit in the last place at most.
    fn tolerance(_params: &Exp2Params, dtype: DType) -> f64 {
        match dtype {
            DType::F64 => crate::tolerance(dtype),
            _ => POWERS as f64 * f64::from(f32::EPSILON),
        }
    }
}
