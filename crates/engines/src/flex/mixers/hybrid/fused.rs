//! Stacks of layers by our own kernels on plain slices.

use benchbook_core::{Array, Inputs, Result, Setting, Subject};
use benchbook_simd::{
    self as simd, CHUNK, CausalConv, ConvSize, Dispatch, ExpertWeights, Experts, Gate, GatedNorm, Isa, Product,
    Projected, Projections, RetentionSize, Routed, RwkvSize, ScanSize, SelectiveScan, SsdSize, Weights,
};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::mixers::{CausalConvParams, HybridStackParams, LayerKind, SCAN_STATE, TAPS};

use crate::flex::calls::{Calls, room};
use crate::flex::subject::{NamedInputs, Rows};

/// What a stack is prepared by.
///
/// # Errors
/// Weights that kernels refuse.
pub fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &HybridStackParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let room = [room::<f32>(inputs.get("input").shape().to_vec())];
    let of = params.clone();
    let kernel = move |held: &mut Held, [out]: &mut [Array; 1]| held.call(&of, out.of_mut());
    Ok(Box::new(Calls::new(name, setting, || Held::of(params, inputs), &room, kernel)?))
}

/// Layers of a call, and what it keeps for the next one.
struct Held {
    input: Array,
    layers: Vec<Layer>,
    room: Room,
}

impl NamedInputs for Held {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        (name == "input").then_some(&mut self.input as &mut dyn Rows)
    }
}

struct Layer {
    gain: Array,
    mixer: Mixer,
}

/// What mixes: weights packed once, or by their names as they are.
enum Mixer {
    Attention(Box<Projections>),
    FeedForward(Box<(ExpertWeights, Dispatch)>),
    Mamba2(Inputs),
    /// With what a step leaves of each head.
    Retention(Inputs, Vec<f64>),
    Mamba(Inputs),
    Rwkv6(Inputs),
}

/// Memory between kernels, each as large as the layer that needs most of it.
#[derive(Default)]
struct Room {
    normed: Vec<f32>,
    given: Vec<f32>,
    /// `[batch, seq, 2 width]`
    wide: [Vec<f32>; 5],
    /// `[batch, seq, _]`, of B, C, Δ and what Δ is made of
    narrow: [Vec<f32>; 5],
    /// Last states.
    end: Vec<f32>,
    /// What convolutions see before the first step: nothing.
    before: Vec<f32>,
}

impl Room {
    fn of(params: &HybridStackParams) -> Self {
        let HybridStackParams { batch, seq, heads, head_dim, state, .. } = *params;
        let (positions, inner) = (batch * seq, params.inner());
        let narrow = state.max(2 * heads).max(SCAN_STATE).max(params.rank());
        let of_heads = params.width() * (2 * state).max(2 * head_dim);
        let convolved = (TAPS - 1) * inner.max(state);
        let zeros = |numbers: usize| vec![0.0; numbers];
        Self {
            normed: zeros(positions * params.width()),
            given: zeros(positions * params.width()),
            wide: [(); 5].map(|()| zeros(positions * inner)),
            narrow: [(); 5].map(|()| zeros(positions * narrow)),
            end: zeros(batch * of_heads.max(inner * SCAN_STATE).max(convolved)),
            before: zeros(batch * convolved),
        }
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// Rows by a factor `[from, to]`, into the first numbers of `out`, which are given back.
fn times<'a>(x: &[f32], factor: &Array, out: &'a mut [f32]) -> simd::Result<&'a mut [f32]> {
    let (from, to) = (factor.shape()[0], factor.shape()[1]);
    let rows = x.len() / from;
    let out = &mut out[..rows * to];
    simd::matmul(&Product { size: [rows, from, to], left: x, right: factor.of(), isa: Isa::detect() }, out)?;
    Ok(out)
}

fn norm(x: &[f32], width: usize, gain: Option<&Array>, gate: Gate, out: &mut [f32]) -> simd::Result<()> {
    let gain = gain.map(|gain| gain.of::<f32>());
    simd::gated_rms_norm(&GatedNorm { width, x, gain, gate, epsilon: EPSILON as f32, isa: Isa::detect() }, out)
}

impl Held {
    fn of(params: &HybridStackParams, inputs: &Inputs) -> simd::Result<Self> {
        let layer = |(layer, kind): (usize, LayerKind)| -> simd::Result<Layer> {
            let weights = params.layer(inputs, layer);
            Ok(Layer { gain: weights.get("gain").clone(), mixer: Mixer::of(params, kind, weights)? })
        };
        let layers: simd::Result<Vec<Layer>> = params.kinds().into_iter().enumerate().map(layer).collect();
        Ok(Self { input: inputs.get("input").clone(), layers: layers?, room: Room::default() })
    }

