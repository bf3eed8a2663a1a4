//! `setup`: everything that a build needs, and `built`, the build itself.

use crate::arguments::Options;
use crate::error::Result;
use crate::libtorch;
use crate::packages::Packages;
use crate::process;
use crate::python::{self, Python};
use crate::requirements;
use crate::step::{State, Steps};
use crate::workspace::Workspace;

/// A clone that is set up.
pub struct Ready {
    pub workspace: Workspace,
    pub python: Python,
    pub steps: Steps,
}

pub fn command(options: &Options) -> Result<()> {
    let ready = ready(options)?;
    ready.steps.account();
    println!("\nset up; next: `cargo xtask demo` or `cargo xtask test`");
    Ok(())
}

/// Checks the machine, prepares Python, finds libtorch.
pub fn ready(options: &Options) -> Result<Ready> {
    let mut steps = Steps::default();
    steps.take("Compilers", || {
        println!("   {}", requirements::compilers(options.minimal)?);
        Ok(((), State::Done))
    })?;
    let workspace = Workspace::find(options)?;
    let packages = Packages::read(&workspace.root.join("environment.yml"))?;
    let python = steps.take("Python packages", || python::prepare(&workspace, &packages, options))?;
    if !options.minimal {
        steps.take("libtorch", || libtorch::configure(&workspace, &python, &packages))?;
    }
    Ok(Ready { workspace, python, steps })
}

/// Builds the programs; cargo itself tells what is up to date.
pub fn built(ready: &mut Ready) -> Result<()> {
    let Ready { workspace, steps, .. } = ready;
    steps.take("Programs", || {
        let mut build = workspace.cargo("build");
        println!("   $ {}", process::line(&build));
        println!("   the first build compiles about 500 packages: up to an hour on 2 cores, then seconds");
        process::run(&mut build, "see the compiler's message above; `cargo xtask setup` checks the machine")?;
        Ok(((), State::Done))
    })
}
