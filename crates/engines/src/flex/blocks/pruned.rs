//! Feed-forward networks of which hidden channels are left out: smaller products, for which nothing is gathered in a call.
//!
//! The share that is left out is in the name: an eighth, or so many percent. Each is checked against the network whose other
//! channels give nothing.

use benchbook_core::{DType, Inputs, Metric, Problem, Reference, Result, Row, Setting, Subject};
use benchbook_simd::{self as simd, Isa, MlpWeights};
use benchbook_workloads::blocks::{Mlp, MlpParams};

use super::fused::layer;
use crate::flex::pruning::{largest, squares};
use crate::flex::row::fused_row;
use crate::flex::weight_only::{own_bytes, own_flops, weight_bytes, with_copies};

/// An implementation for each share.
pub const ROWS: [Row<Mlp>; 4] = [
    channels::<125>("channels-8th"),
    channels::<250>("channels-25"),
    channels::<500>("channels-50").catalogue(&["SP1"]),
    channels::<750>("channels-75"),
];

const fn channels<const PERMILLE: usize>(name: &'static str) -> Row<Mlp> {
    let about = "hand-written: the hidden channels of the smallest weights left out (as arXiv 2305.11627, by squares), the others as \
                 `fused` has them";
    fused_row::<Mlp>(name, about, &[DType::F32], prepare::<PERMILLE>).approximating(answer::<PERMILLE>).on_request()
}

/// The hidden channels that are kept, in their order: those whose weights, of all matrices, have the largest squares.
fn kept<const PERMILLE: usize>(params: &MlpParams, inputs: &Inputs) -> Vec<usize> {
    let MlpParams { width, hidden, .. } = *params;
    let mut sizes: Vec<f32> = inputs.numbers("w_down").chunks_exact(width).map(squares).collect();
    for name in if is_gated(params) { &["w_up", "w_gate"][..] } else { &["w_up"] } {
        for row in inputs.numbers(name).chunks_exact(hidden) {
            sizes.iter_mut().zip(row).for_each(|(size, number)| *size += number * number);
        }
    }
    let kept = largest(&sizes, (hidden * (1000 - PERMILLE)).div_ceil(1000));
    (0..hidden).filter(|channel| kept[*channel]).collect()
}

fn is_gated(params: &MlpParams) -> bool {
    params.form == "swiglu"
}

fn prepare<const PERMILLE: usize>(
    name: &'static str,
    setting: &Setting,
    params: &MlpParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let MlpParams { rows, width, hidden, .. } = *params;
    let kept = kept::<PERMILLE>(params, inputs);
    let columns = |name: &str| -> Vec<f32> {
        let rows = inputs.numbers(name).chunks_exact(hidden);
        rows.flat_map(|row| kept.iter().map(move |channel| row[*channel])).collect()
    };
    let (up, gate) = (columns("w_up"), is_gated(params).then(|| columns("w_gate")));
    let down = inputs.numbers("w_down");
    let down: Vec<f32> = kept.iter().flat_map(|channel| &down[channel * width..][..width]).copied().collect();
    let size = [width, kept.len()];
    let pack = || match &gate {
        Some(gate) => MlpWeights::swiglu(size, gate, &up, &down, Isa::detect()),
        None => MlpWeights::gelu(size, &up, &down, Isa::detect()),
    };
    let bytes = (2 + usize::from(gate.is_some())) * size_of_val(&*down);
    let setting = with_copies(setting, inputs, inputs.get("input").bytes().len() + bytes);
    let layer = layer(name, &setting, inputs, vec![rows, width], pack, simd::mlp)?;
    let work = Mlp::work(&MlpParams { hidden: kept.len(), ..params.clone() }, DType::F32);
    let sparsity = Metric::modelled("sparsity", 1.0 - kept.len() as f64 / hidden as f64, "share");
    let own = vec![weight_bytes(bytes), own_bytes(work.bytes as usize), sparsity, own_flops(work.flops)];
    Ok(Box::new(layer.with_metrics(own)))
}

/// The network whose other channels give nothing.
fn answer<const PERMILLE: usize>(params: &MlpParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    let kept = kept::<PERMILLE>(params, inputs);
    let mut inputs = inputs.clone();
    let down = inputs.get_mut("w_down")?.of_mut::<f32>().chunks_exact_mut(params.width);
    for (_, row) in down.enumerate().filter(|(channel, _)| kept.binary_search(channel).is_err()) {
        row.fill(0.0);
    }
    Some(Mlp::reference(params, &inputs, seed))
}
