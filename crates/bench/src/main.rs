//! benchbook's own speed and its own proofs, measured here and written to `datasets/bench.md`.
//!
//! `cargo xtask bench` sets up, builds this program, and runs it in the clone with the same arguments.
#![expect(clippy::print_stdout, reason = "telling what it does is this program's job")]

mod ask;
mod claims;
mod command;
mod figures;
#[path = "../../gate/src/git_process.rs"]
mod git_process;
mod goals;
mod kernels;
mod machine;
mod notebook;
mod peer;
mod recording;
mod sql;
mod startup;
mod table;
mod trust;

use std::process::ExitCode;
use xtask::arguments::{self, Request};
use xtask::error::{Result, exit_code};

fn main() -> ExitCode {
    let words: Vec<String> = std::iter::once("bench".to_owned()).chain(arguments::given()).collect();
    exit_code(carry_out(&words))
}

fn carry_out(words: &[String]) -> Result<()> {
    if let Request::Bench(options, choice) = arguments::parse(words)? {
        command::command(&options, choice)
    } else {
        print!("{}", arguments::HELP);
        Ok(())
    }
}
