//! `setup`: everything that a build needs, and `built`, the build itself.

use crate::environment;
use crate::libtorch;
use crate::packages::Packages;
use crate::requirements;
use crate::units::{self, Built};
use xtask::arguments::Options;
use xtask::error::Result;
use xtask::process;
use xtask::step::{State, Steps};
use xtask::workspace::{Python, Ready, Workspace};

pub fn command(options: &Options, engine: Option<&str>) -> Result<()> {
    let mut ready = ready(options)?;
    if let Some(engine) = engine {
        let Ready { workspace, python, steps } = &mut ready;
        steps.take(&format!("Environment of {engine}"), || environment::of_engine(workspace, python, engine))?;
    }
    ready.steps.account();
    println!("\nset up; next: `cargo xtask demo` or `cargo xtask test`");
    Ok(())
}

/// A clone whose machine was checked; its Python environment may still lack packages.
pub struct Begun {
    pub workspace: Workspace,
    pub steps: Steps,
    packages: Packages,
    pub python: Python,
}

/// Checks the machine, prepares Python, finds libtorch.
pub fn ready(options: &Options) -> Result<Ready> {
    complete(begin(options)?, options)
}

/// Checks the machine, finds or makes the Python environment, and tells cargo where libtorch is going to be: it is part of
/// what every unit is compiled with, so that nothing may be compiled before.
pub fn begin(options: &Options) -> Result<Begun> {
    let begun = found(options)?;
    if !options.minimal {
        libtorch::configure(&begun.workspace, &begun.python)?;
    }
    Ok(begun)
}

/// Checks the machine and finds or makes the Python environment; what everything is compiled with stays as it is.
pub fn found(options: &Options) -> Result<Begun> {
    let mut steps = Steps::default();
    steps.take("Compilers", || {
        println!("   {}", requirements::compilers()?);
        Ok(((), State::Done))
    })?;
    let workspace = Workspace::find(options)?;
    let packages = Packages::read(&workspace.root.join("environment.yml"))?;
    let python =
        steps.take("Python environment", || Ok((environment::find(&workspace, &packages, options)?, State::Done)))?;
    Ok(Begun { workspace, steps, packages, python })
}

/// Installs the Python packages and looks whether libtorch is the right one.
pub fn complete(begun: Begun, options: &Options) -> Result<Ready> {
    let Begun { workspace, mut steps, packages, python } = begun;
    steps.take("Python packages", || environment::fill(&python, &packages, options))?;
    if !options.minimal {
        steps.take("libtorch", || libtorch::check(&python, &packages))?;
    }
    Ok(Ready { workspace, python, steps })
}

/// Builds the programs; cargo itself tells what is up to date.
pub fn built(ready: &mut Ready) -> Result<Built> {
    let Ready { workspace, steps, .. } = ready;
    let first_time = !workspace.has("benchbook");
    let built = steps.take("Programs", || {
        let mut build = workspace.cargo("build");
        if first_time {
            build.arg("--timings");
        }
        println!("   $ {}", process::line(&build));
        println!("   the first build compiles about 500 packages: up to an hour on 2 cores, then seconds");
        let remedy = "see the compiler's message above; `cargo xtask setup` checks the machine";
        Ok((units::build(&mut build, remedy)?, State::Done))
    })?;
    if first_time {
        steps.compiled(&workspace.target);
    }
    Ok(built)
}
