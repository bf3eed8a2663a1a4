//! The Python of the project, for what is tested with it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A line of Python that fails where it cannot find one of the packages that it is given: to load torch takes seconds.
const HAS: &str = "import importlib.util, sys\nsys.exit(not all(map(importlib.util.find_spec, sys.argv[1:])))";

/// The project's Python that has these packages (`torch, numpy`); without one a test is skipped, but not in CI.
///
/// # Panics
/// In CI, where it must be there.
pub fn python_with(packages: &str) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let venv = repository().join(variable("BENCHBOOK_VENV").unwrap_or_else(|| ".venv".into())).join("bin/python");
    let conda = variable("CONDA_PREFIX").map(|prefix| prefix.join("bin/python"));
    let works = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", HAS]).args(packages.split(", ")).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = variable("BENCHBOOK_PYTHON").into_iter().chain([venv]).chain(conda).find(works);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "CI needs the Python environment with {packages}: `cargo xtask setup`"
    );
    if found.is_none() {
        eprintln!("skipped: there is no Python with {packages}, `cargo xtask setup` makes one");
    }
    found
}

/// The repository's folder.
///
/// # Panics
/// Never: tests lie in it.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the repository").to_owned()
}

/// A file or a folder of the repository.
///
/// # Panics
/// It is not there.
pub fn in_repository(name: &str) -> PathBuf {
    let path = repository().join(name);
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The command that starts a Python with these words, and with the package of the Python worker.
///
/// # Panics
/// As [`in_repository`].
pub fn python_line(python: &Path, words: &str) -> String {
    format!("env PYTHONPATH='{}' '{}' {words}", in_repository("crates/engines/python").display(), python.display())
}

/// The command that starts the worker of the engines that a Python has.
///
/// # Panics
/// As [`in_repository`].
pub fn python_worker(python: &Path) -> String {
    python_line(python, "-B -m benchbook_worker")
}
