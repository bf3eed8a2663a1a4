//! The vision tower of Qwen3-VL.

use benchbook_simd::{Activation, Attend, Heads, Isa, Norm, attention, layer_norm};

use super::add;
use super::block::by_rows;
use crate::decoder::{Form, Held, Matrix, in_order};
use crate::description::{Description, Tower, Vision};
use crate::error::{Error, Result};
use crate::packing::Weights;
use crate::weights::Source;

/// What norms add to a variance, and the base of the angles by which queries and keys are turned.
const EPSILON: f64 = 1e-6;
const BASE: f64 = 1e4;

/// The vision tower of a Qwen3-VL (arXiv 2511.21631, section 2) whose weights are packed for this processor: patches with what is learned
/// for places of a square, interpolated to the grid of an image; blocks in which every patch of an image sees all, whose queries and keys
/// are turned by their row and their column; and what makes tokens of the text out of patches that lie together, of those behind the last
/// block and of those behind some before.
#[derive(Debug)]
pub struct ImageEncoder {
    vision: Vision,
    /// Numbers of a token.
    out: usize,
    isa: Isa,
    patches: Matrix,
    /// `[positions, width]`, of a square.
    places: Vec<f32>,
    layers: Vec<Layer>,
    merger: Merger,
    /// By deep layer.
    deep: Vec<Merger>,
}

#[derive(Debug)]
struct Layer {
    norms: [[Vec<f32>; 2]; 2],
    qkv: Matrix,
    out: Matrix,
    up: Matrix,
    down: Matrix,
}

/// What makes a token of patches that lie together: a norm, of each patch or of all of them, and two products.
#[derive(Debug)]
struct Merger {
    norm: [Vec<f32>; 2],
    up: Matrix,
    down: Matrix,
}

/// Room for what it computes: nothing is allocated once it has held as much, beyond what the kernels' threads keep.
#[derive(Debug, Clone, Default)]
pub struct ImageRoom {
    /// Patches of some groups alone.
    some: Vec<f32>,
    stream: Vec<f32>,
    other: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    /// Queries, keys and values, each `[batch, heads, seq, head_dim]`.
    heads: [Vec<f32>; 3],
    mixed: Vec<f32>,
    wide: Vec<f32>,
    /// What is learned for the places of a grid, `[seq, width]`.
    places: Vec<f32>,
    /// Cosines and sines of a grid, `[seq, head_dim / 2]`.
    angles: Vec<[f32; 2]>,
    tokens: Vec<f32>,
}

impl ImageEncoder {
    /// Packs the weights that `source` gives.
    ///
    /// # Errors
    /// A model without such a tower, heads whose numbers are no quadruples, or what the source says.
    pub fn load(model: &Description, source: &dyn Source) -> Result<Self> {
        let vision = model.vision.as_ref().filter(|vision| vision.tower == Tower::Qwen3Vl);
        let vision = vision.ok_or_else(|| Error::NotBuilt(model.name.clone()))?;
        let &Vision { width, hidden, heads, patch, frames, positions, merged, .. } = vision;
        let inconsistent = |reason: String| Error::Inconsistent { model: model.name.clone(), reason };
        if !(width / heads).is_multiple_of(4) {
            return Err(inconsistent(format!("heads of {} numbers: give a multiple of four", width / heads)));
        }
        if positions == 0 || positions.isqrt().pow(2) != positions || merged == 0 {
            return Err(inconsistent(format!("{positions} places are no square, or {merged} patches become a token")));
        }
        let tensors = model.tensors();
        let weights = Weights::of(&tensors, source);
        let matrix = |name: &str, [inner, outer]: [usize; 2]| -> Result<Matrix> {
            let name = format!("model.visual.{name}");
            let (weight, bias) = (weights.turned(&format!("{name}.weight"), inner)?, weights.bias(&name)?);
            Matrix::new(Form::Plain, [inner, outer], &weight, bias.as_deref(), weights.isa)
        };
        let norm = |name: &str| weights.layer_norm(&format!("model.visual.{name}"));
        let layer = |layer: usize| -> Result<Layer> {
            let at = |name: &str| format!("blocks.{layer}.{name}");
            Ok(Layer {
                norms: [norm(&at("norm1"))?, norm(&at("norm2"))?],
                qkv: matrix(&at("attn.qkv"), [width, 3 * width])?,
                out: matrix(&at("attn.proj"), [width, width])?,
                up: matrix(&at("mlp.linear_fc1"), [width, hidden])?,
                down: matrix(&at("mlp.linear_fc2"), [hidden, width])?,
            })
        };
        let (together, out) = (merged * merged * width, model.text.width);
        let merger = |at: &str| -> Result<Merger> {
            Ok(Merger {
                norm: norm(&format!("{at}.norm"))?,
                up: matrix(&format!("{at}.linear_fc1"), [together, together])?,
                down: matrix(&format!("{at}.linear_fc2"), [together, out])?,
            })
        };
        let deep = (0..vision.deep.len()).map(|index| merger(&format!("deepstack_merger_list.{index}")));
        Ok(Self {
            out,
            isa: weights.isa,
            patches: matrix("patch_embed.proj", [3 * frames * patch * patch, width])?,
            places: weights.numbers("model.visual.pos_embed.weight")?,
            layers: (0..vision.layers).map(layer).collect::<Result<_>>()?,
            merger: merger("merger")?,
            deep: deep.collect::<Result<_>>()?,
            vision: vision.clone(),
        })
    }

