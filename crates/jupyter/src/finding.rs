//! A finding: where, how grave, what, and what to do.

use std::fmt;

/// How grave a finding is, from harmless to grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, perhaps not as expected.
    Warning,
    /// The Jupyter kernel cannot start, or a cell cannot run.
    Problem,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// The built library.
    Snapshot,
    /// The Rust compiler and its sources.
    Toolchain,
    /// The linker.
    Linker,
    /// The Python environment.
    Python,
    /// The description of the Jupyter kernel.
    Kernelspec,
}

impl Area {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Toolchain => "toolchain",
            Self::Linker => "linker",
            Self::Python => "python",
            Self::Kernelspec => "kernelspec",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// How grave it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// The command that puts it right; nothing where all is well.
    pub remedy: Option<String>,
}

impl Finding {
    pub(crate) fn good(area: Area, text: impl Into<String>) -> Self {
        Self { area, level: Level::Good, text: text.into(), remedy: None }
    }

    pub(crate) fn warning(area: Area, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { area, level: Level::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    pub(crate) fn problem(area: Area, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { area, level: Level::Problem, text: text.into(), remedy: Some(remedy.into()) }
    }
}

/// The gravest level; good if there is no finding.
#[must_use]
pub fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Good)
}
