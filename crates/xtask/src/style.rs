//! The style that CI asks for: rustfmt's form, and no warning of clippy's.

use crate::kernel::PACKAGE as KERNEL;
use std::process::Command;
use xtask::error::Result;
use xtask::process;
use xtask::step::{State, Steps};
use xtask::workspace::{Ready, cargo};

/// Looks at both, also where the first is not content.
///
/// Clippy needs the metadata of every dependency, which no build leaves behind: minutes the first time, then seconds.
pub fn check(ready: &mut Ready) -> Result<()> {
    let Ready { workspace, steps, .. } = ready;
    let mut format = process::command(cargo());
    format.args(["fmt", "--all", "--check"]).current_dir(&workspace.root);
    let format = step(steps, "rustfmt", has("rustfmt", "fmt"), &mut format, "`cargo fmt --all` puts it into form");
    let (mut lints, has_clippy) = (Ok(()), has("clippy", "clippy"));
    for mut command in [workspace.cargo("clippy"), workspace.one("clippy", KERNEL)] {
        command.args(["--all-targets", "--", "-D", "warnings"]);
        lints = lints.and(step(steps, "clippy", has_clippy, &mut command, "see clippy's messages above"));
    }
    format.and(lints)
}

/// A step that is skipped where the toolchain's component is absent and cannot be had; the account says so too.
fn step(steps: &mut Steps, component: &str, has: bool, command: &mut Command, remedy: &str) -> Result<()> {
    if !has {
        steps.notes.push(format!("style: not checked, {component} is missing"));
    }
    steps.take(component, || {
        if !has {
            println!("   not checked: this toolchain has no {component}, and `rustup component add {component}` fails");
            return Ok(((), State::Skipped));
        }
        println!("   $ {}", process::line(command));
        process::run(command, remedy)?;
        Ok(((), State::Done))
    })
}

fn has(component: &str, tool: &str) -> bool {
    present(tool) || (add(component) && present(tool))
}

fn present(tool: &str) -> bool {
    let mut command = process::command(cargo());
    command.args([tool, "--version"]).output().is_ok_and(|output| output.status.success())
}

fn add(component: &str) -> bool {
    let mut command = process::command("rustup");
    command.args(["component", "add", component]).output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_skipped_and_said_and_what_fails_fails() {
        let mut steps = Steps::default();
        let mut never = Command::new("false");
        assert!(!present("no-such-tool"));
        assert!(step(&mut steps, "rustfmt", false, &mut never, "").is_ok());
        assert_eq!(steps.notes, ["style: not checked, rustfmt is missing"]);
        let failed = step(&mut steps, "rustfmt", true, &mut never, "do better").expect_err("`false` fails");
        assert!(failed.to_string().contains("do better"), "{failed}");
        assert_eq!(steps.notes.len(), 1, "what fails was checked");
    }
}
