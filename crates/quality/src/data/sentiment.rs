//! Snippets of film reviews with sentiments that people gave (Hutto & Gilbert, *VADER: A Parsimonious Rule-Based Model
//! for Sentiment Analysis of Social Media Text*, 2014).

use super::{File, Set, only};
use crate::Result;
use std::path::Path;

const SENTIMENT: Set = Set {
    name: "sentiment",
    bytes: 1_383_098,
    digest: "049ec5ba2c4069685cf50a3ac6533cffeff56aeb889ee7511474f7709fe9afc1",
};

/// A sentence with its mean sentiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snippet {
    /// From -4 (against) to 4 (for).
    pub score: f64,
    /// The sentence.
    pub text: String,
}

/// The 10,605 snippets in the order of their numbers.
///
/// # Errors
/// The set is not there, or is damaged.
pub fn sentiment(data: &Path) -> Result<Vec<Snippet>> {
    snippets(&only(&SENTIMENT, data, "movieReviewSnippets_GroundTruth.txt")?)
}

fn snippets(file: &File) -> Result<Vec<Snippet>> {
    let one = |(number, line): (usize, &str)| {
        let mut fields = line.splitn(3, '\t');
        let (id, score, text) = (fields.next(), fields.next(), fields.next());
        let score = score.and_then(|score| score.parse::<f64>().ok()).filter(|score| score.abs() <= 4.0);
        match (id.and_then(|id| id.parse::<usize>().ok()), score, text) {
            (Some(id), Some(score), Some(text)) if id == number + 1 && !text.is_empty() => {
                Ok(Snippet { score, text: text.to_owned() })
            }
            _ => Err(file.damaged(format!("has no number, score and text in line {}", number + 1))),
        }
    };
    file.text()?.lines().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        File { set: "sentiment", folder: "/d/s".into(), path: "/d/s/file".into(), bytes: bytes.to_vec() }
    }

    #[test]
    fn lines_are_read_with_either_ending() {
        let read = snippets(&file("1\t2.5\tGood, caf\u{e9}.\r\n2\t-0.6\ta\tb".as_bytes())).expect("lines");
        let wanted = [(2.5, "Good, café."), (-0.6, "a\tb")].map(|(score, text)| Snippet { score, text: text.into() });
        assert_eq!(read, wanted);
    }

    #[test]
    fn a_line_that_is_cut_off_is_named() {
        for (bytes, part) in [
            (&b"1\t2.5\ta\n2\t-0"[..], "line 2"),
            (&b"1\t2.5\ta\n3\t1\tb"[..], "line 2"),
            (&b"1\tx\ta"[..], "line 1"),
            (&b"1\tNaN\ta"[..], "line 1"),
            (&b"1\t9\ta"[..], "line 1"),
            (&b"1\t1\t\xff"[..], "UTF-8"),
        ] {
            let message = snippets(&file(bytes)).expect_err(part).to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
