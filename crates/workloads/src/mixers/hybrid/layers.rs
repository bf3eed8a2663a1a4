//! What a layer of a stack is made of: its kinds, its weights, and its work.

use benchbook_core::{Array, DType, Problem};

use super::HybridStackParams;
use crate::mixers::draw::{normal, time_constants};
use crate::mixers::{
    CausalConv, CausalConvParams, Retention, RetentionParams, Rwkv4, Rwkv4Params, Rwkv6, Rwkv6Params, Rwkv7,
    Rwkv7Params, SelectiveScan, SelectiveScanParams, Ssd, SsdParams,
};

/// Numbers of a state of a channel of Mamba.
pub const SCAN_STATE: usize = 16;

/// Steps that a convolution sees.
pub const TAPS: usize = 4;

/// Weights of a layer at most: so many streams of random numbers it has.
const MOST_WEIGHTS: u64 = 32;

/// What a layer mixes by; see [`HybridStack`](super::HybridStack).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// `A`
    Attention,
    /// `E`: every position by itself, through the experts that are chosen for it.
    Experts,
    /// `F`: every position by itself.
    FeedForward,
    /// `M`
    Mamba2,
    /// `R`
    Retention,
    /// `S`
    Mamba,
    /// `U`
    Rwkv4,
    /// `V`
    Rwkv7,
    /// `W`
    Rwkv6,
}

impl LayerKind {
    /// The letters of a pattern.
    pub const LETTERS: &str = "AEFMRSUVW";

    /// The kind of a letter.
    pub fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'A' => Self::Attention,
            'E' => Self::Experts,
            'F' => Self::FeedForward,
            'M' => Self::Mamba2,
            'R' => Self::Retention,
            'S' => Self::Mamba,
            'U' => Self::Rwkv4,
            'V' => Self::Rwkv7,
            'W' => Self::Rwkv6,
            _ => return None,
        })
    }
}

/// Sizes within layers.
impl HybridStackParams {
    /// Channels of Mamba and Mamba-2, and numbers of a value of all heads of retention.
    pub fn inner(&self) -> usize {
        2 * self.width()
    }

    /// Numbers between the halves of a feed-forward layer, and of an expert.
    pub fn between(&self) -> usize {
        (8 * self.width()).div_ceil(3)
    }

    /// Numbers that Δ of Mamba is made of.
    pub fn rank(&self) -> usize {
        self.width().div_ceil(16)
    }

    /// The duality of a layer of Mamba-2.
    pub fn duality(&self) -> SsdParams {
        let Self { batch, seq, heads, head_dim, state, .. } = *self;
        SsdParams { batch, seq, heads: 2 * heads, head_dim, groups: 1, state, extreme: false }
    }

    /// The scan of a layer of Mamba.
    pub fn scan(&self) -> SelectiveScanParams {
        let Self { batch, seq, .. } = *self;
        SelectiveScanParams { batch, seq, channels: self.inner(), state: SCAN_STATE, extreme: false }
    }

    /// The retention of a layer.
    pub fn retention(&self) -> RetentionParams {
        let Self { batch, seq, heads, head_dim, .. } = *self;
        let (key_dim, value_dim, form) = (head_dim, 2 * head_dim, "plain".to_owned());
        RetentionParams { batch, seq, heads, key_dim, value_dim, form, xpos: false, first_position: 0 }
    }

    /// The recurrence of a layer of RWKV-4.
    pub fn rwkv4(&self) -> Rwkv4Params {
        Rwkv4Params { batch: self.batch, seq: self.seq, channels: self.width(), extreme: false }
    }

    /// The recurrence of a layer of RWKV-6.
    pub fn rwkv6(&self) -> Rwkv6Params {
        let Self { batch, seq, heads, head_dim, .. } = *self;
        Rwkv6Params { batch, seq, heads, head_dim, extreme: false }
    }

    /// The recurrence of a layer of RWKV-7.
    pub fn rwkv7(&self) -> Rwkv7Params {
        let Self { batch, seq, heads, head_dim, .. } = *self;
        Rwkv7Params { batch, seq, heads, head_dim, extreme: false }
    }

