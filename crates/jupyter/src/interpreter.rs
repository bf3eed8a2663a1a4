//! The Python that runs Jupyter.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use benchbook_process::python;

use crate::error::{Error, Result};
use crate::surroundings::Surroundings;

/// A Python that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Its program, not followed through links: a virtual environment's Python is known by its place.
    pub program: PathBuf,
}

impl Interpreter {
    /// The Python named by `asked`, else by `BENCHBOOK_PYTHON`, else that of the project's environment (`BENCHBOOK_VENV`, or `.venv`,
    /// from the working directory upwards), else of the active environment, virtual (`VIRTUAL_ENV`) or conda.
    ///
    /// # Errors
    /// There is none, or what is named is no program.
    pub fn find(here: &Surroundings, asked: Option<&Path>) -> Result<Self> {
        let variable = |name: &str| here.variable(name).map(OsStr::to_owned);
        let program = python(variable, here.folder(), asked).map_err(|looked_for| Error::NoPython { looked_for })?;
        Ok(Self { program })
    }

    /// The environment that it belongs to: virtual or conda.
    #[must_use]
    pub fn environment(&self) -> Option<&Path> {
        let folder = self.program.parent()?.parent()?;
        ["pyvenv.cfg", "conda-meta"].iter().any(|sign| folder.join(sign).exists()).then_some(folder)
    }
}

#[cfg(test)]
mod tests {
    use benchbook_process::PYTHON;

    use super::*;
    use crate::planted::environment;

    const VENV: &str = "BENCHBOOK_VENV";

    #[test]
    fn what_is_named_goes_before_what_lies_about() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let root = root.path();
        let deep = root.join("clone/notebooks");
        std::fs::create_dir_all(&deep).expect("writable");
        let (venv, other, conda) = (root.join("clone/.venv"), root.join("other"), root.join("conda"));
        for folder in [&venv, &other, &conda] {
            environment(folder);
        }
        let python = |folder: &Path| folder.join("bin/python");
        let (other_python, conda_variable) = (python(&other), ("CONDA_PREFIX", conda.as_os_str()));
        let find = |variables: &[(&str, &std::ffi::OsStr)], folder: &Path| {
            Interpreter::find(&Surroundings::planted(variables, folder, root), None).map(|found| found.program)
        };
        assert_eq!(find(&[conda_variable], &deep).expect("the clone's"), python(&venv));
        assert_eq!(find(&[(VENV, other.as_os_str()), conda_variable], &deep).expect("named"), python(&other));
        assert_eq!(find(&[(PYTHON, other_python.as_os_str())], &deep).expect("named"), python(&other));
        assert_eq!(find(&[conda_variable], root).expect("conda's"), python(&conda));
        let activated = ("VIRTUAL_ENV", other.as_os_str());
        assert_eq!(find(&[conda_variable, activated], root).expect("the inner one"), other_python);
        assert_eq!(find(&[activated], &deep).expect("the clone's"), python(&venv));
        let stale = ("VIRTUAL_ENV", std::ffi::OsStr::new("/gone"));
        assert_eq!(find(&[stale, conda_variable], root).expect("conda's"), python(&conda));
        let error = find(&[], root).expect_err("none").to_string();
        assert!(["cargo xtask setup", ".venv", "VIRTUAL_ENV"].iter().all(|part| error.contains(part)), "{error}");
        let error = find(&[(VENV, "absent".as_ref()), conda_variable], &deep).expect_err("named and absent");
        assert!(error.to_string().contains("BENCHBOOK_VENV=absent"), "{error}");
        let error = find(&[(PYTHON, "absent".as_ref())], &deep).expect_err("named and absent").to_string();
        assert!(error.contains("BENCHBOOK_PYTHON"), "{error}");
    }

    #[test]
    fn only_an_environment_has_a_place() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let venv = root.path().join("venv");
        let python = Interpreter { program: environment(&venv) };
        assert_eq!(python.environment(), Some(venv.as_path()));
        std::fs::remove_file(venv.join("pyvenv.cfg")).expect("it was there");
        assert_eq!(python.environment(), None);
    }
}
