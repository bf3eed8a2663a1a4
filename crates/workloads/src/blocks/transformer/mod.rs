//! The transformer block: attention and a feed-forward network, each with its norm and its sum.

mod architecture;
mod reference;

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Value, Work};

use crate::attention::sizes::{self, check_kv_heads, check_scores, scores};
use crate::draw::{normal, weights};
use crate::named::NAMED;
use crate::tolerance::tolerance_of_scores;

pub use architecture::Architecture;

/// A block of a transformer, as one of four models has it: the baseline of what replaces its parts.
///
/// With `n` a norm, GPT-2, LLaMA and Qwen3 are y = x + attention(n₁(x)), y + feed(n₂(y)), causal; BERT is y = n₁(x + attention(x)),
/// n₂(y + feed(y)), and every position sees all. GPT-2 and BERT have layer norms, biases, and a feed-forward network with GELU (of
/// GPT-2 by tanh, of BERT exact); their positions are learned, and come in with the input. LLaMA and Qwen3 have RMS norms, no bias,
/// SwiGLU, grouped-query heads, and queries and keys that are turned; in Qwen3 each head's query and key has an RMS norm before
/// that. Norms are those of [`LayerNorm`](super::LayerNorm) and [`RmsNorm`](super::RmsNorm), and the rotation is that of
/// [`Rotary`](super::Rotary), so that constants are the same in all four: as published, BERT adds 10⁻¹² in its norms and Qwen3 10⁻⁶,
/// and Qwen3 turns with the base 10⁶. The operations are the same, and take as long.
///
/// Inputs: `input` `[batch, seq, width]`, standard normal; `w_query` `[width, heads · head_dim]`, `w_key` and `w_value`
/// `[width, kv_heads · head_dim]`, `w_out` `[heads · head_dim, width]`, `w_up` `[width, hidden]`, `w_down` `[hidden, width]`, with
/// SwiGLU `w_gate` `[width, hidden]`, with variance 1 / rows, where there are biases `b_query` to `b_down`; `gain_1`, `gain_2`, of
/// layer norms `bias_1`, `bias_2` `[width]`; in Qwen3 `query_gain` and `key_gain` `[head_dim]`. Weights stay from call to call:
/// bringing them into another layout is preparation, as loading a model is.
pub struct TransformerBlock;

/// Numbers of all query heads at most.
const MOST_PROJECTED: usize = 1 << 15;

benchbook_core::parameters! {
    /// Parameters of [`TransformerBlock`].
    pub struct TransformerBlockParams {
        /// the model whose block it is: gpt-2, bert, llama or qwen3
        architecture: String = "gpt-2".to_owned(), Architecture::NAMES;
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// positions of a sequence
        seq: usize = 512, 1..=1 << 20;
        /// query heads
        heads: usize = 12, 1..=1 << 12;
        /// key and value heads; follows heads unless set
        kv_heads: usize = 12, 1..=1 << 12;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 12;
        /// numbers of a position; heads · head_dim unless set
        width: usize = 768, 1..=1 << 15;
        /// numbers between the products of the feed-forward network; four times the width unless set
        hidden: usize = 3072, 1..=1 << 17;
    }
}

impl TransformerBlockParams {
    /// The model whose block it is.
    pub fn architecture(&self) -> Architecture {
        Architecture::of(&self.architecture)
    }

    /// Numbers of all queries, and of all keys, of a position.
    pub fn projected(&self) -> [usize; 2] {
        [self.heads * self.head_dim, self.kv_heads * self.head_dim]
    }

    /// Matrices, each with the vector that is its bias where there are biases, and its shape.
    fn matrices(&self) -> Vec<(&'static str, &'static str, [usize; 2])> {
        let (width, hidden, [query, kv]) = (self.width, self.hidden, self.projected());
        let mut matrices = vec![
            ("w_query", "b_query", [width, query]),
            ("w_key", "b_key", [width, kv]),
            ("w_value", "b_value", [width, kv]),
            ("w_out", "b_out", [query, width]),
            ("w_up", "b_up", [width, hidden]),
            ("w_down", "b_down", [hidden, width]),
        ];
        if self.architecture().rotary() {
            matrices.push(("w_gate", "", [width, hidden]));
        }
        matrices
    }

