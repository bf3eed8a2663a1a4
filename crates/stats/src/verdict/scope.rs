//! How far a verdict reaches.

use std::fmt;

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
