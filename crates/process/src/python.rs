//! The Python of the project: where its program lies.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::tools::is_program;

/// The variable that names a Python outright.
pub const PYTHON: &str = "BENCHBOOK_PYTHON";
/// Names the project's environment.
const VENV: &str = "BENCHBOOK_VENV";
/// Name the environment that is active: virtual, which may lie over conda's, and conda.
const ACTIVE: [&str; 2] = ["VIRTUAL_ENV", "CONDA_PREFIX"];

/// The Python named by `asked`, else by `BENCHBOOK_PYTHON`, else that of the project's environment (`BENCHBOOK_VENV`, or `.venv`,
/// from `folder` upwards), else of the active environment, virtual (`VIRTUAL_ENV`) or conda. `variable` gives the values of
/// environment variables; an empty one counts as absent. Links are not followed: a virtual environment's Python is known by its place.
///
/// # Errors
/// There is none, or what is named is no program: what was looked for.
pub fn python(
    variable: impl Fn(&str) -> Option<OsString>,
    folder: &Path,
    asked: Option<&Path>,
) -> Result<PathBuf, String> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(asked) = asked {
        return named(folder.join(asked), "--python");
    }
    if let Some(program) = variable(PYTHON) {
        return named(folder.join(program), PYTHON);
    }
    let venv = variable(VENV);
    let place = Path::new(venv.as_deref().unwrap_or(OsStr::new(".venv")));
    let upwards = folder.ancestors().map(|above| above.join(place).join("bin/python"));
    if let Some(program) = upwards.into_iter().find(|program| is_program(program)) {
        return Ok(program);
    }
    if let Some(venv) = venv {
        // Who names an environment does not want another one.
        return Err(format!("{VENV}={}, which holds no bin/python", Path::new(&venv).display()));
    }
    let mut active = ACTIVE.iter().filter_map(|name| Some(Path::new(&variable(name)?).join("bin/python")));
    active.find(|program| is_program(program)).ok_or_else(|| {
        let (folder, active) = (folder.display(), ACTIVE.join(", no "));
        format!("no {PYTHON}, no .venv in {folder} or above it, no {active}")
    })
}

fn named(program: PathBuf, by: &str) -> Result<PathBuf, String> {
    if is_program(&program) { Ok(program) } else { Err(format!("{by}: {} is no program", program.display())) }
}
