//! Stacks of layers that mix in different ways, as a whole.

mod layers;
mod reference;

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::draw::check_numbers;
use crate::experts::check_chosen;

pub use layers::{LayerKind, SCAN_STATE, TAPS};

/// Layers, one after another, each of a kind of its own: x ← x + mixer(RMS norm(x) · gain), without a norm at the end.
///
/// A letter of the pattern is a layer, with d = heads · head_dim and e = 2 d:
/// - `A`: causal attention with its four projections (Vaswani et al., arXiv 1706.03762, section 3.2.2), without positions;
/// - `E`: the `chosen` of `experts` experts that a router x W_router scores highest, each a layer `F`, weighted by the softmax of all
///   scores divided by the sum of theirs (Jiang et al., arXiv 2401.04088, section 2.1; among Mamba: Lieber et al., Jamba, arXiv
///   2403.19887); nobody is dropped;
/// - `F`: (silu(x W_gate) ⊙ x W_up) W_down, with ⌈8 d / 3⌉ numbers between (Shazeer, arXiv 2002.05202, section 2);
/// - `M`: Mamba-2 (Dao & Gu, arXiv 2405.21060, figure 6): Δ, z, x, B and C are projected, the last three go through a causal
///   convolution over four steps and silu, then through the duality, whose result is gated by z and normed before it is projected;
/// - `R`: retention (Sun et al., arXiv 2307.08621, section 2.2) with values of twice a head's width and without turns, normed by
///   heads and gated;
/// - `S`: Mamba (Gu & Dao, arXiv 2312.00752, section 3.4), with a state of 16 and Δ of rank ⌈d / 16⌉;
/// - `U`: RWKV-4 (Peng et al., arXiv 2305.13048, section 3.1), whose receptance is its gate, without the shift to the step before;
/// - `V`: RWKV-7 (Peng et al., arXiv 2503.14456, section 4.1), whose removal key is a key times numbers of its own, normed by heads
///   and gated, without the shift to the step before and the mixing of keys with rates;
/// - `W`: RWKV-6 (Peng et al., arXiv 2404.05892, section 4.2), normed by heads and gated, without the shift to the step before.
///
/// Norms are RMS norms with ε = 10⁻⁵, those by heads without a gain. Recurrences begin at a state `start`, as in the middle of a
/// text; attention and convolutions see nothing before the first step. So `AFAF` is a transformer, and `MMMA` has one layer of
/// attention in four. `A` and `F` together have 12 d² weights, as have two of `M`, `S` or `W`; `R` has 8 d², `V` 7 d², `U` 4 d².
///
/// Inputs: `input` `[batch, seq, d]`, and the weights of layer `i` with `_i` after their names (`w_out_0`), as
/// [`HybridStackParams::layer`] tells them apart. Outputs: `output` `[batch, seq, d]` and, where there are layers `E`, `experts`
/// `[layers E, batch · seq, chosen]` of whole numbers, the best first and of equals the one with the lower index. Experts whose scores
/// differ by rounding alone may be chosen otherwise, and the stack is held to what follows from that.
pub struct HybridStack;

/// Numbers of a position at most.
const MOST_WIDTH: usize = 1 << 13;

/// Layers at most.
const MOST_LAYERS: usize = 64;

benchbook_core::parameters! {
    /// Parameters of [`HybridStack`].
    pub struct HybridStackParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// positions of a sequence
        seq: usize = 512, 1..=1 << 20;
        /// a letter for each layer: A attention, E experts, F feed-forward, M Mamba-2, R retention, S Mamba, U RWKV-4, V RWKV-7, W RWKV-6
        pattern: String = "MMMA".to_owned();
        /// heads of attention, retention and RWKV; Mamba-2 has twice as many
        heads: usize = 4, 1..=1 << 10;
        /// width of a head; heads times this is the width of the stack
        head_dim: usize = 64, 1..=1 << 12;
        /// numbers of B, and of C, in layers of Mamba-2
        state: usize = 64, 1..=256;
        /// experts of a layer of experts
        experts: usize = 8, 1..=1 << 12;
        /// experts of a position in such a layer
        chosen: usize = 2, 1..=1 << 12;
    }
}

impl HybridStackParams {
    /// Numbers of a position.
    pub fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// What the layers are, from the first on.
    pub fn kinds(&self) -> Vec<LayerKind> {
        self.pattern.chars().filter_map(LayerKind::of).collect()
    }

    /// The shape of what layers of experts choose: these layers, positions, and experts of a position.
    pub fn choices(&self) -> [usize; 3] {
        let layers = self.kinds().into_iter().filter(|kind| *kind == LayerKind::Experts).count();
        [layers, self.batch * self.seq, self.chosen]
    }

    /// The weights of a layer, under their names without its number.
    pub fn layer(&self, inputs: &Inputs, layer: usize) -> Inputs {
        let (suffix, mut own) = (format!("_{layer}"), Inputs::default());
        for (name, array) in inputs.iter() {
            if let Some(name) = name.strip_suffix(&suffix) {
                own.insert(name, array.clone());
            }
        }
        own
    }

    /// Operations of all layers.
    fn flops(&self) -> f64 {
        self.kinds().iter().map(|kind| layers::flops(self, *kind)).sum()
    }
}

impl Problem for HybridStack {
    const NAME: &'static str = "hybrid-stack";
    const ABOUT: &'static str =
        "a stack of layers by a pattern: attention, Mamba, Mamba-2, retention, RWKV-4, 6 and 7, feed-forward, experts";
    type Params = HybridStackParams;

