//! ROUGE-N and ROUGE-L (Lin, *ROUGE: A Package for Automatic Evaluation of Summaries*, 2004), equal to the values of
//! rouge-score 0.1.2 without a stemmer: lower case, words of the letters a to z and digits.

use crate::grams::grams;
use crate::{Error, Estimate, Of, Result};

/// What a summary has of a reference, each in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rouge {
    /// The share of the summary that the reference has.
    pub precision: f64,
    /// The share of the reference that the summary has.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
}

impl Rouge {
    fn of(common: u64, reference: u64, summary: u64) -> Self {
        let share = |whole: u64| if whole == 0 { 0.0 } else { common as f64 / whole as f64 };
        let (precision, recall) = (share(summary), share(reference));
        let sum = precision + recall;
        Self { precision, recall, f1: if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 } }
    }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    lower.split(|c: char| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// ROUGE-N: n-grams of n words, each as often as both have it.
///
/// # Errors
/// n is 0.
pub fn rouge_n(n: usize, reference: &str, summary: &str) -> Result<Rouge> {
    if n == 0 {
        return Err(Error::Empty("word in an n-gram"));
    }
    let (reference, summary) = (words(reference), words(summary));
    let (of_reference, of_summary) = (grams(&reference, n), grams(&summary, n));
    let common =
        of_reference.iter().map(|(gram, count)| (*count).min(of_summary.get(gram).copied().unwrap_or(0))).sum();
    Ok(Rouge::of(common, of_reference.values().sum(), of_summary.values().sum()))
}

/// ROUGE-L of whole texts: their longest common subsequence of words.
pub fn rouge_l(reference: &str, summary: &str) -> Rouge {
    let (reference, summary) = (words(reference), words(summary));
    // Row by row of the usual table: `last` is the row above.
    let mut last = vec![0_u64; summary.len() + 1];
    for word in &reference {
        let mut row = vec![0; summary.len() + 1];
        for (at, other) in summary.iter().enumerate() {
            row[at + 1] = if word == other { last[at] + 1 } else { last[at + 1].max(row[at]) };
        }
        last = row;
    }
    Rouge::of(last[summary.len()], reference.len() as u64, summary.len() as u64)
}

/// The mean F1 of summaries with a bootstrap interval over them; `name` is `rouge_1`, `rouge_2` or `rouge_l`.
///
/// # Errors
/// There is no summary.
pub fn mean_f1(name: &'static str, scores: &[Rouge], of: Of<'_>) -> Result<Estimate> {
    Estimate::of_mean(name, "share", &scores.iter().map(|score| score.f1).collect::<Vec<f64>>(), of)
}
