//! Stacks of layers by our own kernels on plain slices.
//!
//! Factors of products are packed once before timing, as those of a model are: `input` alone can be overwritten.

use std::collections::BTreeMap;
use std::slice::ChunksExactMut;

use benchbook_core::{Array, Inputs, Result, Setting, Subject};
use benchbook_simd::{
    self as simd, Activation, CHUNK, CausalConv, ConvSize, Dispatch, ExpertWeights, Experts, Gate, Isa, LinearWeights,
    MlpWeights, Norm, Projected, Projections, RetentionSize, Routed, Router, RwkvSize, ScanSize, Scoring,
    SelectiveScan, SsdSize, Weights,
};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::mixers::{CausalConvParams, HybridStackParams, LayerKind, RetentionParams, SCAN_STATE, TAPS};

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
    let mut outputs = vec![room::<f32>(inputs.get("input").shape().to_vec())];
    let choices = params.choices();
    if choices[0] > 0 {
        outputs.push(room::<i32>(choices.into()));
    }
    let of = params.clone();
    let kernel = move |held: &mut Held, outputs: &mut Vec<Array>| held.call(&of, outputs);
    Ok(Box::new(Calls::new(name, setting, || Held::of(params, inputs), &outputs, kernel)?))
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

/// What mixes.
enum Mixer {
    Attention(Box<Projections>),
    /// What scores them, and they.
    Experts(Box<(LinearWeights, ExpertWeights)>),
    FeedForward(Box<MlpWeights>),
    Mamba2(Parts),
    /// With its sizes, and what a step leaves of each head.
    Retention(Parts, RetentionSize, Vec<f64>),
    Mamba(Parts),
    Rwkv4(Parts),
    Rwkv7(Parts),
    Rwkv6(Parts),
}

/// Weights of a mixer by their names.
struct Parts {
    /// Packed, with their sizes, and with what is added to decays and rates.
    factors: BTreeMap<String, ([usize; 2], LinearWeights)>,
    /// As they are.
    others: Inputs,
}

impl Parts {
    fn of(weights: &Inputs) -> simd::Result<Self> {
        let mut parts = Self { factors: BTreeMap::new(), others: Inputs::default() };
        for (name, array) in weights.iter() {
            match *array.shape() {
                [from, to] if name.starts_with("w_") => {
                    let added = ["decay", "rate"].into_iter().find(|added| name.strip_prefix("w_") == Some(*added));
                    let bias = added.map(|added| weights.numbers(added));
                    let packed = LinearWeights::new([from, to], array.of(), bias, Isa::detect())?;
                    parts.factors.insert(name.to_owned(), ([from, to], packed));
                }
                _ => parts.others.insert(name, array.clone()),
            }
        }
        Ok(parts)
    }

    /// Rows by a factor, and what follows, into the first numbers of `out`, which are given back.
    fn product<'a>(
        &self,
        x: &[f32],
        name: &str,
        activation: Activation,
        out: &'a mut [f32],
    ) -> simd::Result<&'a mut [f32]> {
        let ([from, to], factor) = &self.factors[name];
        let out = &mut out[..x.len() / from * to];
        simd::linear(factor, activation, x, out)?;
        Ok(out)
    }

    fn times<'a>(&self, x: &[f32], name: &str, out: &'a mut [f32]) -> simd::Result<&'a mut [f32]> {
        self.product(x, name, Activation::None, out)
    }

    /// What numbers are multiplied by where a gate is z / (1 + e^−z) of rows by a factor.
    fn gates<'a>(&self, x: &[f32], name: &str, out: &'a mut [f32]) -> simd::Result<&'a mut [f32]> {
        self.product(x, name, Activation::Silu, out)
    }

    fn numbers<const N: usize>(&self, names: [&str; N]) -> [&[f32]; N] {
        names.map(|name| self.others.numbers(name))
    }
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
    /// The gain of norms by heads.
    ones: Vec<f32>,
    /// `[batch, seq, experts]`, where there are experts.
    scores: Vec<f32>,
    /// `[batch, seq, chosen]`: what the experts of a position count.
    shares: Vec<f32>,
    /// Rows of experts.
    dispatch: Dispatch,
}

