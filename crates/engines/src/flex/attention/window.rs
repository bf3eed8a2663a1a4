//! Rotation and window: as tensor operations, and in the hand-written kernel.

use std::sync::Arc;

use benchbook_core::{DType, Error, Inputs, Result, Row};
use benchbook_workloads::attention::window::BASE;
use benchbook_workloads::attention::{WindowAttention, WindowAttentionParams};
use burn::tensor::{Bool, Tensor, TensorData};

use super::naive::attend;
use super::sdpa::attended;
use crate::flex::blocks::{angles, turned};
use crate::flex::fused::{self, Rotary};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::prepare;
use crate::flex::tensor::Target;

/// Implementations of `window-attention`.
pub const ROWS: [Row<WindowAttention>; 2] = [COMPOSED, FUSED];

/// Slices, products and a concatenation for the rotation; matmul, mask, softmax, matmul for the window, with all scores in
/// memory. Angles and mask are made before timing.
pub const COMPOSED: Row<WindowAttention> = burn_row::<WindowAttention>(
    "composed",
    "rotation and window as tensor operations, all scores in memory",
    &DType::FLOATS,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, tables, by_burn),
);

struct Tables {
    /// `[1, 1, seq, head_dim / 2]`
    cos: Tensor<4>,
    /// `[1, 1, seq, head_dim / 2]`
    sin: Tensor<4>,
    /// `[batch, 1, seq, seq]`
    hidden: Tensor<4, Bool>,
}

fn tables(on: &Target, params: &WindowAttentionParams, inputs: &Inputs) -> Result<([Tensor<4>; 3], Tables)> {
    let sizes = [params.seq, params.head_dim];
    let (cos, sin) = (angles(on, sizes, f64::cos), angles(on, sizes, f64::sin));
    Ok((attended(on, inputs), Tables { cos, sin, hidden: hidden(on, params) }))
}

fn hidden(on: &Target, params: &WindowAttentionParams) -> Tensor<4, Bool> {
    let (batch, seq, window) = (params.batch, params.seq, params.window_size);
    let place = |index: usize| (index / seq % seq, index % seq);
    let hidden = |(query, key): (usize, usize)| key > query || key + window <= query;
    let flags: Vec<bool> = (0..batch * seq * seq).map(|index| hidden(place(index))).collect();
    Tensor::from_data(TensorData::new(flags, [batch, 1, seq, seq]), &on.device)
}

fn by_burn(([query, key, value], tables): &([Tensor<4>; 3], Tables)) -> Result<[Tensor<4>; 1]> {
    let rotated = |tensor: &Tensor<4>| turned(tensor, &tables.cos, &tables.sin);
    Ok([attend([&rotated(query), &rotated(key), value], Some(&tables.hidden))])
}

/// Queries and keys are turned into scratch, then fused attention skips every tile outside of the window.
pub const FUSED: Row<WindowAttention> = fused_row::<WindowAttention>(
    "fused",
    "hand-written: rotation into scratch, fused attention that skips tiles outside of the window",
    &[DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, turning, by_hand),
)
.catalogue(&["AT6"]);

/// How queries and keys are turned, and what a query sees.
struct Turning {
    rotary: Arc<Rotary>,
    options: fused::Options,
}

fn turning(on: &Target, params: &WindowAttentionParams, inputs: &Inputs) -> Result<([Tensor<4>; 3], Turning)> {
    let rotary = Rotary::new(params.seq, params.head_dim, BASE).map_err(|error| Error::Implementation {
        implementation: "fused".into(),
        device: "flex".into(),
        reason: error.to_string(),
    })?;
    let options = fused::Options { causal: true, window: Some(params.window_size), scale: None };
    Ok((attended(on, inputs), Turning { rotary: Arc::new(rotary), options }))
}

fn by_hand((inputs, Turning { rotary, options }): &([Tensor<4>; 3], Turning)) -> Result<[Tensor<4>; 1]> {
    let [query, key, value] = inputs.clone();
    Ok([fused::rotary_attention(query, key, value, rotary, *options)?])
}
