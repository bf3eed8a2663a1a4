//! The kernel *Rust (benchbook)*: evcxr, a snapshot of the library, and Jupyter's description of both.

use crate::arguments::Options;
use crate::error::Result;
use crate::evcxr;
use crate::process;
use crate::setup::{self, Ready};
use crate::snapshot;
use crate::step::State;

/// Makes the kernel of what is built now, and tells Jupyter of it.
pub fn ready(ready: &mut Ready, options: &Options) -> Result<()> {
    let Ready { workspace, python, steps } = ready;
    let evcxr = steps.take("Jupyter kernel for Rust", || evcxr::install(workspace, python))?;
    let snapshot = steps.take("Library for notebooks", || snapshot::take(workspace, python, options.minimal))?;
    steps.take("Kernel Rust (benchbook)", || {
        let mut install = workspace.run("benchbook");
        install.args(["kernel", "install", "--prefix"]).arg(&python.folder);
        install.arg("--python").arg(&python.executable).arg("--evcxr").arg(&evcxr).arg("--snapshot").arg(&snapshot);
        println!("   $ {}", process::line(&install));
        process::run(&mut install, "`benchbook kernel doctor` says what is missing")?;
        Ok(((), State::Done))
    })
}

/// `lab`: JupyterLab on the notebooks.
pub fn lab(options: &Options) -> Result<()> {
    let mut all = setup::ready(options)?;
    setup::built(&mut all)?;
    ready(&mut all, options)?;
    all.steps.account();
    let mut lab = process::command(&all.python.executable);
    lab.args(["-m", "jupyterlab", "notebooks/01_first_measurement.ipynb"]).current_dir(&all.workspace.root);
    println!("\n   $ {}\n   the kernel is called Rust (benchbook); Ctrl-C here ends JupyterLab", process::line(&lab));
    process::run(&mut lab, "see JupyterLab's message above")
}
