//! What byte-pair encoding never merges across: the words of GPT-2, and digits one by one.

use regex::Regex;

/// The words of GPT-2 (Radford et al. 2019, section 2.2, as its published encoder has them), but for what stands behind white
/// space, which is told apart below.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";

/// Takes a text apart into words.
#[derive(Debug)]
pub struct Words {
    words: Regex,
    /// Whether every digit is a word of its own.
    digits: bool,
}

impl Words {
    pub fn new(digits: bool) -> Result<Self, regex::Error> {
        Ok(Self { words: Regex::new(WORDS)?, digits })
    }

    /// The words of a text, which together are all of it.
    pub fn of<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut found = Vec::new();
        if !self.digits {
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
            let space = word.chars().all(char::is_whitespace);
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
        let words = Words::new(false).unwrap();
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
        let words = Words::new(true).unwrap();
        assert_eq!(words.of("in 2024s"), ["in", " ", "2", "0", "2", "4", "s"]);
        assert_eq!(words.of("x  7"), ["x", "  ", "7"]);
    }

    #[test]
    fn words_are_all_of_the_text() {
        let text = "One\t two  three\r\n\u{a0} fo\u{301}ur '' 5½ ٣ \u{200b}日本 end   ";
        for digits in [false, true] {
            assert_eq!(Words::new(digits).unwrap().of(text).concat(), text);
        }
    }
}
