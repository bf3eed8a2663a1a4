//! What the encoder of a Whisper makes of sound, with weights that are drawn from a seed, or real ones.

use benchbook_core::{
    Array, DType, Inputs, Params, Preset, Problem, Reference, Rough, Rounding, Value, Work, sample_rows,
};

use super::Merges;
use super::stack::{EMBEDDED, Family, Sizes};
use crate::attention::reference::dot;
use crate::blocks::{exact_gelu, layer_normed};
use crate::draw::{check_numbers, normal};
use crate::real;
use crate::rows::BUDGET;

/// The encoder of Whisper (Radford et al., arXiv 2212.04356, section 2.2): two convolutions of three neighbours with the exact GELU,
/// the second of which leaves out every other place, and blocks with their norms before their parts.
///
/// Inputs: `mel` `[batch, bins, frames]`, standard normal; `conv_1` `[width, bins, 3]` and `conv_2` `[width, width, 3]` with
/// `conv_1_bias` and `conv_2_bias` `[width]`; `positions` `[frames / 2, width]`; of all layers matrices `[layers, outer, inner]`, as
/// checkpoints have them, with biases (keys have none) and norms; `last_gain` and `last_bias` `[width]`. The output is
/// `[batch, frames / 2, width]`. Real weights have the sizes of their model; spectrograms are drawn.
pub struct AudioEncoder;

benchbook_core::parameters! {
    /// Parameters of [`AudioEncoder`].
    pub struct AudioEncoderParams {
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
        /// bins of the spectrogram
        bins: usize = 20, 1..=1 << 10;
        /// spectrograms
        batch: usize = 1, 1..=1 << 20;
        /// frames of a spectrogram, an even number
        frames: usize = 100, 2..=1 << 20;
    }
}

/// Where weights come from.
const WEIGHTS: [&str; 2] = [real::SEEDED, "whisper-base"];

/// The sizes of the blocks of the encoder of Whisper base, its bins, and the frames that it hears at most.
pub const WHISPER: (Sizes, [usize; 2]) =
    (Sizes { layers: 6, heads: 8, width: 512, hidden: 2048, family: Family::Whisper }, [80, 3000]);

impl AudioEncoderParams {
    /// The sizes of the blocks.
    pub fn sizes(&self) -> Sizes {
        let Self { layers, heads, width, hidden, .. } = *self;
        Sizes { layers, heads, width, hidden, family: Family::Whisper }
    }

    /// The spectrograms of a seed, `[batch, bins, frames]`.
    fn mel(&self, seed: u64) -> Array {
        Array::normal(vec![self.batch, self.bins, self.frames], seed, 1)
    }

    /// Multiply-adds of the convolutions of a spectrogram.
    fn convolved(&self) -> f64 {
        let [width, bins, frames] = [self.width, self.bins, self.frames].map(|size| size as f64);
        3.0 * frames * width * (bins + width / 2.0)
    }
}

