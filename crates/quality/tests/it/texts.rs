//! BLEU, ROUGE and word error rates against sacrebleu, rouge-score and jiwer.

use crate::help::{cases, close};
use benchbook_quality::bleu::{self, Counts};
use benchbook_quality::rouge::{Rouge, mean_f1, rouge_l, rouge_n};
use benchbook_quality::wer::{Errors, Normalization, word_error_rate};
use benchbook_quality::{Error, Of};
use serde::Deserialize;

const OF: Of<'static> = Of { data: "a fixture", item: "sentence" };

#[derive(Deserialize)]
struct Translated {
    name: String,
    hypotheses: Vec<String>,
    references: Vec<Vec<String>>,
    tokens: Vec<Vec<String>>,
    bleu: f64,
    right: [u64; 4],
    given: [u64; 4],
    words: u64,
    reference_words: u64,
    signature: String,
}

fn counted(case: &Translated) -> Vec<Counts> {
    let one = |(hypothesis, references): (&String, &Vec<String>)| {
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        Counts::of(hypothesis, &references).unwrap()
    };
    case.hypotheses.iter().zip(&case.references).map(one).collect()
}

#[test]
fn bleu_is_sacrebleus() {
    for case in cases::<Translated>("bleu") {
        for (hypothesis, tokens) in case.hypotheses.iter().zip(&case.tokens) {
            assert_eq!(&bleu::tokens(hypothesis), tokens, "{hypothesis:?}");
        }
        let counts = counted(&case);
        let estimate = bleu::bleu(&counts, OF).unwrap();
        close(estimate.value, case.bleu, &case.name);
        assert_eq!(estimate.items, case.hypotheses.len());
        let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum::<u64>();
        assert_eq!((sum(|c| c.words), sum(|c| c.reference_words)), (case.words, case.reference_words), "{}", case.name);
        for n in 0..4 {
            let of = |counts: fn(&Counts) -> [u64; 4], all: &[Counts]| all.iter().map(|c| counts(c)[n]).sum::<u64>();
            assert_eq!(of(|c| c.right, &counts), case.right[n], "{}", case.name);
            assert_eq!(of(|c| c.given, &counts), case.given[n], "{}", case.name);
        }
        assert_eq!(bleu::signature(case.references[0].len()), case.signature);
    }
}

#[test]
fn a_translation_that_is_worse_everywhere_is_told_apart_and_itself_is_not() {
    let long = cases::<Translated>("bleu").into_iter().find(|case| case.name == "long").unwrap();
    let good = counted(&long);
    let same = bleu::bleu_difference(&good, &good, OF).unwrap();
    assert_eq!((same.value, same.bounds), (0.0, None));
    let worse: Vec<Counts> =
        good.iter().map(|counts| Counts { right: counts.right.map(|right| right / 2), ..*counts }).collect();
    let estimate = bleu::bleu_difference(&good, &worse, OF).unwrap();
    assert!(
        estimate.bounds.is_some_and(|(low, high)| low < estimate.value && estimate.value < high && high < 0.0),
        "{estimate}"
    );
    assert!(matches!(bleu::bleu_difference(&good, &good[1..], OF), Err(Error::Unequal { .. })));
}

#[derive(Deserialize)]
struct Summarized {
    reference: String,
    summary: String,
    rouge1: [f64; 3],
    rouge2: [f64; 3],
    #[serde(rename = "rougeL")]
    rouge_l: [f64; 3],
}

#[test]
fn rouge_is_rouge_scores() {
    let cases = cases::<Summarized>("rouge");
    for case in &cases {
        let (reference, summary) = (&case.reference, &case.summary);
        for (what, got, wanted) in [
            ("rouge1", rouge_n(1, reference, summary).unwrap(), case.rouge1),
            ("rouge2", rouge_n(2, reference, summary).unwrap(), case.rouge2),
            ("rougeL", rouge_l(reference, summary), case.rouge_l),
        ] {
            let Rouge { precision, recall, f1 } = got;
            for (got, wanted) in [precision, recall, f1].into_iter().zip(wanted) {
                close(got, wanted, &format!("{what} of {summary:?} beside {reference:?}"));
            }
        }
    }
    let scores: Vec<Rouge> = cases.iter().map(|case| rouge_l(&case.reference, &case.summary)).collect();
    let wanted = cases.iter().map(|case| case.rouge_l[2]).sum::<f64>() / cases.len() as f64;
    close(mean_f1("rouge_l", &scores, OF).unwrap().value, wanted, "mean");
    assert!(rouge_n(0, "a", "a").is_err());
}

#[derive(Deserialize)]
struct Said {
    said: String,
    understood: String,
    edits: [usize; 2],
    words: [usize; 2],
    rates: [f64; 2],
}

#[test]
fn word_errors_are_jiwers() {
    let cases = cases::<Said>("wer");
    for (at, normalization) in
        [Normalization::AsWritten, Normalization::LowerWithoutPunctuation].into_iter().enumerate()
    {
        let errors: Vec<Errors> =
            cases.iter().map(|case| Errors::of(&case.said, &case.understood, normalization)).collect();
        for (case, got) in cases.iter().zip(&errors) {
            let what = format!("{} {:?} {:?}", normalization.name(), case.said, case.understood);
            assert_eq!((got.edits, got.words), (case.edits[at], case.words[at]), "{what}");
            close(word_error_rate(&[*got], OF).unwrap().value, case.rates[at], &what);
        }
        let wanted = cases.iter().map(|case| case.edits[at]).sum::<usize>() as f64
            / cases.iter().map(|case| case.words[at]).sum::<usize>() as f64;
        let rate = word_error_rate(&errors, OF).unwrap();
        close(rate.value, wanted, normalization.name());
        assert!(rate.bounds.is_some_and(|(low, high)| low < wanted && wanted < high));
    }
}

#[test]
fn silence_has_no_rate_and_words_from_nowhere_count() {
    let none = Errors::of("", "a b", Normalization::AsWritten);
    assert_eq!((none.edits, none.words), (2, 0));
    assert!(matches!(word_error_rate(&[none], OF), Err(Error::Empty(_))));
    assert_eq!(Errors::of("a", "", Normalization::AsWritten).edits, 1);
    assert_eq!(Errors::of("Yes, I can’t!", "yes i cant", Normalization::LowerWithoutPunctuation).edits, 0);
}
