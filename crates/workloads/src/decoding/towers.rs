//! Who looks at the image of `multimodal-image`.

use benchbook_core::{DType, Inputs, Problem, Work};

use crate::encoding::{Clip, ImageEncoder, ImageEncoderParams, looked};

/// A vision tower, whose inputs are those of one image and of its weights.
#[derive(Debug, Clone, PartialEq)]
pub enum Tower {
    /// Of Qwen3-VL.
    Qwen3Vl(ImageEncoderParams),
    /// Of CLIP, as LLaVA-1.5 has it.
    Clip(Clip),
}

impl Tower {
    /// Their names, in parameters.
    pub const NAMES: [&str; 2] = [Self::QWEN3_VL, Self::CLIP];

    /// That of Qwen3-VL.
    pub const QWEN3_VL: &str = "qwen3-vl";

    /// That of CLIP.
    pub const CLIP: &str = "clip";

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        match self {
            Self::Qwen3Vl(params) => ImageEncoder::check(params),
            Self::Clip(clip) => clip.check(),
        }
    }

    pub(super) fn label(&self) -> String {
        match self {
            Self::Qwen3Vl(params) => ImageEncoder::label(params),
            Self::Clip(clip) => clip.label(),
        }
    }

    pub(super) fn inputs(&self, seed: u64) -> Inputs {
        match self {
            Self::Qwen3Vl(params) => ImageEncoder::inputs(params, seed),
            Self::Clip(clip) => clip.inputs(seed),
        }
    }

    pub(super) fn work(&self, dtype: DType) -> Work {
        match self {
            Self::Qwen3Vl(params) => ImageEncoder::work(params, dtype),
            Self::Clip(clip) => clip.work(dtype),
        }
    }

    /// Lists of tokens `[tokens, out]` of the image in `f64`: the first one comes in as embeddings do.
    pub(super) fn looked(&self, inputs: &Inputs) -> Vec<Vec<f64>> {
        match self {
            Self::Qwen3Vl(params) => looked(params, inputs, 0, None),
            Self::Clip(clip) => vec![clip.looked(inputs)],
        }
    }
}
