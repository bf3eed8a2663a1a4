//! The vision tower of CLIP with the projector of LLaVA-1.5: its sizes, its inputs, and itself in `f64`.

use benchbook_core::{Array, DType, Inputs, Work};
use rayon::prelude::*;

use super::stack::{EMBEDDED, Family, Sizes};
use crate::attention::reference::dot;
use crate::blocks::{exact_gelu, layer_normed};
use crate::draw::{check_numbers, normal};

/// Sizes of the vision tower of CLIP (arXiv 2103.00020, section 2.4) as LLaVA-1.5 has it (arXiv 2310.03744, section 3.3; Transformers'
/// `modeling_llava.py`): a class token before the patches of a square image, what is learned for their places, a norm, blocks of
/// [`Sizes`], and two products with the exact GELU between them, which make a token of the text of each patch. A LLaVA takes the features
/// before the last block, and so these are all blocks but that one.
///
/// Inputs: `patches` `[1, side², 3 · patch²]`, standard normal, row by row, each color by color; `class` `[width]`; `w_patch`
/// `[width, 3 · patch²]`; `places` `[1 + side², width]`; `first_gain` and `first_bias` `[width]`; the weights of all blocks; `project_up`
/// `[out, width]` and `project_down` `[out, out]` with `project_up_bias` and `project_down_bias`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clip {
    /// Blocks before the features.
    pub layers: usize,
    /// Heads; they divide the width.
    pub heads: usize,
    /// Numbers of a patch.
    pub width: usize,
    /// Numbers between the products of the feed-forward network.
    pub hidden: usize,
    /// Pixels of a side of a patch.
    pub patch: usize,
    /// Patches of a side of the image.
    pub side: usize,
    /// Numbers of a token.
    pub out: usize,
}

impl Clip {
    /// The sizes of the blocks.
    pub fn sizes(&self) -> Sizes {
        let Self { layers, heads, width, hidden, .. } = *self;
        Sizes { layers, heads, width, hidden, family: Family::Clip }
    }

    /// Numbers of a patch that comes in.
    fn inner(&self) -> usize {
        3 * self.patch * self.patch
    }

    /// Patches of an image, each of which becomes a token.
    fn patches(&self) -> usize {
        self.side * self.side
    }

    /// Refuses sizes that do not go together, or are too many.
    ///
    /// # Errors
    /// One of them, and what would be right.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { width, out, .. } = *self;
        check_numbers("out", &[out, width.max(out)])?;
        check_numbers("side", &[self.patches(), self.inner()])?;
        let fits = self.sizes().check([1, 1 + self.patches()]);
        fits.map_err(|(name, reason)| (if name == "seq" { "side" } else { name }, reason))
    }

    /// The middle of a label.
    pub(crate) fn label(&self) -> String {
        let Self { patch, side, out, .. } = *self;
        format!("clip {} p{patch} s{side} →{out}", self.sizes().label())
    }

    /// An image and all weights.
    pub(crate) fn inputs(&self, seed: u64) -> Inputs {
        let Self { width, out, .. } = *self;
        let (inner, patches) = (self.inner(), self.patches());
        let mut streams = 2..;
        let mut stream = || streams.next().unwrap_or_default();
        let mut inputs = Inputs::from([("patches", Array::normal(vec![1, patches, inner], seed, 1))]);
        let terms = |count: usize| [0.0, 1.0 / (count as f32).sqrt()];
        for (name, shape, of) in [
            ("class", vec![width], [0.0, EMBEDDED]),
            ("w_patch", vec![width, inner], terms(inner)),
            ("places", vec![1 + patches, width], [0.0, EMBEDDED]),
            ("first_gain", vec![width], [1.0, 0.1]),
            ("first_bias", vec![width], [0.0, 0.1]),
            ("project_up", vec![out, width], terms(width)),
            ("project_up_bias", vec![out], [0.0, 0.1]),
            ("project_down", vec![out, out], terms(out)),
            ("project_down_bias", vec![out], [0.0, 0.1]),
        ] {
            inputs.insert(name, normal(shape, of, seed, stream()));
        }
        self.sizes().add(&mut inputs, seed, stream);
        inputs
    }

    /// Operations of an image; bytes of the weights, of its patches and of its tokens, each once.
    pub(crate) fn work(&self, dtype: DType) -> Work {
        let Self { width, out, .. } = *self;
        let (inner, patches, projected) = (self.inner(), self.patches(), out * (width + out));
        let products = self.sizes().products(1 + patches) + (patches * (inner * width + projected)) as f64;
        let others = inner * width + (4 + patches) * width + projected + 2 * out + patches * (inner + out);
        Work { flops: 2.0 * products, bytes: (self.sizes().weights() + others as f64) * dtype.bytes() as f64 }
    }

    /// Tokens `[side², out]` of the image, in `f64`.
    pub(crate) fn looked(&self, inputs: &Inputs) -> Vec<f64> {
        let Self { width, .. } = *self;
        let product = |name: &str, x: &[f64]| -> Vec<f64> {
            inputs.numbers(name).chunks_exact(x.len()).map(|row| dot(x, row)).collect()
        };
        let wide = |numbers: &[f32]| -> Vec<f64> { numbers.iter().map(|number| f64::from(*number)).collect() };
        let mut stream = wide(inputs.numbers("class"));
        for patch in inputs.numbers("patches").chunks_exact(self.inner()) {
            stream.extend(product("w_patch", &wide(patch)));
        }
        stream.iter_mut().zip(inputs.numbers("places")).for_each(|(x, place)| *x += f64::from(*place));
        let (gain, bias) = (inputs.numbers("first_gain"), inputs.numbers("first_bias"));
        let normed = stream.chunks_exact(width).flat_map(|x| layer_normed(x, gain, bias)).collect();
        let features = self.sizes().through(inputs, normed, None);
        let affine = |name: &str, x: &[f64]| -> Vec<f64> {
            let bias = inputs.numbers(&format!("{name}_bias"));
            product(name, x).into_iter().zip(bias).map(|(sum, bias)| sum + f64::from(*bias)).collect()
        };
        let token = |feature: &[f64]| {
            let between: Vec<f64> = affine("project_up", feature).into_iter().map(exact_gelu).collect();
            affine("project_down", &between)
        };
        // Behind the class token.
        features.par_chunks_exact(width).skip(1).flat_map_iter(token).collect()
    }
}
