//! The Brown corpus: words with the tags of their parts of speech, which are left out.

use super::{File, Set};
use crate::Result;
use std::path::Path;

const BROWN: Set =
    Set { name: "brown", bytes: 9_995_179, digest: "e4dfccb91e2d641d6f165dbe42d7e57ba277f3e832d559b42802d7824ea5a8f6" };

/// A document of some two thousand words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name, such as `ca01`; the second letter is the genre.
    pub name: String,
    /// Its words with a space between them, a sentence a line.
    pub text: String,
}

/// The 500 documents in the order of their names.
///
/// # Errors
/// The set is not there, or is damaged.
pub fn brown(data: &Path) -> Result<Vec<Document>> {
    BROWN.read(data)?.iter().filter(|file| is_document(file.name())).map(document).collect()
}

/// `c`, the genre, and two digits; what else the package has is about these.
fn is_document(name: &str) -> bool {
    matches!(name.as_bytes(), [b'c', b'a'..=b'r', a, b] if a.is_ascii_digit() && b.is_ascii_digit())
}

fn document(file: &File) -> Result<Document> {
    let mut text = String::new();
    for (number, line) in file.text()?.lines().enumerate() {
        let mut first = true;
        for tagged in line.split_whitespace() {
            // A word may hold a slash; a tag never does.
            let Some((word, _)) = tagged.rsplit_once('/').filter(|(word, tag)| !word.is_empty() && !tag.is_empty())
            else {
                return Err(file.damaged(format!("has a word without a tag in line {}", number + 1)));
            };
            if !first {
                text.push(' ');
            }
            text.push_str(word);
            first = false;
        }
        if !first {
            text.push('\n');
        }
    }
    Ok(Document { name: file.name().to_owned(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        File { set: "brown", folder: "/data/brown".into(), path: "/data/brown/ca01".into(), bytes: bytes.to_vec() }
    }

    #[test]
    fn tags_go_and_sentences_stay() {
        let read = document(&file(b"\n\n\tThe/at left/right//nn hand/nn ./.\n\n\n\tIt/pps 's/bez\n")).expect("tagged");
        assert_eq!(read, Document { name: "ca01".into(), text: "The left/right/ hand .\nIt 's\n".into() });
    }

    #[test]
    fn what_is_no_tagged_text_is_named() {
        for (bytes, part) in [
            (&b"The/at\nword"[..], "line 2"),
            (&b"/at"[..], "line 1"),
            (&b"The/"[..], "line 1"),
            (&b"The/at caf\xe9/nn"[..], "not UTF-8 from byte 10 on"),
        ] {
            let message = document(&file(bytes)).expect_err(part).to_string();
            assert!(message.contains(part) && message.contains("/data/brown/ca01"), "{message}");
        }
        let of_package = ["ca01", "cr09", "cats.txt", "cs01", "categories.pickle", "ca1x"].map(is_document);
        assert_eq!(of_package, [true, true, false, false, false, false]);
    }
}
