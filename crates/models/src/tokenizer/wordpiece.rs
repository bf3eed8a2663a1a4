//! Word pieces, as BERT has them (Devlin et al., arXiv 1810.04805, section 3; Wu et al., arXiv 1609.08144, section 4.1).

use std::collections::HashMap;

use regex::Regex;
use serde::Deserialize;

use super::{File, fits, read, refused};
use crate::error::Result;

/// The uncased tokenizer of BERT. Letters with marks lose these where they are of Latin-1 or Latin Extended-A, or the mark is a
/// character of its own; letters of other blocks keep them.
#[derive(Debug)]
pub struct WordPiece {
    vocabulary: HashMap<String, u32>,
    /// What goes on with a word, before its pieces.
    prefix: String,
    /// Characters of a word at most.
    longest: usize,
    unknown: u32,
    begin: u32,
    end: u32,
    tokens: usize,
    /// What is no text: control characters, and what stands for what could not be read.
    no_text: Regex,
    /// Characters of Chinese, each a word of its own.
    ideograph: Regex,
    /// Marks that are characters of their own.
    mark: Regex,
    word: Regex,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: HashMap<String, u32>,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
}

/// Characters of punctuation, those of ASCII that Unicode calls symbols among them.
const PUNCTUATION: &str = r"\p{P}$+<=>^`|~";

/// Letters, and those with marks that become them (Unicode's canonical decompositions).
const BASES: [(char, &str); 19] = [
    ('a', "àáâãäåāăą"),
    ('c', "çćĉċč"),
    ('d', "ď"),
    ('e', "èéêëēĕėęě"),
    ('g', "ĝğġģ"),
    ('h', "ĥ"),
    ('i', "ìíîïĩīĭį"),
    ('j', "ĵ"),
    ('k', "ķ"),
    ('l', "ĺļľ"),
    ('n', "ñńņň"),
    ('o', "òóôõöōŏő"),
    ('r', "ŕŗř"),
    ('s', "śŝşš"),
    ('t', "ţť"),
    ('u', "ùúûüũūŭůűų"),
    ('w', "ŵ"),
    ('y', "ýÿŷ"),
    ('z', "źżž"),
];

impl WordPiece {
    /// The tokenizer of a `tokenizer.json`.
    ///
    /// # Errors
    /// It is no such file, or is of another kind.
    pub fn of_json(json: &[u8]) -> Result<Self> {
        let file: File<Model> = read(json)?;
        if let Some(other) = file.model.kind.as_ref().filter(|kind| *kind != "WordPiece") {
            return Err(refused(format!("it is of the kind {other}, not WordPiece")));
        }
        let before = file.pre_tokenizer.as_ref().and_then(|before| before["type"].as_str());
        if before != Some("BertPreTokenizer") {
            return Err(refused("it does not take texts apart as BERT does, and else is not built"));
        }
        let special = file.special();
        let Model { vocab, unk_token, continuing_subword_prefix: prefix, max_input_chars_per_word: longest, .. } =
            file.model;
        let id = |name: &str| {
            let known = vocab.get(name).or_else(|| special.get(name)).copied();
            known.ok_or_else(|| refused(format!("it has no token {name}")))
        };
        let [unknown, begin, end] = [id(&unk_token)?, id("[CLS]")?, id("[SEP]")?];
        let largest = vocab.values().chain(special.values()).max().copied().unwrap_or(0);
        let regex = |pattern: &str| Regex::new(pattern).map_err(|error| refused(error.to_string()));
        Ok(Self {
            prefix,
            longest,
            unknown,
            begin,
            end,
            tokens: largest as usize + 1,
            no_text: regex(r"[\p{C}\u{fffd}--\t\n\r]")?,
            ideograph: regex(
                r"[\u{4e00}-\u{9fff}\u{3400}-\u{4dbf}\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\u{f900}-\u{faff}\u{2f800}-\u{2fa1f}]",
            )?,
            mark: regex(r"\p{Mn}")?,
            word: regex(&format!(r"[{PUNCTUATION}]|[^\s{PUNCTUATION}]+"))?,
            vocabulary: vocab,
        })
    }

    /// The tokens of a text between `[CLS]` and `[SEP]`: of a text that has more than `most` of them, the beginning, with both.
    ///
    /// # Errors
    /// There is no room for both.
    pub fn encode(&self, text: &str, most: usize) -> Result<Vec<i32>> {
        let room =
            most.checked_sub(2).ok_or_else(|| refused(format!("{most} tokens have no room for [CLS] and [SEP]")))?;
        let text = self.normalised(text);
        let pieces = self.word.find_iter(&text).flat_map(|word| self.pieces(word.as_str()));
        let all = [self.begin].into_iter().chain(pieces.take(room)).chain([self.end]);
        Ok(all.map(|id| id as i32).collect())
    }

