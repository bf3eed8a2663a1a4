//! Byte-level byte-pair encoding (Sennrich et al., arXiv 1508.07909, section 3.2; over bytes: Radford et al. 2019, section 2.2).

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::words::{Like, Words};
use super::{File, fits, read, refused};
use crate::error::{Error, Result};

/// The tokenizer of GPT-2, Whisper and SmolLM2, of Qwen2 and 3, and of LLaMA 3. A text is plain text: what looks like a token of
/// another kind, such as `<|endoftext|>`, is taken for the characters that it has.
#[derive(Debug)]
pub struct Bpe {
    /// The bytes of each token; none of a number that is no token.
    tokens: Vec<Vec<u8>>,
    /// The token of each byte.
    bytes: Vec<Option<u32>>,
    /// Of two tokens that follow each other their rank, lowest first, and what they become.
    merges: HashMap<(u32, u32), (u32, u32)>,
    special: BTreeMap<String, u32>,
    words: Words,
    /// Tokens that are words: nothing is merged in these. None but of LLaMA 3.
    whole: HashMap<Vec<u8>, u32>,
    /// Whether a text is to be in the form NFC.
    composed: bool,
    /// Tokens that its file puts around a text, which [`Bpe::encode`] does not.
    around: Option<String>,
}

/// What a tokenizer is made of: tokens by their written form, in which a character stands for a byte.
pub struct Parts<'a> {
    /// Tokens and their ids.
    pub tokens: Vec<(&'a str, u32)>,
    /// Pairs that become one token, the first one first.
    pub merges: Vec<(&'a str, &'a str)>,
    /// Tokens that are none of a text.
    pub special: BTreeMap<String, u32>,
    /// Whose words nothing is merged across.
    pub like: Like,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: BTreeMap<String, u32>,
    merges: Vec<Merge>,
    #[serde(default)]
    ignore_merges: bool,
}

/// As older and as newer files have it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Together(String),
    Apart(String, String),
}

impl Merge {
    fn parts(&self) -> Result<(&str, &str)> {
        match self {
            Self::Apart(left, right) => Ok((left, right)),
            Self::Together(both) => apart(both),
        }
    }
}

/// The two sides of a merge that is written with a space between them.
pub fn apart(both: &str) -> Result<(&str, &str)> {
    both.split_once(' ').ok_or_else(|| refused(format!("the merge {both:?} is of one part")))
}

/// Ids that there are at most: a model of more would be none of this kind.
const MOST_TOKENS: u32 = 1 << 24;

impl Bpe {
    /// The tokenizer of a `tokenizer.json`.
    ///
    /// # Errors
    /// It is no such file, or is of another kind.
    pub fn of_json(json: &[u8]) -> Result<Self> {
        let file: File<Model> = read(json)?;
        if let Some(other) = file.model.kind.as_ref().filter(|kind| *kind != "BPE") {
            return Err(refused(format!("it is of the kind {other}, not BPE")));
        }
        let composed = match &file.normalizer {
            None => false,
            Some(form) if form["type"] == "NFC" => true,
            Some(other) => return Err(refused(format!("it changes texts by {other}, which is not built"))),
        };
        let like = like(file.pre_tokenizer.as_ref())?;
        if file.model.ignore_merges != (like == Like::Llama3) {
            return Err(refused("words that are tokens are merged in other files alone than those of LLaMA 3"));
        }
        let around = file.post_processor.as_ref().and_then(around);
        let tokens = file.model.vocab.iter().map(|(text, id)| (text.as_str(), *id)).collect();
        let merges = file.model.merges.iter().map(Merge::parts).collect::<Result<_>>()?;
        Ok(Self { composed, around, ..Self::new(Parts { tokens, merges, special: file.special(), like })? })
    }