    /// A convolution of so many channels.
    pub fn convolution(&self, channels: usize) -> CausalConvParams {
        CausalConvParams { batch: self.batch, seq: self.seq, channels, width: TAPS, silu: true }
    }
}

/// How a weight is made.
enum Drawn {
    /// A factor `[from, to]`, normal with variance 1 / from.
    Factor([usize; 2]),
    /// A factor of each expert, `[experts, from, to]`, normal with variance 1 / from.
    Each([usize; 3]),
    /// Normal numbers with this mean and deviation.
    Normal(Vec<usize>, [f32; 2]),
    /// As it is initialised, the same for every seed.
    Given(Array),
}

use Drawn::{Each, Factor, Given, Normal};

impl Drawn {
    /// Numbers of a weight, of so many experts at most.
    fn numbers(&self, most: usize) -> f64 {
        let numbers = match self {
            Factor([from, to]) => from * to,
            Each([experts, from, to]) => most.min(*experts) * from * to,
            Normal(shape, _) => shape.iter().product(),
            Given(array) => array.len(),
        };
        numbers as f64
    }
}

/// Standard normal.
const STANDARD: [f32; 2] = [0.0, 1.0];

/// Near 1.
const GAIN: [f32; 2] = [1.0, 0.1];

/// The weights of a layer with their names, and for recurrences the state that it begins at.
fn weights(params: &HybridStackParams, kind: LayerKind) -> Vec<(&'static str, Drawn)> {
    let HybridStackParams { batch, heads, head_dim, state, experts, .. } = *params;
    let (d, e, between, rank) = (params.width(), params.inner(), params.between(), params.rank());
    let taps = |channels: usize| Normal(vec![TAPS, channels], [0.0, 0.5]);
    // −A lies between 1 and 16, or counts the states of a channel; what RWKV-4 fades by lies between e^−5 and e^3.
    let of_heads = |head: usize| (1.0 + 15.0 * head as f32 / (2 * heads) as f32).ln();
    let of_states = |index: usize| ((index % SCAN_STATE + 1) as f32).ln();
    let of_channels = |index: usize| -5.0 + 8.0 * index as f32 / d as f32;
    let rates = |shape: Vec<usize>, rate: &dyn Fn(usize) -> f32| {
        let numbers: Vec<f32> = (0..shape.iter().product::<usize>()).map(rate).collect();
        Given(Array::new(shape, &numbers))
    };
    let mut all = match kind {
        LayerKind::Attention => {
            vec![
                ("w_query", Factor([d, d])),
                ("w_key", Factor([d, d])),
                ("w_value", Factor([d, d])),
                ("w_out", Factor([d, d])),
            ]
        }
        LayerKind::Experts => vec![
            ("w_router", Factor([d, experts])),
            ("w_gate", Each([experts, d, between])),
            ("w_up", Each([experts, d, between])),
            ("w_down", Each([experts, between, d])),
        ],
        LayerKind::FeedForward => {
            vec![("w_gate", Factor([d, between])), ("w_up", Factor([d, between])), ("w_down", Factor([between, d]))]
        }
        LayerKind::Mamba2 => vec![
            ("w_z", Factor([d, e])),
            ("w_x", Factor([d, e])),
            ("w_b", Factor([d, state])),
            ("w_c", Factor([d, state])),
            ("w_delta", Factor([d, 2 * heads])),
            ("conv_x", taps(e)),
            ("conv_b", taps(state)),
            ("conv_c", taps(state)),
            ("bias_x", Normal(vec![e], STANDARD)),
            ("bias_b", Normal(vec![state], STANDARD)),
            ("bias_c", Normal(vec![state], STANDARD)),
            ("delta_bias", Given(time_constants(2 * heads))),
            ("a_log", rates(vec![2 * heads], &of_heads)),
            ("skip", Normal(vec![2 * heads], STANDARD)),
            ("start", Normal(vec![batch, 2 * heads, head_dim, state], STANDARD)),
            ("gain_inner", Normal(vec![e], GAIN)),
            ("w_out", Factor([e, d])),
        ],
        LayerKind::Retention => vec![
            ("w_query", Factor([d, d])),
            ("w_key", Factor([d, d])),
            ("w_value", Factor([d, e])),
            ("w_gate", Factor([d, e])),
            ("start", Normal(vec![batch, heads, head_dim, 2 * head_dim], STANDARD)),
            ("w_out", Factor([e, d])),
        ],
        LayerKind::Mamba => vec![
            ("w_z", Factor([d, e])),
            ("w_x", Factor([d, e])),
            ("conv_x", taps(e)),
            ("bias_x", Normal(vec![e], STANDARD)),
            ("w_low", Factor([e, rank])),
            ("w_b", Factor([e, SCAN_STATE])),
            ("w_c", Factor([e, SCAN_STATE])),
            ("w_delta", Factor([rank, e])),
            ("delta_bias", Given(time_constants(e))),
            ("a_log", rates(vec![e, SCAN_STATE], &of_states)),
            ("skip", Normal(vec![e], STANDARD)),
            ("start", Normal(vec![batch, e, SCAN_STATE], STANDARD)),
            ("w_out", Factor([e, d])),
        ],
        LayerKind::Rwkv4 => vec![
            ("w_r", Factor([d, d])),
            ("w_k", Factor([d, d])),
            ("w_v", Factor([d, d])),
            ("decay", rates(vec![d], &of_channels)),
            ("bonus", Normal(vec![d], [0.0, 0.5])),
            ("start", Normal(vec![batch, d, 2], STANDARD)),
            ("w_out", Factor([d, d])),
        ],
        LayerKind::Rwkv7 => vec![
            ("w_r", Factor([d, d])),
            ("w_k", Factor([d, d])),
            ("w_v", Factor([d, d])),
            ("w_decay", Factor([d, d])),
            ("w_rate", Factor([d, d])),
            ("w_gate", Factor([d, d])),
            ("decay", Normal(vec![d], STANDARD)),
            ("rate", Normal(vec![d], STANDARD)),
            ("removal", Normal(vec![d], GAIN)),
            ("start", Normal(vec![batch, heads, head_dim, head_dim], STANDARD)),
            ("w_out", Factor([d, d])),
        ],
        LayerKind::Rwkv6 => vec![
            ("w_r", Factor([d, d])),
            ("w_k", Factor([d, d])),
            ("w_v", Factor([d, d])),
            ("w_decay", Factor([d, d])),
            ("w_gate", Factor([d, d])),
            // Decays of some 0.95, as the problem `rwkv-6` has them.
            ("decay", Normal(vec![d], [-3.0, 0.1])),
            ("bonus", Normal(vec![heads, head_dim], STANDARD)),
            ("start", Normal(vec![batch, heads, head_dim, head_dim], STANDARD)),
            ("w_out", Factor([d, d])),
        ],
    };
    all.push(("gain", Normal(vec![d], GAIN)));
    all
}

