//! Whole models that look and write, on plain slices: `multimodal-image`.

use benchbook_core::{Array, DType, Inputs, Result, Row, Setting, Subject};
use benchbook_models::weights::Source;
use benchbook_models::{ClipEncoder, ClipRoom, Decoder, ImageEncoder, ImageRoom, Session, Tensor, most_varied};
use benchbook_workloads::decoding::{MultimodalImage, MultimodalImageParams, Tower};

use super::clip;
use super::images::{self, vision_of};
use super::models::{self, MOST_CHUNK, Running, described, failed, looping};
use super::multimodal::{Sense, Telling};
use crate::flex::row::fused_row;

/// Implementations of `multimodal-image`.
pub const ROWS: [Row<MultimodalImage>; 2] = [CACHED, RECOMPUTED];

const CACHED: Row<MultimodalImage> = fused_row::<MultimodalImage>(
    "kv-cache",
    "the image is looked at once, and keys and values of its tokens and of all earlier positions are kept; everything hand-written: \
     AVX-512, AVX2 or portable",
    &[DType::F32],
    looking::<true>,
)
.catalogue(&["MO17", "WL2"]);

const RECOMPUTED: Row<MultimodalImage> = fused_row::<MultimodalImage>(
    "recompute",
    "the same kernels, by which the image is looked at and all positions are computed anew for each token",
    &[DType::F32],
    looking::<false>,
);

fn looking<const KEEPS: bool>(
    name: &'static str,
    setting: &Setting,
    params: &MultimodalImageParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let (sense, decoder) = seeing(params, inputs).map_err(|error| failed(name, &setting.device, &error))?;
    let [rows, columns] = params.grid();
    let chunk = params.prompt.max(rows * columns).min(MOST_CHUNK);
    let running = Running::of(name, setting, decoder, inputs, [params.positions(), chunk]);
    let made = Vec::with_capacity(params.tokens);
    let telling = Telling { running, sense, made, wanted: params.tokens, keeps: KEEPS };
    Ok(looping(name, setting, &MultimodalImage::steps(params), telling))
}

/// Who looks at the image of a case, and who reads of it and writes.
pub(super) fn seeing(params: &MultimodalImageParams, inputs: &Inputs) -> benchbook_models::Result<(Looking, Decoder)> {
    let (sizes, of_tower, positions) = (params.sizes(), MultimodalImage::of_image(inputs), params.positions());
    let tower = params.looking();
    let given = Given { text: models::Given { sizes: &sizes, inputs }, tower: &tower, of_tower: &of_tower };
    let mut model = described(&sizes, positions);
    model.text.sections = params.sections();
    model.vision = Some(match &tower {
        Tower::Qwen3Vl(of) => vision_of(of),
        Tower::Clip(of) => clip::vision_of(of),
    });
    let model = model.checked()?;
    let encoder = match &tower {
        Tower::Qwen3Vl(_) => Encoder::Qwen3Vl(ImageEncoder::load(&model, &given)?, ImageRoom::default()),
        Tower::Clip(_) => Encoder::Clip(ClipEncoder::load(&model, &given)?, ClipRoom::default()),
    };
    let looking = Looking {
        encoder,
        patches: inputs.get(PATCHES).clone(),
        of_patches: [params.rows, params.columns],
        of_tokens: params.grid(),
        before: params.before,
        left_out: None,
    };
    Ok((looking, Decoder::load(&model, &given, positions)?))
}

/// The input that holds an image.
pub(super) const PATCHES: &str = "image_patches";

/// A tower, and its room.
enum Encoder {
    Qwen3Vl(ImageEncoder, ImageRoom),
    Clip(ClipEncoder, ClipRoom),
}

/// Who looks.
pub(super) struct Looking {
    encoder: Encoder,
    patches: Array,
    /// Rows and columns of patches, and of tokens.
    of_patches: [usize; 2],
    of_tokens: [usize; 2],
    /// Tokens of the prompt before the image.
    before: usize,
    /// Percent of the groups of patches that are left out, those that vary least.
    left_out: Option<usize>,
}

impl Looking {
    /// The same, which leaves out so many percent of the patches.
    pub(super) fn without(self, percent: usize) -> Self {
        Self { left_out: Some(percent), ..self }
    }

    /// Which tokens of an image are left; nothing where all are.
    pub(super) fn left(&self) -> Option<Vec<usize>> {
        let [rows, columns] = self.of_tokens;
        let patches = self.patches.of::<f32>();
        self.left_out.map(|percent| most_varied(patches, patches.len() / (rows * columns), percent))
    }

    /// Bytes of the matrices of its tower.
    pub(super) fn bytes(&self) -> usize {
        match &self.encoder {
            Encoder::Qwen3Vl(encoder, _) => encoder.held().bytes,
            Encoder::Clip(encoder, _) => encoder.held().bytes,
        }
    }

    /// The share of an image that is left where so many tokens of it are.
    pub(super) fn share(&self, tokens: usize) -> f64 {
        let [rows, columns] = self.of_tokens;
        tokens as f64 / (rows * columns) as f64
    }

    /// Operations of a tower of Qwen3-VL that makes so many tokens; nothing is known of others.
    pub(super) fn flops(&self, tokens: usize) -> Option<f64> {
        let [[down, right], [rows, columns]] = [self.of_patches, self.of_tokens];
        match &self.encoder {
            Encoder::Qwen3Vl(encoder, _) => {
                Some(2.0 * encoder.products(tokens * down * right / (rows * columns)) as f64)
            }
            Encoder::Clip(..) => None,
        }
    }
}

impl Sense for Looking {
    const INPUT: &'static str = PATCHES;

    fn given(&mut self) -> &mut Array {
        &mut self.patches
    }

    fn begin<'a>(
        &mut self,
        decoder: &Decoder,
        session: &'a mut Session,
        tokens: &[i32],
    ) -> benchbook_models::Result<&'a [f32]> {
        let (before, behind) = tokens.split_at(self.before);
        if !before.is_empty() {
            session.take(decoder, before)?;
        }
        let left = self.left();
        let patches = self.patches.of::<f32>();
        let image = match &mut self.encoder {
            Encoder::Qwen3Vl(encoder, room) => encoder.tokens_of(room, patches, self.of_patches, left.as_deref())?,
            Encoder::Clip(encoder, room) => encoder.tokens(room, patches)?,
        };
        session.look_at(decoder, image, self.of_tokens, left.as_deref())?;
        session.prefill(decoder, behind)
    }
}

/// Weights of a case, by their names in checkpoints.
struct Given<'a> {
    text: models::Given<'a>,
    tower: &'a Tower,
    of_tower: &'a Inputs,
}

impl Source for Given<'_> {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        // As of a model of nothing but text.
        let text = match self.tower {
            Tower::Qwen3Vl(_) if tensor.name.starts_with("model.visual.") => {
                return images::Given(self.of_tower).numbers(tensor);
            }
            Tower::Qwen3Vl(_) => tensor.name.replace("model.language_model.", "model."),
            Tower::Clip(of) => match tensor.name.strip_prefix("language_model.") {
                Some(name) => name.to_owned(),
                None => return clip::given(of, self.of_tower).numbers(tensor),
            },
        };
        self.text.numbers(&Tensor { name: text, ..tensor.clone() })
    }
}
