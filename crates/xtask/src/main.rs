//! What a person or CI asks of a clone: set it up, show it off, test it, measure it.
//!
//! Built before anything else on a new machine, so it stays on std and two small crates.
#![expect(clippy::print_stdout, reason = "telling what it does is this program's job")]

mod bench;
mod closing;
mod conda;
mod demo;
mod environment;
mod evcxr;
mod kernel;
mod libtorch;
mod look;
mod packages;
mod requirements;
mod setup;
mod snapshot;
mod style;
mod test;
mod units;
mod venv;

use std::process::ExitCode;
use xtask::arguments::{self, Request};
use xtask::error::{Result, exit_code};

fn main() -> ExitCode {
    exit_code(carry_out(&arguments::given()))
}

fn carry_out(words: &[String]) -> Result<()> {
    match arguments::parse(words)? {
        Request::Help => {
            print!("{}", arguments::HELP);
            Ok(())
        }
        Request::Setup(options) => setup::command(&options),
        Request::Demo(options) => demo::command(&options),
        Request::Lab(options, more) => kernel::lab(&options, &more),
        Request::Test(options, filter) => test::command(&options, &filter),
        Request::Bench(options, choice) => bench::command(&options, choice, &words[1..]),
    }
}
