//! What byte-pair encoding never merges across: the words of GPT-2, of Qwen2 and of LLaMA 3, and digits one by one.

use regex::Regex;

/// The words of GPT-2 (Radford et al. 2019, section 2.2, as its published encoder has them), but for what stands behind white
/// space, which is told apart below.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";

/// A pattern of lines, in which numbers are these.
macro_rules! lines {
    ($numbers:literal) => {
        concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|",
            $numbers,
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )
    };
}

/// The words of Qwen2 and Qwen3, and of LLaMA 3, as their `tokenizer.json` has them.
const QWEN2: &str = lines!(r"\p{N}");
const LLAMA3: &str = lines!(r"\p{N}{1,3}");

/// What of these is told apart below, too.
const SPACE: &str = r"\s+(?!\S)|";

/// Whose words a text is taken apart into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Like {
    Gpt2,
    /// As of GPT-2, with every digit by itself.
    Digits,
    Qwen2,
    Llama3,
}

impl Like {
    /// Those of a pattern of a file.
    pub fn of_pattern(pattern: &str) -> Option<Self> {
        match pattern {
            QWEN2 => Some(Self::Qwen2),
            LLAMA3 => Some(Self::Llama3),
            _ => None,
        }
    }
}

/// Takes a text apart into words.
#[derive(Debug)]
pub struct Words {
    words: Regex,
    like: Like,
}

impl Words {
    pub fn new(like: Like) -> Result<Self, regex::Error> {
        let words = match like {
            Like::Gpt2 | Like::Digits => WORDS.to_owned(),
            Like::Qwen2 => QWEN2.replace(SPACE, ""),
            Like::Llama3 => LLAMA3.replace(SPACE, ""),
        };
        Ok(Self { words: Regex::new(&words)?, like })
    }

    /// The words of a text, which together are all of it.
    pub fn of<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut found = Vec::new();
        if self.like != Like::Digits {
            self.add(text, &mut found);
            return found;
        }
        let mut rest = text;
        while let Some((at, digit)) = rest.char_indices().find(|(_, one)| one.is_numeric()) {
            self.add(&rest[..at], &mut found);
            let end = at + digit.len_utf8();
            found.push(&rest[at..end]);
            rest = &rest[end..];
        }
        self.add(rest, &mut found);
        found
    }

    fn add<'a>(&self, text: &'a str, found: &mut Vec<&'a str>) {
        let mut at = 0;
        while let Some(word) = self.words.find_at(text, at) {
            let mut word = word.as_str();
            // Of white space before a word, the last character goes with the word, or is one by itself.
            let last = word.char_indices().next_back().map_or(0, |(last, _)| last);
            // The last of some lines is whole.
            let is_line = matches!(self.like, Like::Qwen2 | Like::Llama3) && word.ends_with(['\r', '\n']);
            let space = !is_line && word.chars().all(char::is_whitespace);
            if space && last > 0 && at + word.len() < text.len() {
                word = &word[..last];
            }
            at += word.len();
            found.push(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_the_space_before_them() {
        let words = Words::new(Like::Gpt2).unwrap();
        let of = |text| words.of(text);
        assert_eq!(of("Hello world, it's 2024!"), ["Hello", " world", ",", " it", "'s", " 2024", "!"]);
        assert_eq!(of("a  b"), ["a", " ", " b"]);
        assert_eq!(of("a \n\n b \n"), ["a", " \n\n", " b", " \n"]);
        assert_eq!(of("a\n\nb"), ["a", "\n", "\n", "b"]);
        assert_eq!(of("Ünïcode—été ½²"), ["Ünïcode", "—", "été", " ½²"]);
        assert_eq!(of("I'LL I'll"), ["I", "'", "LL", " I", "'ll"]);
        assert!(of("").is_empty());
    }

    #[test]
    fn digits_are_words_of_their_own_where_they_are_to_be() {
        let words = Words::new(Like::Digits).unwrap();
        assert_eq!(words.of("in 2024s"), ["in", " ", "2", "0", "2", "4", "s"]);
        assert_eq!(words.of("x  7"), ["x", "  ", "7"]);
    }

    #[test]
    fn words_are_all_of_the_text() {
        let text = "One\t two  three\r\n\u{a0} fo\u{301}ur '' 5½ ٣ \u{200b}日本 end   ";
        for like in [Like::Gpt2, Like::Digits, Like::Qwen2, Like::Llama3] {
            assert_eq!(Words::new(like).unwrap().of(text).concat(), text, "{like:?}");
        }
    }
}