impl Room {
    fn of(params: &HybridStackParams) -> Self {
        let HybridStackParams { batch, seq, heads, head_dim, state, .. } = *params;
        let (positions, inner) = (batch * seq, params.inner());
        let narrow = state.max(2 * heads).max(SCAN_STATE).max(params.rank());
        let of_heads = params.width() * (2 * state).max(2 * head_dim);
        let convolved = (TAPS - 1) * inner.max(state);
        let routed = if params.choices()[0] > 0 { positions } else { 0 };
        let zeros = |numbers: usize| vec![0.0; numbers];
        Self {
            normed: zeros(positions * params.width()),
            given: zeros(positions * params.width()),
            wide: [(); 5].map(|()| zeros(positions * inner)),
            narrow: [(); 5].map(|()| zeros(positions * narrow)),
            end: zeros(batch * of_heads.max(inner * SCAN_STATE).max(convolved)),
            before: zeros(batch * convolved),
            ones: vec![1.0; 2 * head_dim],
            scores: zeros(routed * params.experts),
            shares: zeros(routed * params.chosen),
            dispatch: Dispatch::default(),
        }
    }
}

/// Rows to norm, as wide as their gain.
fn rows<'a>(input: &'a [f32], gain: &'a [f32]) -> Norm<'a> {
    Norm { width: gain.len(), input, gain, epsilon: EPSILON, isa: Isa::detect() }
}

impl Held {
    fn of(params: &HybridStackParams, inputs: &Inputs) -> simd::Result<Self> {
        let layer = |(layer, kind): (usize, LayerKind)| -> simd::Result<Layer> {
            let weights = params.layer(inputs, layer);
            Ok(Layer { gain: weights.get("gain").clone(), mixer: Mixer::of(params, kind, &weights)? })
        };
        let layers: simd::Result<Vec<Layer>> = params.kinds().into_iter().enumerate().map(layer).collect();
        Ok(Self { input: inputs.get("input").clone(), layers: layers?, room: Room::default() })
    }

    fn call(&mut self, params: &HybridStackParams, outputs: &mut [Array]) -> simd::Result<()> {
        let [stream, chosen @ ..] = outputs else {
            return Err(simd::Error::Shape("a stack has a result, there is no room for it".into()));
        };
        let stream: &mut [f32] = stream.of_mut();
        let ids: &mut [i32] = match chosen {
            [ids, ..] => ids.of_mut(),
            [] => &mut [],
        };
        let mut ids = ids.chunks_exact_mut(params.batch * params.seq * params.chosen);
        if self.room.normed.is_empty() {
            self.room = Room::of(params);
        }
        stream.copy_from_slice(self.input.of());
        for layer in &self.layers {
            simd::rms_norm(&rows(stream, layer.gain.of()), &mut self.room.normed)?;
            layer.mixer.mix(params, &mut self.room, &mut ids)?;
            stream.iter_mut().zip(&self.room.given).for_each(|(stream, given)| *stream += given);
        }
        Ok(())
    }
}

