//! Why a trial or a run ends: the words in `outcomes.stop_reason` with the status beside them, what is not tried again,
//! and how a run learns that it is to end.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use benchbook_core::{Case, Variant};
use benchbook_journal::Status;

/// Why a trial, or the run itself, has ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StopReason {
    /// The run has done all that was planned.
    Complete,
    /// It was ended from outside.
    Interrupted,
    /// The trial has the blocks that are wanted.
    Blocks,
    /// The trial's share of the time is used up.
    Time,
    /// So many blocks were disturbed that no more of them are replaced.
    Disturbed,
    /// The time was used up before the trial began.
    NotBegun {
        /// Whether that is the pilot's share of it.
        pilot: bool,
    },
    /// The variant hung on the case before.
    HungBefore,
    /// The implementation does not do the case, in its own words.
    Unsupported(String),
    /// The trial could not go on, in the words of the error.
    Failed(String),
    /// A check found the output wrong.
    Wrong {
        /// Whose output.
        variant: Variant,
        /// Which one, where there are several: the worst.
        output: Option<String>,
        /// Its scaled error.
        error: f64,
        /// The largest one that passes.
        tolerance: f64,
    },
    /// Of the samples more than half were disturbed: what is left of such a trial is no fair choice.
    Invalid {
        /// Whose samples.
        variant: Variant,
        /// How many were disturbed.
        disturbed: i64,
        /// How many were taken.
        samples: i64,
    },
}

impl StopReason {
    /// How a trial, or a run, ended that ended for this reason.
    pub fn status(&self) -> Status {
        match self {
            Self::Complete | Self::Blocks | Self::Time | Self::Disturbed => Status::Ok,
            Self::Interrupted | Self::NotBegun { .. } => Status::Interrupted,
            Self::HungBefore | Self::Failed(_) => Status::Failed,
            Self::Unsupported(_) => Status::Unsupported,
            Self::Wrong { .. } => Status::Wrong,
            Self::Invalid { .. } => Status::Invalid,
        }
    }
}

/// The words as they stand in `outcomes.stop_reason`.
impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
            Self::Blocks => "blocks",
            Self::Time => "time",
            Self::Disturbed => "disturbed",
            Self::NotBegun { pilot: true } => "time: the pilot's share of the budget was used up before it began",
            Self::NotBegun { pilot: false } => "time: the budget was used up before it began",
            Self::HungBefore => "it hung on this case before in this run, so it was not tried again",
            Self::Unsupported(words) | Self::Failed(words) => words.as_str(),
            Self::Wrong { variant, output, error, tolerance } => {
                let of = output.as_ref().map_or_else(String::new, |output| format!(" of `{output}`"));
                return write!(f, "{variant} is wrong: scaled error{of} {error:.3e}, allowed {tolerance:.0e}");
            }
            Self::Invalid { variant, disturbed, samples } => {
                return write!(
                    f,
                    "{disturbed} of {samples} samples of {variant} were disturbed by the machine: the trial is invalid, \
                     measure on a quieter one"
                );
            }
        })
    }
}

/// Variants that have hung on a case: each further try would cost the whole timeout.
#[derive(Debug, Default)]
pub struct GivenUp(Vec<(Case, Variant)>);

impl GivenUp {
    /// Does not try a variant on a case again.
    pub fn add(&mut self, case: &Case, variant: &Variant) {
        self.0.push((case.clone(), variant.clone()));
    }

    /// Why a variant is not tried on a case, where it is given up there.
    pub fn reason(&self, case: &Case, variant: &Variant) -> Option<StopReason> {
        self.0.iter().any(|(of, hung)| of == case && hung == variant).then_some(StopReason::HungBefore)
    }
}

/// A flag that is set from outside, and whether anything was left out for it.
#[derive(Debug)]
pub struct Interrupt<'a> {
    asked: &'a AtomicBool,
    has_cut: bool,
}

