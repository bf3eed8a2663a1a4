//! Decoding: loops in which a model takes a prompt, or makes one token after another.

mod axes;
mod batched;
mod choice;
mod exact;
mod forced;
mod generate;
mod gpt2;
mod greedy;
mod lossy;
mod multimodal;
mod multimodal_image;
mod otherwise;
mod prefill;
mod prefix;
mod sampling;
mod speculative;
mod stack;
mod towers;
mod uniform;

pub use batched::{BatchedDecoding, BatchedDecodingParams, Request};
pub use forced::{ForcedDecoding, ForcedDecodingParams, OTHER};
pub use generate::{Generate, GenerateParams, SMOLLM2, SMOLLM2_CONTEXT};
pub(crate) use greedy::ids;
pub use greedy::{GreedyDecoding, GreedyDecodingParams};
pub use lossy::{LossyDecoding, LossyDecodingParams};
pub use multimodal::{Multimodal, MultimodalParams};
pub use multimodal_image::{MultimodalImage, MultimodalImageParams};
pub use otherwise::{Depths, Otherwise, Parted, Rounded};
pub use prefill::{Prefill, PrefillParams};
pub use prefix::{PrefixDecoding, PrefixDecodingParams};
pub use sampling::{AT_ONCE, PAIR, SpeculativeSampling, SpeculativeSamplingParams};
pub use speculative::{SpeculativeDecoding, SpeculativeDecodingParams};
pub use stack::{Beside, Experts, Latent, ROTARY_BASE, Sizes};
pub use towers::Tower;
pub use uniform::Uniform;
