//! What tiles give at best: products of matrices in registers, and nothing else.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

/// Each number and the sum of 16,384 products, whose sums and factors fit into the registers of AMX: the operations a second that
/// products of tiles can reach at best.
///
/// Input: `from` `[tasks, 1024]`, 32 rows of 32 in each task. Of step `s` of 32, which are taken again and again, the left factor of row
/// `r` is `(r + s) % 8`, and the right one of column `c` is `(c + s) % 5 − 1`, as bytes or in bf16, which hold them exactly; the result,
/// in the same shape, is the input and the sum of the products.
pub struct TileDot;

/// Sums of a task.
pub const TILE_SUMS: usize = SIDE * SIDE;

/// Products of a sum.
pub const TILE_PRODUCTS: usize = 16_384;

/// The format of bytes.
pub const INT8: &str = "int8";

/// What the factors may be.
const FORMATS: [&str; 2] = [INT8, "bf16"];

const SIDE: usize = 32;

/// Steps that are taken again and again.
const STEPS: usize = 32;

benchbook_core::parameters! {
    /// Parameters of [`TileDot`].
    pub struct TileDotParams {
        /// what the factors are
        format: String = INT8.to_owned(), FORMATS;
        /// groups of 1024 sums
        tasks: usize = 256, 1..=1 << 16;
    }
}

impl Problem for TileDot {
    const NAME: &'static str = "tile-dot";
    const ABOUT: &'static str =
        "products of tiles that are added up: the operations a second that AMX can reach at best, on bytes or bf16";
    type Params = TileDotParams;

    fn presets() -> Vec<Preset> {
        let of = |tasks: i64| {
            let of = |format: &&str| Params::default().with("format", (*format).into()).with("tasks", tasks.into());
            FORMATS.iter().map(of).collect()
        };
        vec![Preset { name: "quick", cases: of(64) }, Preset { name: "default", cases: of(256) }]
    }

    fn ugly() -> Vec<TileDotParams> {
        [1, 3]
            .into_iter()
            .flat_map(|tasks| FORMATS.map(|format| TileDotParams { format: format.to_owned(), tasks }))
            .collect()
    }

    fn label(params: &TileDotParams) -> String {
        format!("{} × {TILE_SUMS} sums of {TILE_PRODUCTS} in {}", params.tasks, params.format)
    }

    fn inputs(params: &TileDotParams, seed: u64) -> Inputs {
        Inputs::from([("from", Array::normal(vec![params.tasks, TILE_SUMS], seed, 1))])
    }

    fn reference(_params: &TileDotParams, inputs: &Inputs, _seed: u64) -> Reference {
        let from = inputs.get("from");
        let sum = |row: usize, column: usize| {
            let products = (0..STEPS).map(|step| ((row + step) % 8) as f64 * (((column + step) % 5) as f64 - 1.0));
            products.sum::<f64>() * (TILE_PRODUCTS / STEPS) as f64
        };
        let sums: Vec<f64> = (0..TILE_SUMS).map(|at| sum(at / SIDE, at % SIDE)).collect();
        let numbers = from.of::<f32>().iter().zip(sums.iter().cycle());
        let values = numbers.map(|(number, sum)| f64::from(*number) + sum).collect();
        Reference::of(from.shape().to_vec(), (0..from.rows()).collect(), values)
    }

    /// A product and its addition count as two operations.
    fn work(params: &TileDotParams, dtype: DType) -> Work {
        let numbers = (params.tasks * TILE_SUMS) as f64;
        Work { flops: 2.0 * TILE_PRODUCTS as f64 * numbers, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    /// Sums are whole and exact: half a unit in the last place of the result is what is rounded.
    fn tolerance(_params: &TileDotParams, dtype: DType) -> f64 {
        match dtype {
            DType::F64 => crate::tolerance(dtype),
            _ => f64::from(f32::EPSILON),
        }
    }
}
