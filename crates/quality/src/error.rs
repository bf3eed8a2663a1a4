//! What can be wrong with answers, and with the data that they are held against.

use std::path::PathBuf;

/// The result of an estimate or of reading its data.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no estimate, or no data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to take an estimate of.
    #[error("there is no {0}: an estimate needs one at least")]
    Empty(&'static str),
    /// Two lists that belong together have different lengths.
    #[error("{left} of {what} stand beside {right}: both sides need the same items in the same order")]
    Unequal {
        /// What is counted.
        what: &'static str,
        /// How many of them there are.
        left: usize,
        /// How many there should be.
        right: usize,
    },
    /// A number names nothing.
    #[error("item {item} names {what} {number}, of which there are {count}")]
    Beyond {
        /// The position of the item.
        item: usize,
        /// What the number is one of.
        what: &'static str,
        /// The number, from 0.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// A ranking names a document twice.
    #[error("document {0} stands in the ranking twice")]
    Twice(usize),
    /// Logits are no distribution, or a divergence has no end.
    #[error("the logits of position {position} {problem}")]
    Logits {
        /// The position in the text, from 0.
        position: usize,
        /// What is wrong with them.
        problem: &'static str,
    },
    /// A statistic cannot be given.
    #[error(transparent)]
    Statistic(#[from] benchbook_stats::Error),
    /// Data was not brought.
    #[error("{name} is not in {}: `cargo xtask data {name}` brings it", folder.display())]
    Absent {
        /// The name of the set.
        name: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Data is not what it should be.
    #[error("{}: {problem}; remove {} and run `cargo xtask data {name}`", path.display(), folder.display())]
    Damaged {
        /// The name of the set.
        name: &'static str,
        /// The file that is wrong.
        path: PathBuf,
        /// The folder of the set.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system has refused a file.
    #[error("could not read {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
