//! Tokens of images by the vision tower of a Qwen3-VL, with weights that are drawn from a seed.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Value, Work, sample_rows};
use rayon::prelude::*;

use super::stack::EMBEDDED;
use crate::attention::reference::{average, dot};
use crate::attention::sizes::check_scores;
use crate::blocks::{Activation, exact_gelu, layer_normed_by};
use crate::draw::{check_numbers, normal};
use crate::rows::BUDGET;

/// The vision tower of Qwen3-VL (arXiv 2511.21631, section 2): patches of two frames, to which what is learned for places of a square is
/// added, interpolated to the grid of the image; blocks with layer norms before their parts, of which every patch of an image sees all,
/// queries and keys turned by their row and their column; and tokens out of four patches that lie together, of those behind the last block
/// and of those behind some before.
///
/// Inputs: `patches` `[batch, rows · columns, 6 · patch²]`, standard normal, those of a token together; `w_patch` and `b_patch`;
/// `positions` `[side², width]`; of all layers `w_qkv` `[layers, 3 · width, width]`, `w_out`, `w_up` and `w_down` with biases, and
/// `gain_1`, `bias_1`, `gain_2`, `bias_2`; `merge_gain`, `merge_bias`, `merge_up`, `merge_up_bias`, `merge_down` and `merge_down_bias`,
/// and the same of `deep` with a row for each deep layer. The output is `[1 + deep, batch, rows · columns / 4, out]`.
pub struct ImageEncoder;

benchbook_core::parameters! {
    /// Parameters of [`ImageEncoder`].
    pub struct ImageEncoderParams {
        /// blocks of the tower
        layers: usize = 2, 1..=128;
        /// heads of attention, of a multiple of four numbers each
        heads: usize = 4, 1..=1 << 12;
        /// numbers of a patch
        width: usize = 64, 1..=1 << 15;
        /// numbers between the products of the feed-forward network
        hidden: usize = 128, 1..=1 << 17;
        /// pixels of a side of a patch
        patch: usize = 4, 1..=1 << 8;
        /// places of a side of the square that something is learned for
        side: usize = 6, 1..=1 << 10;
        /// numbers of a token
        out: usize = 48, 1..=1 << 15;
        /// deep layers, evenly between the others, whose patches become tokens too
        deep: usize = 1, 0..=16;
        /// images
        batch: usize = 1, 1..=1 << 20;
        /// rows of patches, an even number
        rows: usize = 8, 2..=1 << 12;
        /// columns of patches, an even number
        columns: usize = 8, 2..=1 << 12;
    }
}

/// Patches of a side that become a token.
pub const MERGED: usize = 2;

/// Frames of a patch.
pub const FRAMES: usize = 2;

/// What norms add to a variance, and the base of the angles by which queries and keys are turned.
const EPSILON: f64 = 1e-6;
const BASE: f64 = 1e4;

impl ImageEncoderParams {
    /// Numbers of a patch that comes in.
    pub fn inner(&self) -> usize {
        3 * FRAMES * self.patch * self.patch
    }

    /// Patches of an image, and its tokens.
    pub fn lengths(&self) -> [usize; 2] {
        let seq = self.rows * self.columns;
        [seq, seq / (MERGED * MERGED)]
    }

    /// The deep layers.
    pub fn deep_layers(&self) -> Vec<usize> {
        (1..=self.deep).map(|part| part * self.layers / (self.deep + 1) - 1).collect()
    }

