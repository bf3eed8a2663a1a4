//! What the machine disturbed in a run, and who disturbs others, each told in one line at its end.

use std::collections::{BTreeMap, BTreeSet};

use benchbook_core::counted;

/// Cases that are named; the others are counted.
const MOST_CASES: usize = 4;

/// Samples that were left out for what disturbed them, and processes that disturb others.
#[derive(Debug, Default)]
pub struct Disturbed {
    samples: u64,
    /// Trials that lost more than half of their samples.
    trials: usize,
    /// In the order in which they were first disturbed.
    cases: Vec<String>,
    reasons: BTreeMap<&'static str, u64>,
    /// Variants whose processes go on working after an answer.
    restless: BTreeSet<String>,
    /// Variants of which more threads work at a time than they were given.
    crowded: BTreeSet<String>,
}

impl Disturbed {
    /// A sample of a case was left out.
    pub fn sample(&mut self, case: &str, reason: &'static str) {
        self.samples += 1;
        *self.reasons.entry(reason).or_default() += 1;
        if !self.cases.iter().any(|known| known == case) {
            self.cases.push(case.to_owned());
        }
    }

    /// A trial lost more than half of its samples.
    pub fn trial(&mut self) {
        self.trials += 1;
    }

    /// A process of this variant did not come to rest after a call.
    pub fn restless(&mut self, variant: String) {
        self.restless.insert(variant);
    }

    /// More threads of this variant work at a time than it was given.
    pub fn crowded(&mut self, variant: String) {
        self.crowded.insert(variant);
    }

    /// How many of `all` samples of which cases were left out, why, and what to do; nothing where none was.
    pub fn words(&self, all: u64) -> Option<String> {
        if self.samples == 0 {
            return None;
        }
        let reasons: Vec<String> =
            self.reasons.iter().map(|(reason, count)| format!("{} {count}", reason.replace('_', " "))).collect();
        let mut cases: Vec<String> = self.cases.iter().take(MOST_CASES).cloned().collect();
        if self.cases.len() > MOST_CASES {
            cases.push(format!("{} more", self.cases.len() - MOST_CASES));
        }
        let lost = match self.trials {
            0 => String::new(),
            trials => {
                let counts = if trials == 1 { "counts" } else { "count" };
                format!("; {} lost more than half and {counts} for nothing", counted(trials, "trial"))
            }
        };
        Some(format!(
            "{} of {all} samples were disturbed by the machine and left out ({}), in {}{lost}: measure on a quieter one, \
             or use them all the same (--keep-disturbed)",
            self.samples,
            reasons.join(", "),
            cases.join(", ")
        ))
    }

    /// Whose processes do not come to rest; nothing where all do.
    pub fn restless_words(&self) -> Option<String> {
        let who = named(&self.restless, "its process does", "their processes do")?;
        Some(format!("{who} not come to rest after a call, which may disturb the others"))
    }

    /// Who has more threads than were given; nothing where nobody has.
    pub fn crowded_words(&self) -> Option<String> {
        let who = named(&self.crowded, "it has", "they have")?;
        Some(format!("{who} more threads at work than were given: no ratio to what keeps to its number is fair"))
    }
}

/// These names, and the words for one of them or for several; nothing where there is none.
fn named(names: &BTreeSet<String>, one: &str, several: &str) -> Option<String> {
    let words = match names.len() {
        0 => return None,
        1 => one,
        _ => several,
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Some(format!("{}: {words}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_how_many_of_which_cases_why_and_what_to_do() {
        let mut disturbed = Disturbed::default();
        assert_eq!((disturbed.words(10), disturbed.restless_words()), (None, None));
        for number in 0..12 {
            disturbed.sample(&format!("attention s{}", 64 << (number % 6)), "starved");
        }
        disturbed.sample("attention s64", "no_time_passed");
        disturbed.trial();
        let words = disturbed.words(200).unwrap();
        assert_eq!(
            words,
            "13 of 200 samples were disturbed by the machine and left out (no time passed 1, starved 12), in attention \
             s64, attention s128, attention s256, attention s512, 2 more; 1 trial lost more than half and counts for \
             nothing: measure on a quieter one, or use them all the same (--keep-disturbed)"
        );
        disturbed.restless("a/flex/f32/2t".into());
        disturbed.restless("a/flex/f32/2t".into());
        assert!(disturbed.restless_words().unwrap().starts_with("a/flex/f32/2t: its process does not"));
        disturbed.restless("b/flex/f32/2t".into());
        assert!(
            disturbed.restless_words().unwrap().starts_with("a/flex/f32/2t, b/flex/f32/2t: their processes do not")
        );
        assert_eq!(disturbed.crowded_words(), None);
        disturbed.crowded("c/torch/f32/1t".into());
        let crowded = disturbed.crowded_words().unwrap();
        assert!(crowded.starts_with("c/torch/f32/1t: it has more threads at work than were given"), "{crowded}");
        disturbed.trial();
        assert!(disturbed.words(200).unwrap().contains("; 2 trials lost more than half and count for nothing"));
    }
}
