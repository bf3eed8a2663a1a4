//! The four verdicts.

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