    /// What it is made of.
    pub fn vision(&self) -> &Vision {
        &self.vision
    }

    /// What its matrices take.
    pub fn held(&self) -> Held {
        let of_layer = |layer: &Layer| [&layer.qkv, &layer.out, &layer.up, &layer.down].map(Matrix::held);
        let of_merger = |merger: &Merger| merger.up.held() + merger.down.held();
        let mergers = self.deep.iter().chain([&self.merger]).map(of_merger);
        self.layers.iter().flat_map(of_layer).chain(mergers).chain([self.patches.held()]).sum()
    }

    /// Multiply-adds of an image of which so many patches go through its blocks.
    pub fn products(&self, patches: usize) -> usize {
        let Vision { width, merged, .. } = self.vision;
        let of_layer = |layer: &Layer| {
            let matrices = [&layer.qkv, &layer.out, &layer.up, &layer.down];
            matrices.map(|matrix| matrix.held().numbers).iter().sum::<usize>() + 2 * patches * width
        };
        let of_merger = |merger: &Merger| (merger.up.held() + merger.down.held()).numbers;
        let of_patch = self.patches.held().numbers + self.layers.iter().map(of_layer).sum::<usize>();
        let of_token: usize = self.deep.iter().chain([&self.merger]).map(of_merger).sum();
        patches * of_patch + patches / (merged * merged) * of_token
    }

