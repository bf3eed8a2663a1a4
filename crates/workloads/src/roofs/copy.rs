//! What memory gives at best where it is also written: a copy.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work, sample_rows};

/// A copy of an array, from memory to memory (McCalpin, STREAM benchmark, 1995, kernel *Copy*): bytes read and bytes
/// written both count.
///
/// Input: `from` `[mib, 256, 1024]`, a MiB of `f32` for each step of the first axis.
pub struct Copy;

/// Numbers of a row, and rows of a MiB of `f32`.
const ROW: usize = 1024;
const ROWS: usize = 256;

/// Rows that are looked at: NaN is looked for in all.
const CHECKED: usize = 4096;

benchbook_core::parameters! {
    /// Parameters of [`Copy`].
    pub struct CopyParams {
        /// size in MiB of f32; other dtypes take as many numbers
        mib: usize = 64, 1..=1 << 13;
    }
}

impl Problem for Copy {
    const NAME: &'static str = "copy";
    const ABOUT: &'static str = "a copy from memory to memory: the bandwidth that other kernels can reach at best";
    type Params = CopyParams;

    fn presets() -> Vec<Preset> {
        let of = |mib: i64| Params::default().with("mib", mib.into());
        vec![
            Preset { name: "quick", cases: vec![of(64)] },
            Preset { name: "default", cases: [1, 8, 64, 256].map(of).into() },
        ]
    }

    fn ugly() -> Vec<CopyParams> {
        [1, 3].map(|mib| CopyParams { mib }).into()
    }

    fn label(params: &CopyParams) -> String {
        format!("{} MiB", params.mib)
    }

    fn inputs(params: &CopyParams, seed: u64) -> Inputs {
        Inputs::from([("from", Array::normal(vec![params.mib, ROWS, ROW], seed, 1))])
    }

    fn reference(_params: &CopyParams, inputs: &Inputs, seed: u64) -> Reference {
        let from = inputs.get("from");
        let rows = sample_rows(from.rows(), CHECKED, seed);
        let row = |row: &usize| from.of::<f32>()[row * ROW..][..ROW].iter().map(|number| f64::from(*number));
        let values = rows.iter().flat_map(row).collect();
        Reference::of(from.shape().to_vec(), rows, values)
    }

    fn work(params: &CopyParams, dtype: DType) -> Work {
        let numbers = (params.mib * ROWS * ROW) as f64;
        Work { flops: 0.0, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &CopyParams, dtype: DType) -> f64 {
        match dtype {
            DType::F64 | DType::F32 => 0.0,
            // Inputs are rounded before the copy: half a unit of 10 or 7 bits of the largest number.
            _ => 1e-2,
        }
    }
}
