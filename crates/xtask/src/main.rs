//! What a person or CI asks of a clone: set it up, show it off, test it, measure it.
//!
//! Built before anything else on a new machine, so it stays on std and two small crates.
#![expect(clippy::print_stdout, reason = "telling what it does is this program's job")]

mod conda;
mod data;
mod demo;
mod environment;
mod kernel;
mod libtorch;
mod packages;
mod project;
mod requirements;
mod setup;
mod snapshot;
mod style;
mod test;
mod units;
mod weights;

use std::process::ExitCode;
use xtask::arguments::{self, Choice, Options, Request};
use xtask::bundle;
use xtask::error::{Result, exit_code};
use xtask::process;
use xtask::step::{State, Steps};
use xtask::workspace::Workspace;

fn main() -> ExitCode {
    exit_code(carry_out(&arguments::given()))
}

fn carry_out(words: &[String]) -> Result<()> {
    match arguments::parse(words)? {
        Request::Help => {
            print!("{}", arguments::HELP);
            Ok(())
        }
        Request::Setup(options, engine) => setup::command(&options, engine.as_deref()),
        Request::Demo(options) => demo::command(&options),
        Request::Lab(options, more) => kernel::lab(&options, &more),
        Request::Test(options, filter) => test::command(&options, &filter),
        Request::Bench(options, choice) => bench(&options, choice, &words[1..]),
        Request::Data(options, names) => data::command(&options, &names),
        Request::Bundle { newer_glibc } => portable(newer_glibc),
    }
}

/// `bundle`: one archive that measures on a machine without Rust.
fn portable(newer_glibc: bool) -> Result<()> {
    let mut steps = Steps::default();
    steps.take("Compilers", || {
        println!("   {}", requirements::compilers()?);
        Ok(((), State::Done))
    })?;
    let workspace = Workspace::find(&Options::default())?;
    let title = format!("Linker for glibc {}", bundle::WANTED);
    let linker = if newer_glibc { None } else { Some(steps.take(&title, || environment::linker(&workspace))?) };
    bundle::make(&workspace, &mut steps, linker.as_ref())
}

/// `bench`: sets up, builds, and runs the program that measures benchbook itself; it gets `words`, the arguments behind
/// the verb.
fn bench(options: &Options, choice: Choice, words: &[String]) -> Result<()> {
    let mut ready = setup::ready(options)?;
    setup::built(&mut ready)?;
    if choice.notebook || choice.stock {
        kernel::ready(&mut ready, options)?;
    }
    if choice.stock {
        kernel::stock(&mut ready)?;
    }
    ready.steps.account();
    println!();
    let mut bench = ready.workspace.run("benchbook-bench");
    // An environment of conda's lies elsewhere than the usual one.
    bench.args(words).env("BENCHBOOK_VENV", &ready.python.folder);
    process::passed_on(process::status(&mut bench, "see the compiler's message above")?)
}
