//! How good the answers of a model are: estimates of logits, labels, rankings and texts, each over items that are counted.
//!
//! No function reads a clock or a file, except those of [`data`], which read what `cargo xtask data` has brought. What a
//! technique costs is *paired*: its estimate and the baseline's are of the same items, in the same order.

pub mod bleu;
pub mod data;
mod error;
mod estimate;
mod grams;
pub mod labels;
pub mod logits;
pub mod retrieval;
pub mod rouge;
pub mod similarity;
pub mod wer;
pub mod written;

pub use error::{Error, Result};
pub use estimate::{Estimate, LEVEL, Of, PIECES, pieces};