    /// Gains of norms.
    fn gains(&self) -> Vec<(&'static str, usize)> {
        let mut gains = vec![("gain_1", self.width), ("gain_2", self.width)];
        if self.architecture().head_norms() {
            gains.extend([("query_gain", self.head_dim), ("key_gain", self.head_dim)]);
        }
        gains
    }

    /// Biases of norms and of products.
    fn biases(&self) -> Vec<(&'static str, usize)> {
        if !self.architecture().biased() {
            return Vec::new();
        }
        let of_products = self.matrices().into_iter().map(|(_, bias, [_, columns])| (bias, columns));
        [("bias_1", self.width), ("bias_2", self.width)].into_iter().chain(of_products).collect()
    }
}

impl Problem for TransformerBlock {
    const NAME: &'static str = "transformer-block";
    const ABOUT: &'static str = "a block of GPT-2, BERT, LLaMA or Qwen3: norms, attention and feed-forward network";
    type Params = TransformerBlockParams;

    fn presets() -> Vec<Preset> {
        let of = |architecture: &str, [seq, heads, kv_heads, head_dim, width, hidden]: [i64; 6]| {
            let names = ["seq", "heads", "kv_heads", "head_dim", "width", "hidden"];
            let sizes = names.into_iter().zip([seq, heads, kv_heads, head_dim, width, hidden]);
            let named = Params::default().with("architecture", architecture.into());
            sizes.fold(named, |params, (name, size)| params.with(name, Value::Int(size)))
        };
        let quick = vec![
            of("gpt-2", [128, 4, 4, 64, 256, 1024]),
            of("bert", [128, 4, 4, 64, 256, 1024]),
            of("llama", [128, 4, 2, 64, 256, 704]),
            of("qwen3", [128, 4, 2, 64, 192, 704]),
        ];
        // GPT-2 small, BERT base, the block of TinyLlama 1.1B, and that of Qwen3 0.6B.
        let gpt2 = |seq: i64| of("gpt-2", [seq, 12, 12, 64, 768, 3072]);
        let llama = |seq: i64| of("llama", [seq, 32, 4, 64, 2048, 5632]);
        let full = vec![
            gpt2(128),
            gpt2(512),
            gpt2(1024),
            of("bert", [512, 12, 12, 64, 768, 3072]),
            llama(128),
            llama(512),
            of("qwen3", [512, 16, 8, 128, 1024, 3072]),
        ];
        let named = NAMED.iter().map(|one| {
            let case = of("gpt-2", [one.seq, one.heads, one.heads, one.width / one.heads, one.width, 4 * one.width]);
            Preset { name: one.preset, cases: vec![case.with("batch", Value::Int(one.batch))] }
        });
        let usual = [Preset { name: "quick", cases: quick }, Preset { name: "default", cases: full }];
        usual.into_iter().chain(named).collect()
    }

    fn ugly() -> Vec<TransformerBlockParams> {
        let of = |architecture: &str, [batch, seq, heads, kv_heads, head_dim, width, hidden]: [usize; 7]| {
            let architecture = architecture.to_owned();
            TransformerBlockParams { architecture, batch, seq, heads, kv_heads, head_dim, width, hidden }
        };
        vec![
            of("gpt-2", [1, 1, 1, 1, 3, 3, 1]),
            of("gpt-2", [2, 17, 3, 3, 5, 15, 33]),
            of("bert", [1, 1, 3, 3, 1, 3, 2]),
            of("bert", [2, 33, 2, 2, 17, 34, 67]),
            of("llama", [1, 1, 1, 1, 2, 3, 1]),
            // The first position sees itself alone; heads do not add up to the width.
            of("llama", [2, 19, 4, 2, 6, 17, 33]),
            of("qwen3", [1, 67, 3, 1, 34, 33, 5]),
            of("qwen3", [3, 1, 2, 2, 8, 18, 130]),
        ]
    }

