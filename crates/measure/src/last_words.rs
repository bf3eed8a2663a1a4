//! What a program that has ended said of the cause, out of the last lines of its stderr.

use std::io::{self, BufRead, Read};

/// Bytes kept of a line.
const KEPT_BYTES: usize = 2_000;

/// What begins a message about the end of a program; an abort after a panic adds nothing to the panic.
const CAUSES: [&str; 4] = ["panicked at ", "memory allocation of ", "terminate called", "fatal runtime error"];
const NO_CAUSE: [&str; 1] = ["panic in a function that cannot unwind"];
/// What Rust adds to a message, to no avail for who reads it in a table.
const HINTS: [&str; 3] = ["note: ", "stack backtrace:", "thread caused non-unwinding panic"];
/// Lines of a message.
const MOST_LINES: usize = 3;

/// The message about the cause, in one line, else the last line; nothing where nothing was said.
pub(crate) fn last_words<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
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

/// The next line without its end, cut to `KEPT_BYTES`; nothing once there is no more.
///
/// Bytes, not text: a library may print anything, as much as it likes, and a closed pipe would break it.
pub(crate) fn next_line(stderr: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    stderr.by_ref().take(KEPT_BYTES as u64).read_until(b'\n', &mut line)?;
    match line.last() {
        None => return Ok(None),
        Some(b'\n') => line.truncate(line.len() - 1),
        Some(_) => {
            stderr.skip_until(b'\n')?;
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_are_cut_and_the_rest_of_them_is_passed_over() {
        let long = "x".repeat(KEPT_BYTES);
        let text = format!("one\n\n{long}\n{long}y\n{long}yz\nlast");
        let mut stderr = BufReader::with_capacity(7, text.as_bytes());
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut stderr).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "", long.as_str(), long.as_str(), long.as_str(), "last"]);
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
