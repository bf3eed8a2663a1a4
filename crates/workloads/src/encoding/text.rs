//! Directions of texts, by a BERT whose weights are drawn from a seed, or real ones.

use benchbook_core::{
    Array, DType, Inputs, Params, Preset, Problem, Reference, Rough, Rounding, Value, Work, sample_rows,
};

use super::stack::{EMBEDDED, Family, Sizes};
use crate::blocks::layer_normed;
use crate::decoding::ids;
use crate::draw::{check_numbers, normal};
use crate::real;
use crate::rows::BUDGET;

/// A direction for each text: the mean of its positions behind the last block of a BERT, of length 1 (Reimers & Gurevych, arXiv
/// 1908.10084, section 3).
///
/// Inputs: `ids` `[batch, seq]` of `i32`, which change as numbers do; `embedding` `[vocabulary, width]`, `positions` `[seq, width]`,
/// `kinds` `[2, width]`, of which all positions have the first; `first_gain` and `first_bias` `[width]` of the norm of their sum; and
/// of all layers matrices `[layers, outer, inner]`, as checkpoints have them, with biases and norms. The output is `[batch, width]`.
/// Real weights have the sizes of their model; tokens are drawn, and norms have the constant of this problem.
pub struct TextEncoder;

benchbook_core::parameters! {
    /// Parameters of [`TextEncoder`].
    pub struct TextEncoderParams {
        /// where its numbers come from: drawn, or real ones that `cargo xtask data` brings
        weights: String = real::SEEDED.to_owned(), WEIGHTS;
        /// blocks of the model
        layers: usize = 2, 1..=128;
        /// heads of attention; they divide the width
        heads: usize = 4, 1..=1 << 12;
        /// numbers of a position
        width: usize = 64, 1..=1 << 15;
        /// numbers between the products of the feed-forward network
        hidden: usize = 256, 1..=1 << 17;
        /// tokens that there are
        vocabulary: usize = 512, 2..=1 << 18;
        /// texts
        batch: usize = 4, 1..=1 << 20;
        /// tokens of a text
        seq: usize = 32, 1..=1 << 20;
    }
}

/// Where weights come from.
const WEIGHTS: [&str; 2] = [real::SEEDED, "minilm-l6"];

/// The sizes of the blocks of all-MiniLM-L6-v2, its tokens, and the positions that it has at most.
pub const MINILM: (Sizes, [usize; 2]) =
    (Sizes { layers: 6, heads: 12, width: 384, hidden: 1536, family: Family::Bert }, [30_522, 512]);

impl TextEncoderParams {
    /// The sizes of the blocks.
    pub fn sizes(&self) -> Sizes {
        let Self { layers, heads, width, hidden, .. } = *self;
        Sizes { layers, heads, width, hidden, family: Family::Bert }
    }

    /// The texts of a seed, `[batch, seq]`.
    fn texts(&self, seed: u64) -> Array {
        Array::new(vec![self.batch, self.seq], &ids(self.batch * self.seq, self.vocabulary, seed))
    }
}

