//! What arithmetic gives at best: multiply-adds, and nothing else.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

/// Chains of multiply-adds `x = x · factor + term` that never leave their registers: the operations a second that other
/// kernels can reach at best (the roof of Williams et al., "Roofline", CACM 52(4), 2009, section 3).
///
/// Input: `from` `[tasks, 384]`.
pub struct Fma;

/// Chains of a task.
pub const CHAINS: usize = 384;

/// Steps of a chain.
pub const STEPS: usize = 4096;

/// Chosen so that the result depends on every step: in 4,096 steps a number comes nearer to 1 by a factor of e.
pub const FACTOR: f32 = 1.0 - TERM;

/// One step's share of the way to 1.
pub const TERM: f32 = 1.0 / STEPS as f32;

benchbook_core::parameters! {
    /// Parameters of [`Fma`].
    pub struct FmaParams {
        /// groups of 384 chains
        tasks: usize = 512, 1..=1 << 20;
    }
}

impl Problem for Fma {
    const NAME: &'static str = "fma";
    const ABOUT: &'static str =
        "multiply-adds in registers: the operations a second that other kernels can reach at best";
    type Params = FmaParams;

    fn presets() -> Vec<Preset> {
        let of = |tasks: i64| Params::default().with("tasks", tasks.into());
        // So many that the last ones of a call, which one thread may do alone, are less than a hundredth.
        vec![Preset { name: "quick", cases: vec![of(256)] }, Preset { name: "default", cases: vec![of(512)] }]
    }

    fn ugly() -> Vec<FmaParams> {
        [1, 3, 17].map(|tasks| FmaParams { tasks }).into()
    }

    fn label(params: &FmaParams) -> String {
        format!("{} × {CHAINS} chains of {STEPS}", params.tasks)
    }

    fn inputs(params: &FmaParams, seed: u64) -> Inputs {
        Inputs::from([("from", Array::normal(vec![params.tasks, CHAINS], seed, 1))])
    }

    fn reference(_params: &FmaParams, inputs: &Inputs, _seed: u64) -> Reference {
        let from = inputs.get("from");
        let left = f64::from(FACTOR).powi(STEPS as i32);
        let values = from.of::<f32>().iter().map(|number| 1.0 + (f64::from(*number) - 1.0) * left).collect();
        Reference::of(from.shape().to_vec(), (0..from.rows()).collect(), values)
    }

    fn work(params: &FmaParams, dtype: DType) -> Work {
        let numbers = (params.tasks * CHAINS) as f64;
        Work { flops: 2.0 * STEPS as f64 * numbers, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    /// Each of 4,096 steps rounds by half a unit in the last place at most.
    fn tolerance(_params: &FmaParams, dtype: DType) -> f64 {
        match dtype {
            DType::F64 => crate::tolerance(dtype),
            _ => STEPS as f64 * f64::from(f32::EPSILON) / 2.0,
        }
    }
}