    /// Tokens `[1 + deep, images, seq / merged², text width]` of images of one grid, whose patches `[images, seq, 3 · frames · patch²]` come
    /// with those together that become a token: those of the last block first, and then of each deep one.
    ///
    /// # Errors
    /// No patches, a grid of which patches are left over, or other numbers than patches of whole images have.
    pub fn tokens<'a>(&self, room: &'a mut ImageRoom, patches: &[f32], grid: [usize; 2]) -> Result<&'a [f32]> {
        self.tokens_of(room, patches, grid, None)
    }

    /// The same of some groups of patches alone, those that become a token, by their places in the grid of tokens, row by row and
    /// ascending: of the others nothing is seen, and those that are left stand where they stood. Which are worth it, [`most_varied`] says.
    ///
    /// # Errors
    /// As there, and groups that the image does not have, or not in their order.
    ///
    /// [`most_varied`]: crate::most_varied
    pub fn tokens_of<'a>(
        &self,
        room: &'a mut ImageRoom,
        patches: &[f32],
        [rows, columns]: [usize; 2],
        groups: Option<&[usize]>,
    ) -> Result<&'a [f32]> {
        let Vision { width, heads, merged, hidden, .. } = self.vision;
        let (all, d, inner, together) = (rows * columns, width / heads, self.patches.inner(), merged * merged);
        if patches.is_empty() || all == 0 || groups.is_some_and(<[usize]>::is_empty) {
            return Err(Error::EmptyPrompt);
        }
        if !rows.is_multiple_of(merged) || !columns.is_multiple_of(merged) || !patches.len().is_multiple_of(all * inner)
        {
            let words =
                format!("{} numbers are no images of {rows} × {columns} patches of {inner} numbers", patches.len());
            return Err(Error::Session(format!("{words}, of which {merged} × {merged} become a token")));
        }
        if let Some(groups) = groups {
            in_order(groups, all / together)?;
            room.some.clear();
            for image in patches.chunks_exact(all * inner) {
                let group = |group: &usize| &image[group * together * inner..][..together * inner];
                groups.iter().map(group).for_each(|patches| room.some.extend_from_slice(patches));
            }
        }
        let (batch, seq) = (patches.len() / (all * inner), groups.map_or(all, |groups| groups.len() * together));
        let numbers = batch * seq * width;
        for part in [&mut room.stream, &mut room.other, &mut room.normed, &mut room.mixed] {
            part.resize(numbers, 0.0);
        }
        room.heads.iter_mut().for_each(|part| part.resize(numbers, 0.0));
        room.qkv.resize(3 * numbers, 0.0);
        room.wide.resize(batch * seq * hidden.max(width), 0.0);
        self.grid(room, [rows, columns], groups);
        let each = batch * seq / together * self.out;
        room.tokens.resize((1 + self.deep.len()) * each, 0.0);
        let ImageRoom { some, stream, other, normed, qkv, heads: apart, mixed, wide, places, angles, tokens } = room;
        let patches = if groups.is_some() { some.as_slice() } else { patches };
        self.patches.apply(Activation::None, patches, stream)?;
        for image in stream.chunks_exact_mut(seq * width) {
            add(image, places);
        }
        let (last, deep) = tokens.split_at_mut(each);
        for (number, layer) in self.layers.iter().enumerate() {
            self.norm(&layer.norms[0], stream, normed)?;
            layer.qkv.apply(Activation::None, normed, qkv)?;
            for (part, apart) in apart.iter_mut().enumerate() {
                // Values stay as they are.
                by_turned_heads(qkv, (part, [seq, heads, d]), angles.as_slice(), apart);
            }
            let [query, key, value] = apart.each_ref().map(Vec::as_slice);
            let sizes = Heads { batch, heads, kv_heads: heads, seq_q: seq, seq_kv: seq, head_dim: d };
            let (scale, causal, window, mask, isa) = (None, false, None, None, self.isa);
            let call = Attend { heads: sizes, query, key, value, scale, causal, window, mask, isa };
            attention(&call, &mut mixed[..])?;
            by_rows(mixed, [seq, heads, d], normed);
            layer.out.apply(Activation::None, normed, other)?;
            add(stream, other);
            self.norm(&layer.norms[1], stream, normed)?;
            let wide = &mut wide[..batch * seq * hidden];
            layer.up.apply(Activation::Gelu, normed, wide)?;
            layer.down.apply(Activation::None, wide, other)?;
            add(stream, other);
            if let Some(index) = self.vision.deep.iter().position(|deep| *deep == number) {
                self.merged(
                    &self.deep[index],
                    stream,
                    [&mut normed[..], &mut mixed[..]],
                    &mut deep[index * each..][..each],
                )?;
            }
        }
        self.merged(&self.merger, stream, [&mut normed[..], &mut mixed[..]], last)?;
        Ok(tokens)
    }

    fn norm(&self, [gain, bias]: &[Vec<f32>; 2], input: &[f32], out: &mut [f32]) -> Result<()> {
        Ok(layer_norm(&Norm { width: gain.len(), input, gain, epsilon: EPSILON, isa: self.isa }, bias, out)?)
    }

    /// Tokens of patches, in two rooms of as many numbers.
    fn merged(&self, merger: &Merger, patches: &[f32], room: [&mut [f32]; 2], out: &mut [f32]) -> Result<()> {
        let [normed, wide] = room;
        // Patches of a token lie side by side, so that a norm may be of each or of all.
        self.norm(&merger.norm, patches, normed)?;
        merger.up.apply(Activation::ExactGelu, normed, wide)?;
        merger.down.apply(Activation::None, wide, out)
    }

    /// What is learned for the places of a grid, or of some groups of them, and the angles of these.
    fn grid(&self, room: &mut ImageRoom, [rows, columns]: [usize; 2], groups: Option<&[usize]>) {
        let Vision { width, heads, merged, positions, .. } = self.vision;
        let (side, d) = (positions.isqrt(), width / heads);
        room.places.clear();
        room.angles.clear();
        for (at, [row, column]) in cells([rows, columns], merged).enumerate() {
            if groups.is_some_and(|groups| groups.binary_search(&(at / (merged * merged))).is_err()) {
                continue;
            }
            let [down, right] = [between(row, rows, side), between(column, columns, side)];
            let corner = |[row, column]: [usize; 2]| &self.places[(row * side + column) * width..][..width];
            for at in 0..width {
                let line = |row: usize| {
                    let [one, other] = [right.0[0], right.0[1]].map(|column| corner([row, column])[at]);
                    one + (other - one) * right.1
                };
                let [one, other] = [line(down.0[0]), line(down.0[1])];
                room.places.push(one + (other - one) * down.1);
            }
            for place in [row, column] {
                for pair in 0..d / 4 {
                    let (sin, cos) = (place as f64 * BASE.powf(-4.0 * pair as f64 / d as f64)).sin_cos();
                    room.angles.push([cos as f32, sin as f32]);
                }
            }
        }
    }
}

