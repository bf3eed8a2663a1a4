//! The ways to leave scores out, and what each is made of.

use std::sync::{Arc, Mutex};

use benchbook_core::{DType, Error, Inputs, Metric, Result, Row, Setting, Subject};
use benchbook_simd::{Attend, Heads, Isa};
use benchbook_workloads::attention::{SparseAttention, SparseAttentionParams};
use burn::tensor::Tensor;

use super::blocks::{Blocks, Choice};
use super::gate::Gate;
use super::reference::sparse_rows;
use super::threshold::{Threshold, deviations};
use crate::flex::attention::sdpa::attended;
use crate::flex::fused::{self, Options, Select};
use crate::flex::row::fused_row;
use crate::flex::subject::TensorSubject;
use crate::flex::tensor::Target;

/// A way to leave scores out; [`Self::Dense`] leaves none out, with the same kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Every score.
    Dense,
    /// Those above a threshold of their row.
    Threshold,
    /// Pairs of blocks by the product of their means, as many for each query.
    BlockSparse,
    /// Pairs of blocks by a trained gate, as many for each query.
    Learned,
    /// Pairs of blocks by their share of attention, as many for all together.
    Adaptive,
}

/// A row of a method, which is checked against its own definition.
macro_rules! row {
    ($method:ident, $name:literal, $about:literal) => {
        fused_row::<SparseAttention>($name, $about, &[DType::F32], |name, setting, params, inputs| {
            prepare(Method::$method, name, setting, params, inputs)
        })
        .approximating(|params, inputs, seed| sparse_rows(Method::$method, params, inputs, seed))
    };
}

/// Implementations of `sparse-attention`.
pub const ROWS: [Row<SparseAttention>; 5] = [
    row!(Dense, "dense", "hand-written fused attention, every score"),
    row!(
        Threshold,
        "threshold",
        "scores above mean + z · deviation of their row, known beforehand from the keys' moments"
    )
    .catalogue(&["AT7"]),
    row!(
        BlockSparse,
        "block-sparse",
        "pairs of blocks by the product of their means (MInference, arXiv 2407.02490, section 3.2)"
    )
    .catalogue(&["AT7"]),
    row!(
        Learned,
        "learned",
        "pairs of blocks by a trained gate over pooled queries and keys (SeerAttention, arXiv 2410.13276)"
    )
    .catalogue(&["AT7"]),
    row!(
        Adaptive,
        "adaptive",
        "pairs of blocks by their share, budget moves between heads (FlexPrefill's idea, arXiv 2502.20766)"
    )
    .catalogue(&["AT7"]),
];

/// A method, ready to be timed, with what it leaves out of these inputs.
fn prepare(
    method: Method,
    name: &'static str,
    setting: &Setting,
    params: &SparseAttentionParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let error =
        |reason: String| Error::Implementation { implementation: name.into(), device: setting.device.clone(), reason };
    let upload = |on: &Target, _: &SparseAttentionParams, inputs: &Inputs| Ok(attended(on, inputs));
    let select = select(method, params).map_err(error)?;
    let left_out = select.as_ref().map(|select| select.left_out(&attend(params, inputs))).transpose();
    let left_out = left_out.map_err(|wrong| error(wrong.to_string()))?;
    let names = ["sparsity_reached", "compute_saved"];
    let metrics = left_out.into_iter().flat_map(|shares| names.into_iter().zip(shares));
    let metrics = metrics.map(|(name, share)| Metric::measured(name, share, "share")).collect();
    let call = move |tensors: &[Tensor<4>; 3]| -> Result<[Tensor<4>; 1]> {
        let [query, key, value] = tensors.clone();
        Ok([match &select {
            Some(select) => fused::sparse_attention(query, key, value, select, Options::default())?,
            None => fused::attention(query, key, value, None, Options::default())?,
        }])
    };
    let subject = TensorSubject::uploaded(name, setting, params, inputs, upload, call)?;
    Ok(Box::new(subject.with_metrics(metrics)))
}

/// What chooses; nothing for what leaves nothing out.
fn select(method: Method, params: &SparseAttentionParams) -> Result<Option<Arc<dyn Select>>, String> {
    let sparsity = params.sparsity;
    let choice = match method {
        Method::Dense => return Ok(None),
        Method::Threshold => {
            return Ok(Some(Arc::new(Threshold { deviations: deviations(sparsity), room: Mutex::default() })));
        }
        Method::BlockSparse => Choice::Means,
        Method::Adaptive => Choice::Shares,
        Method::Learned => Choice::Gate(Gate::of(params)?),
    };
    Ok(Some(Arc::new(Blocks { choice, sparsity, room: Mutex::default() })))
}

fn attend<'a>(params: &SparseAttentionParams, inputs: &'a Inputs) -> Attend<'a> {
    let SparseAttentionParams { batch, heads, seq, head_dim, .. } = *params;
    Attend {
        heads: Heads { batch, heads, kv_heads: heads, seq_q: seq, seq_kv: seq, head_dim },
        query: inputs.numbers("query"),
        key: inputs.numbers("key"),
        value: inputs.numbers("value"),
        scale: None,
        causal: false,
        window: None,
        mask: None,
        isa: Isa::detect(),
    }
}