    fn presets() -> Vec<Preset> {
        let of =
            |seq: i64, pattern: &str| Params::default().with("seq", Value::Int(seq)).with("pattern", pattern.into());
        let small = |pattern: &str| of(128, pattern).with("heads", Value::Int(2)).with("head_dim", Value::Int(32));
        let full = ["AAAA", "MMMA", "MMMM", "SSSS", "RRRR", "WWWW", "VVVV", "AFAF", "MEAE"];
        vec![
            Preset { name: "quick", cases: ["AA", "MA", "MM"].map(small).into() },
            Preset { name: "default", cases: full.map(|pattern| of(2048, pattern)).into() },
        ]
    }

    fn ugly() -> Vec<HybridStackParams> {
        let of = |pattern: &str, [batch, seq, heads, head_dim, state]: [usize; 5]| HybridStackParams {
            batch,
            seq,
            pattern: pattern.to_owned(),
            heads,
            head_dim,
            state,
            ..HybridStackParams::default()
        };
        let through = |[experts, chosen]: [usize; 2], pattern: &str, sizes: [usize; 5]| HybridStackParams {
            experts,
            chosen,
            ..of(pattern, sizes)
        };
        vec![
            of("A", [1, 1, 1, 2, 1]),
            of("AEFMRSUVW", [2, 1, 2, 5, 3]),
            // Fewer steps than a convolution sees.
            of("SM", [1, 3, 1, 6, 17]),
            of("MA", [2, 67, 3, 11, 5]),
            of("SF", [1, 40, 1, 33, 1]),
            of("RW", [2, 66, 3, 17, 1]),
            of("VA", [2, 34, 2, 17, 1]),
            of("UA", [2, 34, 3, 11, 1]),
            of("AMFA", [1, 70, 2, 9, 33]),
            through([1, 1], "E", [1, 1, 1, 1, 1]),
            through([3, 3], "EE", [2, 5, 1, 7, 1]),
            // More experts than choices.
            through([67, 2], "ME", [1, 3, 1, 6, 5]),
            // Where one has chosen, what comes after depends on it.
            through([5, 3], "EAEWE", [2, 67, 2, 9, 1]),
        ]
    }

    fn check(params: &HybridStackParams) -> Result<(), (&'static str, String)> {
        let HybridStackParams { batch, seq, heads, head_dim, state, experts, chosen, .. } = *params;
        if let Some(strange) = params.pattern.chars().find(|letter| LayerKind::of(*letter).is_none()) {
            return Err(("pattern", format!("`{strange}` is no layer, give letters of {}", LayerKind::LETTERS)));
        }
        let layers = params.pattern.len();
        if !(1..=MOST_LAYERS).contains(&layers) {
            return Err(("pattern", format!("{layers} layers are none or too many, give 1 to {MOST_LAYERS} letters")));
        }
        if params.width() > MOST_WIDTH {
            let width = params.width();
            return Err((
                "head_dim",
                format!("heads × head_dim is {width}, weights are made for {MOST_WIDTH} at most"),
            ));
        }
        check_chosen(chosen, experts)?;
        if params.choices()[0] > 0 {
            check_numbers("experts", &[experts, 3, params.width(), params.between()])?;
            check_numbers("seq", &[batch, seq, experts])?;
        }
        check_numbers("seq", &[batch, seq, 3 * params.width()])?;
        check_numbers("batch", &[batch, heads, 2 * head_dim, head_dim.max(state).max(SCAN_STATE)])
    }

    fn label(params: &HybridStackParams) -> String {
        let HybridStackParams { batch, seq, pattern, heads, head_dim, state, experts, chosen } = params;
        let usual = HybridStackParams::default();
        let is_usual = (*experts, *chosen) == (usual.experts, usual.chosen);
        let experts = if is_usual { String::new() } else { format!(" {chosen} of {experts}") };
        format!("{pattern} b{batch} s{seq} h{heads} d{head_dim} n{state}{experts}")
    }

    fn inputs(params: &HybridStackParams, seed: u64) -> Inputs {
        let HybridStackParams { batch, seq, .. } = *params;
        let mut inputs = Inputs::from([("input", Array::normal(vec![batch, seq, params.width()], seed, 1))]);
        for (layer, kind) in params.kinds().into_iter().enumerate() {
            for (name, array) in layers::drawn(params, kind, layer, seed) {
                inputs.insert(&format!("{name}_{layer}"), array);
            }
        }
        inputs
    }

    /// Layer by layer, as plain loops and the steps of recurrences. A position needs all before it in every layer, and none
    /// after it: where a case takes too many operations, the first positions of the first and of the last sequence are computed.
    fn reference(params: &HybridStackParams, inputs: &Inputs, seed: u64) -> Reference {
        reference::reference(params, inputs, seed)
    }

    fn follow(params: &HybridStackParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        reference::follow(params, inputs, outputs)
    }

    /// Products by weights, and what mixers take by their own counts; norms, gates and sums are left out. Weights (of
    /// experts those of as many as there are choices), states, positions and choices cross the interface to memory once.
    fn work(params: &HybridStackParams, dtype: DType) -> Work {
        let positions = (2 * params.batch * params.seq * params.width()) as f64;
        let numbers = params.kinds().iter().map(|kind| layers::read(params, *kind)).sum::<f64>() + positions;
        let choices = params.choices().into_iter().product::<usize>() as f64;
        Work { flops: params.flops(), bytes: numbers * dtype.bytes() as f64 + 4.0 * choices }
    }

    fn tolerance(_params: &HybridStackParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(params: &HybridStackParams, _inputs: &Inputs) -> Vec<Metric> {
        let one = HybridStackParams { batch: 0, ..params.clone() };
        let weights = one.kinds().iter().map(|kind| layers::numbers(&one, *kind)).sum();
        vec![Metric::modelled("weights", weights, "count")]
    }
}
