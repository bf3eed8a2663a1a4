//! Says what is being done and how long it took.

use crate::error::Result;
use std::io::Write;
use std::time::{Duration, Instant};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Done,
    UpToDate,
}

/// The steps taken so far, for the account at the end.
#[derive(Default)]
pub struct Steps {
    taken: Vec<(String, State, Duration)>,
}

impl Steps {
    /// Announces a step, takes it, tells its time.
    pub fn take<T>(&mut self, title: &str, work: impl FnOnce() -> Result<(T, State)>) -> Result<T> {
        println!("── {title}");
        flush();
        let started = Instant::now();
        let (value, state) = work()?;
        let took = started.elapsed();
        println!("   {}", ending(state, took));
        flush();
        self.taken.push((title.to_owned(), state, took));
        Ok(value)
    }

    /// Prints every step with its time.
    pub fn account(&self) {
        println!("\n{}", table(&self.taken));
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
    }
}

fn table(taken: &[(String, State, Duration)]) -> String {
    let width = taken.iter().map(|(title, ..)| title.chars().count()).max().unwrap_or(0);
    let line = |(title, state, took): &(String, State, Duration)| {
        let note = if *state == State::UpToDate { "  up to date" } else { "" };
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
    fn the_account_lines_up() {
        let taken = [
            ("machine".to_owned(), State::Done, Duration::from_secs(1)),
            ("Python packages".to_owned(), State::UpToDate, Duration::from_secs(130)),
        ];
        let expected = "   machine                 1.0 s\n   Python packages    2 min 10 s  up to date";
        assert_eq!(table(&taken), expected);
    }
}