    /// Refuses a model that knows fewer tokens.
    ///
    /// # Errors
    /// As told.
    pub fn fits(&self, vocabulary: usize) -> Result<()> {
        fits(self.tokens, vocabulary)
    }

    /// In lower case, without marks, ideographs apart.
    fn normalised(&self, text: &str) -> String {
        let text = self.no_text.replace_all(text, "");
        let text = self.ideograph.replace_all(&text, " $0 ").to_lowercase();
        let base = |one: char| {
            let found = BASES.iter().find(|(_, marked)| marked.contains(one));
            found.map_or(one, |(base, _)| *base)
        };
        let text: String = text.chars().map(|one| if one.is_ascii() { one } else { base(one) }).collect();
        self.mark.replace_all(&text, "").into_owned()
    }

    /// The longest pieces of a word from its beginning on; a word without such is unknown as a whole.
    fn pieces(&self, word: &str) -> Vec<u32> {
        let mut found = Vec::new();
        if word.chars().count() > self.longest {
            return vec![self.unknown];
        }
        let mut rest = word;
        while !rest.is_empty() {
            let mut ends = rest.char_indices().map(|(at, one)| at + one.len_utf8()).rev();
            let longest = ends.find_map(|end| {
                let piece = &rest[..end];
                let id = if found.is_empty() {
                    self.vocabulary.get(piece)
                } else {
                    self.vocabulary.get(&format!("{}{piece}", self.prefix))
                };
                Some((end, *id?))
            });
            let Some((end, id)) = longest else { return vec![self.unknown] };
            found.push(id);
            rest = &rest[end..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn file() -> Value {
        let words =
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "cafe", "!", "$", "a", "##a", "日", "5"];
        let vocab: HashMap<&str, usize> = words.into_iter().enumerate().map(|(id, word)| (word, id)).collect();
        json!({
            "added_tokens": [{ "content": "[CLS]", "id": 2 }],
            "normalizer": { "type": "BertNormalizer", "lowercase": true },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "model": {
                "type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 10,
            },
        })
    }

    fn of(file: &Value) -> Result<WordPiece> {
        WordPiece::of_json(file.to_string().as_bytes())
    }

    #[test]
    fn the_longest_pieces_come_first() {
        let pieces = of(&file()).unwrap();
        let ids = |text: &str| pieces.encode(text, 64).unwrap();
        assert_eq!(ids("unaffable"), [2, 4, 5, 6, 3]);
        assert_eq!(ids("UNaffable\u{a0}Café!cafe\u{301}"), [2, 4, 5, 6, 7, 8, 7, 3]);
        // A word whose end is unknown is unknown as a whole, and so is a long one.
        assert_eq!(ids("unaffablex aaaaaaaaaa aaaaaaaaaaa"), [&[2, 1, 10][..], &[11; 9], &[1, 3]].concat());
        assert_eq!(ids("$5 \u{7}日日\u{200b}\n"), [2, 9, 13, 12, 12, 3]);
        assert_eq!(ids(""), [2, 3]);
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_both_ends() {
        let pieces = of(&file()).unwrap();
        assert_eq!(pieces.encode("a a a a a", 4).unwrap(), [2, 10, 10, 3]);
        assert_eq!(pieces.encode("a", 2).unwrap(), [2, 3]);
        assert!(pieces.encode("a", 1).unwrap_err().to_string().contains("no room"));
        assert!(pieces.fits(14).is_ok() && pieces.fits(13).is_err());
    }

    #[test]
    fn files_of_another_kind_are_refused() {
        let refused = |change: fn(&mut Value)| {
            let mut file = file();
            change(&mut file);
            of(&file).unwrap_err().to_string()
        };
        assert!(refused(|file| file["model"]["type"] = json!("BPE")).contains("kind BPE, not WordPiece"));
        assert!(refused(|file| file["pre_tokenizer"]["type"] = json!("Whitespace")).contains("as BERT does"));
        assert!(refused(|file| file["model"]["unk_token"] = json!("<unk>")).contains("no token <unk>"));
        assert!(refused(|file| file["model"]["vocab"] = json!(3)).contains("cannot be used"));
        assert!(WordPiece::of_json(b"\xff").is_err());
    }

    #[test]
    fn marked_letters_stand_once_and_in_lower_case() {
        let all: Vec<char> = BASES.iter().flat_map(|(_, marked)| marked.chars()).collect();
        let mut distinct = all.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|one| one.to_lowercase().eq([*one])));
    }
}