    fn call(&mut self, params: &HybridStackParams, stream: &mut [f32]) -> simd::Result<()> {
        if self.room.normed.is_empty() {
            self.room = Room::of(params);
        }
        stream.copy_from_slice(self.input.of());
        for layer in &self.layers {
            norm(stream, params.width(), Some(&layer.gain), Gate::None, &mut self.room.normed)?;
            layer.mixer.mix(params, &mut self.room)?;
            add(stream, &self.room.given);
        }
        Ok(())
    }
}

impl Mixer {
    fn of(params: &HybridStackParams, kind: LayerKind, weights: Inputs) -> simd::Result<Self> {
        let HybridStackParams { batch, seq, heads, head_dim, .. } = *params;
        Ok(match kind {
            LayerKind::Attention => {
                let [query, key, value, out] =
                    ["w_query", "w_key", "w_value", "w_out"].map(|name| weights.numbers(name));
                let weights = Weights { heads, kv_heads: heads, head_dim, query, key, value, out };
                Self::Attention(Box::new(Projections::new(&weights, Isa::detect())?))
            }
            LayerKind::FeedForward => {
                let [gate, up, down] = ["w_gate", "w_up", "w_down"].map(|name| weights.numbers(name));
                let (width, hidden) = (params.width(), params.between());
                let one = Experts { experts: 1, width, hidden, gate, up, down };
                // An expert that all tokens share.
                let mut dispatch = Dispatch::default();
                let tokens = batch * seq;
                let routed = Routed { tokens, experts: 0, chosen: 0, shared: 1, ids: &[], weights: &[], kept: None };
                dispatch.sorted(&routed)?;
                Self::FeedForward(Box::new((ExpertWeights::new(&one, Isa::detect())?, dispatch)))
            }
            LayerKind::Mamba2 => Self::Mamba2(weights),
            LayerKind::Retention => Self::Retention(weights, params.retention().left()),
            LayerKind::Mamba => Self::Mamba(weights),
            LayerKind::Rwkv6 => Self::Rwkv6(weights),
        })
    }

    /// From what the room has normed to what it gives.
    fn mix(&self, params: &HybridStackParams, room: &mut Room) -> simd::Result<()> {
        let HybridStackParams { batch, seq, .. } = *params;
        match self {
            Self::Attention(weights) => {
                let projected = Projected { batch, seq, input: &room.normed, weights, causal: true };
                simd::projected_attention(&projected, &mut room.given)
            }
            Self::FeedForward(held) => simd::mixture(&held.0, &held.1, &room.normed, &mut room.given),
            Self::Mamba2(weights) => mamba2(params, weights, room),
            Self::Retention(weights, left) => retention(params, weights, left, room),
            Self::Mamba(weights) => mamba(params, weights, room),
            Self::Rwkv6(weights) => rwkv6(params, weights, room),
        }
    }
}

/// A causal convolution and silu of so many channels.
fn convolved(
    params: &CausalConvParams,
    weights: &Inputs,
    [weight, bias]: [&str; 2],
    x: &[f32],
    [before, end, out]: [&mut [f32]; 3],
) -> simd::Result<()> {
    let CausalConvParams { batch, seq, channels, width, silu } = *params;
    let (size, states) = (ConvSize { batch, seq, channels, width }, batch * (width - 1) * channels);
    let [weight, bias] = [weight, bias].map(|name| weights.numbers(name));
    let start = &before[..states];
    let call = CausalConv { size, x, weight, bias, start, silu, isa: Isa::detect() };
    simd::causal_conv(&call, out, &mut end[..states])
}

