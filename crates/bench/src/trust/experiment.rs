//! One experiment, its answer, and the ledger of those done so far: one line each, appended as they end.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use xtask::error::{Error, Named, Result};

/// What a tool is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// What it is for: `false-positives`, `power`, `coverage`, `time`.
    pub goal: String,
    pub tool: String,
    /// Whether a neighbour loads a core in bursts.
    pub noisy: bool,
    pub work: String,
    /// Share of work that the second side does on top.
    pub extra: f64,
    /// Time for the measurement.
    pub seconds: f64,
    /// Replicates to begin with, for benchbook's coverage; 0 for the tool's own.
    pub replicates: u32,
    pub seed: u64,
}

/// What a tool answered; ratios are time with the extra share over time without.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Whether the tool calls the sides different.
    pub significant: bool,
    /// `slower`, `faster` or `none`.
    pub direction: String,
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
    pub wall_s: f64,
    /// Share of the processors' time that the host gave to others meanwhile.
    pub steal: f64,
    /// The processor that it ran on.
    pub machine: String,
    /// benchbook's verdict and reason; the others' own words.
    pub note: String,
}

/// Columns of the ledger.
const HEADER: &str =
    "goal,tool,noisy,work,extra,seconds,replicates,seed,significant,direction,ratio,low,high,wall_s,steal,machine,note";

impl Experiment {
    fn line(&self, answer: &Answer) -> String {
        let Self { goal, tool, noisy, work, extra, seconds, replicates, seed } = self;
        let Answer { significant, direction, ratio, low, high, wall_s, steal, machine, note } = answer;
        let [machine, note] = [machine, note].map(|text| text.replace([',', '\n', '"'], ";"));
        format!(
            "{goal},{tool},{noisy},{work},{extra},{seconds},{replicates},{seed},{significant},{direction},{ratio:.6},\
             {low:.6},{high:.6},{wall_s:.3},{steal:.4},{machine},{note}"
        )
    }

    /// Nothing for a line that is not whole, as after a power cut.
    fn parse(line: &str) -> Option<(Self, Answer)> {
        let words: Vec<&str> = line.split(',').collect();
        let [
            goal,
            tool,
            noisy,
            work,
            extra,
            seconds,
            replicates,
            seed,
            significant,
            direction,
            ratio,
            low,
            high,
            wall_s,
            steal,
            machine,
            note,
        ] = words.as_slice()
        else {
            return None;
        };
        let experiment = Self {
            goal: (*goal).to_owned(),
            tool: (*tool).to_owned(),
            noisy: noisy.parse().ok()?,
            work: (*work).to_owned(),
            extra: extra.parse().ok()?,
            seconds: seconds.parse().ok()?,
            replicates: replicates.parse().ok()?,
            seed: seed.parse().ok()?,
        };
        let answer = Answer {
            significant: significant.parse().ok()?,
            direction: (*direction).to_owned(),
            ratio: ratio.parse().ok()?,
            low: low.parse().ok()?,
            high: high.parse().ok()?,
            wall_s: wall_s.parse().ok()?,
            steal: steal.parse().ok()?,
            machine: (*machine).to_owned(),
            note: (*note).to_owned(),
        };
        Some((experiment, answer))
    }
}

impl Answer {
    /// Whether the interval holds the true ratio.
    pub fn covers(&self, truth: f64) -> bool {
        self.low <= truth && truth <= self.high
    }

    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noise = if self.noisy { "noisy" } else { "quiet" };
        write!(f, "{} {noise} {} +{} % {} s", self.tool, self.work, 100.0 * self.extra, self.seconds)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.4} [{:.4}, {:.4}] in {:.1} s", self.direction, self.ratio, self.low, self.high, self.wall_s)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_survives_and_a_cut_one_is_none() {
        let experiment = Experiment {
            goal: "power".into(),
            tool: "benchbook".into(),
            noisy: true,
            work: "dependent".into(),
            extra: 0.05,
            seconds: 2.0,
            replicates: 0,
            seed: 7,
        };
        let answer = Answer {
            significant: true,
            direction: "slower".into(),
            ratio: 1.05,
            low: 1.04,
            high: 1.06,
            wall_s: 1.5,
            steal: 0.25,
            machine: "a, cpu".into(),
            note: "a, b".into(),
        };
        let line = experiment.line(&answer);
        let (back, read) = Experiment::parse(&line).expect("a line");
        assert_eq!((back, read.machine.as_str(), read.note.as_str()), (experiment, "a; cpu", "a; b"));
        assert!(read.covers(1.05) && !read.covers(1.07) && (read.half_width() - 0.01).abs() < 1e-9);
        assert_eq!(HEADER.split(',').count(), line.split(',').count());
        assert!(Experiment::parse(&line[..line.len() / 2]).is_none());
    }
}
