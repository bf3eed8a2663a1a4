//! Encoders: whole inputs of which every position sees all others.

mod audio;
mod clip;
mod image;
mod merges;
mod stack;
mod text;

pub(crate) use audio::heard;
pub use audio::{AudioEncoder, AudioEncoderParams, WHISPER, heard_in_part};
pub use clip::Clip;
pub(crate) use image::looked;
pub use image::{FRAMES, ImageEncoder, ImageEncoderParams, MERGED};
pub use merges::Merges;
pub use stack::{Family, Sizes};
pub use text::{MINILM, TextEncoder, TextEncoderParams};
