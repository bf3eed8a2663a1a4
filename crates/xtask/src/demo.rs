//! `demo`: from a fresh clone to a first table, then to a report, with every command shown.

use crate::kernel;
use crate::setup::{self, Begun};
use crate::units::{self, Built};
use std::process::Command;
use xtask::arguments::Options;
use xtask::error::Result;
use xtask::process;
use xtask::step::{State, Steps};

/// The program of the first look.
const FIRST: &str = "benchbook-first";

/// What the demo runs then, in order: title, arguments of `benchbook`, the exit codes that are no failure.
const COMMANDS: [(&str, &[&str], &[i32]); 6] = [
    ("Measure attention on this CPU", &["run", "attention", "--quick", "--set", LENGTHS, "--blocks", "10"], &[0]),
    ("Ask with SQL", &["sql", "--query", "speedup", "--param", "baseline=naive"], &[0]),
    ("Ask which path burn's attention took", &["sql", "--query", "figures", "--param", "name=flash_path"], &[0]),
    ("Compare with the baseline", &["compare", "latest", "--baseline", "naive"], &[0]),
    ("Write the report", &["report", "--output", REPORT], &[0]),
    (
        "Run two notebooks",
        &[
            "notebook",
            "run",
            "notebooks/01_first_measurement.ipynb",
            "notebooks/02_attention.ipynb",
            "--quick",
            "--html",
            PAGES,
        ],
        &[0],
    ),
];

/// The shortest is the longest at which burn's own attention keeps a head's scores in memory. A sample at 2048 is one call
/// of up to a quarter of a second, so ten blocks do.
const LENGTHS: &str = "seq_q=512,1024,2048";
const REPORT: &str = "report.html";
const PAGES: &str = "notebook-pages";

pub fn command(options: &Options) -> Result<()> {
    let mut begun = setup::begin(options)?;
    let first = first_look(&mut begun)?;
    let mut ready = setup::complete(begun, options)?;
    let whole = setup::built(&mut ready)?;
    kernel::ready(&mut ready, options)?;
    if let Some(first) = first {
        ready.steps.reached("everything");
        let (count, again) = (first.count(), whole.again(&first).len());
        let text = format!("of {count} files that the first look compiled, {again} were compiled again");
        ready.steps.notes.push(text);
    }
    let workspace = &ready.workspace;
    for (title, arguments, fine) in COMMANDS {
        ready.steps.take(title, || {
            let mut command = workspace.run("benchbook");
            command.args(arguments).env("BENCHBOOK_PYTHON", &ready.python.executable);
            println!("   $ {}\n", process::line(&command));
            let remedy = format!("`{} doctor` says what this machine lacks", workspace.program("benchbook").display());
            let status = process::status(&mut command, &remedy)?;
            println!();
            match status.code() {
                Some(code) if fine.contains(&code) => Ok(((), State::Done)),
                _ => Err(process::failed(&command, status, &remedy)),
            }
        })?;
    }
    ready.steps.account();
    println!("\nthe report is {}: open it in a browser, it needs no network", workspace.root.join(REPORT).display());
    println!("the notebooks with their results are in {}", workspace.root.join(PAGES).display());
    println!(
        "the samples are in {}: ask them anything with `{} sql`",
        workspace.root.join("results").display(),
        workspace.program("benchbook").display()
    );
    Ok(())
}

/// Builds a program that waits for neither burn nor torch, and measures attention by it; nothing where everything has been
/// built before, since then the demo is quick itself.
fn first_look(begun: &mut Begun) -> Result<Option<Built>> {
    let Begun { workspace, steps, .. } = begun;
    if workspace.has("benchbook") {
        return Ok(None);
    }
    let built = steps.take("Program for a first look", || {
        let mut build = workspace.one("build", FIRST);
        build.arg("--timings");
        println!("   $ {}", process::line(&build));
        println!("   about 180 packages, which the whole build uses too: less than ten minutes on 2 cores, once");
        let built = units::build(&mut build, "see the compiler's message above")?;
        Ok((built, State::Done))
    })?;
    steps.compiled(&workspace.target);
    measure(steps, workspace.run(FIRST).arg("results"));
    println!("   next: burn, libtorch, SQL and notebooks, which take most of the time");
    Ok(Some(built))
}

/// Shows the first table; a failure is noted and ends nothing, since what follows does not need it.
fn measure(steps: &mut Steps, look: &mut Command) {
    let looked = steps.take("First look: attention by its formula and by our kernel", || {
        println!("   $ {}\n", process::line(look));
        process::run(look, "see its message above")?;
        Ok(((), State::Done))
    });
    match looked {
        Ok(()) => steps.reached("the first table"),
        Err(error) => {
            println!("   {error}; going on without it");
            steps.notes.push("the first look failed: see its message above".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_look_that_fails_is_noted_and_ends_nothing() {
        let mut steps = Steps::default();
        measure(&mut steps, &mut Command::new("true"));
        assert!(steps.notes.is_empty(), "{:?}", steps.notes);
        measure(&mut steps, &mut Command::new("false"));
        assert_eq!(steps.notes, ["the first look failed: see its message above"]);
    }
}
