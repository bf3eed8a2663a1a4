//! A block in which every position sees all others: one kernel, or part by part where its matrices have other forms or positions
//! become fewer.

use benchbook_simd::{
    Activation, Affine, Attend, Between, Heads, Isa, Norm, NormWeights, Place, TransformerBlock, TransformerWeights,
    attention, attention_with_score_mod, layer_norm, transformer_block,
};

use super::add;
use super::merge::{chosen, directions, merged};
use super::plan::{EncoderPlan, Parts};
use crate::compress::kept_parts;
use crate::decoder::{Form, Held, Matrix, Role};
use crate::error::Result;
use crate::packing::{Family, Seeing, Weights};

/// A block whose weights are packed.
#[derive(Debug)]
pub struct Block {
    way: Way,
    held: Held,
    /// Percent of the positions that become one with another.
    merged: usize,
}

#[derive(Debug)]
enum Way {
    Whole(Box<TransformerWeights>),
    ByParts(Box<ByParts>),
}

/// A block part by part.
#[derive(Debug)]
struct ByParts {
    /// Queries, keys, values.
    seen: [Matrix; 3],
    out: Matrix,
    up: Matrix,
    down: Matrix,
    norms: [[Vec<f32>; 2]; 2],
    width: usize,
    hidden: usize,
    /// Heads, and numbers of each.
    heads: [usize; 2],
    post_norm: bool,
    /// What stands between up and down.
    by: Activation,
    epsilon: f64,
    isa: Isa,
}

/// Room for what blocks compute part by part; where nothing becomes one with another, nothing is allocated once it has held as much.
#[derive(Debug, Clone, Default)]
pub struct BlockRoom {
    /// Queries, keys and values, each `[batch, heads, seq, head_dim]`.
    heads: [Vec<f32>; 3],
    /// `[rows, heads · head_dim]`
    rows: Vec<f32>,
    /// `[rows, width]`
    normed: Vec<f32>,
    /// `[rows, hidden]`
    wide: Vec<f32>,
    /// How many positions each of them stands for.
    sizes: Vec<f32>,
    /// See [`BlockRoom::merges`].
    merges: Vec<Vec<[usize; 2]>>,
}

impl BlockRoom {
    /// Begins with so many positions, each of which stands for itself.
    pub fn begin(&mut self, positions: usize) {
        self.sizes.clear();
        self.sizes.resize(positions, 1.0);
        self.merges.clear();
    }

    /// How many positions each one stands for.
    pub fn sizes(&self) -> &[f32] {
        &self.sizes
    }

    /// By block that has made any one with others, of the first sequence: their places in what came into it, and those of the others.
    pub fn merges(&self) -> &[Vec<[usize; 2]>] {
        &self.merges
    }
}