/// The weights of a layer from a seed.
pub fn drawn(params: &HybridStackParams, kind: LayerKind, layer: usize, seed: u64) -> Vec<(&'static str, Array)> {
    // The first stream is that of the input.
    let streams = MOST_WEIGHTS * (layer as u64 + 1)..;
    let one = |((name, drawn), stream): ((&'static str, Drawn), u64)| {
        let factor = |shape: Vec<usize>, from: usize| normal(shape, [0.0, 1.0 / (from as f32).sqrt()], seed, stream);
        let array = match drawn {
            Factor([from, to]) => factor(vec![from, to], from),
            Each([experts, from, to]) => factor(vec![experts, from, to], from),
            Normal(shape, around) => normal(shape, around, seed, stream),
            Given(array) => array,
        };
        (name, array)
    };
    weights(params, kind).into_iter().zip(streams).map(one).collect()
}

/// Numbers of the weights of a layer, and of the state that it begins at.
pub fn numbers(params: &HybridStackParams, kind: LayerKind) -> f64 {
    weights(params, kind).iter().map(|(_, drawn)| drawn.numbers(params.experts)).sum()
}

/// The same of what is read: of as many experts as there are choices, all at most.
pub fn read(params: &HybridStackParams, kind: LayerKind) -> f64 {
    let choices = params.batch * params.seq * params.chosen;
    weights(params, kind).iter().map(|(_, drawn)| drawn.numbers(choices)).sum()
}

/// Operations of a layer: of its products, and of what it mixes by.
pub fn flops(params: &HybridStackParams, kind: LayerKind) -> f64 {
    let positions = (params.batch * params.seq) as f64;
    let product = |(_, drawn): (&'static str, Drawn)| match drawn {
        Factor([from, to]) => 2.0 * positions * (from * to) as f64,
        Each([_, from, to]) => 2.0 * positions * (params.chosen * from * to) as f64,
        _ => 0.0,
    };
    let products: f64 = weights(params, kind).into_iter().map(product).sum();
    let convolved = |channels: usize| CausalConv::work(&params.convolution(channels), DType::F32).flops;
    let (inner, state) = (params.inner(), params.state);
    let mixed = match kind {
        // Scores and averages of what each position sees.
        LayerKind::Attention => 2.0 * positions * (params.seq + 1) as f64 * params.width() as f64,
        LayerKind::Experts | LayerKind::FeedForward => 0.0,
        LayerKind::Mamba2 => Ssd::work(&params.duality(), DType::F32).flops + convolved(inner) + 2.0 * convolved(state),
        LayerKind::Retention => Retention::work(&params.retention(), DType::F32).flops,
        LayerKind::Mamba => SelectiveScan::work(&params.scan(), DType::F32).flops + convolved(inner),
        LayerKind::Rwkv4 => Rwkv4::work(&params.rwkv4(), DType::F32).flops,
        LayerKind::Rwkv7 => Rwkv7::work(&params.rwkv7(), DType::F32).flops,
        LayerKind::Rwkv6 => Rwkv6::work(&params.rwkv6(), DType::F32).flops,
    };
    products + mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_a_kind_and_no_layer_has_too_many_weights() {
        let params = HybridStackParams { heads: 2, head_dim: 8, ..HybridStackParams::default() };
        let kinds: Vec<LayerKind> = LayerKind::LETTERS.chars().filter_map(LayerKind::of).collect();
        assert_eq!(kinds.len(), 9);
        assert_eq!([LayerKind::of('a'), LayerKind::of('X')], [None, None]);
        for kind in kinds {
            let count = weights(&params, kind).len();
            assert!(count as u64 <= MOST_WEIGHTS, "{kind:?} has {count}");
        }
    }

    #[test]
    fn a_position_goes_through_few_experts_and_many_read_all_of_them() {
        let of =
            |seq: usize| HybridStackParams { seq, heads: 2, head_dim: 3, experts: 5, ..HybridStackParams::default() };
        // A router and a gain; three factors of 6 × 16 an expert, of which a position takes two.
        let (others, expert) = (6.0 * 5.0 + 6.0, 3.0 * 6.0 * 16.0);
        assert_eq!(numbers(&of(1), LayerKind::Experts), others + 5.0 * expert);
        assert_eq!([1, 2, 3].map(|seq| (read(&of(seq), LayerKind::Experts) - others) / expert), [2.0, 4.0, 5.0]);
        assert_eq!(flops(&of(3), LayerKind::Experts), 2.0 * 3.0 * (30.0 + 2.0 * expert));
    }

    #[test]
    fn attention_and_a_feed_forward_have_the_weights_of_two_others() {
        // No state to begin at.
        let params = HybridStackParams { batch: 0, heads: 12, head_dim: 64, ..HybridStackParams::default() };
        let of =
            |pattern: &str| pattern.chars().filter_map(LayerKind::of).map(|kind| numbers(&params, kind)).sum::<f64>();
        for pattern in ["MM", "SS", "WW"] {
            let ratio = of(pattern) / of("AF");
            assert!((1.0..1.2).contains(&ratio), "{pattern}: {ratio}");
        }
    }
}