impl Mixer {
    fn of(params: &HybridStackParams, kind: LayerKind, weights: &Inputs) -> simd::Result<Self> {
        let HybridStackParams { heads, head_dim, .. } = *params;
        Ok(match kind {
            LayerKind::Attention => {
                let [query, key, value, out] =
                    ["w_query", "w_key", "w_value", "w_out"].map(|name| weights.numbers(name));
                let weights = Weights { heads, kv_heads: heads, head_dim, query, key, value, out };
                Self::Attention(Box::new(Projections::new(&weights, Isa::detect())?))
            }
            LayerKind::Experts => {
                let [router, gate, up, down] =
                    ["w_router", "w_gate", "w_up", "w_down"].map(|name| weights.numbers(name));
                let (experts, width, hidden, isa) = (params.experts, params.width(), params.between(), Isa::detect());
                let router = LinearWeights::new([width, experts], router, None, isa)?;
                let weights = ExpertWeights::new(&Experts { experts, width, hidden, gate, up, down }, isa)?;
                Self::Experts(Box::new((router, weights)))
            }
            LayerKind::FeedForward => {
                let [gate, up, down] = ["w_gate", "w_up", "w_down"].map(|name| weights.numbers(name));
                let size = [params.width(), params.between()];
                Self::FeedForward(Box::new(MlpWeights::swiglu(size, gate, up, down, Isa::detect())?))
            }
            LayerKind::Mamba2 => Self::Mamba2(Parts::of(weights)?),
            LayerKind::Retention => {
                let retention = params.retention();
                let RetentionParams { batch, seq, heads, key_dim, value_dim, .. } = retention;
                let size = RetentionSize { batch, seq, heads, key_dim, value_dim };
                Self::Retention(Parts::of(weights)?, size, retention.left())
            }
            LayerKind::Mamba => Self::Mamba(Parts::of(weights)?),
            LayerKind::Rwkv4 => Self::Rwkv4(Parts::of(weights)?),
            LayerKind::Rwkv7 => Self::Rwkv7(Parts::of(weights)?),
            LayerKind::Rwkv6 => Self::Rwkv6(Parts::of(weights)?),
        })
    }

    /// From what the room has normed to what it gives, and into the next of `ids` what experts were chosen.
    fn mix(&self, params: &HybridStackParams, room: &mut Room, ids: &mut ChunksExactMut<'_, i32>) -> simd::Result<()> {
        let HybridStackParams { batch, seq, .. } = *params;
        match self {
            Self::Attention(weights) => {
                let projected = Projected { batch, seq, input: &room.normed, weights, causal: true };
                simd::projected_attention(&projected, &mut room.given)
            }
            Self::Experts(parts) => experts(params, parts, room, ids.next().unwrap_or_default()),
            Self::FeedForward(weights) => simd::mlp(weights, &room.normed, &mut room.given),
            Self::Mamba2(parts) => mamba2(params, parts, room),
            Self::Retention(parts, size, left) => retention(parts, *size, left, room),
            Self::Mamba(parts) => mamba(params, parts, room),
            Self::Rwkv4(parts) => rwkv4(params, parts, room),
            Self::Rwkv7(parts) => rwkv7(params, parts, room),
            Self::Rwkv6(parts) => rwkv6(params, parts, room),
        }
    }
}

/// The experts of each position, and what they make of it.
fn experts(
    params: &HybridStackParams,
    (factor, weights): &(LinearWeights, ExpertWeights),
    room: &mut Room,
    ids: &mut [i32],
) -> simd::Result<()> {
    let Room { normed, given, scores, shares, dispatch, .. } = room;
    let (experts, chosen) = (params.experts, params.chosen);
    let router = Router { experts, chosen, scoring: Scoring::Softmax, renormalised: true, bias: None };
    simd::linear(factor, Activation::None, normed, scores)?;
    simd::route(&router, scores, ids, shares)?;
    let tokens = params.batch * params.seq;
    dispatch.sorted(&Routed { tokens, experts, chosen, shared: 0, ids, weights: shares, kept: None })?;
    simd::mixture(weights, dispatch, normed, given)
}

/// A causal convolution and silu of so many channels; nothing is `before` the first step.
fn convolved(
    params: &CausalConvParams,
    parts: &Parts,
    names: [&str; 2],
    [x, before]: [&[f32]; 2],
    [out, end]: [&mut [f32]; 2],
) -> simd::Result<()> {
    let CausalConvParams { batch, seq, channels, width, silu } = *params;
    let (size, states) = (ConvSize { batch, seq, channels, width }, batch * (width - 1) * channels);
    let [weight, bias] = parts.numbers(names);
    let call = CausalConv { size, x, weight, bias, start: &before[..states], silu, isa: Isa::detect() };
    simd::causal_conv(&call, out, &mut end[..states])
}

