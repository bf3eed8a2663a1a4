//! `bench`: benchbook itself, measured by a program of its own.

use crate::kernel;
use crate::setup;
use xtask::arguments::{Choice, Options};
use xtask::error::Result;
use xtask::process;

const PROGRAM: &str = "benchbook-bench";

/// Sets up, builds, and hands `words` on, the arguments behind the verb.
pub fn command(options: &Options, choice: Choice, words: &[String]) -> Result<()> {
    let mut ready = setup::ready(options)?;
    setup::built(&mut ready)?;
    if choice.notebook || choice.stock {
        kernel::ready(&mut ready, options)?;
    }
    ready.steps.account();
    println!();
    let mut bench = ready.workspace.run(PROGRAM);
    // An environment of conda's lies elsewhere than the usual one.
    bench.args(words).env("BENCHBOOK_VENV", &ready.python.folder);
    process::passed_on(process::status(&mut bench, "see the compiler's message above")?)
}
