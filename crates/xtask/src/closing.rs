//! Adds up the closing lines of the test programs.

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    /// Test programs that closed.
    pub programs: u64,
}

impl Total {
    /// Takes a line of output; any but a closing line changes nothing.
    pub fn read(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |what: &str| {
            let counts = result.split([';', '.']).map(str::trim);
            counts.filter_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok()).next().unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.skipped += count("ignored");
        self.programs += 1;
    }

    /// The line that closes everything; `success` is whether cargo was content.
    pub fn line(&self, success: bool) -> String {
        // A test program that is killed prints no closing line, and is a failure all the same.
        let failed = if success { self.failed } else { self.failed.max(1) };
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!("{} passed, {failed} failed{skipped}", self.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up() {
        let mut total = Total::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.01s",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            " test result: ok. 9 passed",
        ] {
            total.read(line);
        }
        assert_eq!(total, Total { passed: 14, failed: 3, skipped: 1, programs: 3 });
        assert_eq!(total.line(false), "14 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn a_killed_test_program_is_a_failure() {
        let mut total = Total::default();
        total.read("test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        assert_eq!(total.line(true), "5 passed, 0 failed");
        assert_eq!(total.line(false), "5 passed, 1 failed");
    }
}
