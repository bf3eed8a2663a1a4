//! The standard Jupyter kernel for Rust, in the project's Python environment.

use std::fs;
use std::path::{Path, PathBuf};
use xtask::error::{Named, Result};
use xtask::process;
use xtask::python::Python;
use xtask::step::State;
use xtask::workspace::{Workspace, cargo};

/// The version that the start-up file and the runner are written for.
const VERSION: &str = "0.22.0";

/// Installs evcxr_jupyter beside Python, unless it is there.
pub fn install(workspace: &Workspace, python: &Python) -> Result<(PathBuf, State)> {
    let program = python.folder.join("bin/evcxr_jupyter");
    let listed = fs::read_to_string(python.folder.join(".crates.toml")).unwrap_or_default();
    if program.is_file() && lists(&listed) {
        return Ok((program, State::UpToDate));
    }
    let built = workspace.target.join("evcxr");
    let mut install = process::command(cargo());
    install.args(["install", "evcxr_jupyter", "--version", VERSION, "--locked", "--root"]).arg(&python.folder);
    // Outside the clone, whose settings are for benchbook.
    install.env("CARGO_TARGET_DIR", &built).current_dir(&python.folder);
    println!("   $ {}", process::line(&install));
    println!("   about 350 packages: ten minutes on 2 cores, once");
    process::run(&mut install, "see cargo's message above; where a download failed, run this again")?;
    remove(&built)?;
    Ok((program, State::Done))
}

/// Whether cargo's list of what it installed names this version.
fn lists(installed: &str) -> bool {
    installed.contains(&format!("\"evcxr_jupyter {VERSION} ("))
}

fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).named("remove", folder)
}

#[cfg(test)]
mod tests {
    use super::*;

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
