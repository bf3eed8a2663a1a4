//! The weights of a transformer block.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

use crate::attention::Heads;
use crate::blocks::linear::{expect_numbers, whole};
use crate::blocks::{Activation, Affine, MlpWeights, Norm, Rotary, layer_norm, rms_norm};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa::{self, Tile};
use crate::matmul::packed::{Packed, with_panels};

/// A norm of positions: a layer norm where it has a bias, and else an RMS norm.
#[derive(Debug, Clone, Copy)]
pub struct NormWeights<'a> {
    /// `[width]`
    pub gain: &'a [f32],
    /// `[width]`
    pub bias: Option<&'a [f32]>,
}

/// What lies between the products of the feed-forward part.
#[derive(Debug, Clone, Copy)]
pub enum Between<'a> {
    /// A function of single numbers.
    Activation(Activation),
    /// SwiGLU, with its gate `[width, hidden]`; there is no bias then.
    Gate(&'a [f32]),
}

/// Weights as matrices, row-major, and what tells the blocks of models apart.
#[derive(Debug, Clone, Copy)]
pub struct TransformerBlock<'a> {
    /// Numbers of a position.
    pub width: usize,
    /// Numbers between the products of the feed-forward part.
    pub hidden: usize,
    /// Query heads, key and value heads, each shared by as many query heads, and numbers of one query, key or value.
    pub heads: [usize; 3],
    /// Whether a position sees none after itself.
    pub causal: bool,
    /// Whether norms follow the sums, in the place of going before attention and before the feed-forward part.
    pub post_norm: bool,
    /// That of attention and that of the feed-forward part.
    pub norms: [NormWeights<'a>; 2],
    /// What norms add to a variance or a mean square.
    pub epsilon: f64,
    /// From `width` to `heads · head_dim` numbers.
    pub query: Affine<'a>,
    /// From `width` to `kv_heads · head_dim` numbers.
    pub key: Affine<'a>,
    /// From `width` to `kv_heads · head_dim` numbers.
    pub value: Affine<'a>,
    /// From `heads · head_dim` to `width` numbers.
    pub out: Affine<'a>,
    /// Gains `[head_dim]` of RMS norms of each head's query and key, where they have such.
    pub head_gains: Option<[&'a [f32]; 2]>,
    /// From `width` to `hidden` numbers.
    pub up: Affine<'a>,
    /// From `hidden` to `width` numbers.
    pub down: Affine<'a>,
    /// What lies between the two.
    pub between: Between<'a>,
}

/// Weights packed for an instruction set: made once for a model, used by every call.
#[derive(Debug)]
pub struct TransformerWeights {
    pub(super) isa: Isa,
    pub(super) width: usize,
    /// See [`TransformerBlock::heads`].
    pub(super) heads: [usize; 3],
    pub(super) causal: bool,
    pub(super) post_norm: bool,
    epsilon: f64,
    norms: [(Vec<f32>, Option<Vec<f32>>); 2],
    /// Of every head a panel of its own at least.
    pub(super) query: Projection,
    pub(super) key: Projection,
    pub(super) value: Projection,
    pub(super) out: Projection,
    head_gains: Option<[Vec<f32>; 2]>,
    pub(super) rotary: Option<Rotary>,
    pub(super) mlp: MlpWeights,
}

/// What multiplies positions, and what is added to them, with a number for each column of whole panels.
#[derive(Debug)]
pub struct Projection {
    pub packed: Packed<1>,
    pub bias: Option<Vec<f32>>,
}

impl Projection {
    /// Of every head a panel of its own at least.
    fn of_heads<T: Tile + Sync>(tile: &T, from: Affine, k: usize, [heads, width]: [usize; 2]) -> Self {
        let packed = Packed::of_heads(tile, from.weight, k, [heads, width]);
        let padded = packed.across() / heads;
        let bias = from.bias.map(|bias| with_panels(bias, [width, padded]));
        Self { packed, bias }
    }
}

impl TransformerWeights {
    /// Packs weights for the instructions `isa`; where there is a `rotary`, it turns queries and keys.
    ///
    /// # Errors
    /// Slices of the wrong length, heads that do not divide, a block of no numbers, a bias beside a gate, angles for heads of another
    /// width, an instruction set that is absent.
    pub fn new(block: &TransformerBlock, rotary: Option<Rotary>, isa: Isa) -> Result<Self> {
        let TransformerBlock { width, hidden, heads: [heads, kv_heads, head_dim], up, down, .. } = *block;
        Heads { batch: 1, heads, kv_heads, seq_q: 1, seq_kv: 1, head_dim }.check()?;
        let (all, kv) = (heads * head_dim, kv_heads * head_dim);
        expect_numbers([width, all])?;
        block.query.check(["the query weights", "the query bias"], [width, all])?;
        block.key.check(["the key weights", "the key bias"], [width, kv])?;
        block.value.check(["the value weights", "the value bias"], [width, kv])?;
        block.out.check(["the output weights", "the output bias"], [all, width])?;
        for NormWeights { gain, bias } in block.norms {
            expect_len("the gain of a norm", &[width], gain.len())?;
            bias.map_or(Ok(()), |bias| expect_len("the bias of a norm", &[width], bias.len()))?;
        }
        for gain in block.head_gains.iter().flatten() {
            expect_len("the gain of heads", &[head_dim], gain.len())?;
        }
        if let Some(known) = rotary.as_ref().map(Rotary::head_dim).filter(|known| *known != head_dim) {
            return Err(Error::Shape(format!("heads are {head_dim} wide, angles are known for {known}")));
        }
        let mlp = match block.between {
            Between::Activation(activation) => MlpWeights::affine([width, hidden], activation, up, down, isa)?,
            Between::Gate(_) if up.bias.or(down.bias).is_some() => {
                return Err(Error::Shape("a gated network has no bias: leave those of up and down away".into()));
            }
            Between::Gate(gate) => MlpWeights::swiglu([width, hidden], gate, up.weight, down.weight, isa)?,
        };
        Ok(with_isa!(isa, |tile| Self::packed(&tile, block, rotary, mlp, isa)))
    }

    fn packed<T: Tile + Sync>(
        tile: &T,
        block: &TransformerBlock,
        rotary: Option<Rotary>,
        mlp: MlpWeights,
        isa: Isa,
    ) -> Self {
        let TransformerBlock { width, heads, causal, post_norm, epsilon, norms, query, key, value, out, .. } = *block;
        let [of_queries, of_keys, head_dim] = heads;
        let packed = Packed::new(tile, [out.weight], [1, of_queries * head_dim, width]);
        let bias = whole(out.bias, packed.across());
        Self {
            isa,
            width,
            heads,
            causal,
            post_norm,
            epsilon,
            norms: norms.map(|NormWeights { gain, bias }| (gain.to_vec(), bias.map(<[f32]>::to_vec))),
            query: Projection::of_heads(tile, query, width, [of_queries, head_dim]),
            key: Projection::of_heads(tile, key, width, [of_keys, head_dim]),
            value: Projection::of_heads(tile, value, width, [of_keys, head_dim]),
            out: Projection { packed, bias },
            head_gains: block.head_gains.map(|gains| gains.map(<[f32]>::to_vec)),
            rotary,
            mlp,
        }
    }

    /// The norm of attention, or that of the feed-forward part.
    pub(super) fn norm(&self, part: usize, input: &[f32], out: &mut [f32]) -> Result<()> {
        let (gain, bias) = &self.norms[part];
        let norm = self.rows(input, gain);
        match bias {
            Some(bias) => layer_norm(&norm, bias, out),
            None => rms_norm(&norm, out),
        }
    }

    /// Heads of queries and of keys with their norms, where they have such, into numbers of the same shapes; whether they have.
    pub(super) fn head_norms(&self, heads: [&[f32]; 2], out: [&mut [f32]; 2]) -> Result<bool> {
        let Some(gains) = &self.head_gains else { return Ok(false) };
        for ((heads, gain), out) in heads.into_iter().zip(gains).zip(out) {
            rms_norm(&self.rows(heads, gain), out)?;
        }
        Ok(true)
    }

    /// Rows to norm, as wide as their gain.
    fn rows<'a>(&self, input: &'a [f32], gain: &'a [f32]) -> Norm<'a> {
        Norm { width: gain.len(), input, gain, epsilon: self.epsilon, isa: self.isa }
    }
}