impl Problem for AudioEncoder {
    const NAME: &'static str = "audio-encoder";
    const ABOUT: &'static str = "what the encoder of a Whisper, seeded or real, makes of spectrograms";
    type Params = AudioEncoderParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 7]| {
            let names = ["layers", "heads", "width", "hidden", "bins", "batch", "frames"];
            names
                .into_iter()
                .zip(sizes)
                .fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)))
        };
        vec![
            Preset { name: "quick", cases: vec![of([2, 4, 64, 256, 20, 1, 100])] },
            // Of Whisper base, and 30 seconds.
            Preset { name: "default", cases: vec![of([6, 8, 512, 2048, 80, 1, 3000])] },
        ]
    }

    fn ugly() -> Vec<AudioEncoderParams> {
        let sizes = [[1, 1, 3, 1, 1, 1, 2], [2, 2, 18, 35, 5, 2, 14], [1, 3, 33, 66, 7, 1, 130]];
        let of = |[layers, heads, width, hidden, bins, batch, frames]: [usize; 7]| AudioEncoderParams {
            weights: real::SEEDED.to_owned(),
            layers,
            heads,
            width,
            hidden,
            bins,
            batch,
            frames,
        };
        sizes.map(of).into()
    }

    fn check(params: &AudioEncoderParams) -> Result<(), (&'static str, String)> {
        let AudioEncoderParams { width, bins, batch, frames, .. } = *params;
        if !frames.is_multiple_of(2) {
            return Err(("frames", format!("{frames} is odd: every other place is left out")));
        }
        check_numbers("frames", &[batch, frames, 3 * bins.max(width)])?;
        let positions = params.sizes().check([batch, frames / 2]);
        positions.map_err(|(name, reason)| (if name == "seq" { "frames" } else { name }, reason))?;
        let (sizes, [of_bins, most]) = WHISPER;
        real::check(&params.weights, params.sizes() == sizes && bins == of_bins && frames <= most)
    }

    fn label(params: &AudioEncoderParams) -> String {
        let AudioEncoderParams { bins, batch, frames, .. } = *params;
        format!("{}{} b{batch} {bins}×{frames}", real::label(&params.weights), params.sizes().label())
    }

    fn inputs(params: &AudioEncoderParams, seed: u64) -> Inputs {
        let AudioEncoderParams { width, bins, frames, .. } = *params;
        let mel = params.mel(seed);
        if let Some(mut inputs) = real::inputs(&params.weights) {
            inputs.insert("mel", mel);
            real::shorten(&mut inputs, "positions", frames / 2);
            return inputs;
        }
        let mut streams = 2..;
        let mut stream = || streams.next().unwrap_or_default();
        let deviation = |channels: usize| 1.0 / (3.0 * channels as f32).sqrt();
        let mut inputs = Inputs::from([
            ("mel", mel),
            ("conv_1", normal(vec![width, bins, 3], [0.0, deviation(bins)], seed, stream())),
            ("conv_1_bias", normal(vec![width], [0.0, 0.1], seed, stream())),
            ("conv_2", normal(vec![width, width, 3], [0.0, deviation(width)], seed, stream())),
            ("conv_2_bias", normal(vec![width], [0.0, 0.1], seed, stream())),
            ("positions", normal(vec![frames / 2, width], [0.0, EMBEDDED], seed, stream())),
            ("last_gain", normal(vec![width], [1.0, 0.1], seed, stream())),
            ("last_bias", normal(vec![width], [0.0, 0.1], seed, stream())),
        ]);
        params.sizes().add(&mut inputs, seed, stream);
        inputs
    }

    fn some_inputs(params: &AudioEncoderParams, seed: u64, names: &[String]) -> Inputs {
        if names.iter().all(|name| name == "mel") {
            return Inputs::from([("mel", params.mel(seed))]);
        }
        Self::inputs(params, seed)
    }

    fn reference(params: &AudioEncoderParams, inputs: &Inputs, seed: u64) -> Reference {
        all_heard(params, inputs, seed, None)
    }

    /// The convolutions are no products of a matrix, and are not rounded.
    fn rounded(
        params: &AudioEncoderParams,
        inputs: &Inputs,
        _outputs: &[Array],
        seed: u64,
        rounding: Rounding,
    ) -> Option<Rough> {
        let of = |rounding| all_heard(params, inputs, seed, rounding);
        Some(Rough::beside(of(None), &of(Some(rounding))))
    }

    /// Bytes of the weights, of the spectrograms and of the result, each once.
    fn work(params: &AudioEncoderParams, dtype: DType) -> Work {
        let AudioEncoderParams { width, bins, batch, frames, .. } = *params;
        let seq = frames / 2;
        let products = batch as f64 * (params.sizes().products(seq) + params.convolved());
        let of_convolutions = 3 * width * (bins + width) + 2 * width;
        let others = of_convolutions + seq * width + 2 * width + batch * (bins * frames + seq * width);
        Work { flops: 2.0 * products, bytes: (params.sizes().weights() + others as f64) * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &AudioEncoderParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// What the encoder makes of as many spectrograms as there is time for, where what matrices are multiplied by may be rounded.
fn all_heard(params: &AudioEncoderParams, inputs: &Inputs, seed: u64, rounding: Option<Rounding>) -> Reference {
    let AudioEncoderParams { width, batch, frames, .. } = *params;
    let seq = frames / 2;
    let most = BUDGET as f64 / (params.sizes().products(seq) + params.convolved());
    let chosen = sample_rows(batch, (most as usize).max(1), seed);
    let values = chosen.iter().flat_map(|one| heard(params, inputs, *one, rounding)).collect();
    let rows = chosen.iter().flat_map(|one| one * seq..(one + 1) * seq).collect();
    Reference::of(vec![batch, seq, width], rows, values)
}

/// What the encoder makes of one of the spectrograms.
pub(crate) fn heard(params: &AudioEncoderParams, inputs: &Inputs, one: usize, rounding: Option<Rounding>) -> Vec<f64> {
    let made = params.sizes().through(inputs, placed(params, inputs, one), rounding);
    normed(inputs, &made)
}

/// The same, exactly, where behind the convolutions the positions `kept` alone go on, ascending, or positions become one with others:
/// `[left, width]`.
pub fn heard_in_part(
    params: &AudioEncoderParams,
    inputs: &Inputs,
    one: usize,
    kept: Option<&[usize]>,
    merges: Option<Merges<'_>>,
) -> Vec<f64> {
    let (mut stream, width) = (placed(params, inputs, one), params.width);
    if let Some(kept) = kept {
        stream = kept.iter().flat_map(|place| stream[place * width..][..width].to_vec()).collect();
    }
    normed(inputs, &params.sizes().through_merging(inputs, stream, None, merges))
}

/// What goes into the blocks of one of the spectrograms, `[frames / 2, width]`.
fn placed(params: &AudioEncoderParams, inputs: &Inputs, one: usize) -> Vec<f64> {
    let AudioEncoderParams { bins, frames, .. } = *params;
    let mel = &inputs.numbers("mel")[one * bins * frames..][..bins * frames];
    let by_frame = (0..frames).map(|frame| mel.iter().skip(frame).step_by(frames).map(|x| f64::from(*x)).collect());
    let first = convolved(inputs, ["conv_1", "conv_1_bias"], &by_frame.collect::<Vec<Vec<f64>>>(), 1);
    let second = convolved(inputs, ["conv_2", "conv_2_bias"], &first, 2);
    let positions = inputs.numbers("positions");
    second.concat().iter().zip(positions).map(|(x, place)| x + f64::from(*place)).collect()
}

/// The norm of each position behind the blocks.
fn normed(inputs: &Inputs, made: &[f64]) -> Vec<f64> {
    let (gain, bias) = (inputs.numbers("last_gain"), inputs.numbers("last_bias"));
    made.chunks_exact(gain.len()).flat_map(|x| layer_normed(x, gain, bias)).collect()
}

/// The exact GELU of the sums over a frame, the one before and the one after it, of every `stride`-th frame.
fn convolved(inputs: &Inputs, [weight, bias]: [&str; 2], frames: &[Vec<f64>], stride: usize) -> Vec<Vec<f64>> {
    let (weight, bias) = (inputs.numbers(weight), inputs.numbers(bias));
    let channels = frames.first().map_or(0, Vec::len);
    let at = |place: usize| -> Vec<f64> {
        // As the weights lie: of a channel all three neighbours.
        let of = |channel: usize, tap: usize| {
            let frame = (place + tap).checked_sub(1).and_then(|frame| frames.get(frame));
            frame.map_or(0.0, |frame| frame[channel])
        };
        let window: Vec<f64> = (0..channels).flat_map(|channel| [0, 1, 2].map(|tap| of(channel, tap))).collect();
        let sums = weight.chunks_exact(3 * channels).zip(bias);
        sums.map(|(row, bias)| exact_gelu(dot(&window, row) + f64::from(*bias))).collect()
    };
    (0..frames.len()).step_by(stride).map(at).collect()
}