impl Block {
    /// Packs the weights of a layer by a plan.
    ///
    /// # Errors
    /// What the source or a form says.
    pub fn load(weights: &Weights, of: &Seeing, layer: usize, plan: &EncoderPlan) -> Result<Self> {
        let Seeing { width, hidden, heads, family, epsilon, .. } = *of;
        let (names, d, post_norm) = (of.names(layer), width / heads, family == Family::Bert);
        let inner = [width, width, width, width, width, hidden];
        let mut products = Vec::new();
        for (name, inner) in names.products.iter().zip(inner) {
            products.push((weights.turned(&format!("{name}.weight"), inner)?, weights.bias(name)?));
        }
        let by = if family == Family::Clip { quick(&mut products) } else { Activation::ExactGelu };
        let (mut heads, mut hidden) = (heads, hidden);
        if let Some((parts, kept)) = plan.kept.as_ref().and_then(|parts| Some((parts, parts.of(layer)?))) {
            // Products whose columns are parts, the one whose rows are, and numbers of all columns and of a part.
            let (columns, rows, [all, each]) = match parts {
                Parts::Heads(_) => (0..3, 3, [width, d]),
                Parts::Channels(_) => (4..5, 5, [hidden, 1]),
            };
            for (weight, bias) in &mut products[columns] {
                *weight = kept_parts(weight, [all, each], kept);
                *bias = bias.as_ref().map(|bias| kept_parts(bias, [all, each], kept));
            }
            let weight = &mut products[rows].0;
            *weight = kept_parts(weight, [all * width, each * width], kept);
            match parts {
                Parts::Heads(_) => heads = kept.len(),
                Parts::Channels(_) => hidden = kept.len(),
            }
        }
        let norms = [weights.layer_norm(&names.norms[0])?, weights.layer_norm(&names.norms[1])?];
        let all = heads * d;
        let sizes = [[width, all], [width, all], [width, all], [all, width], [width, hidden], [hidden, width]];
        let forms = [Role::Attention(layer), Role::Feed(layer)].map(|role| plan.forms.of(role));
        if forms == [Form::Plain; 2] && plan.merged == 0 {
            let affine = |place: usize| Affine { weight: &products[place].0, bias: products[place].1.as_deref() };
            let block = TransformerBlock {
                width,
                hidden,
                heads: [heads, heads, d],
                causal: false,
                post_norm,
                norms: norms.each_ref().map(|[gain, bias]| NormWeights { gain, bias: Some(bias.as_slice()) }),
                epsilon,
                query: affine(0),
                key: affine(1),
                value: affine(2),
                out: affine(3),
                head_gains: None,
                up: affine(4),
                down: affine(5),
                between: Between::Activation(by),
            };
            let numbers = products.iter().map(|(weight, _)| weight.len()).sum::<usize>();
            let held = Held { bytes: numbers * size_of::<f32>(), numbers };
            let packed = TransformerWeights::new(&block, None, weights.isa)?;
            return Ok(Self { way: Way::Whole(Box::new(packed)), held, merged: 0 });
        }
        let matrix = |place: usize| -> Result<Matrix> {
            let (form, (weight, bias)) = (forms[usize::from(place > 3)], &products[place]);
            let mut weight = weight.clone();
            form.prune(&mut weight, sizes[place]);
            Matrix::new(form, sizes[place], &weight, bias.as_deref(), weights.isa)
        };
        let by_parts = ByParts {
            seen: [matrix(0)?, matrix(1)?, matrix(2)?],
            out: matrix(3)?,
            up: matrix(4)?,
            down: matrix(5)?,
            norms,
            width,
            hidden,
            heads: [heads, d],
            post_norm,
            by,
            epsilon,
            isa: weights.isa,
        };
        let held = by_parts.held();
        Ok(Self { way: Way::ByParts(Box::new(by_parts)), held, merged: plan.merged })
    }

    /// What its matrices take.
    pub fn held(&self) -> Held {
        self.held
    }

    /// What it makes of `stream` `[batch, seq, width]` in its place; `size` is batch and seq, and becomes that of what it has made.
    ///
    /// # Errors
    /// What a kernel refuses.
    pub fn apply(
        &self,
        size: &mut [usize; 2],
        stream: &mut Vec<f32>,
        other: &mut Vec<f32>,
        room: &mut BlockRoom,
    ) -> Result<()> {
        other.resize(stream.len(), 0.0);
        match &self.way {
            Way::Whole(weights) => {
                transformer_block(weights, *size, stream, other)?;
                std::mem::swap(stream, other);
                Ok(())
            }
            Way::ByParts(parts) => parts.apply(self.merged, size, stream, other, room),
        }
    }
}

impl ByParts {
    fn held(&self) -> Held {
        let rest = [&self.out, &self.up, &self.down];
        self.seen.iter().chain(rest).map(Matrix::held).sum()
    }

    fn norm(&self, place: usize, input: &[f32], out: &mut [f32]) -> Result<()> {
        let [gain, bias] = &self.norms[place];
        let norm = Norm { width: self.width, input, gain, epsilon: self.epsilon, isa: self.isa };
        Ok(layer_norm(&norm, bias, out)?)
    }

