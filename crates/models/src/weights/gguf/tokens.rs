//! The tokenizer of a GGUF file.

use std::collections::BTreeMap;

use super::{Fact, Gguf};
use crate::error::{Error, Result};
use crate::tokenizer::{Bpe, Like, Parts, apart};

/// What a file says of its tokens, as it stands there.
#[derive(Debug, Default)]
pub struct Tokens {
    /// `tokenizer.ggml.model`
    model: String,
    /// `tokenizer.ggml.pre`: how texts are taken apart.
    before: String,
    texts: Vec<String>,
    /// A kind for each token, where there are any.
    kinds: Vec<i32>,
    merges: Vec<String>,
    /// `tokenizer.ggml.add_bos_token`: whether a token stands before a text.
    begins: Option<bool>,
}

/// The kind of tokens that steer a model, and that of those which somebody has added.
const SPECIAL: [i32; 2] = [3, 4];

impl Tokens {
    pub(super) fn of(facts: &BTreeMap<&str, Fact<'_>>) -> Self {
        let text = |name: &str| match facts.get(name) {
            Some(Fact::Text(text)) => (*text).to_owned(),
            _ => String::new(),
        };
        let texts = |name: &str| match facts.get(name) {
            Some(Fact::Texts(texts)) => texts.iter().map(|text| (*text).to_owned()).collect(),
            _ => Vec::new(),
        };
        let kinds = match facts.get("tokenizer.ggml.token_type") {
            Some(Fact::Numbers(kinds)) => kinds.clone(),
            _ => Vec::new(),
        };
        let begins = match facts.get("tokenizer.ggml.add_bos_token") {
            Some(Fact::Number(begins)) => Some(*begins != 0),
            _ => None,
        };
        Self {
            model: text("tokenizer.ggml.model"),
            before: text("tokenizer.ggml.pre"),
            texts: texts("tokenizer.ggml.tokens"),
            kinds,
            merges: texts("tokenizer.ggml.merges"),
            begins,
        }
    }
}

