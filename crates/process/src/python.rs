//! The Python of the project, and those of engines that have one of their own: where their programs lie.

use std::ffi::{OsStr, OsString};
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use crate::tools::is_program;

/// The variable that names a Python outright.
pub const PYTHON: &str = "BENCHBOOK_PYTHON";
/// The folder of an environment that holds those of engines whose versions clash with its own, each under the engine's name.
pub const ENGINES: &str = "engines";
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

/// The engines that have an environment of their own in that of a Python (`ENVIRONMENT/engines/ENGINE`), each with its Python, in
/// the order of their names; none beside a Python without an environment.
pub fn engines(python: &Path) -> Vec<(String, PathBuf)> {
    let folder = python.parent().and_then(Path::parent).map(|environment| environment.join(ENGINES));
    let entries = folder.and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
    let named = |entry: DirEntry| Some((entry.file_name().into_string().ok()?, entry.path().join("bin/python")));
    let mut found: Vec<(String, PathBuf)> = entries.filter_map(named).collect();
    found.retain(|(_, program)| is_program(program));
    found.sort_unstable();
    found
}

fn named(program: PathBuf, by: &str) -> Result<PathBuf, String> {
    if is_program(&program) { Ok(program) } else { Err(format!("{by}: {} is no program", program.display())) }
}
