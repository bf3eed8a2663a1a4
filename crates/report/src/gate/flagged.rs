//! Which comparisons are measured a second time, and which of two estimates counts.
//!
//! A case that is chosen because it looked slower looks slower than it is. The second estimate comes from fresh
//! replicates that had no part in the choice, and it alone is reported.

use serde::Serialize;

/// What a comparison says of the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// It takes more time.
    Slower,
    /// It takes less time.
    Faster,
    /// The data do not say.
    Undecided,
    /// Any difference lies inside the practical margin.
    Equivalent,
}

impl Label {
    /// The label that the record calls `text`; what is no label decides nothing.
    pub fn of(text: &str) -> Self {
        [Self::Slower, Self::Faster, Self::Equivalent]
            .into_iter()
            .find(|label| label.text() == text)
            .unwrap_or(Self::Undecided)
    }

    /// The label as tables show it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::Undecided => "undecided",
            Self::Equivalent => "equivalent",
        }
    }
}

/// What one measurement of both sides gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Baseline time over candidate time: below 1 the candidate is slower.
    pub ratio: f64,
    /// Lower bound of the 95 % interval of the ratio.
    pub low: Option<f64>,
    /// Upper bound of the 95 % interval of the ratio.
    pub high: Option<f64>,
    /// What it says.
    pub label: Label,
    /// The label in words, with what it cannot have seen.
    pub said: String,
    /// Code of the reason (`too-noisy`).
    pub reason: String,
    /// Whether it may judge: paired blocks of one run. Two runs, one after the other, only describe.
    pub gates: bool,
    /// Logarithm of the least ratio that would have been seen.
    pub minimum_detectable_effect: Option<f64>,
    /// Replicates that were compared.
    pub replicates: u32,
}

/// The second measurement of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Second {
    /// There was none.
    NotNeeded,
    /// What fresh replicates gave.
    Measured(Estimate),
    /// Why fresh replicates gave nothing.
    Failed(String),
}

/// A case and variant on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Workload and case.
    pub case: String,
    /// The variant, without its build.
    pub variant: String,
    /// The first estimate, which may flag.
    pub first: Estimate,
    /// The second.
    pub second: Second,
}

/// What counts of a comparison in the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer<'a> {
    /// The verdict.
    pub label: Label,
    /// The verdict in words.
    pub said: &'a str,
    /// Code of its reason.
    pub reason: &'a str,
    /// The estimate that counts; nothing where a flagged comparison has no second one.
    pub estimate: Option<&'a Estimate>,
}

/// The reason of a flagged comparison whose second measurement gave nothing.
pub const SECOND_FAILED: &str = "second-measurement-failed";
/// The reason of a flagged comparison that was not measured a second time.
pub const NOT_CONFIRMED: &str = "not-measured-again";
/// The reason where the two sides were measured one after the other.
pub const SEQUENTIAL: &str = "sequential";

/// The comparisons to measure again on fresh replicates, by position: those that look slower.
///
/// What looks faster stops nobody, and what is undecided would only be given another chance to look slower. What was
/// measured at different times is not measured again: the same old baseline would stand on the other side.
pub fn flagged(comparisons: &[Comparison]) -> Vec<usize> {
    comparisons.iter().enumerate().filter(|(_, one)| one.is_flagged()).map(|(index, _)| index).collect()
}

impl Comparison {
    /// Whether the first estimate asks for a second one.
    pub fn is_flagged(&self) -> bool {
        self.first.gates && self.first.label == Label::Slower
    }

    /// What counts: the second estimate alone where there is one, the first where it flagged nothing.
    ///
    /// A flagged comparison without a second estimate is undecided: the first one chose it, so it cannot judge it,
    /// nor is it cleared (see [`Comparison::is_open`]).
    pub fn answer(&self) -> Answer<'_> {
        match &self.second {
            Second::Measured(estimate) => Answer::from(estimate),
            Second::Failed(_) => Answer::undecided(SECOND_FAILED, None),
            Second::NotNeeded if self.is_flagged() => Answer::undecided(NOT_CONFIRMED, None),
            Second::NotNeeded => Answer::from(&self.first),
        }
    }

    /// Whether a suspicion was neither confirmed nor cleared.
    pub fn is_open(&self) -> bool {
        self.answer().estimate.is_none()
    }
}

