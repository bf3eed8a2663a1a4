//! What memory gives at best: numbers that are read.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

/// The sums of a buffer's blocks, which need every number once: the bytes a second that a kernel of this working set can read
/// at best, from whichever cache holds it.
///
/// Input: `from` `[blocks, 16384]`. Result: `[blocks]`.
pub struct Read;

/// Numbers of a block.
pub const SUMMED: usize = 16_384;

/// KiB of a block of `f32`.
const BLOCK: usize = SUMMED / 256;

benchbook_core::parameters! {
    /// Parameters of [`Read`].
    pub struct ReadParams {
        /// size of the buffer in KiB of f32, a multiple of 64
        kib: usize = 65_536, BLOCK as i64..=1 << 23;
    }
}

impl Problem for Read {
    const NAME: &'static str = "read";
    const ABOUT: &'static str = "sums of a buffer: the bandwidth that kernels of its size can read with at best";
    type Params = ReadParams;

    fn presets() -> Vec<Preset> {
        let of = |mib: i64| Params::default().with("kib", (1024 * mib).into());
        vec![
            Preset { name: "quick", cases: vec![of(64)] },
            Preset { name: "default", cases: [1, 8, 64, 256].map(of).into() },
        ]
    }

    fn ugly() -> Vec<ReadParams> {
        [1, 3, 17].map(|blocks| ReadParams { kib: blocks * BLOCK }).into()
    }

    fn check(params: &ReadParams) -> Result<(), (&'static str, String)> {
        if params.kib.is_multiple_of(BLOCK) {
            return Ok(());
        }
        Err(("kib", format!("{} is no multiple of {BLOCK}", params.kib)))
    }

    fn label(params: &ReadParams) -> String {
        let kib = params.kib;
        if kib.is_multiple_of(1024) { format!("{} MiB", kib / 1024) } else { format!("{kib} KiB") }
    }

    fn inputs(params: &ReadParams, seed: u64) -> Inputs {
        Inputs::from([("from", Array::normal(vec![params.kib / BLOCK, SUMMED], seed, 1))])
    }

    fn reference(_params: &ReadParams, inputs: &Inputs, _seed: u64) -> Reference {
        let blocks = inputs.numbers("from").chunks_exact(SUMMED);
        let values: Vec<f64> = blocks.map(|block| block.iter().map(|number| f64::from(*number)).sum()).collect();
        Reference::of(vec![values.len()], vec![0], values)
    }

    fn work(params: &ReadParams, dtype: DType) -> Work {
        let numbers = (256 * params.kib) as f64;
        Work { flops: numbers, bytes: numbers * dtype.bytes() as f64 }
    }

    /// 16,384 normal numbers add up to some 128, with a rounding error of some 1e-4 at worst; one that is left out is some 0.8.
    fn tolerance(_params: &ReadParams, _dtype: DType) -> f64 {
        1e-4
    }
}
