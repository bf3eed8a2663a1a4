//! BLEU of a corpus (Papineni et al., *BLEU: a Method for Automatic Evaluation of Machine Translation*, 2002), equal to
//! sacrebleu's values: tokenization 13a, smoothing `exp`, case kept.

use crate::grams::grams;
use crate::{Error, Estimate, Of, Result};
use regex::Regex;
use std::collections::HashMap;
use std::sync::LazyLock;

/// N-grams of up to so many words.
const ORDER: usize = 4;

/// What the values are equal to, in sacrebleu's own words; `references` a segment.
pub fn signature(references: usize) -> String {
    format!("nrefs:{references}|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0")
}

/// The counts of one segment, or of several: they add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// N-grams of the hypothesis that a reference has, by length.
    pub right: [u64; ORDER],
    /// N-grams of the hypothesis, by length.
    pub given: [u64; ORDER],
    /// Words of the hypothesis.
    pub words: u64,
    /// Words of the reference that is nearest in length.
    pub reference_words: u64,
}

impl Counts {
    /// The counts of a hypothesis beside its references.
    ///
    /// # Errors
    /// There is no reference.
    pub fn of(hypothesis: &str, references: &[&str]) -> Result<Self> {
        let hypothesis = tokens(hypothesis);
        let references: Vec<Vec<String>> = references.iter().map(|reference| tokens(reference)).collect();
        let words = hypothesis.len();
        // Of two that are as near the shorter one counts.
        let nearest = references.iter().map(Vec::len).min_by_key(|&length| (length.abs_diff(words), length));
        let Some(nearest) = nearest else { return Err(Error::Empty("reference")) };
        let mut counts = Self { words: words as u64, reference_words: nearest as u64, ..Self::default() };
        for n in 1..=ORDER {
            let mut most: HashMap<&[String], u64> = HashMap::new();
            for reference in &references {
                for (gram, count) in grams(reference, n) {
                    let seen = most.entry(gram).or_default();
                    *seen = count.max(*seen);
                }
            }
            for (gram, count) in grams(&hypothesis, n) {
                counts.given[n - 1] += count;
                counts.right[n - 1] += count.min(most.get(gram).copied().unwrap_or(0));
            }
        }
        Ok(counts)
    }

    fn plus(mut self, other: &Self) -> Self {
        for n in 0..ORDER {
            self.right[n] += other.right[n];
            self.given[n] += other.given[n];
        }
        self.words += other.words;
        self.reference_words += other.reference_words;
        self
    }

    /// BLEU in points, 0 to 100. Each length of n-grams without a match takes half of the smallest share that the last
    /// one might have had (Chen & Cherry, *A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU*,
    /// 2014, method 3).
    pub fn bleu(&self) -> f64 {
        if self.right.iter().all(|right| *right == 0) {
            return 0.0;
        }
        let (mut logs, mut smooth) = (0.0, 1.0);
        for (right, given) in self.right.iter().zip(&self.given) {
            if *given == 0 {
                // No segment is long enough for such an n-gram.
                return 0.0;
            }
            let right = if *right == 0 {
                smooth *= 2.0;
                1.0 / smooth
            } else {
                *right as f64
            };
            logs += (right / *given as f64).ln();
        }
        let (words, reference) = (self.words as f64, self.reference_words as f64);
        let brevity = if words < reference { (1.0 - reference / words).exp() } else { 1.0 };
        100.0 * brevity * (logs / ORDER as f64).exp()
    }
}

/// BLEU of a corpus in points, with a bootstrap interval over segments.
///
/// # Errors
/// There is no segment.
pub fn bleu(segments: &[Counts], of: Of<'_>) -> Result<Estimate> {
    Estimate::of_items("bleu", "points", segments.len(), of, |items| Ok(sum(segments, items).bleu()))
}

/// By how many points the candidate's BLEU is above the baseline's on the same segments, paired (Koehn, *Statistical
/// Significance Tests for Machine Translation Evaluation*, 2004).
///
/// # Errors
/// There is no segment, or the two have different numbers of them.
pub fn bleu_difference(baseline: &[Counts], candidate: &[Counts], of: Of<'_>) -> Result<Estimate> {
    if baseline.len() != candidate.len() {
        return Err(Error::Unequal { what: "segments", left: candidate.len(), right: baseline.len() });
    }
    let drawn = |items: &[usize]| Ok(sum(candidate, items).bleu() - sum(baseline, items).bleu());
    Estimate::of_items("bleu_difference", "points", baseline.len(), of, drawn)
}

fn sum(segments: &[Counts], items: &[usize]) -> Counts {
    items.iter().fold(Counts::default(), |sum, &item| sum.plus(&segments[item]))
}

/// The rules of mteval-v13a for Western languages, in their order: punctuation but `'`, `,`, `-`, `.`; a period or comma
/// unless a digit stands before it; unless one stands behind it; a dash behind a digit.
static RULES: LazyLock<[(Option<Regex>, &str); 4]> = LazyLock::new(|| {
    [
        (Regex::new(r"([\x7b-\x7e\x5b-\x60\x20-\x26\x28-\x2b\x3a-\x40/])").ok(), " $1 "),
        (Regex::new(r"([^0-9])([.,])").ok(), "$1 $2 "),
        (Regex::new(r"([.,])([^0-9])").ok(), " $1 $2"),
        (Regex::new(r"([0-9])(-)").ok(), "$1 $2 "),
    ]
});

/// The words of a segment by tokenization 13a.
pub fn tokens(segment: &str) -> Vec<String> {
    let mut line = segment.trim_end_matches(is_space).replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    // In this order: `&amp;lt;` becomes `<`.
    for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        line = line.replace(entity, character);
    }
    line = format!(" {line} ");
    for (rule, by) in RULES.iter() {
        if let Some(rule) = rule {
            line = rule.replace_all(&line, *by).into_owned();
        }
    }
    line.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// White space as Python's strings know it: four separators of ASCII more than Unicode's property.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_a_rule() {
        assert!(RULES.iter().all(|(rule, _)| rule.is_some()));
    }

    #[test]
    fn nothing_in_common_is_nothing() {
        let counts = |hypothesis: &str, reference: &str| Counts::of(hypothesis, &[reference]).expect("a reference");
        assert_eq!(counts("a b c d e", "v w x y z").bleu(), 0.0);
        assert_eq!(counts("", "a b c d").bleu(), 0.0);
        assert_eq!(counts("a b c d", "").bleu(), 0.0);
        assert_eq!(counts("a b", "a b").bleu(), 0.0);
        assert!((counts("a b c d", "a b c d").bleu() - 100.0).abs() < 1e-9);
        assert!(matches!(Counts::of("a", &[]), Err(Error::Empty("reference"))));
    }

    #[test]
    fn the_nearer_length_counts_and_of_two_the_shorter() {
        let counts = Counts::of("a b c", &["a b c d", "a b", "a b c d e f"]).expect("references");
        assert_eq!(counts.reference_words, 2);
    }
}
