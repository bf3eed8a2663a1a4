//! Says what is being done, how long it took, and which crates took longest to compile.

use crate::error::Result;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The work was done.
    Done,
    /// There was nothing to do.
    UpToDate,
    /// It could not be done, and need not be.
    Skipped,
    /// It went wrong.
    Failed,
}

/// Seconds of each crate, its build script included.
type Seconds = BTreeMap<String, f64>;

/// Crates that the account names.
const CRATES: usize = 5;

/// The steps taken so far, for the account at the end.
#[derive(Default)]
pub struct Steps {
    taken: Vec<(String, State, Duration)>,
    started: Option<Instant>,
    /// What was there, and how long after the start.
    reached: Vec<(String, Duration)>,
    compiled: Seconds,
    /// Sentences for the account.
    pub notes: Vec<String>,
    accounted: Cell<bool>,
}

/// Who fails on the way says all the same what the time went to.
impl Drop for Steps {
    fn drop(&mut self) {
        if !self.accounted.get() && self.taken.iter().any(|(_, state, _)| *state == State::Failed) {
            self.account();
        }
    }
}

impl Steps {
    /// Announces a step, takes it, tells its time.
    ///
    /// # Errors
    /// Those of the work.
    pub fn take<T>(&mut self, title: &str, work: impl FnOnce() -> Result<(T, State)>) -> Result<T> {
        println!("── {title}");
        flush();
        let started = Instant::now();
        self.started.get_or_insert(started);
        let done = work();
        let took = started.elapsed();
        match done {
            Ok((value, state)) => {
                println!("   {}", ending(state, took));
                flush();
                self.taken.push((title.to_owned(), state, took));
                Ok(value)
            }
            Err(error) => {
                self.taken.push((title.to_owned(), State::Failed, took));
                Err(error)
            }
        }
    }

    /// Remembers how long after the start something was there.
    pub fn reached(&mut self, what: &str) {
        let after = self.started.map(|started| started.elapsed()).unwrap_or_default();
        self.reached.push((what.to_owned(), after));
    }

    /// Adds what the newest build with `--timings` into this target folder says of its crates.
    pub fn compiled(&mut self, target: &Path) {
        for (name, took) in newest(target) {
            *self.compiled.entry(name).or_default() += took;
        }
    }

    /// Prints every step with its time, when what was reached, and which crates took longest.
    pub fn account(&self) {
        self.accounted.set(true);
        println!("\n{}", table(&self.taken));
        for line in closing(&self.reached, &self.compiled).iter().chain(&self.notes) {
            println!("   {line}");
        }
        flush();
    }
}

/// Output goes to pipes too, where a line would otherwise appear minutes late.
fn flush() {
    // A closed pipe shows itself at the next line; there is nobody to tell here.
    let _ = std::io::stdout().flush();
}

fn ending(state: State, took: Duration) -> String {
    match state {
        State::Done => format!("done in {}", duration(took)),
        State::UpToDate => format!("up to date ({})", duration(took)),
        State::Skipped => "skipped".to_owned(),
        State::Failed => format!("failed after {}", duration(took)),
    }
}

fn closing(reached: &[(String, Duration)], compiled: &Seconds) -> Vec<String> {
    let mut lines: Vec<String> =
        reached.iter().map(|(what, after)| format!("{what} was there after {}", duration(*after))).collect();
    if !compiled.is_empty() {
        let one = |(name, took): (&str, f64)| format!("{name} {}", duration(Duration::from_secs_f64(took.max(0.0))));
        let crates: Vec<String> = longest(compiled, CRATES).into_iter().map(one).collect();
        lines.push(format!("longest to compile, each on about one core: {}", crates.join(", ")));
    }
    lines
}

