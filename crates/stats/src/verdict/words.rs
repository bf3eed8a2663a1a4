//! The words of a verdict: what it says, why, how far it reaches, and what so many processes can have missed.

use crate::{Error, Result, check};
use std::fmt;

/// What a comparison says of the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// The candidate takes less time.
    Faster,
    /// The candidate takes more time.
    Slower,
    /// Any difference lies inside the practical margin.
    Equivalent,
    /// The data allow none of the others.
    Undecided,
}

impl Label {
    /// Every label.
    pub const ALL: [Self; 4] = [Self::Faster, Self::Slower, Self::Equivalent, Self::Undecided];

    /// The label as tables and queries show it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Equivalent => "equivalent",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// The reason for a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `equivalent`: the equivalence interval lies inside the margin.
    SizeWithinMargin,
    /// `faster` or `slower`: the interval excludes a ratio of 1.
    DirectionExcludesOne,
    /// `undecided`: the equivalence interval is wider than the margin, so it could not lie inside.
    TooNoisy,
    /// `undecided`: precise enough for the margin, but the interval straddles its edge and includes 1.
    NearMargin,
    /// `undecided`: too few replicates to tell how much processes differ.
    FewReplicates,
    /// `undecided`: too few blocks to tell how much they vary.
    TooFewBlocks,
    /// `undecided`: the ratios do not vary at all, as where the clock is too coarse.
    NoVariation,
    /// `undecided`: inside the margin, but runs taken one after the other are never `equivalent`.
    SequentialNeverEquivalent,
    /// `undecided`: significant alone, but not after control of the false discovery rate over the suite.
    FalseDiscovery,
    /// `undecided`: the difference is not above what this machine shows between equal programs.
    NoisyMachine,
    /// `undecided`: so many samples are invalid that those left tell of the disturbance.
    TooManyInvalid,
    /// `undecided`: no block holds a valid sample of both sides.
    NoPairs,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::SizeWithinMargin,
        Self::DirectionExcludesOne,
        Self::TooNoisy,
        Self::NearMargin,
        Self::FewReplicates,
        Self::TooFewBlocks,
        Self::NoVariation,
        Self::SequentialNeverEquivalent,
        Self::FalseDiscovery,
        Self::NoisyMachine,
        Self::TooManyInvalid,
        Self::NoPairs,
    ];

    /// The stable code, as tables and queries show it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::SizeWithinMargin => "size-within-margin",
            Self::DirectionExcludesOne => "direction-excludes-one",
            Self::TooNoisy => "too-noisy",
            Self::NearMargin => "near-margin",
            Self::FewReplicates => "few-replicates",
            Self::TooFewBlocks => "too-few-blocks",
            Self::NoVariation => "no-variation",
            Self::SequentialNeverEquivalent => "sequential-never-equivalent",
            Self::FalseDiscovery => "fdr",
            Self::NoisyMachine => "noisy-machine",
            Self::TooManyInvalid => "too-many-invalid",
            Self::NoPairs => "no-pairs",
        }
    }

    /// The reason in words, with what would help.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::SizeWithinMargin => "any difference lies inside the practical margin",
            Self::DirectionExcludesOne => "the interval of the ratio excludes 1",
            Self::TooNoisy => "the interval is wider than the margin: measure more replicates, or a quieter machine",
            Self::NearMargin => "the difference lies about the edge of the margin: measure more replicates",
            Self::FewReplicates => {
                "too few processes to tell how much they differ, the interval is of these alone: measure at least 5 replicates"
            }
            Self::TooFewBlocks => "too few blocks to tell how much they vary: measure more",
            Self::NoVariation => "the ratios do not vary at all: check the clock's resolution",
            Self::SequentialNeverEquivalent => {
                "the runs were taken one after the other: measure both in one run to show that they are equivalent"
            }
            Self::FalseDiscovery => {
                "significant alone, but one of so many comparisons may be so by chance: measure this one again by itself"
            }
            Self::NoisyMachine => {
                "the difference is not above what this machine shows between equal programs: measure on a quieter machine, \
                 or calibrate anew"
            }
            Self::TooManyInvalid => {
                "too many samples are invalid: see their reasons, remove the disturbance and measure again"
            }
            Self::NoPairs => {
                "no block holds a valid sample of both sides: measure both in one run, and see what failed"
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// What the spread behind a verdict was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Over enough replicates: the verdict holds for processes started anew.
    AcrossReplicates,
    /// Over the blocks of too few replicates: how much processes differ is not counted.
    TooFewReplicates,
    /// Over the blocks of one process: another process may say otherwise.
    WithinOneProcess,
    /// Over unpaired samples of runs taken one after the other: descriptive, drift included.
    Sequential,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] =
        [Self::AcrossReplicates, Self::TooFewReplicates, Self::WithinOneProcess, Self::Sequential];

    /// The stable code, as tables and queries show it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AcrossReplicates => "across-replicates",
            Self::TooFewReplicates => "too-few-replicates",
            Self::WithinOneProcess => "within-one-process",
            Self::Sequential => "sequential",
        }
    }

    /// The scope in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::AcrossReplicates => "across replicates",
            Self::TooFewReplicates => "within too few replicates",
            Self::WithinOneProcess => "within one process",
            Self::Sequential => "unpaired, sequential",
        }
    }

    /// Whether a verdict of this scope may stop a build: only across replicates.
    #[must_use]
    pub fn may_gate(self) -> bool {
        self == Self::AcrossReplicates
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Replicates from which `equivalent` is said without a reservation: a slow mode of more than 13 % of all processes
/// would have shown.
pub const SEEN_REPLICATES: usize = 22;

/// The share of slow processes from which on `replicates` processes exclude a slow mode at `level`.
///
/// A mode that a process has with probability p is missed by all of R processes with probability (1 − p)^R, so that
/// the bound is 1 − (1 − level)^(1/R): 45 % for 5 replicates at 95 %, 13 % for 22.
///
/// # Errors
/// [`Error::TooFew`] for no replicate, [`Error::OutOfRange`] for the level.
pub fn unseen_share(replicates: usize, level: f64) -> Result<f64> {
    check::level(level)?;
    if replicates == 0 {
        return Err(Error::TooFew { needed: 1, got: 0 });
    }
    Ok(-((1.0 - level).ln() / replicates as f64).exp_m1())
}

impl Label {
    /// The verdict on so many replicates in words, with what it cannot have seen: what people read.
    #[must_use]
    pub fn said(self, replicates: usize) -> &'static str {
        match self {
            Self::Equivalent if replicates < SEEN_REPLICATES => "equivalent in the processes seen",
            label => label.text(),
        }
    }
}