impl Gguf {
    /// The tokenizer that the file has.
    ///
    /// # Errors
    /// It has none, or one of another kind than byte-level byte-pair encoding with the words of GPT-2, SmolLM, Qwen2 or LLaMA 3.
    pub fn tokenizer(&self) -> Result<Bpe> {
        let Tokens { model, before, texts, kinds, merges, begins } = &self.tokens;
        let refused = |reason: String| Err(Error::Tokenizer(reason));
        if model != "gpt2" {
            return refused(format!("the file has one of the kind {model:?}, gpt2 is read"));
        }
        let like = match before.as_str() {
            "smollm" => Like::Digits,
            "gpt-2" => Like::Gpt2,
            "qwen2" => Like::Qwen2,
            "llama-bpe" => Like::Llama3,
            other => return refused(format!("it takes texts apart by {other:?}, which is not built")),
        };
        if !kinds.is_empty() && kinds.len() != texts.len() {
            return refused(format!("{} kinds stand beside {} tokens", kinds.len(), texts.len()));
        }
        // As many as a list of a file can have.
        let all = || texts.iter().zip(0_u32..);
        let special = all().zip(kinds).filter(|(_, kind)| SPECIAL.contains(kind));
        let special = special.map(|((text, id), _)| (text.clone(), id)).collect();
        let merges = merges.iter().map(|both| apart(both)).collect::<Result<_>>()?;
        // As llama.cpp has it, which puts one before texts of LLaMA 3 where the file does not say (`src/llama-vocab.cpp`).
        let begins = begins.unwrap_or(like == Like::Llama3);
        let tokens = all().map(|(text, id)| (text.as_str(), id)).collect();
        let bpe = Bpe::new(Parts { tokens, merges, special, like })?;
        Ok(bpe.with_around(begins.then(|| "a token of the beginning".to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tokens as every_byte;

    /// A file with this tokenizer, and no tensors.
    fn file(model: &str, before: &str, kinds: &[i32]) -> Gguf {
        with(model, before, kinds, None)
    }

    /// The same, which may say whether a token stands before a text.
    fn with(model: &str, before: &str, kinds: &[i32], begins: Option<bool>) -> Gguf {
        let mut bytes = b"GGUF".to_vec();
        let text = |bytes: &mut Vec<u8>, text: &str| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend([0_u64, 6 + u64::from(begins.is_some())].map(u64::to_le_bytes).concat());
        for (name, value) in
            [("general.architecture", "llama"), ("tokenizer.ggml.model", model), ("tokenizer.ggml.pre", before)]
        {
            text(&mut bytes, name);
            bytes.extend(8_u32.to_le_bytes());
            text(&mut bytes, value);
        }
        if let Some(begins) = begins {
            text(&mut bytes, "tokenizer.ggml.add_bos_token");
            bytes.extend(7_u32.to_le_bytes());
            bytes.push(begins.into());
        }
        let merges = ["h i"];
        let tokens: Vec<String> = every_byte(&merges).into_iter().chain(["<|end|>".to_owned()]).collect();
        let merges = merges.map(str::to_owned).to_vec();
        for (name, texts) in [("tokenizer.ggml.tokens", &tokens), ("tokenizer.ggml.merges", &merges)] {
            text(&mut bytes, name);
            bytes.extend([9_u32, 8].map(u32::to_le_bytes).concat());
            bytes.extend((texts.len() as u64).to_le_bytes());
            texts.iter().for_each(|one| text(&mut bytes, one));
        }
        text(&mut bytes, "tokenizer.ggml.token_type");
        bytes.extend([9_u32, 5].map(u32::to_le_bytes).concat());
        bytes.extend((kinds.len() as u64).to_le_bytes());
        bytes.extend(kinds.iter().flat_map(|kind| kind.to_le_bytes()));
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        Gguf::of(bytes).unwrap()
    }

    /// Kinds of all tokens, of which the last one steers.
    fn kinds() -> Vec<i32> {
        let mut kinds = vec![1; 258];
        kinds[257] = 3;
        kinds
    }

    #[test]
    fn a_file_brings_its_tokenizer() {
        let read = file("gpt2", "smollm", &kinds()).tokenizer().unwrap();
        assert_eq!(read.encode("hi 12").unwrap(), [256, 32, 49, 50]);
        assert_eq!((read.special("<|end|>"), read.special("hi")), (Some(257), None));
        assert_eq!(read.decode(&[256, 257]).unwrap(), "hi<|end|>");
        assert!(read.fits(258).is_ok());
        assert_eq!(file("gpt2", "qwen2", &kinds()).tokenizer().unwrap().encode("hi 1").unwrap(), [256, 32, 49]);
        assert_eq!(file("gpt2", "llama-bpe", &kinds()).tokenizer().unwrap().encode("hi").unwrap(), [256]);
        assert!(file("gpt2", "gpt-2", &[]).tokenizer().unwrap().special("<|end|>").is_none());
    }

    #[test]
    fn a_token_before_a_text_is_told_and_not_put_there() {
        let begins = |before: &str, begins: Option<bool>| {
            let read = with("gpt2", before, &kinds(), begins).tokenizer().unwrap();
            assert_eq!(read.encode("hi").unwrap(), [256]);
            read.around().is_some()
        };
        let said = [None, Some(false), Some(true)];
        assert_eq!(said.map(|said| begins("qwen2", said)), [false, false, true]);
        assert_eq!(said.map(|said| begins("llama-bpe", said)), [true, false, true]);
    }

    #[test]
    fn tokenizers_of_another_kind_are_refused() {
        let refused =
            |model: &str, before: &str, kinds: &[i32]| file(model, before, kinds).tokenizer().unwrap_err().to_string();
        assert!(refused("llama", "smollm", &kinds()).contains("\"llama\", gpt2 is read"));
        assert!(refused("gpt2", "falcon", &kinds()).contains("\"falcon\""));
        assert!(refused("gpt2", "smollm", &[1, 3]).contains("2 kinds stand beside 258 tokens"));
    }
}
