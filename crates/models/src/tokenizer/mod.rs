//! Text as tokens of a model: byte-level byte-pair encoding, and word pieces. Both are our own, small, and made for the models
//! whose real weights can be had, and for some of one's own; what a file asks for besides is refused.

mod bpe;
mod wordpiece;
mod words;

pub use bpe::Bpe;
pub(crate) use bpe::{Parts, apart};
pub use wordpiece::WordPiece;
pub(crate) use words::Like;

#[cfg(test)]
pub(crate) use bpe::tests::tokens;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Result};

/// A token that is none of the text's: its own text, and its id.
#[derive(Deserialize)]
struct Added {
    content: String,
    id: u32,
}

/// What all files of this format have; the rest is what each kind of model reads.
#[derive(Deserialize)]
struct File<M> {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<serde_json::Value>,
    pre_tokenizer: Option<serde_json::Value>,
    post_processor: Option<serde_json::Value>,
    model: M,
}

/// Reads a `tokenizer.json`.
fn read<'a, M: Deserialize<'a>>(json: &'a [u8]) -> Result<File<M>> {
    serde_json::from_slice(json).map_err(|error| refused(error.to_string()))
}

impl<M> File<M> {
    /// Ids of tokens that are none of a text.
    fn special(&self) -> BTreeMap<String, u32> {
        self.added_tokens.iter().map(|added| (added.content.clone(), added.id)).collect()
    }
}

/// Why there is no tokenizer.
fn refused(reason: impl Into<String>) -> Error {
    Error::Tokenizer(reason.into())
}

/// Text of bytes.
///
/// # Errors
/// It is not UTF-8.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    str::from_utf8(bytes).map_err(|error| Error::NotUtf8 { at: error.valid_up_to() })
}

/// Refuses a tokenizer of so many tokens beside a model that knows fewer.
///
/// # Errors
/// As told.
fn fits(tokens: usize, vocabulary: usize) -> Result<()> {
    if tokens <= vocabulary {
        return Ok(());
    }
    Err(refused(format!("it has {tokens} tokens, the model knows {vocabulary}: it is of another model")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_utf8_is_told_from_where_on() {
        assert_eq!(utf8("café".as_bytes()).unwrap(), "café");
        let message = utf8(b"caf\xe9").unwrap_err().to_string();
        assert!(message.contains("not UTF-8 from byte 3 on"), "{message}");
    }

    #[test]
    fn a_tokenizer_of_another_model_is_refused() {
        assert!(fits(30_522, 30_522).is_ok());
        let message = fits(50_257, 30_522).unwrap_err().to_string();
        assert!(message.contains("50257 tokens, the model knows 30522"), "{message}");
    }
}
