//! The similarities that people gave to pairs of short news texts (Lee, Pincombe & Welsh, *An Empirical Evaluation of
//! Models of Text Document Similarity*, 2005).

use super::{File, Set};
use crate::Result;
use std::path::Path;

const LEE: Set =
    Set { name: "lee", bytes: 33_396, digest: "055c11229bce54d9a6a0cc977f77efb09d8f63b70770530266b2d6ecc10eb5b0" };

/// Texts, and how similar people find two of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Similarities {
    /// The texts.
    pub documents: Vec<String>,
    /// Each pair of different texts once, by their numbers, with its mean similarity in [0, 1].
    pub pairs: Vec<(usize, usize, f64)>,
}

/// The 50 texts with their 1,225 pairs.
///
/// # Errors
/// The set is not there, or is damaged.
pub fn similarities(data: &Path) -> Result<Similarities> {
    let files = LEE.read(data)?;
    let [texts, table] = &files[..] else { return Err(files[0].damaged("does not lie beside one other file")) };
    // Latin-1: a byte is a character.
    let documents: Vec<String> = texts.bytes.split(|byte| *byte == b'\n').map(latin1).collect();
    let pairs = pairs(table, documents.len())?;
    Ok(Similarities { documents, pairs })
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect::<String>().trim_end().to_owned()
}

/// The upper triangle of a table of numbers with a tab between them.
fn pairs(table: &File, documents: usize) -> Result<Vec<(usize, usize, f64)>> {
    let text = table.text()?;
    let lines = text.lines().count();
    if lines != documents {
        return Err(table.damaged(format!("has {lines} lines for {documents} documents")));
    }
    let mut pairs = Vec::new();
    for (row, line) in text.lines().enumerate() {
        let numbers: Option<Vec<f64>> = line.trim().split('\t').map(|number| number.trim().parse().ok()).collect();
        let whole = numbers.filter(|all| all.len() == documents && all.iter().all(|one| (0.0..=1.0).contains(one)));
        let Some(numbers) = whole else {
            return Err(table.damaged(format!("has no {documents} numbers from 0 to 1 in line {}", row + 1)));
        };
        pairs.extend((row + 1..documents).map(|column| (row, column, numbers[column])));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> File {
        File { set: "lee", folder: "/d/lee".into(), path: "/d/lee/table".into(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn each_pair_counts_once() {
        let read = pairs(&table("1\t0.5\t0.25\n0.5\t1\t0\n0.25\t0\t1\n"), 3).expect("a table");
        assert_eq!(read, [(0, 1, 0.5), (0, 2, 0.25), (1, 2, 0.0)]);
    }

    #[test]
    fn a_table_that_does_not_fit_is_named() {
        for (text, part) in [
            ("1\t0.5\n", "1 lines for 2"),
            ("1\t0.5\n0.5\n", "line 2"),
            ("1\tx\n0.5\t1\n", "line 1"),
            ("1\tNaN\n0.5\t1\n", "line 1"),
            ("1\t7\n0.5\t1\n", "line 1"),
        ] {
            let message = pairs(&table(text), 2).expect_err(text).to_string();
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(latin1(b"caf\xe9\r"), "café");
    }
}