fn mamba2(params: &HybridStackParams, weights: &Inputs, room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [z, raw, x, mixed, _], narrow: [raw_b, b, raw_c, c, delta], end, before } = room;
    let factor = |name: &str| weights.get(name);
    let [delta_bias, a_log, d, start] = ["delta_bias", "a_log", "skip", "start"].map(|name| weights.numbers(name));
    let sizes = params.duality();
    let (positions, state) = (sizes.batch * sizes.seq, sizes.state);
    let (z, delta) = (times(normed, factor("w_z"), z)?, times(normed, factor("w_delta"), delta)?);
    for (name, conv, bias, raw, to) in [
        ("w_x", "conv_x", "bias_x", raw, &mut *x),
        ("w_b", "conv_b", "bias_b", raw_b, &mut *b),
        ("w_c", "conv_c", "bias_c", raw_c, &mut *c),
    ] {
        let raw = times(normed, factor(name), raw)?;
        let numbers = raw.len();
        let rooms = [&mut before[..], &mut end[..], &mut to[..numbers]];
        convolved(&params.convolution(numbers / positions), weights, [conv, bias], raw, rooms)?;
    }
    let (batch, seq, heads, head_dim, groups) = (sizes.batch, sizes.seq, sizes.heads, sizes.head_dim, sizes.groups);
    let size = SsdSize { batch, seq, heads, head_dim, groups, state };
    let (b, c) = (&b[..positions * state], &c[..positions * state]);
    let (chunk, isa, end) = (CHUNK, Isa::detect(), &mut end[..start.len()]);
    simd::ssd(&simd::Ssd { size, x, delta, delta_bias, a_log, b, c, d, start, chunk, isa }, mixed, end)?;
    norm(mixed, params.inner(), Some(factor("gain_inner")), Gate::Before(z), x)?;
    times(x, factor("w_out"), given)?;
    Ok(())
}

fn retention(params: &HybridStackParams, weights: &Inputs, left: &[f64], room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [query, key, value, gate, mixed], end, .. } = room;
    let sizes = params.retention();
    let (batch, seq, heads) = (sizes.batch, sizes.seq, sizes.heads);
    let size = RetentionSize { batch, seq, heads, key_dim: sizes.key_dim, value_dim: sizes.value_dim };
    let query = times(normed, weights.get("w_query"), query)?;
    let key = times(normed, weights.get("w_key"), key)?;
    let value = times(normed, weights.get("w_value"), value)?;
    let gate = times(normed, weights.get("w_gate"), gate)?;
    let (start, turns, chunk, isa) = (weights.numbers("start"), None, CHUNK, Isa::detect());
    let end = &mut end[..start.len()];
    simd::retention(&simd::Retention { size, query, key, value, left, start, turns, chunk, isa }, mixed, end)?;
    norm(mixed, sizes.value_dim, None, Gate::After(gate), value)?;
    times(value, weights.get("w_out"), given)?;
    Ok(())
}

fn mamba(params: &HybridStackParams, weights: &Inputs, room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [z, raw, x, delta, mixed], narrow: [low, b, c, ..], end, before } = room;
    let [delta_bias, a_log, d, start] = ["delta_bias", "a_log", "skip", "start"].map(|name| weights.numbers(name));
    let sizes = params.scan();
    let z = times(normed, weights.get("w_z"), z)?;
    let raw = times(normed, weights.get("w_x"), raw)?;
    let rooms = [&mut before[..], &mut end[..], &mut x[..]];
    convolved(&params.convolution(sizes.channels), weights, ["conv_x", "bias_x"], raw, rooms)?;
    let low = times(x, weights.get("w_low"), low)?;
    let delta = times(low, weights.get("w_delta"), delta)?;
    let (b, c) = (times(x, weights.get("w_b"), b)?, times(x, weights.get("w_c"), c)?);
    let size = ScanSize { batch: sizes.batch, seq: sizes.seq, channels: sizes.channels, state: sizes.state };
    let (end, isa) = (&mut end[..start.len()], Isa::detect());
    simd::selective_scan(&SelectiveScan { size, x, delta, delta_bias, a_log, b, c, d, z, start, isa }, mixed, end)?;
    times(mixed, weights.get("w_out"), given)?;
    Ok(())
}

fn rwkv6(params: &HybridStackParams, weights: &Inputs, room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [r, k, v, w, gate], end, .. } = room;
    let sizes = params.rwkv6();
    let size = RwkvSize { batch: sizes.batch, seq: sizes.seq, heads: sizes.heads, head_dim: sizes.head_dim };
    let r = times(normed, weights.get("w_r"), r)?;
    let k = times(normed, weights.get("w_k"), k)?;
    let v = times(normed, weights.get("w_v"), v)?;
    let w = times(normed, weights.get("w_decay"), w)?;
    let gate = times(normed, weights.get("w_gate"), gate)?;
    let decay = weights.numbers("decay");
    w.chunks_exact_mut(decay.len()).for_each(|row| add(row, decay));
    let (u, start, isa) = (weights.numbers("bonus"), weights.numbers("start"), Isa::detect());
    let end = &mut end[..start.len()];
    simd::rwkv6(&simd::Rwkv6 { size, r, k, v, w, u, start, isa }, given, end)?;
    norm(given, sizes.head_dim, None, Gate::After(gate), normed)?;
    times(normed, weights.get("w_out"), given)?;
    Ok(())
}
