//! Patches of an image as positions of a sequence.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use super::numbers;
use crate::attention::reference::dot;
use crate::draw::{check_numbers, normal};
use crate::rows::by_rows;
use crate::tolerance::tolerance_of_sum;

/// The embedding of a vision transformer (Dosovitskiy et al., arXiv 2010.11929, section 3.1, equation 1), without a bias, which the
/// learned positions can hold: a class token and the product of each patch with one matrix, and to all of them their positions.
///
/// Inputs: `image` `[batch, in_channels, height, width]`, standard normal; `weight`
/// `[embed_dim, in_channels, patch_size, patch_size]`, with variance 1 / (numbers of a patch); `class` `[embed_dim]`; `positions`
/// `[1 + patches, embed_dim]`, that of the class first. Output `[batch, 1 + patches, embed_dim]`, patches row by row of the image.
/// Weights stay from call to call: bringing them into another layout is preparation, as loading a model is.
pub struct PatchEmbedding;

benchbook_core::parameters! {
    /// Parameters of [`PatchEmbedding`].
    pub struct PatchEmbeddingParams {
        /// images in the batch
        batch: usize = 1, 1..=1 << 20;
        /// channels of an image
        in_channels: usize = 3, 1..=1 << 12;
        /// rows of an image
        height: usize = 224, 1..=1 << 14;
        /// columns of an image
        width: usize = 224, 1..=1 << 14;
        /// rows, and columns, of a patch; it divides height and width
        patch_size: usize = 16, 1..=1 << 10;
        /// numbers of a position
        embed_dim: usize = 768, 1..=1 << 15;
    }
}

impl PatchEmbeddingParams {
    /// Rows and columns of patches.
    pub fn grid(&self) -> [usize; 2] {
        [self.height / self.patch_size, self.width / self.patch_size]
    }

    /// Positions of an image: its patches, and the class.
    pub fn seq(&self) -> usize {
        let [rows, columns] = self.grid();
        rows * columns + 1
    }

    /// Numbers of a patch.
    pub fn patch(&self) -> usize {
        self.in_channels * self.patch_size * self.patch_size
    }
}

impl Problem for PatchEmbedding {
    const NAME: &'static str = "patch-embedding";
    const ABOUT: &'static str = "patches of an image as positions, with a class token and learned positions";
    type Params = PatchEmbeddingParams;

    fn presets() -> Vec<Preset> {
        let of = |batch: i64, side: i64, patch: i64, width: i64| {
            let params = Params::default().with("batch", batch.into()).with("embed_dim", width.into());
            params.with("height", side.into()).with("width", side.into()).with("patch_size", patch.into())
        };
        // ViT-B/16, eight of them, and ViT-L/14.
        let full = vec![of(1, 224, 16, 768), of(8, 224, 16, 768), of(1, 224, 14, 1024)];
        vec![Preset { name: "quick", cases: vec![of(1, 96, 16, 192)] }, Preset { name: "default", cases: full }]
    }

    fn ugly() -> Vec<PatchEmbeddingParams> {
        let of = |[batch, in_channels, height, width, patch_size, embed_dim]: [usize; 6]| PatchEmbeddingParams {
            batch,
            in_channels,
            height,
            width,
            patch_size,
            embed_dim,
        };
        vec![
            of([1, 1, 1, 1, 1, 3]),
            of([2, 3, 6, 9, 3, 17]),
            of([1, 5, 16, 16, 16, 33]),
            of([3, 1, 35, 7, 7, 67]),
            of([1, 3, 3, 67, 1, 5]),
            of([1, 4, 34, 51, 17, 130]),
        ]
    }

    fn check(params: &PatchEmbeddingParams) -> Result<(), (&'static str, String)> {
        let PatchEmbeddingParams { batch, in_channels, height, width, patch_size, embed_dim } = *params;
        if !height.is_multiple_of(patch_size) || !width.is_multiple_of(patch_size) {
            return Err(("patch_size", format!("{patch_size} does not divide an image of {height} × {width}")));
        }
        check_numbers("batch", &[batch, in_channels, height, width])?;
        check_numbers("batch", &[batch, params.seq(), embed_dim])?;
        check_numbers("embed_dim", &[embed_dim, params.patch()])
    }

    fn label(params: &PatchEmbeddingParams) -> String {
        let PatchEmbeddingParams { batch, in_channels, height, width, patch_size, embed_dim } = *params;
        format!("b{batch} c{in_channels} {height}×{width} patch {patch_size} d{embed_dim}")
    }

    fn inputs(params: &PatchEmbeddingParams, seed: u64) -> Inputs {
        let PatchEmbeddingParams { batch, in_channels, height, width, patch_size, embed_dim } = *params;
        let deviation = 1.0 / (params.patch() as f32).sqrt();
        let weight = normal(vec![embed_dim, in_channels, patch_size, patch_size], [0.0, deviation], seed, 2);
        Inputs::from([
            ("image", Array::normal(vec![batch, in_channels, height, width], seed, 1)),
            ("weight", weight),
            ("class", Array::normal(vec![embed_dim], seed, 3)),
            ("positions", normal(vec![params.seq(), embed_dim], [0.0, 0.5], seed, 4)),
        ])
    }

    /// By plain loops; a row is one position of one image.
    fn reference(params: &PatchEmbeddingParams, inputs: &Inputs, seed: u64) -> Reference {
        let PatchEmbeddingParams { batch, in_channels, height, width, patch_size, embed_dim } = *params;
        let [image, weight, class, positions] =
            ["image", "weight", "class", "positions"].map(|name| inputs.numbers(name));
        let ([_, columns], seq) = (params.grid(), params.seq());
        // The numbers of a patch, channel by channel.
        let patch = |of: usize, number: usize| -> Vec<f32> {
            let (top, left) = (number / columns * patch_size, number % columns * patch_size);
            let lines = (0..in_channels).flat_map(|channel| (top..top + patch_size).map(move |row| (channel, row)));
            let line = |(channel, row): (usize, usize)| {
                let start = ((of * in_channels + channel) * height + row) * width + left;
                image[start..start + patch_size].iter().copied()
            };
            lines.flat_map(line).collect()
        };
        by_rows(vec![batch, seq, embed_dim], params.patch() * embed_dim, seed, |row| {
            let (of, place) = (row / seq, row % seq);
            let mut found = numbers(&positions[place * embed_dim..][..embed_dim]);
            if place == 0 {
                found.iter_mut().zip(class).for_each(|(sum, class)| *sum += f64::from(*class));
            } else {
                let patch = patch(of, place - 1);
                let weights = weight.chunks_exact(patch.len());
                found.iter_mut().zip(weights).for_each(|(sum, weights)| *sum += dot(&patch, weights));
            }
            found
        })
    }

    /// A product for each patch, and a sum for each number of the result.
    fn work(params: &PatchEmbeddingParams, dtype: DType) -> Work {
        let PatchEmbeddingParams { batch, in_channels, height, width, embed_dim, .. } = *params;
        let [batch, seq, patch, embed_dim] = [batch, params.seq(), params.patch(), embed_dim].map(|size| size as f64);
        let image: f64 = [in_channels, height, width].map(|size| size as f64).iter().product();
        let flops = batch * embed_dim * ((seq - 1.0) * 2.0 * patch + seq);
        let numbers = batch * (image + seq * embed_dim) + embed_dim * (patch + 1.0 + seq);
        Work { flops, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(params: &PatchEmbeddingParams, dtype: DType) -> f64 {
        tolerance_of_sum(dtype, params.in_channels * params.patch_size * params.patch_size)
    }
}
