//! How good the answers of a model are: figures of logits, labels, rankings and texts, each over items that are counted.
//!
//! No function reads a clock or a file, except those of [`data`], which read what `cargo xtask data` has brought. What a
//! technique costs is *paired*: its figure and the baseline's are of the same items, in the same order.

pub mod bleu;
pub mod data;
mod error;
mod figure;
mod grams;
pub mod labels;
pub mod logits;
pub mod retrieval;
pub mod rouge;
pub mod similarity;
pub mod wer;
pub mod written;

pub use error::{Error, Result};
pub use figure::{Figure, LEVEL, Of, PIECES, pieces};