fn table(taken: &[(String, State, Duration)]) -> String {
    let width = taken.iter().map(|(title, ..)| title.chars().count()).max().unwrap_or(0);
    let line = |(title, state, took): &(String, State, Duration)| {
        let note = match state {
            State::Done => "",
            State::UpToDate => "  up to date",
            State::Skipped => "  skipped",
            State::Failed => "  failed",
        };
        format!("   {title:<width$}  {:>12}{note}", duration(*took))
    };
    taken.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A length of time as people say it.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

/// Cargo's own report of the newest build with `--timings`; nothing where there is none.
fn newest(target: &Path) -> Seconds {
    let report = std::fs::read_to_string(target.join("cargo-timings/cargo-timing.html"));
    report.map_or_else(|_| Seconds::new(), |html| read(&html))
}

/// The units stand in the page as JSON.
fn read(html: &str) -> Seconds {
    let mut seconds = Seconds::new();
    let Some((_, data)) = html.split_once("UNIT_DATA = ") else { return seconds };
    let units = serde_json::Deserializer::from_str(data).into_iter::<Value>().next().and_then(std::result::Result::ok);
    for unit in units.as_ref().and_then(Value::as_array).into_iter().flatten() {
        if let (Some(name), Some(took)) = (unit["name"].as_str(), unit["duration"].as_f64()) {
            *seconds.entry(name.to_owned()).or_default() += took;
        }
    }
    seconds
}

/// The crates that took longest, longest first.
fn longest(seconds: &Seconds, count: usize) -> Vec<(&str, f64)> {
    let mut all: Vec<_> = seconds.iter().map(|(name, took)| (name.as_str(), *took)).collect();
    all.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(duration(Duration::from_millis(40)), "0.0 s");
        assert_eq!(duration(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(duration(Duration::from_millis(119_600)), "2 min 00 s");
        assert_eq!(duration(Duration::from_secs(754)), "12 min 34 s");
    }

    #[test]
    fn the_account_says_when_what_was_there_and_what_took_longest() {
        let reached = [("the first table".to_owned(), Duration::from_secs(500))];
        let compiled = ["a", "b", "c", "d", "e", "f"].into_iter().zip([9.0, 200.0, 7.0, 6.0, 5.0, 4.0]);
        let lines = closing(&reached, &compiled.map(|(name, took)| (name.to_owned(), took)).collect());
        assert_eq!(lines[0], "the first table was there after 8 min 20 s");
        assert!(lines[1].ends_with("b 3 min 20 s, a 9.0 s, c 7.0 s, d 6.0 s, e 5.0 s"), "{}", lines[1]);
        assert!(closing(&[], &Seconds::new()).is_empty());
    }

    #[test]
    fn a_step_that_fails_is_in_the_account() {
        let mut steps = Steps::default();
        let failed: Result<()> = steps.take("Programs", || Err(crate::error::Error::Ended(1)));
        assert!(failed.is_err());
        assert!(table(&steps.taken).ends_with("failed"), "{}", table(&steps.taken));
    }

    #[test]
    fn the_account_lines_up() {
        let taken = [
            ("machine".to_owned(), State::Done, Duration::from_secs(1)),
            ("Python packages".to_owned(), State::UpToDate, Duration::from_secs(130)),
        ];
        let expected = "   machine                 1.0 s\n   Python packages    2 min 10 s  up to date";
        assert_eq!(table(&taken), expected);
    }

    #[test]
    fn the_report_is_added_up_by_crate() {
        let html = "<script>\nconst UNIT_DATA = [\n  {\"i\": 0, \"name\": \"a\", \"duration\": 1.5},\n  {\"i\": 1, \"name\": \"b\", \
                    \"duration\": 9.0},\n  {\"i\": 2, \"name\": \"a\", \"duration\": 2.0}\n];\nconst CONCURRENCY_DATA = [];";
        let seconds = read(html);
        assert_eq!(longest(&seconds, 9), [("b", 9.0), ("a", 3.5)]);
        assert_eq!(longest(&seconds, 1), [("b", 9.0)]);
    }

    #[test]
    fn a_page_that_is_made_otherwise_says_nothing() {
        for html in ["", "UNIT_DATA = ", "UNIT_DATA = [{]", "UNIT_DATA = 3;", "UNIT_DATA = [{\"name\": 1}];"] {
            assert!(read(html).is_empty(), "{html}");
        }
        assert!(newest(Path::new("/no/such/folder")).is_empty());
    }
}