    /// Matrices with their biases and how many there are of each, `[outer, inner]`.
    fn matrices(&self) -> Vec<([&'static str; 2], usize, [usize; 2])> {
        let Self { layers, width, hidden, out, deep, .. } = *self;
        let together = MERGED * MERGED * width;
        let mut all = vec![
            (["w_patch", "b_patch"], 1, [width, self.inner()]),
            (["w_qkv", "b_qkv"], layers, [3 * width, width]),
            (["w_out", "b_out"], layers, [width, width]),
            (["w_up", "b_up"], layers, [hidden, width]),
            (["w_down", "b_down"], layers, [width, hidden]),
            (["merge_up", "merge_up_bias"], 1, [together, together]),
            (["merge_down", "merge_down_bias"], 1, [out, together]),
            (["deep_up", "deep_up_bias"], deep, [together, together]),
            (["deep_down", "deep_down_bias"], deep, [out, together]),
        ];
        all.retain(|(_, count, _)| *count > 0);
        all
    }

    /// Gains and biases of norms, and how many there are of each.
    fn norms(&self) -> Vec<([&'static str; 2], usize, usize)> {
        let Self { layers, width, deep, .. } = *self;
        let mut all = vec![
            (["gain_1", "bias_1"], layers, width),
            (["gain_2", "bias_2"], layers, width),
            (["merge_gain", "merge_bias"], 1, width),
            (["deep_gain", "deep_bias"], deep, MERGED * MERGED * width),
        ];
        all.retain(|(_, count, _)| *count > 0);
        all
    }

    /// Multiply-adds of an image.
    fn products(&self) -> f64 {
        let Self { layers, width, hidden, out, deep, .. } = *self;
        let ([seq, tokens], together) = (self.lengths(), MERGED * MERGED * width);
        let of_patch = self.inner() * width + layers * (4 * width * width + 2 * width * hidden + 2 * seq * width);
        let of_token = (1 + deep) * (together * together + together * out);
        (seq * of_patch) as f64 + (tokens * of_token) as f64
    }
}

impl Problem for ImageEncoder {
    const NAME: &'static str = "image-encoder";
    const ABOUT: &'static str = "tokens of images by the vision tower of a seeded Qwen3-VL";
    type Params = ImageEncoderParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 11]| {
            let names =
                ["layers", "heads", "width", "hidden", "patch", "side", "out", "deep", "batch", "rows", "columns"];
            let set = |params: Params, (name, size): (&str, i64)| params.with(name, Value::Int(size));
            names.into_iter().zip(sizes).fold(Params::default(), set)
        };
        vec![
            Preset { name: "quick", cases: vec![of([2, 4, 64, 128, 4, 6, 48, 1, 1, 8, 8])] },
            // Of Qwen3-VL-2B, and 192 by 192 pixels.
            Preset { name: "default", cases: vec![of([24, 16, 1024, 4096, 16, 48, 2048, 3, 1, 12, 12])] },
        ]
    }

    fn ugly() -> Vec<ImageEncoderParams> {
        let of = |sizes: [usize; 11]| {
            let [layers, heads, width, hidden, patch, side, out, deep, batch, rows, columns] = sizes;
            ImageEncoderParams { layers, heads, width, hidden, patch, side, out, deep, batch, rows, columns }
        };
        vec![
            of([1, 1, 4, 1, 1, 1, 1, 0, 1, 2, 2]),
            // One grid is larger than the square, and the other smaller along one side.
            of([4, 3, 24, 37, 3, 5, 11, 3, 2, 4, 14]),
            of([2, 1, 36, 7, 2, 9, 66, 1, 1, 6, 4]),
        ]
    }

    fn check(params: &ImageEncoderParams) -> Result<(), (&'static str, String)> {
        let ImageEncoderParams { layers, heads, width, hidden, side, out, deep, batch, rows, columns, .. } = *params;
        if !width.is_multiple_of(4 * heads) {
            return Err(("heads", format!("{heads} heads of a multiple of four numbers do not fill {width}")));
        }
        for (name, count) in [("rows", rows), ("columns", columns)] {
            if !count.is_multiple_of(MERGED) {
                return Err((name, format!("{count} is odd: {MERGED} × {MERGED} patches become a token")));
            }
        }
        if deep >= layers {
            return Err(("deep", format!("{deep} deep layers of {layers}: the last one is none, give fewer")));
        }
        let [seq, _] = params.lengths();
        check_numbers("hidden", &[layers, width, hidden.max(3 * width)])?;
        check_numbers("out", &[1 + deep, 16 * width, width.max(out)])?;
        check_numbers("side", &[side, side, width])?;
        check_numbers("rows", &[batch, seq, params.inner().max(3 * width)])?;
        check_scores("rows", [batch, heads, seq, seq])
    }

    fn label(params: &ImageEncoderParams) -> String {
        let ImageEncoderParams { layers, heads, width, hidden, patch, side, out, deep, batch, rows, columns } = *params;
        format!("l{layers} h{heads} w{width}→{hidden} p{patch} s{side} →{out} deep{deep} b{batch} {rows}×{columns}")
    }

    fn inputs(params: &ImageEncoderParams, seed: u64) -> Inputs {
        let ImageEncoderParams { width, side, batch, .. } = *params;
        let [seq, _] = params.lengths();
        let mut streams = 2..;
        let mut stream = || streams.next().unwrap_or_default();
        let mut inputs = Inputs::from([
            ("patches", Array::normal(vec![batch, seq, params.inner()], seed, 1)),
            ("positions", normal(vec![side * side, width], [0.0, EMBEDDED], seed, stream())),
        ]);
        for ([weight, bias], count, [outer, inner]) in params.matrices() {
            let deviation = 1.0 / (inner as f32).sqrt();
            inputs.insert(weight, normal(vec![count, outer, inner], [0.0, deviation], seed, stream()));
            inputs.insert(bias, normal(vec![count, outer], [0.0, 0.1], seed, stream()));
        }
        for ([gain, bias], count, numbers) in params.norms() {
            inputs.insert(gain, normal(vec![count, numbers], [1.0, 0.1], seed, stream()));
            inputs.insert(bias, normal(vec![count, numbers], [0.0, 0.1], seed, stream()));
        }
        inputs
    }

