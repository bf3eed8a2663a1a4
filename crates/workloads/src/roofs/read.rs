//! What memory gives at best: numbers that are read.

use benchbook_core::{
    DType, Error, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload,
};

/// The sums of a buffer's blocks, which need every number once: the bytes a second that a kernel of this working set can read
/// at best, from whichever cache holds it.
///
/// Input: `from` `[blocks, 16384]`. Result: `[blocks]`.
pub struct Read;

/// Numbers of a block.
pub const SUMMED: usize = 16_384;

/// KiB of a block of `f32`.
const BLOCK: i64 = SUMMED as i64 / 256;

impl Workload for Read {
    fn name(&self) -> &'static str {
        "read"
    }

    fn about(&self) -> &'static str {
        "sums of a buffer: the bandwidth that kernels of its size can read with at best"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::int("kib", 65_536, "size of the buffer in KiB of f32, a multiple of 64")]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |mib: i64| Params::default().with("kib", Value::Int(1024 * mib));
        vec![
            Preset { name: "quick", cases: vec![of(64)] },
            Preset { name: "default", cases: [1, 8, 64, 256].map(of).into() },
        ]
    }

    fn check(&self, params: &Params) -> Result<()> {
        let kib = params.int("kib");
        if kib % BLOCK == 0 && (BLOCK..=1 << 23).contains(&kib) {
            return Ok(());
        }
        let reason = format!("{kib} is not a size, give a multiple of {BLOCK} up to {}", 1 << 23);
        Err(Error::Param { workload: self.name().into(), name: "kib".into(), reason })
    }

    fn case_name(&self, params: &Params) -> String {
        let kib = params.int("kib");
        if kib % 1024 == 0 { format!("{} MiB", kib / 1024) } else { format!("{kib} KiB") }
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let mut inputs = Inputs::default();
        inputs.0.insert("from", HostArray::normal(vec![(params.int("kib") / BLOCK) as usize, SUMMED], seed, 1));
        inputs
    }

    fn reference(&self, _params: &Params, inputs: &Inputs, _seed: u64) -> Reference {
        let blocks = inputs.get("from").data.chunks_exact(SUMMED);
        let values: Vec<f64> = blocks.map(|block| block.iter().map(|number| f64::from(*number)).sum()).collect();
        Reference { shape: vec![values.len()], rows: vec![0], values }
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let numbers = (256 * params.int("kib")) as f64;
        Work { flops: numbers, bytes: numbers * dtype.bytes() as f64 }
    }

    /// 16,384 normal numbers add up to some 128, with a rounding error of some 1e-4 at worst; one that is left out is some 0.8.
    fn tolerance(&self, _params: &Params, _dtype: DType) -> f64 {
        1e-4
    }
}
