//! One experiment, its answer, and both as a line of the ledger.

use std::fmt;

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
    /// The machine that it ran on; nothing until it stands in the ledger.
    pub machine: String,
    /// benchbook's verdict, reason and replicates; the others' own words.
    pub note: String,
    /// The day, as in `2026-11-29`; nothing where nobody knows it.
    pub day: String,
    /// The commit of the sources; nothing where nobody knows it.
    pub revision: String,
}

/// Columns of the ledger.
pub const HEADER: &str = "goal,tool,noisy,work,extra,seconds,replicates,seed,significant,direction,ratio,low,high,\
    wall_s,steal,machine,note,day,revision";

/// The upper bound of an interval that nothing bounds; its lower one is 0.
pub const UNBOUNDED: f64 = 1e9;

/// A text that stands in one cell.
pub fn cell(text: &str) -> String {
    text.replace([',', '\n', '"'], ";")
}

impl Experiment {
    pub fn line(&self, answer: &Answer) -> String {
        let Self { goal, tool, noisy, work, extra, seconds, replicates, seed } = self;
        let Answer { significant, direction, ratio, low, high, wall_s, steal, machine, note, day, revision } = answer;
        let [machine, note, day, revision] = [machine, note, day, revision].map(|text| cell(text));
        format!(
            "{goal},{tool},{noisy},{work},{extra},{seconds},{replicates},{seed},{significant},{direction},{ratio:.6},\
             {low:.6},{high:.6},{wall_s:.3},{steal:.4},{machine},{note},{day},{revision}"
        )
    }

    /// Nothing for a line that is not whole, as after a power cut. One from before there were days ends with the note.
    pub fn parse(line: &str) -> Option<(Self, Answer)> {
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
            when @ ..,
        ] = words.as_slice()
        else {
            return None;
        };
        let (day, revision) = match when {
            [] => ("", ""),
            [day, revision] => (*day, *revision),
            _ => return None,
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
            day: day.to_owned(),
            revision: revision.to_owned(),
        };
        Some((experiment, answer))
    }
}

impl Answer {
    /// Whether it has an interval: what nothing bounds holds any truth, and is none.
    pub fn is_bounded(&self) -> bool {
        self.low > 0.0 || self.high < UNBOUNDED
    }

    /// Whether the interval holds the true ratio.
    pub fn covers(&self, truth: f64) -> bool {
        self.low <= truth && truth <= self.high
    }

    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// How many processes benchbook compared, as its note says.
    pub fn replicates(&self) -> u32 {
        let count = self.note.strip_suffix(" replicates").and_then(|rest| rest.rsplit(' ').next());
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
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
            note: "slower, a reason; 12 replicates".into(),
            day: "2026-11-29".into(),
            revision: "19d54e6".into(),
        };
        let line = experiment.line(&answer);
        let (back, read) = Experiment::parse(&line).expect("a line");
        assert_eq!((&back, read.machine.as_str()), (&experiment, "a; cpu"));
        assert_eq!((read.note.as_str(), read.replicates()), ("slower; a reason; 12 replicates", 12));
        assert_eq!((read.day.as_str(), read.revision.as_str()), ("2026-11-29", "19d54e6"));
        let older = line.strip_suffix(",2026-11-29,19d54e6").expect("the end of a line");
        let (back, read) = Experiment::parse(older).expect("a line without a day");
        assert_eq!((back, read.day.as_str(), read.revision.as_str()), (experiment, "", ""));
        assert!(Experiment::parse(&format!("{older},2026-11-29")).is_none(), "it was cut short");
        assert!(read.covers(1.05) && !read.covers(1.07) && (read.half_width() - 0.01).abs() < 1e-9);
        assert_eq!(HEADER.split(',').count(), line.split(',').count());
        assert!(Experiment::parse(&line[..line.len() / 2]).is_none());
        assert_eq!(Answer { note: "its own words".into(), ..read }.replicates(), 0, "it says nothing of them");
    }
}