    fn reference(params: &ImageEncoderParams, inputs: &Inputs, seed: u64) -> Reference {
        let ImageEncoderParams { out, deep, batch, .. } = *params;
        let [_, tokens] = params.lengths();
        let most = (BUDGET as f64 / params.products()) as usize;
        let chosen = sample_rows(batch, most.max(1), seed);
        let looked: Vec<Vec<Vec<f64>>> = chosen.iter().map(|image| looked(params, inputs, *image, None)).collect();
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        for part in 0..=deep {
            for (image, looked) in chosen.iter().zip(&looked) {
                rows.extend((0..tokens).map(|token| (part * batch + image) * tokens + token));
                values.extend_from_slice(&looked[part]);
            }
        }
        Reference::of(vec![1 + deep, batch, tokens, out], rows, values)
    }

    /// Bytes of the weights, of the patches and of the tokens, each once.
    fn work(params: &ImageEncoderParams, dtype: DType) -> Work {
        let ImageEncoderParams { width, side, out, deep, batch, .. } = *params;
        let [seq, tokens] = params.lengths();
        let matrices: usize =
            params.matrices().iter().map(|(_, count, [outer, inner])| count * outer * (inner + 1)).sum();
        let norms: usize = params.norms().iter().map(|(_, count, numbers)| 2 * count * numbers).sum();
        let moved = batch * (seq * params.inner() + (1 + deep) * tokens * out) + side * side * width;
        let numbers = (matrices + norms + moved) as f64;
        Work { flops: 2.0 * batch as f64 * params.products(), bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &ImageEncoderParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// Lists of tokens `[tokens, out]` of one of the images, in `f64`: of the last block, and then of each deep layer. Where some groups of
/// four patches are named, ascending, nothing is seen of the others.
pub(crate) fn looked(
    params: &ImageEncoderParams,
    inputs: &Inputs,
    image: usize,
    groups: Option<&[usize]>,
) -> Vec<Vec<f64>> {
    let all: Vec<usize> = (0..params.lengths()[1]).collect();
    Tower { params, inputs }.tokens(image, groups.unwrap_or(&all))
}

/// The tower, in `f64`.
struct Tower<'a> {
    params: &'a ImageEncoderParams,
    inputs: &'a Inputs,
}

impl Tower<'_> {
    /// The numbers of one of several, of an input that has so many of each.
    fn own(&self, name: &str, place: usize, numbers: usize) -> &[f32] {
        &self.inputs.numbers(name)[place * numbers..][..numbers]
    }

    fn linear(&self, [weight, bias]: [&str; 2], place: usize, x: &[f64], outer: usize) -> Vec<f64> {
        let rows = self.own(weight, place, outer * x.len()).chunks_exact(x.len());
        rows.zip(self.own(bias, place, outer)).map(|(row, bias)| dot(x, row) + f64::from(*bias)).collect()
    }

    fn norm(&self, [gain, bias]: [&str; 2], place: usize, x: &[f64]) -> Vec<f64> {
        layer_normed_by(x, [gain, bias].map(|name| self.own(name, place, x.len())), EPSILON)
    }

    /// What is learned for a place of the grid, between the four of the square that are around it.
    fn learned(&self, [row, column]: [usize; 2]) -> Vec<f64> {
        let ImageEncoderParams { width, side, rows, columns, .. } = *self.params;
        let along = |at: usize, count: usize| at as f64 * (side as f64 - 1.0) / (count as f64 - 1.0);
        let (down, right) = (along(row, rows), along(column, columns));
        let mut sum = vec![0.0; width];
        // A place of the square counts by how near it is, and not at all from one step on.
        for place in 0..side * side {
            let near = |at: f64, of: usize| (1.0 - (at - of as f64).abs()).max(0.0);
            let share = near(down, place / side) * near(right, place % side);
            if share > 0.0 {
                let learned = self.own("positions", place, width);
                sum.iter_mut().zip(learned).for_each(|(sum, x)| *sum += share * f64::from(*x));
            }
        }
        sum
    }

    /// A head of a query or a key at a place of the grid.
    fn turned(head: &[f64], place: [usize; 2]) -> Vec<f64> {
        let half = head.len() / 2;
        let mut turned = head.to_vec();
        for pair in 0..half {
            // The first half of all pairs is turned by the row, the other by the column.
            let (which, step) = (pair / (half / 2), pair % (half / 2));
            let angle = place[which] as f64 * BASE.powf(-2.0 * step as f64 / half as f64);
            let (sin, cos) = angle.sin_cos();
            turned[pair] = head[pair] * cos - head[half + pair] * sin;
            turned[half + pair] = head[half + pair] * cos + head[pair] * sin;
        }
        turned
    }

    /// Tokens `[tokens, out]` of these groups of an image's patches: of the last block, and then of each deep one.
    fn tokens(&self, image: usize, groups: &[usize]) -> Vec<Vec<f64>> {
        let ImageEncoderParams { layers, heads, width, hidden, columns, .. } = *self.params;
        let ([seq, _], d, inner) = (self.params.lengths(), width / heads, self.params.inner());
        // The four patches of a token, then those of the next one of the row.
        let of_token = |at: usize| {
            [0, 1, 2, 3].map(|part| [2 * (at / (columns / 2)) + part / 2, 2 * (at % (columns / 2)) + part % 2])
        };
        let places: Vec<[usize; 2]> = groups.iter().copied().flat_map(of_token).collect();
        let patches = self.own("patches", image, seq * inner);
        let patches = groups.iter().flat_map(|group| patches[4 * inner * group..][..4 * inner].chunks_exact(inner));
        let embedded = |(patch, place): (&[f32], &[usize; 2])| {
            let patch: Vec<f64> = patch.iter().map(|x| f64::from(*x)).collect();
            let sums = self.linear(["w_patch", "b_patch"], 0, &patch, width);
            sums.into_iter().zip(self.learned(*place)).map(|(sum, learned)| sum + learned).collect::<Vec<f64>>()
        };
        let mut stream: Vec<Vec<f64>> =
            patches.zip(&places).collect::<Vec<_>>().into_par_iter().map(embedded).collect();
        let deep = self.params.deep_layers();
        let mut tokens = vec![Vec::new(); 1 + deep.len()];
        for layer in 0..layers {
            let projected = |(x, place): (&Vec<f64>, &[usize; 2])| -> Vec<f64> {
                let mut all =
                    self.linear(["w_qkv", "b_qkv"], layer, &self.norm(["gain_1", "bias_1"], layer, x), 3 * width);
                for head in all[..2 * width].chunks_exact_mut(d) {
                    let turned = Self::turned(head, *place);
                    head.copy_from_slice(&turned);
                }
                all
            };
            let all: Vec<Vec<f64>> = stream.par_iter().zip(&places).map(projected).collect();
            let block = |(x, own): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
                let of_head = |head: usize| {
                    let at = head * d;
                    let query = &own[at..][..d];
                    let score = |other: &Vec<f64>| dot(query, &other[width + at..][..d]) / (d as f64).sqrt();
                    let scores: Vec<f64> = all.iter().map(score).collect();
                    average(&scores, d, |seen| &all[seen][2 * width + at..])
                };
                let mixed: Vec<f64> = (0..heads).flat_map(of_head).collect();
                let sum =
                    |one: &[f64], other: Vec<f64>| one.iter().zip(other).map(|(x, y)| x + y).collect::<Vec<f64>>();
                let between = sum(x, self.linear(["w_out", "b_out"], layer, &mixed, width));
                let up =
                    self.linear(["w_up", "b_up"], layer, &self.norm(["gain_2", "bias_2"], layer, &between), hidden);
                let wide: Vec<f64> = up.into_iter().map(|x| Activation::Gelu.apply(x)).collect();
                sum(&between, self.linear(["w_down", "b_down"], layer, &wide, width))
            };
            stream = stream.par_iter().zip(&all).map(block).collect();
            if let Some(index) = deep.iter().position(|deep| *deep == layer) {
                let normed = |four: &[Vec<f64>]| self.norm(["deep_gain", "deep_bias"], index, &four.concat());
                tokens[1 + index] =
                    self.made(&stream, normed, [["deep_up", "deep_up_bias"], ["deep_down", "deep_down_bias"]], index);
            }
        }
        let normed = |four: &[Vec<f64>]| -> Vec<f64> {
            four.iter().flat_map(|x| self.norm(["merge_gain", "merge_bias"], 0, x)).collect()
        };
        tokens[0] = self.made(&stream, normed, [["merge_up", "merge_up_bias"], ["merge_down", "merge_down_bias"]], 0);
        tokens
    }

    /// Tokens of four patches each, behind their norm.
    fn made(
        &self,
        patches: &[Vec<f64>],
        normed: impl Fn(&[Vec<f64>]) -> Vec<f64> + Sync,
        [up, down]: [[&str; 2]; 2],
        place: usize,
    ) -> Vec<f64> {
        let (together, out) = (4 * self.params.width, self.params.out);
        let of = |four: &[Vec<f64>]| {
            let wide: Vec<f64> = self.linear(up, place, &normed(four), together).into_iter().map(exact_gelu).collect();
            self.linear(down, place, &wide, out)
        };
        patches.par_chunks_exact(4).flat_map_iter(of).collect()
    }
}
