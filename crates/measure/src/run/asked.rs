//! How this program was called: by which words, and what its environment asks of its runs.

/// The words that this program was called with, as a run records them.
pub fn command_line() -> String {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Whether `BENCHBOOK_KEEP_DISTURBED` asks for disturbed samples to be kept, by the words that the program `benchbook` knows.
pub fn keeps_disturbed() -> bool {
    std::env::var("BENCHBOOK_KEEP_DISTURBED").is_ok_and(|asked| says_yes(&asked))
}

fn says_yes(asked: &str) -> bool {
    !["", "0", "false", "no", "off", "n", "f"].contains(&asked.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_denial_says_yes() {
        assert!(["1", "true", "YES", "x"].into_iter().all(says_yes));
        assert!(!["", "0", "False", "no", "OFF"].into_iter().any(says_yes));
    }
}
