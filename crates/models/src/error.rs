//! What can be wrong with a model, its weights or what is asked of it.

use std::path::PathBuf;

/// Why there is no model, or no answer of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No description has this name.
    #[error("there is no model {name}, the models are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names of all descriptions.
        known: String,
    },
    /// A description that is no TOML, or has a field too many or too few.
    #[error("the description is not readable: {0}")]
    Description(#[from] Box<toml::de::Error>),
    /// A description whose numbers do not go together.
    #[error("{model}: {reason}")]
    Inconsistent {
        /// Its name.
        model: String,
        /// What does not fit.
        reason: String,
    },
    /// A file that the system does not let us read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// Where it lies.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file that is not what its format says; `at` is a place in bytes.
    #[error("this is no whole {format} file, at byte {at}: {reason}; fetch it again")]
    Damaged {
        /// The format that was expected.
        format: &'static str,
        /// Where reading stopped.
        at: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A file whose bytes are not those that were published.
    #[error(
        "the file has the checksum {found}, the published one has {wanted}: fetch it again, or it is another model"
    )]
    Checksum {
        /// Published, in hexadecimal digits.
        wanted: String,
        /// Of the file that is here.
        found: String,
    },
    /// A file without a tensor that the model has.
    #[error("the file has no tensor {name}: it is of another model, it has {found}")]
    Missing {
        /// The tensor.
        name: String,
        /// Some tensors of the file.
        found: String,
    },
    /// A tensor of another shape than that of the model.
    #[error("the tensor {name} has the shape {found:?}, the model needs {wanted:?}: the file is of another model")]
    Shape {
        /// The tensor.
        name: String,
        /// What the model has.
        wanted: Vec<usize>,
        /// What the file has.
        found: Vec<usize>,
    },
    /// A tensor whose numbers are of a kind that is not read.
    #[error("the tensor {name} holds numbers of the kind {found}, this reader takes {taken}")]
    Kind {
        /// The tensor.
        name: String,
        /// Kind of its numbers.
        found: String,
        /// What can be read.
        taken: &'static str,
    },
    /// Real weights that were not brought.
    #[error("{name} is not in {}: `cargo xtask data {name}` brings it, and all else works without", folder.display())]
    Absent {
        /// The model.
        name: &'static str,
        /// Where weights lie.
        folder: PathBuf,
    },
    /// A file of real weights that is not as it was brought.
    #[error("{}: {problem}; remove its folder and run `cargo xtask data {name}`", path.display())]
    Changed {
        /// The model.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A tokenizer that is of another kind, or of another model.
    #[error("this tokenizer cannot be used: {0}")]
    Tokenizer(String),
    /// Bytes that are no text.
    #[error("the text is not UTF-8 from byte {at} on: give it in UTF-8")]
    NotUtf8 {
        /// The first byte that is none.
        at: usize,
    },
    /// A model that is not computed here, or not by what was asked for.
    #[error(
        "a model as {0} is not built yet: decoders are of GPT-2, LLaMA, Qwen3 (with experts that none shares), GLM, Whisper, LLaVA and a dense Qwen3-VL, encoders of BERT, Whisper, Qwen3-VL and CLIP"
    )]
    NotBuilt(String),
    /// A technique that a model does not take.
    #[error("{technique} does not apply: {reason}")]
    Inapplicable {
        /// Its name.
        technique: &'static str,
        /// Why not.
        reason: String,
    },
    /// No tokens.
    #[error("the prompt is empty: give one token at least")]
    EmptyPrompt,
    /// More tokens than there is room for.
    #[error("{asked} tokens do not fit behind {held} of {room}: begin anew, or make a session with more room")]
    Full {
        /// Tokens that were given.
        asked: usize,
        /// Tokens that the session holds.
        held: usize,
        /// Tokens that it has room for.
        room: usize,
    },
    /// Rooms that make no session, or steps of too many tokens.
    #[error("{0}")]
    Session(String),
    /// A token that the model does not have.
    #[error("token {id} is not one of the {vocabulary} of this model: the tokenizer is of another one")]
    Token {
        /// The token.
        id: i32,
        /// Tokens that there are.
        vocabulary: usize,
    },
    /// Numbers that a format does not take.
    #[error(transparent)]
    Format(#[from] benchbook_formats::Error),
    /// A kernel that refuses its call.
    #[error(transparent)]
    Kernel(#[from] benchbook_simd::Error),
}

/// An answer, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
