//! The word error rate: substitutions, deletions and insertions over the words that were said.

use crate::{Error, Figure, Of, Result};

/// What is done to both texts before words are compared; the rate depends on it, so the record names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalization {
    /// Words are what stands between white space.
    AsWritten,
    /// Lower case, and without the characters of Unicode's category P (punctuation).
    LowerWithoutPunctuation,
}

impl Normalization {
    /// Its name in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsWritten => "as-written",
            Self::LowerWithoutPunctuation => "lower-without-punctuation",
        }
    }

    fn words(self, text: &str) -> Vec<String> {
        let words = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        match (self, &*PUNCTUATION) {
            (Self::LowerWithoutPunctuation, Some(punctuation)) => {
                words(&punctuation.replace_all(&text.to_lowercase(), ""))
            }
            _ => words(text),
        }
    }
}

static PUNCTUATION: std::sync::LazyLock<Option<regex::Regex>> =
    std::sync::LazyLock::new(|| regex::Regex::new(r"\p{P}").ok());

/// The errors in one utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errors {
    /// The fewest words to substitute, delete or insert (Levenshtein 1966).
    pub edits: usize,
    /// Words that were said.
    pub words: usize,
}

impl Errors {
    /// Compares what was said with what was understood.
    pub fn of(said: &str, understood: &str, normalization: Normalization) -> Self {
        let (said, understood) = (normalization.words(said), normalization.words(understood));
        // Row by row of the usual table: `last` is the row above.
        let mut last: Vec<usize> = (0..=understood.len()).collect();
        for (before, word) in said.iter().enumerate() {
            let mut row = vec![before + 1; understood.len() + 1];
            for (at, other) in understood.iter().enumerate() {
                let substituted = last[at] + usize::from(word != other);
                row[at + 1] = substituted.min(last[at + 1] + 1).min(row[at] + 1);
            }
            last = row;
        }
        Self { edits: last[understood.len()], words: said.len() }
    }
}

/// The word error rate of all utterances together (above 1 where more was understood than said), with a bootstrap
/// interval over utterances.
///
/// # Errors
/// There is no utterance, or none has a word.
pub fn word_error_rate(utterances: &[Errors], of: Of<'_>) -> Result<Figure> {
    if utterances.iter().all(|one| one.words == 0) {
        return Err(Error::Empty("word that was said"));
    }
    // Utterances without a word are few: a resample of nothing else would have no rate.
    let rate = |items: &[usize]| {
        let sum = |count: fn(&Errors) -> usize| items.iter().map(|&item| count(&utterances[item])).sum::<usize>();
        match sum(|one| one.words) {
            0 => Err(benchbook_stats::Error::Degenerate { what: "a resample has no word that was said" }),
            words => Ok(sum(|one| one.edits) as f64 / words as f64),
        }
    };
    Figure::of_items("word_error_rate", "share", utterances.len(), of, rate)
}