fn mamba2(params: &HybridStackParams, parts: &Parts, room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [z, raw, x, mixed, _], narrow: [raw_b, b, raw_c, c, delta], end, before, .. } =
        room;
    let [delta_bias, a_log, d, start, gain] = parts.numbers(["delta_bias", "a_log", "skip", "start", "gain_inner"]);
    let sizes = params.duality();
    let (positions, state) = (sizes.batch * sizes.seq, sizes.state);
    let (z, delta) = (parts.gates(normed, "w_z", z)?, parts.times(normed, "w_delta", delta)?);
    for (name, conv, bias, raw, to) in [
        ("w_x", "conv_x", "bias_x", raw, &mut *x),
        ("w_b", "conv_b", "bias_b", raw_b, &mut *b),
        ("w_c", "conv_c", "bias_c", raw_c, &mut *c),
    ] {
        let raw = parts.times(normed, name, raw)?;
        let numbers = raw.len();
        let to = [&mut to[..numbers], &mut end[..]];
        convolved(&params.convolution(numbers / positions), parts, [conv, bias], [raw, before], to)?;
    }
    let (batch, seq, heads, head_dim, groups) = (sizes.batch, sizes.seq, sizes.heads, sizes.head_dim, sizes.groups);
    let size = SsdSize { batch, seq, heads, head_dim, groups, state };
    let (b, c) = (&b[..positions * state], &c[..positions * state]);
    let (chunk, isa, end) = (CHUNK, Isa::detect(), &mut end[..start.len()]);
    simd::ssd(&simd::Ssd { size, x, delta, delta_bias, a_log, b, c, d, start, chunk, isa }, mixed, end)?;
    simd::gated_rms_norm(&rows(mixed, gain), Gate::Before, z, x)?;
    parts.times(x, "w_out", given)?;
    Ok(())
}

fn retention(parts: &Parts, size: RetentionSize, left: &[f64], room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [query, key, value, gates, mixed], end, ones, .. } = room;
    let query = parts.times(normed, "w_query", query)?;
    let key = parts.times(normed, "w_key", key)?;
    let value = parts.times(normed, "w_value", value)?;
    let gates = parts.gates(normed, "w_gate", gates)?;
    let ([start], turns, chunk, isa) = (parts.numbers(["start"]), None, CHUNK, Isa::detect());
    let end = &mut end[..start.len()];
    simd::retention(&simd::Retention { size, query, key, value, left, start, turns, chunk, isa }, mixed, end)?;
    simd::gated_rms_norm(&rows(mixed, &ones[..size.value_dim]), Gate::After, gates, value)?;
    parts.times(value, "w_out", given)?;
    Ok(())
}

fn mamba(params: &HybridStackParams, parts: &Parts, room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [z, raw, x, delta, mixed], narrow: [low, b, c, ..], end, before, .. } = room;
    let [delta_bias, a_log, d, start] = parts.numbers(["delta_bias", "a_log", "skip", "start"]);
    let sizes = params.scan();
    let z = parts.times(normed, "w_z", z)?;
    let raw = parts.times(normed, "w_x", raw)?;
    let (taps, to) = (["conv_x", "bias_x"], [&mut x[..], &mut end[..]]);
    convolved(&params.convolution(sizes.channels), parts, taps, [raw, before], to)?;
    let low = parts.times(x, "w_low", low)?;
    let delta = parts.times(low, "w_delta", delta)?;
    let (b, c) = (parts.times(x, "w_b", b)?, parts.times(x, "w_c", c)?);
    let size = ScanSize { batch: sizes.batch, seq: sizes.seq, channels: sizes.channels, state: sizes.state };
    let (end, isa) = (&mut end[..start.len()], Isa::detect());
    simd::selective_scan(&SelectiveScan { size, x, delta, delta_bias, a_log, b, c, d, z, start, isa }, mixed, end)?;
    parts.times(mixed, "w_out", given)?;
    Ok(())
}

