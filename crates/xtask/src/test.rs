//! `test`: every test of the workspace, then the style; the sum of the tests is the last line.

use crate::kernel;
use crate::setup;
use crate::style;
use benchbook_process::Lines;
use std::io::Write;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use xtask::arguments::Options;
use xtask::error::{Named, Result};
use xtask::process;
use xtask::step::{State, duration};
use xtask::workspace::Ready;

/// The package whose tests time what they do: each has the machine alone, else one is what disturbs another.
const TIMED: &str = "benchbook-measure";

/// What is shown of a line at most.
const LINE_BYTES: usize = 1 << 20;

pub fn command(options: &Options, filter: &[String]) -> Result<()> {
    let mut ready = setup::ready(options)?;
    setup::built(&mut ready)?;
    kernel::ready(&mut ready, options)?;
    let (total, status) = run(&mut ready, filter)?;
    let ran = format!("of Tests, {} went to running them, the rest to compiling and linking", duration(total.ran));
    ready.steps.notes.push(ran);
    // Who asks for some tests wants their answer.
    let style = if filter.is_empty() { style::check(&mut ready) } else { Ok(()) };
    ready.steps.account();
    if total.programs == 0 {
        println!("\nno test program was built or run: see the message above");
    } else {
        println!("\n{}", total.line(status.success()));
    }
    process::passed_on(status).and(style)
}

/// Runs the tests, shows their output as it comes, and adds up their closing lines.
fn run(ready: &mut Ready, filter: &[String]) -> Result<(Total, ExitStatus)> {
    let Ready { workspace, python, steps } = ready;
    steps.take("Tests", || {
        let mut total = Total::default();
        let mut ended = Vec::new();
        let [mut together, mut timed] = [workspace.cargo("test"), workspace.one("test", TIMED)];
        together.args(["--exclude", TIMED]);
        timed.env("RUST_TEST_THREADS", "1");
        for mut command in [together, timed, workspace.one("test", kernel::PACKAGE)] {
            command.arg("--no-fail-fast");
            if !filter.is_empty() {
                command.arg("--").args(filter);
            }
            // Tests that compare with Python use the environment that was set up.
            command.env("BENCHBOOK_PYTHON", &python.executable);
            ended.push(shown(&mut command, &mut total)?);
        }
        let failed = ended.iter().position(|status: &ExitStatus| !status.success());
        Ok(((total, ended[failed.unwrap_or(0)]), State::Done))
    })
}

/// Runs a command, shows what it says as it comes, and adds up the closing lines.
fn shown(command: &mut Command, total: &mut Total) -> Result<ExitStatus> {
    println!("   $ {}", process::line(command));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = process::start(command, "install cargo")?;
    let mut out = std::io::stdout().lock();
    for line in child.take_stdout().into_iter().flat_map(|output| Lines::of(output, LINE_BYTES)) {
        let line = String::from_utf8_lossy(&line);
        total.read(&line);
        writeln!(out, "{line}").and_then(|()| out.flush()).named("write", "standard output")?;
    }
    child.wait().named("wait for", "the tests")
}

/// How many tests ended how, by the closing lines of their programs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Total {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// Test programs that closed.
    programs: u64,
    /// How long they ran, one after the other.
    ran: Duration,
}

impl Total {
    /// Takes a line of output; any but a closing line changes nothing.
    fn read(&mut self, line: &str) {
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
        let took =
            result.rsplit_once("finished in ").and_then(|(_, took)| took.trim_end_matches('s').parse::<f64>().ok());
        self.ran += took.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default();
    }

    /// The line that closes everything; `success` is whether cargo was content.
    fn line(&self, success: bool) -> String {
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
        let ran = Duration::from_millis(1260);
        assert_eq!(total, Total { passed: 14, failed: 3, skipped: 1, programs: 3, ran });
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
