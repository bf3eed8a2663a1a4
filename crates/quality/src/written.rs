//! What was written down of what was said: the word error rate, and beside it how many runs of words are right (BLEU) and how
//! much of the words is (ROUGE).

use crate::bleu::{Counts, bleu, bleu_difference};
use crate::rouge::{Rouge, mean_f1, rouge_l, rouge_n};
use crate::wer::{Errors, Normalization, word_error_difference, word_error_rate};
use crate::{Estimate, Of, Result};

/// What is done to both texts before any estimate of them.
const NORMALIZATION: Normalization = Normalization::LowerWithoutPunctuation;

/// The means of [`Rouge`], in the order in which they are kept.
const ROUGES: [&str; 3] = ["rouge_1", "rouge_2", "rouge_l"];

/// Utterances as they were written down, each beside what was said: in lower case and without punctuation, for all estimates
/// alike.
#[derive(Debug, Clone, Default)]
pub struct Written {
    errors: Vec<Errors>,
    counts: Vec<Counts>,
    rouges: [Vec<Rouge>; 3],
}

impl Written {
    /// Compares what was said with what was written, `(said, written)` of each utterance.
    ///
    /// # Errors
    /// A text cannot be counted.
    pub fn of<'a>(utterances: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut all = Self::default();
        for (said, written) in utterances {
            let (said, written) = (NORMALIZATION.text(said), NORMALIZATION.text(written));
            all.errors.push(Errors::of(&said, &written, Normalization::AsWritten));
            all.counts.push(Counts::of(&written, &[said.as_str()])?);
            let rouges = [rouge_n(1, &said, &written)?, rouge_n(2, &said, &written)?, rouge_l(&said, &written)];
            for (kept, rouge) in all.rouges.iter_mut().zip(rouges) {
                kept.push(rouge);
            }
        }
        Ok(all)
    }

    /// `word_error_rate` (`share`), `bleu` (`points`), `rouge_1`, `rouge_2` and `rouge_l` (`share`), each with a bootstrap
    /// interval over utterances.
    ///
    /// # Errors
    /// There is no utterance, or none has a word.
    pub fn estimates(&self, of: Of<'_>) -> Result<Vec<Estimate>> {
        let mut estimates = vec![word_error_rate(&self.errors, of)?, bleu(&self.counts, of)?];
        for (name, rouges) in ROUGES.into_iter().zip(&self.rouges) {
            estimates.push(mean_f1(name, rouges, of)?);
        }
        Ok(estimates)
    }

    /// `word_error_difference` (`share`) and `bleu_difference` (`points`): by how much these are above those of `baseline`,
    /// paired by utterance.
    ///
    /// # Errors
    /// There is no utterance, none has a word, or the two are not of the same utterances.
    pub fn beside(&self, baseline: &Self, of: Of<'_>) -> Result<Vec<Estimate>> {
        let errors = word_error_difference(&baseline.errors, &self.errors, of)?;
        Ok(vec![errors, bleu_difference(&baseline.counts, &self.counts, of)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Of<'static> = Of { data: "made", item: "utterance" };

    fn told(estimates: &[Estimate]) -> Vec<(&'static str, f64)> {
        estimates.iter().map(|estimate| (estimate.name, estimate.value)).collect()
    }

    #[test]
    fn case_and_punctuation_are_no_faults_of_any_estimate() {
        let written = Written::of([("ten of clubs today", "Ten of clubs, today."); 12]).expect("texts");
        let estimates = told(&written.estimates(OF).expect("words"));
        let wanted = [("word_error_rate", 0.0), ("bleu", 100.0), ("rouge_1", 1.0), ("rouge_2", 1.0), ("rouge_l", 1.0)];
        assert_eq!(estimates.len(), wanted.len());
        for ((name, value), wanted) in estimates.into_iter().zip(wanted) {
            assert!(name == wanted.0 && (value - wanted.1).abs() < 1e-9, "{name} {value}");
        }
    }

    #[test]
    fn every_estimate_is_of_the_words_and_paired_with_the_baseline() {
        let said = "ten of clubs today";
        let right = Written::of([(said, said); 12]).expect("texts");
        let wrong = Written::of([(said, "two of hearts today"); 12]).expect("texts");
        let estimates = wrong.estimates(OF).expect("words");
        // Of 48 words half are right, and no longer run is: these count as a half, a quarter and an eighth of one.
        let points = 100.0 * (0.5 * (0.5 / 36.0) * (0.25 / 24.0) * (0.125 / 12.0_f64)).powf(0.25);
        let wanted = [("word_error_rate", 0.5), ("bleu", points), ("rouge_1", 0.5), ("rouge_2", 0.0), ("rouge_l", 0.5)];
        for (estimate, (name, value)) in estimates.iter().zip(wanted) {
            assert!(
                estimate.name == name && (estimate.value - value).abs() < 1e-9 && estimate.items == 12,
                "{estimate}"
            );
        }
        let differences = told(&wrong.beside(&right, OF).expect("the same utterances"));
        assert_eq!(differences.len(), 2);
        for ((name, value), wanted) in
            differences.into_iter().zip([("word_error_difference", 0.5), ("bleu_difference", points - 100.0)])
        {
            assert!(name == wanted.0 && (value - wanted.1).abs() < 1e-9, "{name} {value}");
        }
        assert!(Written::default().estimates(OF).is_err() && right.beside(&Written::default(), OF).is_err());
    }
}
