//! A virtual environment of Python's own kind.

use crate::packages::Packages;
use crate::requirements;
use std::path::Path;
use xtask::error::{Error, Result};
use xtask::process;
use xtask::python::Python;

/// The environment in this folder; made, or made anew where its Python no longer runs.
pub fn environment(folder: &Path, packages: &Packages) -> Result<Python> {
    let python = Python::in_folder(folder.to_owned());
    if runs(&python) {
        return Ok(python);
    }
    let range = packages.python().unwrap_or(((3, 10), (3, 15)));
    let (base, _) = requirements::python(range)?;
    let mut make = process::command(&base);
    make.args(["-m", "venv", "--clear"]).arg(folder);
    println!("   $ {}", process::line(&make));
    process::run(
        &mut make,
        "Debian and Ubuntu keep this module in a package of its own: `apt-get install python3-venv`",
    )?;
    if runs(&python) {
        return Ok(python);
    }
    Err(Error::Requirement {
        problem: format!("the new environment in {} has no Python with pip", folder.display()),
        remedy: "Debian and Ubuntu: `apt-get install python3-venv`; then run this again".to_owned(),
    })
}

fn runs(python: &Python) -> bool {
    python.executable.exists() && python.say("import pip").is_ok()
}
