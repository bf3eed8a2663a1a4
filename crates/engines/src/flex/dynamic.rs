//! Matrix products in whole numbers: the left factor is rounded to eight bits in each call, row by row.
//!
//! Such a row is checked against the product of both factors as their codes stand for them.

use benchbook_core::{Array, DType, Inputs, Metric, Reference, Result, Row, Setting, Subject};
use benchbook_formats::{Axis, Grid, Groups, Integers, Rounding};
use benchbook_simd::{ByteDot, IntegerWeights, matmul_dynamic};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

use crate::flex::calls::failed;
use crate::flex::coded::{Format, Int4G32, Int8};
use crate::flex::engine::integer_engine;
use crate::flex::weight_only::{answer, own_flops, product_with};

/// An implementation for each format of weights.
pub const ROWS: [Row<Matmul>; 2] = [W8A8, W4A8];

const W8A8: Row<Matmul> = dynamic::<Int8>(
    "w8a8-dynamic",
    "hand-written: rows of the left factor rounded to 8 bits in the call (-127 to 127, a scale for each), weights of 8 bits (a \
     scale for each column), sums in whole numbers by VNNI, AVX2 or portable (ZeroQuant, arXiv 2206.01861)",
)
.catalogue(&["PR2"]);

const W4A8: Row<Matmul> = dynamic::<Int4G32>(
    "w4a8-g32-dynamic",
    "hand-written: rows of the left factor rounded to 8 bits in the call (-127 to 127, a scale for each), weights of 4 bits \
     (symmetric, groups of 32 along k), sums of groups in whole numbers by VNNI, AVX2 or portable (QServe, arXiv 2405.04532)",
)
.on_request();

const fn dynamic<F: Format>(name: &'static str, about: &'static str) -> Row<Matmul> {
    let row = Row::<Matmul>::new(name, about, &["flex"], &[DType::F32], |_| integer_engine(), prepare::<F>);
    row.approximating(of_rounded::<F>)
}

fn prepare<F: Format>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let coded = F::coded(params, inputs);
    let whole = IntegerWeights::new(&coded.weights(), ByteDot::detect());
    let whole = whole.map_err(|error| failed(name, &setting.device, &error.to_string()))?;
    let bytes = whole.bytes();
    let [m, n, k] = [params.m, params.n, params.k].map(|size| size as f64);
    let more = vec![own_flops(0.0), Metric::modelled("int8_ops", 2.0 * m * n * k, "count")];
    let call = |[rows, ..]: [usize; 3], left: &[f32], weights: &IntegerWeights, out: &mut [f32]| {
        matmul_dynamic(rows, left, weights, out)
    };
    Ok(product_with(name, setting, params, inputs, (whole, bytes), more, call))
}

/// The product of the numbers that the codes of both factors stand for.
fn of_rounded<F: Format>(params: &MatmulParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    let shape = [params.m, params.k];
    let rows = Groups::new(shape, Axis::Columns, params.k).ok()?;
    let rounded = Integers { bits: 8, grid: Grid::Ends }.quantised(inputs.numbers("a"), &rows, Rounding::NearestEven);
    let a = Array::new(shape.to_vec(), &rounded.ok()?.dequantised());
    answer::<F>(params, &Inputs::from([("a", a), ("b", inputs.get("b").clone())]), seed)
}
