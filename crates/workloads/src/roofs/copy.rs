//! What memory gives at best where it is also written: a copy.

use benchbook_core::{
    DType, Error, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload, sample_rows,
};

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

impl Workload for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn about(&self) -> &'static str {
        "a copy from memory to memory: the bandwidth that other kernels can reach at best"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::int("mib", 64, "size in MiB of f32; other dtypes take as many numbers")]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |mib: i64| Params::default().with("mib", Value::Int(mib));
        vec![
            Preset { name: "quick", cases: vec![of(64)] },
            Preset { name: "default", cases: [1, 8, 64, 256].map(of).into() },
        ]
    }

    fn check(&self, params: &Params) -> Result<()> {
        let mib = params.int("mib");
        if (1..=1 << 13).contains(&mib) {
            return Ok(());
        }
        let reason = format!("{mib} is not a size, give 1 to 8192");
        Err(Error::Param { workload: self.name().into(), name: "mib".into(), reason })
    }

    fn case_name(&self, params: &Params) -> String {
        format!("{} MiB", params.int("mib"))
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let mut inputs = Inputs::default();
        inputs.0.insert("from", HostArray::normal(vec![params.size("mib"), ROWS, ROW], seed, 1));
        inputs
    }

    fn reference(&self, _params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        let from = inputs.get("from");
        let rows = sample_rows(from.rows(), CHECKED, seed);
        let row = |row: &usize| from.data[row * ROW..][..ROW].iter().map(|number| f64::from(*number));
        Reference { shape: from.shape.clone(), values: rows.iter().flat_map(row).collect(), rows }
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let numbers = (params.size("mib") * ROWS * ROW) as f64;
        Work { flops: 0.0, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        match dtype {
            DType::F64 | DType::F32 => 0.0,
            // Inputs are rounded before the copy: half a unit of 10 or 7 bits of the largest number.
            DType::F16 | DType::Bf16 => 1e-2,
        }
    }
}