    fn derive(given: Params) -> Params {
        let given = given.following("kv_heads", "heads");
        let or = |name: &str, other: i64| match given.0.get(name) {
            Some(Value::Int(size)) => *size,
            _ => other,
        };
        let default = TransformerBlockParams::default();
        let [heads, head_dim] =
            [("heads", default.heads), ("head_dim", default.head_dim)].map(|(name, size)| or(name, size as i64));
        let width = or("width", heads.saturating_mul(head_dim));
        let hidden = or("hidden", width.saturating_mul(4));
        given.with("width", Value::Int(width)).with("hidden", Value::Int(hidden))
    }

    fn check(params: &TransformerBlockParams) -> Result<(), (&'static str, String)> {
        let TransformerBlockParams { batch, seq, heads, kv_heads, head_dim, width, .. } = *params;
        let (name, [query, kv]) = (&params.architecture, params.projected());
        check_kv_heads(heads, kv_heads)?;
        if params.architecture().biased() && kv != query {
            return Err(("kv_heads", format!("{name} has as many key heads as query heads, {heads}, not {kv_heads}")));
        }
        if params.architecture().biased() && query != width {
            return Err((
                "width",
                format!("heads of {name} are parts of the width: {heads} × {head_dim}, not {width}"),
            ));
        }
        if params.architecture().rotary() && !head_dim.is_multiple_of(2) {
            return Err(("head_dim", format!("{head_dim} is odd: numbers are rotated in pairs")));
        }
        if query > MOST_PROJECTED {
            return Err(("head_dim", format!("heads × head_dim is {query}, give {MOST_PROJECTED} at most")));
        }
        check_scores("seq", [batch, heads, seq, seq])
    }

    fn label(params: &TransformerBlockParams) -> String {
        let TransformerBlockParams { batch, seq, heads, kv_heads, head_dim, width, hidden, .. } = *params;
        let (name, heads) = (&params.architecture, sizes::label(heads, kv_heads));
        format!("{name} b{batch} {heads} s{seq} d{head_dim} w{width}→{hidden}")
    }

    fn inputs(params: &TransformerBlockParams, seed: u64) -> Inputs {
        let mut inputs =
            Inputs::from([("input", Array::normal(vec![params.batch, params.seq, params.width], seed, 1))]);
        let mut streams = 2..;
        let mut stream = || streams.next().unwrap_or_default();
        for (name, _, shape) in params.matrices() {
            inputs.insert(name, weights(shape, seed, stream()));
        }
        for (name, size) in params.gains() {
            inputs.insert(name, normal(vec![size], [1.0, 0.1], seed, stream()));
        }
        for (name, size) in params.biases() {
            inputs.insert(name, normal(vec![size], [0.0, 0.1], seed, stream()));
        }
        inputs
    }

    fn reference(params: &TransformerBlockParams, inputs: &Inputs, seed: u64) -> Reference {
        reference::solve(params, inputs, seed)
    }

    /// Operations of the products and of attention to what is visible; bytes of the input, the result and the weights, each
    /// once: nothing between them needs to cross the memory interface.
    fn work(params: &TransformerBlockParams, dtype: DType) -> Work {
        let TransformerBlockParams { batch, seq, width, .. } = *params;
        let [query, _] = params.projected();
        let matrices: usize = params.matrices().into_iter().map(|(_, _, [from, to])| from * to).sum();
        let vectors: usize = params.gains().into_iter().chain(params.biases()).map(|(_, size)| size).sum();
        let positions = (batch * seq) as f64;
        let pairs = batch as f64 * scores(seq, seq, params.architecture().causal());
        let numbers = 2.0 * positions * width as f64 + (matrices + vectors) as f64;
        let flops = 2.0 * positions * matrices as f64 + 4.0 * query as f64 * pairs;
        Work { flops, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &TransformerBlockParams, dtype: DType) -> f64 {
        tolerance_of_scores(dtype)
    }
}
