//! What arithmetic gives at best: multiply-adds, and nothing else.

use benchbook_core::{
    DType, Error, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload,
};

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

impl Workload for Fma {
    fn name(&self) -> &'static str {
        "fma"
    }

    fn about(&self) -> &'static str {
        "multiply-adds in registers: the operations a second that other kernels can reach at best"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::int("tasks", 512, "groups of 384 chains")]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |tasks: i64| Params::default().with("tasks", Value::Int(tasks));
        // So many that the last ones of a call, which one thread may do alone, are less than a hundredth.
        vec![Preset { name: "quick", cases: vec![of(256)] }, Preset { name: "default", cases: vec![of(512)] }]
    }

    fn check(&self, params: &Params) -> Result<()> {
        let tasks = params.int("tasks");
        if (1..=1 << 20).contains(&tasks) {
            return Ok(());
        }
        let reason = format!("{tasks} is not a size, give 1 to 1048576");
        Err(Error::Param { workload: self.name().into(), name: "tasks".into(), reason })
    }

    fn case_name(&self, params: &Params) -> String {
        format!("{} × {CHAINS} chains of {STEPS}", params.int("tasks"))
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let mut inputs = Inputs::default();
        inputs.0.insert("from", HostArray::normal(vec![params.size("tasks"), CHAINS], seed, 1));
        inputs
    }

    fn reference(&self, _params: &Params, inputs: &Inputs, _seed: u64) -> Reference {
        let from = inputs.get("from");
        let left = f64::from(FACTOR).powi(STEPS as i32);
        let values = from.data.iter().map(|number| 1.0 + (f64::from(*number) - 1.0) * left).collect();
        Reference { shape: from.shape.clone(), rows: (0..from.rows()).collect(), values }
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let numbers = (params.size("tasks") * CHAINS) as f64;
        Work { flops: 2.0 * STEPS as f64 * numbers, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    /// Each of 4,096 steps rounds by half a unit in the last place at most.
    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        match dtype {
            DType::F64 => crate::tolerance(dtype),
            _ => STEPS as f64 * f64::from(f32::EPSILON) / 2.0,
        }
    }
}