fn rwkv4(params: &HybridStackParams, parts: &Parts, room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [r, k, v, mixed, _], end, .. } = room;
    let r = parts.times(normed, "w_r", r)?;
    let k = parts.times(normed, "w_k", k)?;
    let v = parts.times(normed, "w_v", v)?;
    let ([decay, u, start], isa) = (parts.numbers(["decay", "bonus", "start"]), Isa::detect());
    let (mixed, end) = (&mut mixed[..normed.len()], &mut end[..start.len()]);
    let size = [params.batch, params.seq, params.width()];
    simd::rwkv4(&simd::Rwkv4 { size, r, k, v, decay, u, start, isa }, mixed, end)?;
    parts.times(mixed, "w_out", given)?;
    Ok(())
}

fn rwkv7(params: &HybridStackParams, parts: &Parts, room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [r, k, v, two, others], end, ones, .. } = room;
    let sizes = params.rwkv7();
    let size = RwkvSize { batch: sizes.batch, seq: sizes.seq, heads: sizes.heads, head_dim: sizes.head_dim };
    // Half as wide as the room for them.
    let ([w, a], [kappa, gates]) = (halves(two), halves(others));
    let r = parts.times(normed, "w_r", r)?;
    let k = parts.times(normed, "w_k", k)?;
    let v = parts.times(normed, "w_v", v)?;
    let (w, a) = (parts.times(normed, "w_decay", w)?, parts.times(normed, "w_rate", a)?);
    let gates = parts.gates(normed, "w_gate", gates)?;
    let ([removal, start], isa) = (parts.numbers(["removal", "start"]), Isa::detect());
    for (kappa, k) in kappa.chunks_exact_mut(removal.len()).zip(k.chunks_exact(removal.len())) {
        kappa.iter_mut().zip(k.iter().zip(removal)).for_each(|(kappa, (k, removal))| *kappa = k * removal);
    }
    let end = &mut end[..start.len()];
    simd::rwkv7(&simd::Rwkv7 { size, r, w, k, v, kappa, a, start, isa }, given, end)?;
    simd::gated_rms_norm(&rows(given, &ones[..sizes.head_dim]), Gate::After, gates, normed)?;
    parts.times(normed, "w_out", given)?;
    Ok(())
}

fn halves(numbers: &mut [f32]) -> [&mut [f32]; 2] {
    let (first, second) = numbers.split_at_mut(numbers.len() / 2);
    [first, second]
}

fn rwkv6(params: &HybridStackParams, parts: &Parts, room: &mut Room) -> simd::Result<()> {
    let Room { normed, given, wide: [r, k, v, w, gates], end, ones, .. } = room;
    let sizes = params.rwkv6();
    let size = RwkvSize { batch: sizes.batch, seq: sizes.seq, heads: sizes.heads, head_dim: sizes.head_dim };
    let r = parts.times(normed, "w_r", r)?;
    let k = parts.times(normed, "w_k", k)?;
    let v = parts.times(normed, "w_v", v)?;
    let w = parts.times(normed, "w_decay", w)?;
    let gates = parts.gates(normed, "w_gate", gates)?;
    let ([u, start], isa) = (parts.numbers(["bonus", "start"]), Isa::detect());
    let end = &mut end[..start.len()];
    simd::rwkv6(&simd::Rwkv6 { size, r, k, v, w, u, start, isa }, given, end)?;
    simd::gated_rms_norm(&rows(given, &ones[..sizes.head_dim]), Gate::After, gates, normed)?;
    parts.times(normed, "w_out", given)?;
    Ok(())
}
