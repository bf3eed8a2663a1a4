//! The experiments done so far: one line each, appended as they end.

use super::experiment::{Answer, Experiment, HEADER};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use xtask::error::{Error, Named, Result};

/// Share of steal beyond which an experiment was not quiet, whatever its outcome.
pub const MOST_STEAL: f64 = 0.02;

/// Whether an experiment had the quiet that it asked for; noise may come from anywhere.
pub fn as_asked(experiment: &Experiment, answer: &Answer) -> bool {
    experiment.noisy || answer.steal <= MOST_STEAL
}

/// A file of experiments.
pub struct Ledger {
    path: PathBuf,
    file: File,
    pub done: Vec<(Experiment, Answer)>,
}

impl Ledger {
    /// Reads what is there and opens the end; a line that was cut short is left out.
    ///
    /// # Errors
    /// What another machine measured is not gone on with, and a file that cannot be written.
    pub fn open(path: &Path, machine: &str) -> Result<Self> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let done: Vec<(Experiment, Answer)> = text.lines().skip(1).filter_map(Experiment::parse).collect();
        if let Some((_, other)) = done.iter().find(|(_, answer)| answer.machine != machine) {
            let problem = format!("it was measured on another machine ({}): put it away first", other.machine);
            return Err(Error::Content { path: path.to_owned(), problem });
        }
        if text.lines().next() != Some(HEADER) || !text.ends_with('\n') {
            let lines: Vec<String> = done.iter().map(|(experiment, answer)| experiment.line(answer) + "\n").collect();
            fs::write(path, format!("{HEADER}\n{}", lines.concat())).named("write", path)?;
        }
        let file = OpenOptions::new().append(true).open(path).named("open", path)?;
        Ok(Self { path: path.to_owned(), file, done })
    }

    pub fn append(&mut self, experiment: &Experiment, answer: &Answer) -> Result<()> {
        writeln!(self.file, "{}", experiment.line(answer)).named("write", &self.path)?;
        self.done.push((experiment.clone(), answer.clone()));
        Ok(())
    }

    /// Answers to what `wanted` chooses; those that were asked for in quiet and did not have it are left out.
    pub fn of(&self, wanted: impl Fn(&Experiment) -> bool) -> Vec<(&Experiment, &Answer)> {
        self.done.iter().filter(|(e, a)| wanted(e) && as_asked(e, a)).map(|(e, a)| (e, a)).collect()
    }

    /// Quiet experiments during which the host gave too much of the processors to others.
    pub fn disturbed(&self) -> usize {
        self.done.iter().filter(|(experiment, answer)| !as_asked(experiment, answer)).count()
    }
}
