//! Estimates of labels that a model gives: accuracy, precision, recall and F1.

use crate::{Error, Estimate, Of, Result};

/// How often each class was given for each: `[truth, predicted]`, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

/// What is right of what was given (precision), what was given of what is right (recall), and their harmonic mean.
/// Each is 0 where there is nothing to divide by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// True positives over all positives that were given.
    pub precision: f64,
    /// True positives over all positives that there are.
    pub recall: f64,
    /// The harmonic mean of the two (van Rijsbergen, *Information Retrieval*, 1979, chapter 7).
    pub f1: f64,
}

impl Scores {
    fn of(right: u64, given: u64, there: u64) -> Self {
        Self { precision: share(right, given), recall: share(right, there), f1: share(2 * right, given + there) }
    }
}

/// A share that is 0 of nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Two lists of classes below `classes`, of one length above 0.
fn checked(truth: &[usize], predicted: &[usize], classes: usize) -> Result<()> {
    if truth.is_empty() {
        return Err(Error::Empty("label"));
    }
    if truth.len() != predicted.len() {
        return Err(Error::Unequal { what: "labels", left: predicted.len(), right: truth.len() });
    }
    for labels in [truth, predicted] {
        if let Some(item) = labels.iter().position(|label| *label >= classes) {
            return Err(Error::Beyond { item, what: "class", number: labels[item], count: classes });
        }
    }
    Ok(())
}

impl Confusion {
    /// Counts labels from 0.
    ///
    /// # Errors
    /// There are none, they differ in number, or one is no class.
    pub fn of(truth: &[usize], predicted: &[usize], classes: usize) -> Result<Self> {
        checked(truth, predicted, classes)?;
        Ok(Self::counted(classes, truth.iter().copied().zip(predicted.iter().copied())))
    }

    fn counted(classes: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![0; classes * classes];
        for (truth, predicted) in pairs {
            counts[truth * classes + predicted] += 1;
        }
        Self { classes, counts }
    }

    /// The number of items that are `truth` and were called `predicted`; 0 for what is no class.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        if truth < self.classes && predicted < self.classes { self.counts[truth * self.classes + predicted] } else { 0 }
    }

    /// The share of items with the right label. Where each item has one, precision, recall and F1 of all classes
    /// together (*micro*) are this number too.
    pub fn accuracy(&self) -> f64 {
        let right = (0..self.classes).map(|class| self.count(class, class)).sum();
        share(right, self.counts.iter().sum())
    }

    /// The scores of one class against all others.
    pub fn class(&self, class: usize) -> Scores {
        let given = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        let there = (0..self.classes).map(|predicted| self.count(class, predicted)).sum();
        Scores::of(self.count(class, class), given, there)
    }

    /// The means over all classes (*macro*): a rare class counts as much as a frequent one.
    pub fn macro_scores(&self) -> Scores {
        let all: Vec<Scores> = (0..self.classes).map(|class| self.class(class)).collect();
        let mean = |of: fn(&Scores) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        Scores { precision: mean(|s| s.precision), recall: mean(|s| s.recall), f1: mean(|s| s.f1) }
    }
}

/// The accuracy with its exact interval, for independent items.
///
/// # Errors
/// There is no label, or the two differ in number.
pub fn accuracy(truth: &[usize], predicted: &[usize], of: Of<'_>) -> Result<Estimate> {
    checked(truth, predicted, usize::MAX)?;
    let right: Vec<bool> = truth.iter().zip(predicted).map(|(t, p)| t == p).collect();
    Estimate::of_share("accuracy", &right, of)
}

/// Macro precision, recall and F1, each with a bootstrap interval over independent items.
///
/// # Errors
/// Those of [`Confusion::of`].
pub fn macro_estimates(truth: &[usize], predicted: &[usize], classes: usize, of: Of<'_>) -> Result<[Estimate; 3]> {
    checked(truth, predicted, classes)?;
    let estimate = |name: &'static str, score: fn(&Scores) -> f64| {
        let drawn = |items: &[usize]| {
            let pairs = items.iter().map(|&item| (truth[item], predicted[item]));
            Ok(score(&Confusion::counted(classes, pairs).macro_scores()))
        };
        Estimate::of_items(name, "share", truth.len(), of, drawn)
    };
    Ok([
        estimate("precision_macro", |scores| scores.precision)?,
        estimate("recall_macro", |scores| scores.recall)?,
        estimate("f1_macro", |scores| scores.f1)?,
    ])
}

/// By how much the candidate's accuracy is above the baseline's on the same items, paired (`share`, in [-1, 1]).
///
/// # Errors
/// There is no label, or the three differ in number.
pub fn accuracy_difference(truth: &[usize], baseline: &[usize], candidate: &[usize], of: Of<'_>) -> Result<Estimate> {
    checked(truth, baseline, usize::MAX)?;
    checked(truth, candidate, usize::MAX)?;
    let right = |labels: &[usize], item: usize| f64::from(u8::from(labels[item] == truth[item]));
    let gained: Vec<f64> = (0..truth.len()).map(|item| right(candidate, item) - right(baseline, item)).collect();
    Estimate::of_mean("accuracy_difference", "share", &gained, of)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Of<'static> = Of { data: "made", item: "snippet" };

    #[test]
    fn labels_that_do_not_fit_are_named() {
        assert!(matches!(Confusion::of(&[], &[], 2), Err(Error::Empty("label"))));
        assert!(matches!(Confusion::of(&[0], &[0, 1], 2), Err(Error::Unequal { left: 2, right: 1, .. })));
        assert!(matches!(Confusion::of(&[0, 2], &[0, 1], 2), Err(Error::Beyond { item: 1, number: 2, count: 2, .. })));
        assert!(matches!(Confusion::of(&[0, 1], &[5, 1], 2), Err(Error::Beyond { item: 0, number: 5, .. })));
    }

    #[test]
    fn a_class_that_nobody_gave_scores_nothing() {
        let all = Confusion::of(&[0, 0, 1], &[0, 0, 0], 3).expect("labels");
        assert_eq!(all.class(1), Scores { precision: 0.0, recall: 0.0, f1: 0.0 });
        assert_eq!(all.class(2), Scores { precision: 0.0, recall: 0.0, f1: 0.0 });
        assert_eq!((all.count(1, 0), all.count(9, 0)), (1, 0));
    }

    #[test]
    fn the_same_labels_differ_by_nothing_and_have_no_interval() {
        let truth = [0, 1, 0, 1];
        let same = accuracy_difference(&truth, &truth, &truth, OF).expect("labels");
        assert_eq!((same.value, same.bounds), (0.0, None));
        let worse = accuracy_difference(&truth, &truth, &[0, 1, 1, 1], OF).expect("labels");
        assert_eq!(worse.value, -0.25);
    }
}
