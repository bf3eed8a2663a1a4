//! Matrix multiplication: burn's, ours, by weights of four bits, and your own.

use benchbook_core::{DType, Inputs, Knob, Knobs, Result, Row, Setting, Subject};
use benchbook_simd::Tiles;
use benchbook_workloads::matmul::{Matmul, MatmulParams};
use burn::tensor::Tensor;

use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::{NamedInputs, Rows, TensorSubject, find, prepare};
use crate::flex::tensor::Target;
use crate::flex::weight_only::weight_bytes;
use crate::flex::{Custom, fused, int4};

/// Implementations of `matmul`.
pub const ROWS: [Row<Matmul>; 4] = [BURN, TILED, int4::LOOP, int4::DEQUANT];

/// `Tensor::matmul`.
pub const BURN: Row<Matmul> = burn_row::<Matmul>(
    "burn",
    "Tensor::matmul: the gemm crate 0.19 on flex, libtorch's BLAS on libtorch",
    &DType::FLOATS,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, factors, by_burn),
);

/// Hand-written for CPUs: packed factors, tiles in registers (Goto & van de Geijn, ACM TOMS 34, 2008).
pub const TILED: Row<Matmul> = fused_row::<Matmul>(
    "tiled",
    "hand-written: AVX-512, AVX2 or portable, packed and tiled (Goto & van de Geijn, ACM TOMS 34, 2008); bf16 is widened to f32 first",
    &[DType::F32, DType::Bf16],
    |name, setting, params, inputs| by_tiles(name, setting, params, inputs, Tiles::USUAL),
)
.tuned(&KNOBS, |name, setting, params, inputs, knobs| by_tiles(name, setting, params, inputs, tiles(knobs)));

/// How [`TILED`] may be cut.
const KNOBS: [Knob; 3] = [
    Knob {
        name: "depth",
        about: "steps of a block at most; 0 is as many as half of the second-level cache holds of eight panels",
        values: &[0, 32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024],
        usual: Tiles::USUAL.depth as i64,
    },
    Knob {
        name: "panels",
        about: "panels of columns of a block at most, each as wide as the tile in registers",
        values: &[1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32],
        usual: Tiles::USUAL.panels as i64,
    },
    Knob {
        name: "down",
        about: "parts that the rows are cut into; 0 is as threads need it",
        values: &[0, 1, 2, 4, 8],
        usual: Tiles::USUAL.down as i64,
    },
];

fn tiles(knobs: &Knobs) -> Tiles {
    Tiles { depth: knobs.size("depth"), panels: knobs.size("panels"), down: knobs.size("down") }
}

fn by_tiles(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    tiles: Tiles,
) -> Result<Box<dyn Subject>> {
    let subject = TensorSubject::uploaded(name, setting, params, inputs, factors, move |[a, b]: &[Tensor<2>; 2]| {
        Ok([fused::matmul_with(a.clone(), b.clone(), tiles)?])
    })?;
    let held = params.k * params.n * setting.dtype.bytes();
    Ok(Box::new(subject.with_metrics(vec![weight_bytes(held)])))
}

impl NamedInputs for [Tensor<2>; 2] {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["a", "b"], self, name)
    }
}

fn factors(on: &Target, _params: &MatmulParams, inputs: &Inputs) -> Result<[Tensor<2>; 2]> {
    Ok(["a", "b"].map(|name| on.upload(inputs.get(name))))
}

fn by_burn([a, b]: &[Tensor<2>; 2]) -> Result<[Tensor<2>; 1]> {
    Ok([a.clone().matmul(b.clone())])
}

/// An implementation of `matmul` from a function of `a` `[m, k]` and `b` `[k, n]` that gives `[m, n]`.
pub fn custom(
    name: &str,
    call: impl Fn(&Tensor<2>, &Tensor<2>) -> Tensor<2> + Send + Sync + 'static,
) -> Custom<Matmul, [Tensor<2>; 2], 2> {
    Custom::<Matmul, _, 2>::new(name, factors, move |[a, b]: &[Tensor<2>; 2]| call(a, b))
}