impl Problem for TextEncoder {
    const NAME: &'static str = "text-encoder";
    const ABOUT: &'static str = "directions of texts, by a BERT, seeded or real";
    type Params = TextEncoderParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 7]| {
            let names = ["layers", "heads", "width", "hidden", "vocabulary", "batch", "seq"];
            names
                .into_iter()
                .zip(sizes)
                .fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)))
        };
        // Of all-MiniLM-L6-v2.
        let minilm = |batch: i64| of([6, 12, 384, 1536, 30_522, batch, 128]);
        vec![
            Preset { name: "quick", cases: vec![of([2, 4, 64, 256, 512, 4, 32])] },
            Preset { name: "default", cases: vec![minilm(1), minilm(32)] },
            Preset { name: "batches", cases: [1, 32, 1024].map(|batch| of([2, 4, 64, 256, 512, batch, 32])).into() },
        ]
    }

    fn ugly() -> Vec<TextEncoderParams> {
        let sizes =
            [[1, 1, 3, 1, 2, 1, 1], [2, 3, 15, 37, 61, 2, 23], [3, 2, 34, 67, 130, 3, 5], [1, 4, 8, 5, 300, 1, 65]];
        let of = |[layers, heads, width, hidden, vocabulary, batch, seq]: [usize; 7]| TextEncoderParams {
            weights: real::SEEDED.to_owned(),
            layers,
            heads,
            width,
            hidden,
            vocabulary,
            batch,
            seq,
        };
        sizes.map(of).into()
    }

    fn check(params: &TextEncoderParams) -> Result<(), (&'static str, String)> {
        check_numbers("vocabulary", &[params.vocabulary, params.width])?;
        params.sizes().check([params.batch, params.seq])?;
        let (sizes, [vocabulary, positions]) = MINILM;
        let fits = params.sizes() == sizes && params.vocabulary == vocabulary && params.seq <= positions;
        real::check(&params.weights, fits)
    }

    fn label(params: &TextEncoderParams) -> String {
        let TextEncoderParams { vocabulary, batch, seq, .. } = *params;
        format!("{}{} v{vocabulary} b{batch} s{seq}", real::label(&params.weights), params.sizes().label())
    }

    fn inputs(params: &TextEncoderParams, seed: u64) -> Inputs {
        let TextEncoderParams { width, vocabulary, seq, .. } = *params;
        let of_texts = params.texts(seed);
        if let Some(mut inputs) = real::inputs(&params.weights) {
            inputs.insert("ids", of_texts);
            real::shorten(&mut inputs, "positions", seq);
            return inputs;
        }
        let mut streams = 2..;
        let mut stream = || streams.next().unwrap_or_default();
        let mut inputs = Inputs::from([
            ("ids", of_texts),
            ("embedding", normal(vec![vocabulary, width], [0.0, EMBEDDED], seed, stream())),
            ("positions", normal(vec![seq, width], [0.0, EMBEDDED], seed, stream())),
            ("kinds", normal(vec![2, width], [0.0, EMBEDDED], seed, stream())),
            ("first_gain", normal(vec![width], [1.0, 0.1], seed, stream())),
            ("first_bias", normal(vec![width], [0.0, 0.1], seed, stream())),
        ]);
        params.sizes().add(&mut inputs, seed, stream);
        inputs
    }

    fn some_inputs(params: &TextEncoderParams, seed: u64, names: &[String]) -> Inputs {
        if names.iter().all(|name| name == "ids") {
            return Inputs::from([("ids", params.texts(seed))]);
        }
        Self::inputs(params, seed)
    }

    fn tokens(params: &TextEncoderParams) -> Vec<(&'static str, usize)> {
        vec![("ids", params.vocabulary)]
    }

    fn reference(params: &TextEncoderParams, inputs: &Inputs, seed: u64) -> Reference {
        directions(params, inputs, seed, None)
    }

    fn rounded(
        params: &TextEncoderParams,
        inputs: &Inputs,
        _outputs: &[Array],
        seed: u64,
        rounding: Rounding,
    ) -> Option<Rough> {
        let of = |rounding| directions(params, inputs, seed, rounding);
        Some(Rough::beside(of(None), &of(Some(rounding))))
    }

    /// Bytes of the weights, once, and of the embeddings that are read.
    fn work(params: &TextEncoderParams, dtype: DType) -> Work {
        let TextEncoderParams { width, batch, seq, .. } = *params;
        let [width, batch, positions] = [width, batch, seq].map(|size| size as f64);
        let numbers = params.sizes().weights() + (batch + 1.0) * positions * width + 4.0 * width + batch * width;
        Work { flops: 2.0 * batch * params.sizes().products(seq), bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &TextEncoderParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// Directions of as many texts as there is time for, where what matrices are multiplied by may be rounded.
fn directions(params: &TextEncoderParams, inputs: &Inputs, seed: u64, rounding: Option<Rounding>) -> Reference {
    let TextEncoderParams { width, batch, seq, .. } = *params;
    let most = BUDGET as f64 / params.sizes().products(seq);
    let rows = sample_rows(batch, (most as usize).max(1), seed);
    let values = rows.iter().flat_map(|text| direction(params, inputs, *text, rounding)).collect();
    Reference::of(vec![batch, width], rows, values)
}

/// The direction of one of the texts.
fn direction(params: &TextEncoderParams, inputs: &Inputs, text: usize, rounding: Option<Rounding>) -> Vec<f64> {
    let TextEncoderParams { width, seq, .. } = *params;
    let row = |name: &str, row: usize| &inputs.numbers(name)[row * width..][..width];
    let ids = &inputs.get("ids").of::<i32>()[text * seq..][..seq];
    let mut stream = Vec::with_capacity(seq * width);
    for (place, id) in ids.iter().enumerate() {
        let of = [row("embedding", *id as usize), row("positions", place), row("kinds", 0)];
        let sums: Vec<f64> = (0..width).map(|at| of.iter().map(|row| f64::from(row[at])).sum()).collect();
        stream.extend(layer_normed(&sums, row("first_gain", 0), row("first_bias", 0)));
    }
    let hidden = params.sizes().through(inputs, stream, rounding);
    let sums: Vec<f64> = (0..width).map(|at| hidden.iter().skip(at).step_by(width).sum()).collect();
    let size = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
    sums.iter().map(|sum| sum / size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_bits_are_allowed_more_and_a_wrong_model_not_that_much() {
        let params = TextEncoderParams::default();
        let inputs = TextEncoder::inputs(&params, 3);
        let allowed = |bits| TextEncoder::rounded(&params, &inputs, &[], 3, Rounding { bits, group: 32 }).unwrap();
        let [eight, four] = [8, 4].map(allowed);
        assert_eq!(eight.reference, TextEncoder::reference(&params, &inputs, 3));
        // Through two blocks, steps of a 127th of the largest of 32 move a number by a few thousandths, those of a seventh by tenths.
        assert!((1e-4..0.05).contains(&eight.allowed), "{}", eight.allowed);
        assert!(four.allowed > 4.0 * eight.allowed, "{} and {}", four.allowed, eight.allowed);
        let mut other = inputs.clone();
        let zeros = vec![0.0_f32; inputs.numbers("w_down").len()];
        other.insert("w_down", Array::new(inputs.get("w_down").shape().to_vec(), &zeros));
        let wrong = eight.reference.apart(&TextEncoder::reference(&params, &other, 3));
        assert!(wrong > eight.allowed, "{wrong} and {}", eight.allowed);
    }

    #[test]
    fn a_direction_has_the_length_1_and_hangs_on_the_order_of_tokens() {
        let params = TextEncoderParams { batch: 2, ..TextEncoderParams::default() };
        let mut inputs = TextEncoder::inputs(&params, 3);
        let mut turned = inputs.get("ids").of::<i32>()[..params.seq].to_vec();
        let first = turned.clone();
        turned.reverse();
        inputs.insert("ids", Array::new(vec![2, params.seq], &[first, turned].concat()));
        let values = TextEncoder::reference(&params, &inputs, 3).answers.remove(0).values;
        let (one, other) = values.split_at(params.width);
        for direction in [one, other] {
            assert!((direction.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert!(one.iter().zip(other).any(|(a, b)| (a - b).abs() > 1e-3));
    }
}
