//! A finding: where, how grave, what, and what to do.

use std::fmt;

use serde::Serialize;

/// How grave a finding is, from harmless to grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Makes measurements noisier or less fair.
    Warning,
    /// Makes measurements worthless or impossible.
    Problem,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Frequency governor.
    Governor,
    /// Clock rates above the base rate.
    Turbo,
    /// Several threads on a core.
    Smt,
    /// Which CPUs may be used.
    Cores,
    /// Load average.
    Load,
    /// Other processes.
    Processes,
    /// The clock that times.
    Clock,
    /// Virtual machines and containers.
    Virtualisation,
    /// Main memory and swap.
    Memory,
    /// Graphics processors.
    Gpu,
    /// Sizes of thread pools.
    Threads,
    /// Environment variables.
    Variables,
    /// How the worker was built.
    Build,
    /// Engines and their devices.
    Engines,
    /// The commit that is measured.
    Source,
    /// Programs that benchbook calls.
    Tools,
}

impl Area {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Governor => "governor",
            Self::Turbo => "turbo",
            Self::Smt => "smt",
            Self::Cores => "cores",
            Self::Load => "load",
            Self::Processes => "processes",
            Self::Clock => "clock",
            Self::Virtualisation => "virtualisation",
            Self::Memory => "memory",
            Self::Gpu => "gpu",
            Self::Threads => "threads",
            Self::Variables => "variables",
            Self::Build => "build",
            Self::Engines => "engines",
            Self::Source => "source",
            Self::Tools => "tools",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// How grave it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// The command or the setting that puts it right; nothing if none is needed or none helps.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn new(area: Area, level: Level, text: impl Into<String>) -> Self {
        Self { area, level, text: text.into(), remedy: None }
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// The gravest level; good if there is no finding.
#[must_use]
pub fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_words_agree_with_json() {
        let finding = |level| Finding::new(Area::Turbo, level, "");
        assert_eq!(worst(&[]), Level::Good);
        assert_eq!(worst(&[finding(Level::Warning), finding(Level::Note)]), Level::Warning);
        for level in [Level::Good, Level::Note, Level::Warning, Level::Problem] {
            assert_eq!(serde_json::json!(level), level.name());
        }
        for area in [Area::Governor, Area::Smt, Area::Gpu, Area::Virtualisation, Area::Tools] {
            assert_eq!(serde_json::json!(area), area.name());
        }
        assert_eq!(format!("{:>8}|", Level::Note), "    note|");
    }
}
