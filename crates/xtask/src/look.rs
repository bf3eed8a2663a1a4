//! The first look: attention measured in minutes, by a program that waits for neither burn nor torch.

use crate::setup::Begun;
use crate::units::{self, Built};
use std::process::Command;
use xtask::error::Result;
use xtask::process;
use xtask::step::{State, Steps};
use xtask::timings;

const PROGRAM: &str = "benchbook-first";

/// Builds the program and measures; nothing where everything has been built before, since then the demo is quick itself.
pub fn take(begun: &mut Begun) -> Result<Option<Built>> {
    let Begun { workspace, steps, .. } = begun;
    if workspace.has("benchbook") {
        return Ok(None);
    }
    let built = steps.take("Program for a first look", || {
        let mut build = workspace.one("build", PROGRAM);
        build.arg("--timings");
        println!("   $ {}", process::line(&build));
        println!("   about 200 packages, which the whole build uses too: ten minutes on 2 cores, once");
        let built = units::build(&mut build, "see the compiler's message above")?;
        Ok((built, State::Done))
    })?;
    steps.compiled(timings::newest(&workspace.target));
    measure(steps, workspace.run(PROGRAM).arg("results"));
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