    /// The tokenizer of these parts.
    ///
    /// # Errors
    /// Tokens in characters that stand for no byte, merges of what are no tokens.
    pub fn new(parts: Parts<'_>) -> Result<Self> {
        let Parts { tokens: given, merges: pairs, special, like } = parts;
        let byte_of: HashMap<char, u8> =
            (0..=u8::MAX).zip(alphabet()).map(|(byte, character)| (character, byte)).collect();
        let ids: HashMap<&str, u32> = given.iter().copied().collect();
        let largest = given.iter().map(|(_, id)| *id).chain(special.values().copied()).max();
        let largest = largest.ok_or_else(|| refused("it has no tokens"))?;
        if largest >= MOST_TOKENS {
            return Err(refused(format!("it has a token of the number {largest}")));
        }
        let mut tokens = vec![Vec::new(); largest as usize + 1];
        for (text, id) in &given {
            let bytes: Option<Vec<u8>> = text.chars().map(|character| byte_of.get(&character).copied()).collect();
            let known = special.contains_key(*text);
            let unknown = || refused(format!("the token {text:?} is in characters that stand for no byte"));
            tokens[*id as usize] = bytes.or_else(|| known.then(|| text.as_bytes().to_vec())).ok_or_else(unknown)?;
        }
        let words = given.iter().filter(|(text, _)| like == Like::Llama3 && !special.contains_key(*text));
        let whole = words.map(|(_, id)| (tokens[*id as usize].clone(), *id)).collect();
        for (text, id) in &special {
            text.as_bytes().clone_into(&mut tokens[*id as usize]);
        }
        let id =
            |text: &str| ids.get(text).copied().ok_or_else(|| refused(format!("a merge names {text:?}, no token")));
        let mut merges = HashMap::with_capacity(pairs.len());
        for (rank, (left, right)) in pairs.into_iter().enumerate() {
            let made = id(&format!("{left}{right}"))?;
            // Of a pair that stands twice, the first counts.
            merges.entry((id(left)?, id(right)?)).or_insert((rank as u32, made));
        }
        let bytes = alphabet().map(|character| ids.get(character.encode_utf8(&mut [0; 4]) as &str).copied()).to_vec();
        let words = Words::new(like).map_err(|error| refused(error.to_string()))?;
        Ok(Self { tokens, bytes, merges, special, words, whole, composed: false, around: None })
    }

    /// The same one, of a file that puts these tokens around a text.
    pub(crate) fn with_around(self, around: Option<String>) -> Self {
        Self { around, ..self }
    }

    /// Tokens that its file puts around a text, where it does: a model that was trained so says something else without them.
    pub(crate) fn around(&self) -> Option<&str> {
        self.around.as_deref()
    }

    /// The tokens of a text, with none at its beginning or end.
    ///
    /// # Errors
    /// A byte of it has no token, or it may be in another form than NFC where that is asked for.
    pub fn encode(&self, text: &str) -> Result<Vec<i32>> {
        // Of these characters every text is in this form (Unicode Standard Annex 15): those below U+0300, dashes, quotation marks.
        let is_composed = |one: char| matches!(one, ..'\u{300}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}');
        if let Some(other) = text.chars().find(|one| self.composed && !is_composed(*one)) {
            return Err(refused(format!("it asks for NFC, which is not made here of {other:?}")));
        }
        let mut ids = Vec::new();
        for word in self.words.of(text) {
            if let Some(id) = self.whole.get(word.as_bytes()) {
                ids.push(*id as i32);
                continue;
            }
            let token = |byte: u8| {
                let known = self.bytes[usize::from(byte)];
                known.ok_or_else(|| refused(format!("the byte {byte:#04x} of {word:?} has no token")))
            };
            let symbols = word.bytes().map(token).collect::<Result<Vec<u32>>>()?;
            // Ids are below 2²⁴.
            ids.extend(self.merged(symbols).into_iter().map(|id| id as i32));
        }
        Ok(ids)
    }

    /// A word whose pairs are merged, those of the lowest rank first, and of these the first one first.
    fn merged(&self, mut symbols: Vec<u32>) -> Vec<u32> {
        loop {
            let pairs = symbols.windows(2).enumerate();
            let known = pairs.filter_map(|(at, pair)| Some((self.merges.get(&(pair[0], pair[1]))?, at)));
            let Some((&(_, made), at)) = known.min() else { return symbols };
            symbols[at] = made;
            symbols.remove(at + 1);
        }
    }

