//! The Jupyter kernel *Rust (benchbook)*: its program, a snapshot of the library, and Jupyter's description of both.

use crate::setup;
use crate::snapshot;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use xtask::arguments::Options;
use xtask::error::{Named, Result};
use xtask::process;
use xtask::step::State;
use xtask::workspace::{Python, Ready, cargo};

/// The package of the Jupyter kernel, which is built by itself.
pub const PACKAGE: &str = "benchbook-kernel";
/// The version of evcxr_jupyter that the kernel is measured beside.
const STOCK: &str = "0.22.0";

/// Makes the Jupyter kernel of what is built now, and tells Jupyter of it.
pub fn ready(ready: &mut Ready, options: &Options) -> Result<()> {
    let Ready { workspace, python, steps } = ready;
    steps.take("Jupyter kernel for Rust", || {
        let mut build = workspace.one("build", PACKAGE);
        println!("   $ {}", process::line(&build));
        println!("   with rust-analyzer, about 200 packages more: some minutes on 2 cores, then seconds");
        process::run(&mut build, "see the compiler's message above")?;
        Ok(((), State::Done))
    })?;
    let snapshot = steps.take("Library for notebooks", || snapshot::take(workspace, python, options.minimal))?;
    steps.take("Kernel Rust (benchbook)", || {
        let mut install = workspace.run("benchbook");
        install.args(["kernel", "install", "--prefix"]).arg(&python.folder).arg("--snapshot").arg(&snapshot);
        println!("   $ {}", process::line(&install));
        process::run(&mut install, "`benchbook kernel doctor` says what is missing")?;
        Ok(((), State::Done))
    })
}

/// Installs evcxr_jupyter as it comes beside Python, unless it is there: what the kernel is measured beside.
pub fn stock(ready: &mut Ready) -> Result<()> {
    let Ready { workspace, python, steps } = ready;
    steps.take("Stock evcxr_jupyter", || {
        let program = python.folder.join("bin/evcxr_jupyter");
        let listed = fs::read_to_string(python.folder.join(".crates.toml")).unwrap_or_default();
        if program.is_file() && lists(&listed) {
            return Ok(((), State::UpToDate));
        }
        let built = workspace.target.join("evcxr");
        let mut install = process::command(cargo());
        install.args(["install", "evcxr_jupyter", "--version", STOCK, "--locked", "--root"]).arg(&python.folder);
        // Outside the clone, whose settings are for benchbook.
        install.env("CARGO_TARGET_DIR", &built).current_dir(&python.folder);
        println!("   $ {}", process::line(&install));
        println!("   about 350 packages: ten minutes on 2 cores, once");
        process::run(&mut install, "see cargo's message above; where a download failed, run this again")?;
        fs::remove_dir_all(&built).named("remove", &built)?;
        Ok(((), State::Done))
    })
}

/// Whether cargo's list of what it installed names this version.
fn lists(installed: &str) -> bool {
    installed.contains(&format!("\"evcxr_jupyter {STOCK} ("))
}

/// `lab`: JupyterLab on the notebooks; it gets the arguments in `more`.
pub fn lab(options: &Options, more: &[String]) -> Result<()> {
    let mut all = setup::ready(options)?;
    setup::built(&mut all)?;
    ready(&mut all, options)?;
    all.steps.account();
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let mut lab = jupyterlab(&all.python, root, more);
    lab.current_dir(&all.workspace.root);
    println!("\n   $ {}\n   the kernel is called Rust (benchbook); Ctrl-C here ends JupyterLab", process::line(&lab));
    process::run(&mut lab, "see JupyterLab's message above")
}

/// JupyterLab refuses to run as root, who is often the only user of a container, unless it is told to.
fn jupyterlab(python: &Python, root: bool, more: &[String]) -> Command {
    let mut lab = process::command(&python.executable);
    lab.args(["-m", "jupyterlab", "notebooks/01_first_measurement.ipynb"]);
    lab.args(root.then_some("--allow-root")).args(more);
    lab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_allowed_and_others_need_no_leave() {
        let python = Python::in_folder("venv".into());
        let line = |root, more: &[&str]| {
            let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
            process::line(&jupyterlab(&python, root, &more))
        };
        let notebook = "venv/bin/python -m jupyterlab notebooks/01_first_measurement.ipynb";
        assert_eq!(line(false, &[]), notebook);
        assert_eq!(line(true, &["--ip", "0.0.0.0"]), format!("{notebook} --allow-root --ip 0.0.0.0"));
    }

    #[test]
    fn cargo_lists_what_it_installed() {
        let list = |version| {
            format!(
                "[v1]\n\"evcxr_jupyter {version} (registry+https://github.com/rust-lang/crates.io-index)\" = [\"evcxr_jupyter\"]\n"
            )
        };
        assert!(lists(&list("0.22.0")));
        assert!(!lists(&list("0.21.1")) && !lists(""));
    }
}