impl<'a> Interrupt<'a> {
    /// Follows this flag.
    pub fn new(asked: &'a AtomicBool) -> Self {
        Self { asked, has_cut: false }
    }

    /// Whether the flag is set.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The same where something would come next, which is then left out.
    pub fn cuts(&mut self) -> bool {
        let asked = self.is_asked();
        self.has_cut |= asked;
        asked
    }

    /// Whether anything was left out: an interrupt that came after all was done has ended nothing.
    pub fn has_cut(&self) -> bool {
        self.has_cut
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::{DType, Params};

    use super::*;

    #[test]
    fn stores_hold_these_words() {
        let variant =
            Variant { implementation: "i".into(), device: "d".into(), dtype: DType::F32, threads: 2, build: None };
        let wrong = StopReason::Wrong { variant: variant.clone(), output: None, error: 0.0125, tolerance: 1e-4 };
        let one =
            StopReason::Wrong { variant: variant.clone(), output: Some("grad".into()), error: 0.0125, tolerance: 1e-4 };
        let invalid = StopReason::Invalid { variant, disturbed: 7, samples: 12 };
        let held = [
            (StopReason::Complete, Status::Ok, "complete"),
            (StopReason::Interrupted, Status::Interrupted, "interrupted"),
            (StopReason::Blocks, Status::Ok, "blocks"),
            (StopReason::Time, Status::Ok, "time"),
            (StopReason::Disturbed, Status::Ok, "disturbed"),
            (
                StopReason::NotBegun { pilot: true },
                Status::Interrupted,
                "time: the pilot's share of the budget was used up before it began",
            ),
            (
                StopReason::NotBegun { pilot: false },
                Status::Interrupted,
                "time: the budget was used up before it began",
            ),
            (
                StopReason::HungBefore,
                Status::Failed,
                "it hung on this case before in this run, so it was not tried again",
            ),
            (StopReason::Unsupported("no masks".into()), Status::Unsupported, "no masks"),
            (StopReason::Failed("it ended".into()), Status::Failed, "it ended"),
            (wrong, Status::Wrong, "i/d/f32/2t is wrong: scaled error 1.250e-2, allowed 1e-4"),
            (one, Status::Wrong, "i/d/f32/2t is wrong: scaled error of `grad` 1.250e-2, allowed 1e-4"),
            (
                invalid,
                Status::Invalid,
                "7 of 12 samples of i/d/f32/2t were disturbed by the machine: the trial is invalid, measure on a quieter \
                 one",
            ),
        ];
        for (reason, status, words) in held {
            assert_eq!((reason.status(), reason.to_string().as_str()), (status, words));
        }
    }

    #[test]
    fn a_variant_is_given_up_on_the_case_on_which_it_hung_and_no_other() {
        let [a, b] = ["a", "b"].map(|name| Case { workload: "w".into(), name: name.into(), params: Params::default() });
        let [one, two] = [1, 2].map(|threads| Variant {
            implementation: "i".into(),
            device: "d".into(),
            dtype: DType::F32,
            threads,
            build: None,
        });
        let mut given_up = GivenUp::default();
        assert_eq!(given_up.reason(&a, &one), None);
        given_up.add(&a, &one);
        assert_eq!(given_up.reason(&a, &one), Some(StopReason::HungBefore));
        assert_eq!((given_up.reason(&a, &two), given_up.reason(&b, &one)), (None, None));
    }

    #[test]
    fn a_flag_cuts_where_something_would_have_come_next() {
        let asked = AtomicBool::new(false);
        let mut interrupt = Interrupt::new(&asked);
        assert!(!interrupt.cuts() && !interrupt.has_cut());
        asked.store(true, Ordering::Relaxed);
        assert!(interrupt.is_asked() && !interrupt.has_cut(), "nothing was to come");
        assert!(interrupt.cuts() && interrupt.has_cut());
    }
}