impl<'a> From<&'a Estimate> for Answer<'a> {
    fn from(estimate: &'a Estimate) -> Self {
        let Estimate { label, said, reason, .. } = estimate;
        if estimate.gates {
            Self { label: *label, said, reason, estimate: Some(estimate) }
        } else {
            Self::undecided(SEQUENTIAL, Some(estimate))
        }
    }
}

impl<'a> Answer<'a> {
    fn undecided(reason: &'a str, estimate: Option<&'a Estimate>) -> Self {
        Self { label: Label::Undecided, said: Label::Undecided.text(), reason, estimate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(label: Label, gates: bool) -> Estimate {
        Estimate {
            ratio: 1.0,
            low: None,
            high: None,
            label,
            said: label.text().into(),
            reason: "some-reason".into(),
            gates,
            minimum_detectable_effect: None,
            replicates: 8,
        }
    }

    fn comparison(first: Label, second: Second) -> Comparison {
        Comparison { case: String::new(), variant: String::new(), first: estimate(first, true), second }
    }

    #[test]
    fn only_what_looks_slower_is_measured_again() {
        let labels = [Label::Faster, Label::Slower, Label::Undecided, Label::Equivalent, Label::Slower];
        assert_eq!(flagged(&labels.map(|label| comparison(label, Second::NotNeeded))), [1, 4]);
        assert!(flagged(&[]).is_empty());
    }

    #[test]
    fn the_second_estimate_alone_counts() {
        for label in [Label::Slower, Label::Faster, Label::Equivalent, Label::Undecided] {
            let twice = comparison(Label::Slower, Second::Measured(estimate(label, true)));
            assert_eq!((twice.answer().label, twice.is_open()), (label, false));
            let Second::Measured(second) = &twice.second else { unreachable!() };
            assert!(std::ptr::eq(twice.answer().estimate.expect("the second"), second));
        }
    }

    #[test]
    fn a_suspicion_that_stays_is_no_verdict() {
        let failed = comparison(Label::Slower, Second::Failed("it crashed".into()));
        assert_eq!((failed.answer().label, failed.answer().reason), (Label::Undecided, SECOND_FAILED));
        let never = comparison(Label::Slower, Second::NotNeeded);
        assert_eq!((never.answer().label, never.answer().reason), (Label::Undecided, NOT_CONFIRMED));
        assert!(failed.is_open() && never.is_open());
        assert!(!comparison(Label::Faster, Second::NotNeeded).is_open());
    }

    #[test]
    fn what_was_measured_at_different_times_is_described_and_never_judged() {
        for label in [Label::Slower, Label::Faster, Label::Equivalent, Label::Undecided] {
            let first = estimate(label, false);
            let alone = Comparison { first: first.clone(), ..comparison(label, Second::NotNeeded) };
            assert_eq!((alone.answer().label, alone.answer().reason), (Label::Undecided, SEQUENTIAL));
            // Not open either: nothing could confirm or clear it, and it is shown with its interval.
            assert!(!alone.is_open() && alone.answer().estimate.is_some() && flagged(&[alone]).is_empty());
            let twice = comparison(Label::Slower, Second::Measured(first));
            assert_eq!(twice.answer().label, Label::Undecided);
        }
    }

    #[test]
    fn labels_are_read_back() {
        for label in [Label::Slower, Label::Faster, Label::Equivalent, Label::Undecided] {
            assert_eq!(Label::of(label.text()), label);
        }
        assert_eq!(Label::of("no such label"), Label::Undecided);
    }
}
