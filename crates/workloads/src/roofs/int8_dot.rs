//! What whole numbers of eight bits give at best: products that are added up, and nothing else.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

/// Each number and the sum of 4,096 products of bytes, whose factors stay in a first-level cache: the operations a second that
/// products in whole numbers can reach at best.
///
/// Input: `from` `[tasks, 1920]`. Of step `s` of 256, which are taken sixteen times, one factor is `s % 8` and the other
/// `s % 5 − 1`; the result, in the same shape, is the input and the sum of the products.
pub struct Int8Dot;

/// Sums of a task.
pub const BYTE_SUMS: usize = 1920;

/// Products of a sum.
pub const BYTE_PRODUCTS: usize = 4096;

/// Steps that are taken again and again.
const STEPS: usize = 256;

benchbook_core::parameters! {
    /// Parameters of [`Int8Dot`].
    pub struct Int8DotParams {
        /// groups of 1920 sums
        tasks: usize = 512, 1..=1 << 16;
    }
}

impl Problem for Int8Dot {
    const NAME: &'static str = "int8-dot";
    const ABOUT: &'static str = "products of bytes that are added up: the operations a second that whole numbers of eight bits can reach at best";
    type Params = Int8DotParams;

    fn presets() -> Vec<Preset> {
        let of = |tasks: i64| Params::default().with("tasks", tasks.into());
        vec![Preset { name: "quick", cases: vec![of(128)] }, Preset { name: "default", cases: vec![of(512)] }]
    }

    fn ugly() -> Vec<Int8DotParams> {
        [1, 3, 17].map(|tasks| Int8DotParams { tasks }).into()
    }

    fn label(params: &Int8DotParams) -> String {
        format!("{} × {BYTE_SUMS} sums of {BYTE_PRODUCTS}", params.tasks)
    }

    fn inputs(params: &Int8DotParams, seed: u64) -> Inputs {
        Inputs::from([("from", Array::normal(vec![params.tasks, BYTE_SUMS], seed, 1))])
    }

    fn reference(_params: &Int8DotParams, inputs: &Inputs, _seed: u64) -> Reference {
        let from = inputs.get("from");
        let products = (0..STEPS as i32).map(|step| (step % 8) * (step % 5 - 1));
        let sum = f64::from(products.sum::<i32>()) * (BYTE_PRODUCTS / STEPS) as f64;
        let values = from.of::<f32>().iter().map(|number| f64::from(*number) + sum).collect();
        Reference::of(from.shape().to_vec(), (0..from.rows()).collect(), values)
    }

    /// A product and its addition count as two operations.
    fn work(params: &Int8DotParams, dtype: DType) -> Work {
        let numbers = (params.tasks * BYTE_SUMS) as f64;
        Work { flops: 2.0 * BYTE_PRODUCTS as f64 * numbers, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    /// Sums are whole and exact: half a unit in the last place of the result is what is rounded.
    fn tolerance(_params: &Int8DotParams, dtype: DType) -> f64 {
        match dtype {
            DType::F64 => crate::tolerance(dtype),
            _ => f64::from(f32::EPSILON),
        }
    }
}