    /// The text of tokens; what is no UTF-8 there, as where a character was cut, is the character U+FFFD.
    ///
    /// # Errors
    /// A token that there is not.
    pub fn decode(&self, ids: &[i32]) -> Result<String> {
        let mut bytes = Vec::new();
        for id in ids {
            let token = usize::try_from(*id).ok().and_then(|id| self.tokens.get(id));
            bytes.extend(token.ok_or(Error::Token { id: *id, vocabulary: self.tokens.len() })?);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The id of a token that is none of a text, such as `<|endoftext|>`.
    pub fn special(&self, name: &str) -> Option<i32> {
        self.special.get(name).map(|id| *id as i32)
    }

    /// Refuses a model that knows fewer tokens.
    ///
    /// # Errors
    /// As told.
    pub fn fits(&self, vocabulary: usize) -> Result<()> {
        fits(self.tokens.len(), vocabulary)
    }
}

/// The character that stands for each byte: itself where it is a visible one of Latin-1, and else one of those from U+0100 on.
fn alphabet() -> [char; 256] {
    let mut next = 256_u32;
    std::array::from_fn(|byte| {
        let mut code = byte as u32;
        if !matches!(code, 33..=126 | 161..=172 | 174..=255) {
            code = next;
            next += 1;
        }
        // Below U+0200, every number is a character.
        char::from_u32(code).unwrap_or_default()
    })
}

/// Whose words they are, of how a file takes texts apart.
fn like(before: Option<&Value>) -> Result<Like> {
    let before = before.ok_or_else(|| refused("it does not say how texts are taken apart"))?;
    let steps = before["pretokenizers"].as_array().map_or(std::slice::from_ref(before), Vec::as_slice);
    let mut like = Like::Gpt2;
    for one in steps {
        let is_split = matches!(like, Like::Qwen2 | Like::Llama3);
        let found = match one["type"].as_str() {
            // Where a pattern has made words, these become bytes as they are.
            Some("ByteLevel") if one["add_prefix_space"] != true => {
                (is_split == (one["use_regex"] == false)).then_some(like)
            }
            Some("Digits") if one["individual_digits"] == true && !is_split => Some(Like::Digits),
            Some("Split") if one["behavior"] == "Isolated" && one["invert"] != true && like == Like::Gpt2 => {
                one["pattern"]["Regex"].as_str().and_then(Like::of_pattern)
            }
            _ => None,
        };
        like = found.ok_or_else(|| refused(format!("it takes texts apart by {one}, which is not built")))?;
    }
    Ok(like)
}

/// The tokens that a file puts around a text, or what might put some there; `ByteLevel` only says where tokens begin.
fn around(after: &Value) -> Option<String> {
    match (after["type"].as_str(), after["processors"].as_array()) {
        (Some("ByteLevel"), _) => None,
        (Some("Sequence"), Some(each)) => each.iter().find_map(around),
        _ => {
            let single = after["single"].as_array().into_iter().flatten();
            let tokens: Vec<&str> = single.filter_map(|one| one["SpecialToken"]["id"].as_str()).collect();
            Some(if tokens.is_empty() { after.to_string() } else { tokens.join(" and ") })
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// Every byte, and what some pairs become: from 256 on.
    pub fn tokens(merges: &[&str]) -> Vec<String> {
        let bytes = alphabet().into_iter().map(|one| one.to_string());
        bytes.chain(merges.iter().map(|both| both.replace(' ', ""))).collect()
    }

    const MERGES: [&str; 6] = ["l l", "h e", "he ll", "Ġ w", "Ġw o", "hell o"];

    fn json(merges: &Value, before: &Value) -> Vec<u8> {
        let vocab: BTreeMap<String, usize> =
            tokens(&MERGES).into_iter().enumerate().map(|(id, text)| (text, id)).collect();
        let file = json!({
            "added_tokens": [{ "content": "<|end|>", "id": 262, "special": true }],
            "pre_tokenizer": before,
            "model": { "type": "BPE", "vocab": vocab, "merges": merges },
        });
        file.to_string().into_bytes()
    }

    fn bpe(before: &Value) -> Bpe {
        Bpe::of_json(&json(&json!(MERGES), before)).unwrap()
    }

    fn plain() -> Value {
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true })
    }

    /// The token of a byte.
    fn byte(byte: u8) -> i32 {
        i32::from(byte)
    }

    #[test]
    fn pairs_are_merged_by_their_rank() {
        let bpe = bpe(&plain());
        // Of h e l l o, first ll, then he, then both, then all.
        assert_eq!(bpe.encode("hello").unwrap(), [261]);
        assert_eq!(bpe.encode("hell").unwrap(), [258]);
        // Of three, the first two.
        assert_eq!(bpe.encode("lll").unwrap(), [256, byte(b'l')]);
        assert_eq!(bpe.encode(" wo world").unwrap(), [260, 260, byte(b'r'), byte(b'l'), byte(b'd')]);
        // Nothing is merged across words.
        assert_eq!(bpe.encode("h'e").unwrap(), [b'h', b'\'', b'e'].map(byte));
        assert_eq!(bpe.encode("é").unwrap(), [0xc3, 0xa9].map(byte));
        assert!(bpe.encode("").unwrap().is_empty());
    }

    #[test]
    fn every_text_comes_back() {
        let newer: Vec<[&str; 2]> = MERGES
            .iter()
            .map(|both| {
                let (a, b) = apart(both).unwrap();
                [a, b]
            })
            .collect();
        let bpe = Bpe::of_json(&json(&json!(newer), &plain())).unwrap();
        for text in ["hello world", "naïve — 日本\u{1f600}\u{0} \n\t  x", "<|end|>", ""] {
            assert_eq!(bpe.decode(&bpe.encode(text).unwrap()).unwrap(), text);
        }
        assert_eq!(bpe.special("<|end|>"), Some(262));
        assert_ne!(bpe.encode("<|end|>").unwrap(), [262], "a text is plain text");
        assert_eq!(bpe.decode(&[261, 262]).unwrap(), "hello<|end|>");
        assert_eq!(bpe.decode(&[0xc3]).unwrap(), "\u{fffd}");
        for id in [-1, 263] {
            assert!(matches!(bpe.decode(&[id]), Err(Error::Token { vocabulary: 263, .. })));
        }
        assert!(bpe.fits(263).is_ok() && bpe.fits(262).is_err());
    }

    #[test]
    fn digits_are_apart_where_the_file_says_so() {
        let digits = json!({ "type": "Digits", "individual_digits": true });
        let bpe = bpe(&json!({ "type": "Sequence", "pretokenizers": [digits, plain()] }));
        assert_eq!(bpe.words.of("a 12"), ["a", " ", "1", "2"]);
        assert_eq!(self::bpe(&plain()).words.of("a 12"), ["a", " 12"]);
    }

    #[test]
    fn words_are_those_of_the_pattern_that_a_file_has() {
        let split = |numbers: &str| {
            let [before, behind] = [
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|",
                r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            ];
            let pattern = format!("{before}{numbers}{behind}");
            let split =
                json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
            json!({ "type": "Sequence", "pretokenizers": [split, { "type": "ByteLevel", "use_regex": false }] })
        };
        let qwen2 = bpe(&split(r"\p{N}"));
        let text = "I'LL  pay 12345\n\n  (\"two\")\n   now ";
        // As the package regex of Python finds them by these patterns.
        let before = ["I", "'LL", " ", " pay", " "];
        let behind = ["\n\n", " ", " (\"", "two", "\")\n", "  ", " now", " "];
        let of = |numbers: &[&'static str]| [&before[..], numbers, &behind[..]].concat();
        assert_eq!(qwen2.words.of(text), of(&["1", "2", "3", "4", "5"]));
        assert_eq!(qwen2.encode("hello").unwrap(), [261]);
        // A file of LLaMA 3 takes a word that is a token as it is: here one that no merges lead to.
        let mut file: Value = serde_json::from_slice(&json(&json!(["l l"]), &split(r"\p{N}{1,3}"))).unwrap();
        assert!(Bpe::of_json(file.to_string().as_bytes()).is_err());
        file["model"]["ignore_merges"] = json!(true);
        let llama3 = Bpe::of_json(file.to_string().as_bytes()).unwrap();
        assert_eq!(llama3.words.of(text), of(&["123", "45"]));
        assert_eq!(llama3.encode("hello").unwrap(), [261]);
        assert_eq!(llama3.encode("hella").unwrap(), [byte(b'h'), byte(b'e'), 256, byte(b'a')]);
        let refused = |before: &Value| Bpe::of_json(&json(&json!(MERGES), before)).unwrap_err().to_string();
        assert!(refused(&split(r"\d")).contains("which is not built"));
        let unsplit = json!({ "type": "ByteLevel", "use_regex": false });
        assert!(refused(&unsplit).contains("which is not built"));
    }

    #[test]
    fn texts_are_changed_by_nothing() {
        let mut file: Value = serde_json::from_slice(&json(&json!(MERGES), &plain())).unwrap();
        file["normalizer"] = json!({ "type": "NFC" });
        let composed = Bpe::of_json(file.to_string().as_bytes()).unwrap();
        assert_eq!(composed.encode("é").unwrap(), [0xc3, 0xa9].map(byte));
        let punctuation = "“—’…”";
        assert_eq!(composed.encode(punctuation).unwrap(), punctuation.bytes().map(byte).collect::<Vec<i32>>());
        // The second is another space in this form.
        for other in ["e\u{301}", "\u{2000}", "\u{212b}"] {
            assert!(composed.encode(other).unwrap_err().to_string().contains("NFC"));
        }
        file["normalizer"] = json!({ "type": "Lowercase" });
        assert!(Bpe::of_json(file.to_string().as_bytes()).unwrap_err().to_string().contains("Lowercase"));
    }

    #[test]
    fn tokens_around_a_text_are_told_and_not_put_there() {
        let with = |after: &Value| {
            let mut file: Value = serde_json::from_slice(&json(&json!(MERGES), &plain())).unwrap();
            file["post_processor"] = after.clone();
            let bpe = Bpe::of_json(file.to_string().as_bytes()).unwrap();
            assert_eq!(bpe.encode("hello").unwrap(), [261]);
            bpe.around().map(str::to_owned)
        };
        let sequence = |each: &[&Value]| json!({ "type": "Sequence", "processors": each });
        // As LLaMA 3 has it.
        let template = json!({
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<|end|>", "type_id": 0 } }, { "Sequence": { "id": "A" } }],
        });
        for none in [json!(null), plain(), sequence(&[]), sequence(&[&plain(), &plain()])] {
            assert_eq!(with(&none), None, "{none}");
        }
        for some in [&template, &sequence(&[&plain(), &template])] {
            assert_eq!(with(some).as_deref(), Some("<|end|>"));
        }
        assert!(with(&json!({ "type": "BertProcessing" })).unwrap().contains("BertProcessing"));
    }

    #[test]
    fn files_of_another_kind_are_refused() {
        let refused = |json: &[u8]| Bpe::of_json(json).unwrap_err().to_string();
        assert!(refused(b"{").contains("tokenizer cannot be used"));
        assert!(refused(&json(&json!(["h e", "x"]), &plain())).contains("\"x\" is of one part"));
        assert!(refused(&json(&json!(["z z"]), &plain())).contains("names \"zz\", no token"));
        assert!(refused(&json(&json!(MERGES), &json!(null))).contains("does not say how"));
        let whitespace = json!({ "type": "Whitespace" });
        assert!(refused(&json(&json!(MERGES), &whitespace)).contains("Whitespace"));
        let text = String::from_utf8(json(&json!(MERGES), &plain())).unwrap();
        assert!(refused(text.replace("\"BPE\"", "\"Unigram\"").as_bytes()).contains("kind Unigram, not BPE"));
        assert!(refused(text.replace("\"hello\"", "\"hel lo\"").as_bytes()).contains("stand for no byte"));
        let few =
            Bpe::new(Parts { tokens: vec![("a", 0)], merges: Vec::new(), special: BTreeMap::new(), like: Like::Gpt2 });
        assert!(few.unwrap().encode("ab").unwrap_err().to_string().contains("byte 0x62"));
        let none = Parts { tokens: Vec::new(), merges: Vec::new(), special: BTreeMap::new(), like: Like::Gpt2 };
        assert!(Bpe::new(none).unwrap_err().to_string().contains("no tokens"));
        let far =
            Parts { tokens: vec![("a", u32::MAX)], merges: Vec::new(), special: BTreeMap::new(), like: Like::Gpt2 };
        assert!(Bpe::new(far).unwrap_err().to_string().contains("4294967295"));
    }
}