    fn apply(
        &self,
        merging: usize,
        size: &mut [usize; 2],
        stream: &mut Vec<f32>,
        other: &mut Vec<f32>,
        room: &mut BlockRoom,
    ) -> Result<()> {
        let ([batch, seq], [heads, d]) = (*size, self.heads);
        let numbers = batch * seq * heads * d;
        room.normed.resize(stream.len(), 0.0);
        room.rows.resize(numbers, 0.0);
        room.heads.iter_mut().for_each(|heads| heads.resize(numbers, 0.0));
        if !self.post_norm {
            self.norm(0, stream, &mut room.normed)?;
        }
        let BlockRoom { heads: apart, rows, normed, sizes, .. } = &mut *room;
        let seen = if self.post_norm { stream.as_slice() } else { normed.as_slice() };
        for (matrix, apart) in self.seen.iter().zip(apart.iter_mut()) {
            matrix.apply(Activation::None, seen, rows)?;
            by_heads(rows, [seq, heads, d], apart);
        }
        let [query, key, value] = apart.each_ref().map(Vec::as_slice);
        let sizes_of_call = Heads { batch, heads, kv_heads: heads, seq_q: seq, seq_kv: seq, head_dim: d };
        let (scale, causal, window, mask, isa) = (None, false, None, None, self.isa);
        let call = Attend { heads: sizes_of_call, query, key, value, scale, causal, window, mask, isa };
        if sizes.iter().all(|size| *size == 1.0) {
            attention(&call, &mut rows[..])?;
        } else {
            // Who stands for several positions is seen as often.
            let logarithms: Vec<f32> = sizes.iter().map(|size| size.ln()).collect();
            let as_often = |score: f32, place: Place| score + logarithms[place.batch * seq + place.key];
            attention_with_score_mod(&call, &as_often, &mut rows[..])?;
        }
        let mixed = &mut apart[0];
        by_rows(rows, [seq, heads, d], mixed);
        self.out.apply(Activation::None, mixed, other)?;
        add(other, stream);
        if self.post_norm {
            self.norm(0, other, normed)?;
            std::mem::swap(other, normed);
        }
        let leaving = (seq * merging / 100).min(seq / 2);
        if leaving > 0 {
            let keys = directions(&apart[1], [seq, heads, d]);
            let edges: Vec<Vec<[usize; 2]>> = keys.chunks_exact(seq * d).map(|keys| chosen(keys, d, leaving)).collect();
            merged(other, self.width, sizes, &edges);
            size[1] = seq - leaving;
            room.merges.extend(edges.into_iter().next());
        }
        self.feed(stream, other, room)
    }

    /// The feed-forward part of `between`, into `stream`.
    fn feed(&self, stream: &mut Vec<f32>, between: &mut Vec<f32>, room: &mut BlockRoom) -> Result<()> {
        let BlockRoom { normed, wide, .. } = room;
        normed.resize(between.len(), 0.0);
        stream.resize(between.len(), 0.0);
        wide.resize(between.len() / self.width * self.hidden, 0.0);
        if !self.post_norm {
            self.norm(1, between, normed)?;
        }
        let seen = if self.post_norm { between.as_slice() } else { normed.as_slice() };
        self.up.apply(self.by, seen, wide)?;
        self.down.apply(Activation::None, wide, stream)?;
        add(stream, between);
        if self.post_norm {
            self.norm(1, stream, between)?;
            std::mem::swap(stream, between);
        }
        Ok(())
    }
}

/// Makes of the last two products of a block what they are around the SiLU, by which the quick GELU of x is silu(1.702 x) / 1.702.
fn quick(products: &mut [(Vec<f32>, Option<Vec<f32>>)]) -> Activation {
    const SCALE: f32 = 1.702;
    if let [.., (up, bias), (down, _)] = products {
        up.iter_mut().chain(bias.iter_mut().flatten()).for_each(|number| *number *= SCALE);
        down.iter_mut().for_each(|number| *number /= SCALE);
    }
    Activation::Silu
}

/// Rows `[batch, seq, heads · head_dim]` as `[batch, heads, seq, head_dim]`.
fn by_heads(rows: &[f32], [seq, heads, d]: [usize; 3], to: &mut [f32]) {
    let each = seq * heads * d;
    for (rows, to) in rows.chunks_exact(each).zip(to.chunks_exact_mut(each)) {
        for (place, row) in rows.chunks_exact(heads * d).enumerate() {
            for (head, numbers) in row.chunks_exact(d).enumerate() {
                to[(head * seq + place) * d..][..d].copy_from_slice(numbers);
            }
        }
    }
}

/// Heads `[batch, heads, seq, head_dim]` as rows `[batch, seq, heads · head_dim]`.
pub(super) fn by_rows(heads_apart: &[f32], [seq, heads, d]: [usize; 3], to: &mut [f32]) {
    let each = seq * heads * d;
    for (from, to) in heads_apart.chunks_exact(each).zip(to.chunks_exact_mut(each)) {
        for (place, row) in to.chunks_exact_mut(heads * d).enumerate() {
            for (head, numbers) in row.chunks_exact_mut(d).enumerate() {
                numbers.copy_from_slice(&from[(head * seq + place) * d..][..d]);
            }
        }
    }
}