/// Rows and columns of a grid, with those together that become a token.
fn cells([rows, columns]: [usize; 2], merged: usize) -> impl Iterator<Item = [usize; 2]> {
    let of_token = move |down: usize, right: usize| {
        (0..merged * merged).map(move |at| [down * merged + at / merged, right * merged + at % merged])
    };
    (0..rows / merged).flat_map(move |down| (0..columns / merged).flat_map(move |right| of_token(down, right)))
}

/// Two neighbours of so many places that a place of a grid lies between, and how far it is from the first to the second.
fn between(at: usize, count: usize, side: usize) -> ([usize; 2], f32) {
    let place = if count > 1 { (at * (side - 1)) as f64 / (count - 1) as f64 } else { 0.0 };
    let first = place as usize;
    ([first, (first + 1).min(side - 1)], (place - first as f64) as f32)
}

/// One of three parts of rows `[batch, seq, 3 · heads · head_dim]` as `[batch, heads, seq, head_dim]`; of the first two, a number and that
/// half a head behind it are a pair that is turned.
fn by_turned_heads(rows: &[f32], (part, [seq, heads, d]): (usize, [usize; 3]), angles: &[[f32; 2]], to: &mut [f32]) {
    let width = heads * d;
    for (rows, to) in rows.chunks_exact(3 * seq * width).zip(to.chunks_exact_mut(seq * width)) {
        for (place, (row, angles)) in rows.chunks_exact(3 * width).zip(angles.chunks_exact(d / 2)).enumerate() {
            for (head, from) in row[part * width..][..width].chunks_exact(d).enumerate() {
                let to = &mut to[(head * seq + place) * d..][..d];
                if part == 2 {
                    to.copy_from_slice(from);
                    continue;
                }
                let (left, right) = from.split_at(d / 2);
                let (to_left, to_right) = to.split_at_mut(d / 2);
                for (pair, [cos, sin]) in angles.iter().enumerate() {
                    to_left[pair] = left[pair] * cos - right[pair] * sin;
                    to_right[pair] = right[pair] * cos + left[pair] * sin;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_of_a_token_lie_together_and_ends_of_a_grid_are_those_of_the_square() {
        let order: Vec<[usize; 2]> = cells([2, 4], 2).collect();
        assert_eq!(order, [[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3]]);
        assert_eq!((between(0, 4, 7), between(3, 4, 7)), (([0, 1], 0.0), ([6, 6], 0.0)));
        assert_eq!((between(1, 5, 3), between(0, 1, 9)), (([0, 1], 0.5), ([0, 1], 0.0)));
    }
}
