//! The Python environment: made if absent, filled from `environment.yml`, left alone if up to date.

use crate::conda;
use crate::packages::{Packages, version};
use crate::requirements;
use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use xtask::arguments::Options;
use xtask::bundle;
use xtask::engines;
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::step::State;
use xtask::workspace::{Python, Workspace};

/// Holds the requirements that were installed, in the environment that has them.
const STAMP: &str = "benchbook-packages.txt";

/// Finds the environment or makes one, which may still lack packages.
pub fn find(workspace: &Workspace, packages: &Packages, options: &Options) -> Result<Python> {
    let python = match conda::active(&packages.name) {
        Some(folder) => Python::in_folder(folder),
        None if options.conda => conda::environment(packages)?,
        None => venv(&workspace.venv(), packages)?,
    };
    supported(&python, packages)?;
    Ok(python)
}

/// An environment with what links the programs of the bundle for an older C library, beside them.
pub fn linker(workspace: &Workspace) -> Result<(Python, State)> {
    println!("   {} from PyPI, about 100 MB; `--newer-glibc` needs neither", bundle::LINKER.join(" and "));
    let packages = Packages::read(&workspace.root.join("environment.yml"))?;
    let python = venv(&bundle::folder(workspace).join("linker"), &packages)?;
    let state = install(&python, &bundle::LINKER, None)?;
    Ok((python, state))
}

/// The environment of an engine, which has what the engine needs in other versions than the project, and the rest of the project.
pub fn of_engine(workspace: &Workspace, project: &Python, engine: &str) -> Result<((), State)> {
    let wanted = engines::wanted(&workspace.root, project, engine)?;
    let python = engines::environment(project, engine)?;
    let state = install(&python, &wanted.iter().map(String::as_str).collect::<Vec<_>>(), None)?;
    println!("   {engine} in {}; `benchbook run --python` measures it there", python.folder.display());
    Ok(((), state))
}

/// The virtual environment in this folder; made, or made anew where its Python no longer runs.
fn venv(folder: &Path, packages: &Packages) -> Result<Python> {
    let python = Python::in_folder(folder.to_owned());
    if python.has_pip() {
        return Ok(python);
    }
    let range = packages.python().unwrap_or(((3, 10), (3, 15)));
    let (base, _) = requirements::python(range)?;
    let mut make = process::command(&base);
    make.args(["-m", "venv", "--clear"]).arg(folder);
    println!("   $ {}", process::line(&make));
    process::run(&mut make, engines::VENV)?;
    if python.has_pip() {
        return Ok(python);
    }
    Err(Error::Requirement {
        problem: format!("the new environment in {} has no Python with pip", folder.display()),
        remedy: "Debian and Ubuntu: `apt-get install python3-venv`; then run this again".to_owned(),
    })
}

/// Brings the environment's packages to what `environment.yml` says.
pub fn fill(python: &Python, packages: &Packages, options: &Options) -> Result<((), State)> {
    let torch = packages.torch().filter(|_| !options.minimal);
    let state = install(python, &packages.requirements(options.minimal), torch)?;
    println!("   Python packages in {}", python.folder.display());
    Ok(((), state))
}

fn supported(python: &Python, packages: &Packages) -> Result<()> {
    let said = python.say("import sys; print('%d.%d' % sys.version_info[:2])")?;
    match (version(&said), packages.python()) {
        (Some(this), Some((first, beyond))) if !(first..beyond).contains(&this) => Err(Error::Requirement {
            problem: format!("{} is Python {said}, which environment.yml does not allow", python.executable.display()),
            remedy: format!("remove {} and run this again", python.folder.display()),
        }),
        _ => Ok(()),
    }
}

/// Installs what the stamp does not list; `torch` is the version to make room for, where it is wanted.
fn install(python: &Python, wanted: &[&str], torch: Option<&str>) -> Result<State> {
    let stamp = python.folder.join(STAMP);
    let installed = fs::read_to_string(&stamp).unwrap_or_default();
    let has_torch = || python.torch().is_ok_and(|torch| torch.join("lib").is_dir());
    if covers(&installed, wanted) && (torch.is_none() || has_torch()) {
        return Ok(State::UpToDate);
    }
    if torch.is_some() && !has_torch() {
        requirements::room_for_torch(&python.folder)?;
        println!("   torch and the libraries that it brings are about 7 GB: this takes some minutes");
    }
    // Without its stamp an environment that is left half filled is filled again.
    let _ = fs::remove_file(&stamp);
    let list = python.folder.join("benchbook-wanted.txt");
    fs::write(&list, wanted.join("\n") + "\n").named("write", &list)?;
    let mut pip = process::command(&python.executable);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    if !std::io::stdout().is_terminal() {
        // In a log the bars of a hundred downloads are noise.
        pip.arg("--quiet");
    }
    pip.arg("--requirement").arg(&list);
    println!("   $ {}", process::line(&pip));
    process::run(
        &mut pip,
        "see pip's message above; where a download failed, run this again: what was installed is kept",
    )?;
    fs::rename(&list, &stamp).named("write", &stamp)?;
    Ok(State::Done)
}

/// Whether every wanted requirement was installed, word for word.
fn covers(installed: &str, wanted: &[&str]) -> bool {
    wanted.iter().all(|one| installed.lines().any(|line| line == *one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_environment_covers_a_minimal_list_and_not_the_reverse() {
        let full = "numpy==2.4.6\ntorch==2.9.0\n";
        assert!(covers(full, &["numpy==2.4.6"]));
        assert!(covers(full, &["torch==2.9.0", "numpy==2.4.6"]));
        assert!(!covers("numpy==2.4.6\n", &["numpy==2.4.6", "torch==2.9.0"]));
    }

    #[test]
    fn another_version_is_not_covered() {
        assert!(!covers("numpy==2.4.6\n", &["numpy==2.4"]));
        assert!(!covers("", &["numpy==2.4.6"]));
    }
}
