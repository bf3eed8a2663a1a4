//! `test`: every test of the workspace, then the style; the sum of the tests is the last line.

use crate::closing::Total;
use crate::kernel;
use crate::setup;
use crate::style;
use std::io::{BufRead, BufReader, Write};
use std::process::{ExitStatus, Stdio};
use xtask::arguments::Options;
use xtask::error::{Named, Result};
use xtask::process;
use xtask::step::State;
use xtask::workspace::Ready;

pub fn command(options: &Options, filter: &[String]) -> Result<()> {
    let mut ready = setup::ready(options)?;
    setup::built(&mut ready)?;
    kernel::ready(&mut ready, options)?;
    let (total, status) = run(&mut ready, filter)?;
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
        let mut command = workspace.cargo("test");
        command.arg("--no-fail-fast");
        if !filter.is_empty() {
            command.arg("--").args(filter);
        }
        println!("   $ {}", process::line(&command));
        // Tests that compare with Python use the environment that was set up.
        command.env("BENCHBOOK_PYTHON", &python.executable);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|source| process::cannot_start(&command, &source, "install cargo"))?;
        let mut total = Total::default();
        let mut shown = std::io::stdout().lock();
        for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(|output| output.split(b'\n')) {
            let line = line.named("read", "the output of the tests")?;
            let line = String::from_utf8_lossy(&line);
            total.read(&line);
            writeln!(shown, "{line}").and_then(|()| shown.flush()).named("write", "standard output")?;
        }
        let status = child.wait().named("wait for", "the tests")?;
        Ok(((total, status), State::Done))
    })
}
