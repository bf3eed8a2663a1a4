//! The word error rate: substitutions, deletions and insertions over the words that were said.

use crate::{Error, Estimate, Of, Result};

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

    /// The text as its words are compared, with a space between them.
    pub fn text(self, text: &str) -> String {
        self.words(text).join(" ")
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

/// By how much the candidate's word error rate is above the baseline's on the same utterances, paired (`share`), with a bootstrap interval
/// over utterances.
///
/// # Errors
/// There is no utterance, none has a word, or the two are not of the same utterances.
pub fn word_error_difference(baseline: &[Errors], candidate: &[Errors], of: Of<'_>) -> Result<Estimate> {
    let words = |all: &[Errors]| all.iter().map(|one| one.words).collect::<Vec<usize>>();
    if words(baseline) != words(candidate) {
        return Err(Error::Unequal { what: of.item, left: baseline.len(), right: candidate.len() });
    }
    if words(baseline).iter().all(|words| *words == 0) {
        return Err(Error::Empty("word that was said"));
    }
    let more = |items: &[usize]| {
        let sum = |all: &[Errors]| items.iter().map(|item| all[*item].edits as f64).sum::<f64>();
        match items.iter().map(|item| baseline[*item].words).sum::<usize>() {
            0 => Err(benchbook_stats::Error::Degenerate { what: "a resample has no word that was said" }),
            words => Ok((sum(candidate) - sum(baseline)) / words as f64),
        }
    };
    Estimate::of_items("word_error_difference", "share", baseline.len(), of, more)
}

/// The word error rate of all utterances together (above 1 where more was understood than said), with a bootstrap
/// interval over utterances.
///
/// # Errors
/// There is no utterance, or none has a word.
pub fn word_error_rate(utterances: &[Errors], of: Of<'_>) -> Result<Estimate> {
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
    Estimate::of_items("word_error_rate", "share", utterances.len(), of, rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Of<'static> = Of { data: "made", item: "utterance" };

    #[test]
    fn a_difference_is_paired_by_utterance() {
        let of = |edits: [usize; 12]| edits.map(|edits| Errors { edits, words: 10 });
        let baseline = of([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
        let same = word_error_difference(&baseline, &baseline, OF).expect("utterances");
        assert_eq!((same.value, same.bounds), (0.0, None), "what is the same does not vary");
        // One word more of each: no resample says anything else.
        let one_more = baseline.map(|one| Errors { edits: one.edits + 1, ..one });
        let worse = word_error_difference(&baseline, &one_more, OF).expect("utterances");
        assert!((worse.value - 0.1).abs() < 1e-12 && worse.bounds.is_none_or(|(low, high)| low > 0.09 && high < 0.11));
        // Three words more of every other: some resamples have fewer of these.
        let mut place = 0;
        let some = baseline.map(|one| {
            place += 1;
            Errors { edits: one.edits + 3 * (place % 2), ..one }
        });
        let found = word_error_difference(&baseline, &some, OF).expect("utterances");
        let (low, high) = found.bounds.expect("an interval");
        assert!((found.value - 0.15).abs() < 1e-12 && 0.0 < low && low < 0.15 && high > 0.15, "{found}");
        let other = baseline.map(|one| Errors { words: 9, ..one });
        assert!(word_error_difference(&baseline, &other, OF).is_err());
        assert!(word_error_difference(&[], &[], OF).is_err());
    }
}
