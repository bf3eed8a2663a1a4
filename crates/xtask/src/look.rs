//! The first look: attention measured in minutes, by a program that waits for neither burn nor torch.

use crate::error::Result;
use crate::process;
use crate::setup::Begun;
use crate::step::State;
use crate::timings;
use crate::units::{self, Built};

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
    steps.take("First look: attention by its formula and by our kernel", || {
        let mut look = workspace.run(PROGRAM);
        look.arg("results");
        println!("   $ {}\n", process::line(&look));
        process::run(&mut look, "see its message above")?;
        Ok(((), State::Done))
    })?;
    steps.reached("the first table");
    println!("   next: burn, libtorch, SQL and notebooks, which take most of the time");
    Ok(Some(built))
}
