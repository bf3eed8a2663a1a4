//! What a reader is told of a run.

use std::fmt;

use chrono::DateTime;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// It ended by itself.
    Finished,
    /// Its writer is at work.
    Live,
    /// Its writer was stopped, by a person or by force; what was written is there.
    Interrupted,
    /// Something of it fails its checksum; the reason. The rest is there.
    Damaged(String),
}

impl RunState {
    /// The state in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Live => "live",
            Self::Interrupted => "interrupted",
            Self::Damaged(_) => "damaged",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A file that was left out, whole or from some byte on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The file, relative to the store.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFile {
    /// Its name in the run's folder.
    pub name: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// A run as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEntry {
    /// UUIDv7 as lower-case text.
    pub run_id: String,
    /// When it began, in nanoseconds since 1970 UTC; from the id where nothing else says it.
    pub started_at_ns: i64,
    /// Name of its plan; empty where nothing says it.
    pub suite: String,
    /// Names given by the user.
    pub tags: Vec<String>,
    /// Where it stands.
    pub state: RunState,
    /// Its files, by name.
    pub files: Vec<RunFile>,
}

impl fmt::Display for RunEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let started = DateTime::from_timestamp_nanos(self.started_at_ns);
        write!(f, "{} ({} {}", self.run_id, started.format("%Y-%m-%d %H:%M:%S"), self.suite)?;
        if !self.tags.is_empty() {
            write!(f, ", tags {}", self.tags.join(" "))?;
        }
        f.write_str(")")
    }
}
