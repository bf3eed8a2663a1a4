//! What a person or CI asks of a clone: set it up, show it off, test it, measure it.
//!
//! Built before anything else on a new machine, so it stays on std and two small crates.
#![expect(clippy::print_stdout, reason = "telling what it does is this program's job")]

mod arguments;
mod bench;
mod closing;
mod conda;
mod demo;
mod error;
mod evcxr;
#[path = "../../measure/src/environment/git_process.rs"]
mod git_process;
mod kernel;
mod libtorch;
mod look;
#[path = "../../cli/src/revisions/minimal.rs"]
mod minimal;
mod packages;
mod process;
mod python;
mod requirements;
mod setup;
mod snapshot;
mod step;
mod style;
mod test;
mod timings;
mod units;
mod venv;
mod workspace;

use arguments::Request;
use error::{Error, Result};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match arguments::parse(&arguments).and_then(carry_out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Ended(code)) => ExitCode::from(code),
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::from(4)
        }
    }
}

fn carry_out(request: Request) -> Result<()> {
    match request {
        Request::Help => {
            print!("{}", arguments::HELP);
            Ok(())
        }
        Request::Setup(options) => setup::command(&options),
        Request::Demo(options) => demo::command(&options),
        Request::Lab(options, more) => kernel::lab(&options, &more),
        Request::Test(options, filter) => test::command(&options, &filter),
        Request::Bench(options, choice) => bench::command(&options, choice),
    }
}
