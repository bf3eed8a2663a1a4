//! What a program says, line by line and within bounds, and what it said last of the cause of its end.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bytes kept of a line of last words.
const KEPT_BYTES: usize = 2_000;

/// What begins a message about the end of a program; an abort after a panic adds nothing to the panic.
const CAUSES: [&str; 4] = ["panicked at ", "memory allocation of ", "terminate called", "fatal runtime error"];
const NO_CAUSE: [&str; 1] = ["panic in a function that cannot unwind"];
/// What Rust adds to a message, to no avail for who reads it in a table.
const HINTS: [&str; 3] = ["note: ", "stack backtrace:", "thread caused non-unwinding panic"];
/// Lines of a message.
const MOST_LINES: usize = 3;

/// The message about the cause, in one line, else the last line; nothing where nothing was said.
pub fn last_words<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    let has = |line: &str, words: &[&str]| words.iter().any(|word| line.contains(word));
    let follows = |place: usize| lines.get(place + 1).is_some_and(|next| has(next, &NO_CAUSE));
    let is_cause = |place: &usize| has(lines[*place], &CAUSES) && !follows(*place);
    let told = |line: &&&str| !HINTS.iter().any(|hint| line.starts_with(hint));
    match (0..lines.len()).rev().find(is_cause) {
        Some(first) => {
            let message: Vec<&str> = lines[first..].iter().take_while(told).take(MOST_LINES).copied().collect();
            Some(message.join(" "))
        }
        None => lines.iter().rev().find(told).map(|line| (*line).to_owned()),
    }
}

/// The lines of a pipe, without their ends, each cut to so many bytes; the rest of a longer one is passed over.
///
/// Bytes, not text: a library may print anything, as much as it likes, and a closed pipe would break it.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    most_bytes: usize,
    /// Whether a line was cut whose rest is still to come.
    cut: bool,
}

impl<R: Read> Lines<BufReader<R>> {
    /// Of a pipe, up to its end or an error.
    pub fn of(pipe: R, most_bytes: usize) -> Self {
        Self { from: BufReader::new(pipe), most_bytes, cut: false }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.cut {
            self.from.skip_until(b'\n').ok()?;
        }
        let mut line = Vec::new();
        Read::by_ref(&mut self.from).take(self.most_bytes as u64).read_until(b'\n', &mut line).ok()?;
        self.cut = *line.last()? != b'\n';
        if !self.cut {
            line.pop();
        }
        Some(line)
    }
}

/// The last lines of a child's standard error, which a thread of its own reads up to the end.
#[derive(Debug)]
pub struct LastWords {
    kept: Arc<Mutex<VecDeque<String>>>,
    /// Closed once all has been read.
    end: Receiver<()>,
}

impl LastWords {
    /// Reads on and on, and keeps so many lines, of each the first 2 000 bytes.
    pub fn keep(stderr: impl Read + Send + 'static, most_lines: usize) -> Self {
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let lines = Arc::clone(&kept);
        let (closed_at_the_end, end) = mpsc::channel();
        std::thread::spawn(move || {
            for line in Lines::of(stderr, KEPT_BYTES) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == most_lines {
                    lines.pop_front();
                }
                lines.push_back(String::from_utf8_lossy(&line).into_owned());
            }
            drop(closed_at_the_end);
        });
        Self { kept, end }
    }

    /// The lines, once all has been read or `patience` is over: whoever else holds the pipe may do so for ever.
    pub fn lines(&self, patience: Duration) -> Vec<String> {
        let _ = self.end.recv_timeout(patience);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_the_rest_of_them_is_passed_over() {
        let long = "x".repeat(KEPT_BYTES);
        let text = format!("one\n\n{long}\n{long}y\n{long}yz\nlast");
        let from = BufReader::with_capacity(7, text.as_bytes());
        let lines: Vec<Vec<u8>> = Lines { from, most_bytes: KEPT_BYTES, cut: false }.collect();
        assert_eq!(lines, ["one", "", &*long, &*long, &*long, "last"].map(|line| line.as_bytes().to_vec()));
    }

    #[test]
    fn a_line_without_end_is_there_before_its_end() {
        // The reader gives one line's worth, and then an error instead of waiting for ever.
        struct Endless(usize);
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                if self.0 == 0 {
                    return Err(std::io::Error::other("nothing more"));
                }
                let bytes = into.len().min(self.0);
                into[..bytes].fill(b'x');
                self.0 -= bytes;
                Ok(bytes)
            }
        }
        assert_eq!(Lines::of(Endless(KEPT_BYTES), KEPT_BYTES).collect::<Vec<_>>(), [vec![b'x'; KEPT_BYTES]]);
    }

    #[test]
    fn the_last_lines_are_kept() {
        let words = LastWords::keep("one\ntwo\nthree".as_bytes(), 2);
        assert_eq!(words.lines(Duration::MAX), ["two", "three"]);
    }

    #[test]
    fn the_cause_is_kept_and_the_hint_is_not() {
        let hint = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
        let panic = "thread 'main' (7) panicked at src/a.rs:1:2:\nno room for scores";
        for (said, kept) in [
            (
                format!("loading\nmemory allocation of 805306368 bytes failed\n{hint}"),
                "memory allocation of 805306368 bytes failed",
            ),
            (format!("{panic}\n{hint}\n"), "thread 'main' (7) panicked at src/a.rs:1:2: no room for scores"),
            (
                format!("{panic}\nstack backtrace:\n   0: a\n   1: b\n{hint}"),
                "thread 'main' (7) panicked at src/a.rs:1:2: no room for scores",
            ),
            (
                format!(
                    "{panic}\n{hint}\nthread 'main' (7) panicked at core/panicking.rs:9:5:\n\
                     panic in a function that cannot unwind\nthread caused non-unwinding panic. aborting."
                ),
                "thread 'main' (7) panicked at src/a.rs:1:2: no room for scores",
            ),
            (
                "terminate called after throwing an instance of 'c10::Error'\n  what():  no kernel\n".to_owned(),
                "terminate called after throwing an instance of 'c10::Error' what():  no kernel",
            ),
            ("benchbook-worker: no threads\n\n".to_owned(), "benchbook-worker: no threads"),
            (format!("gave up\n{hint}"), "gave up"),
        ] {
            assert_eq!(last_words(said.lines()).as_deref(), Some(kept), "{said}");
        }
        assert_eq!(last_words(format!("\n{hint}\n").lines()), None);
    }
}
