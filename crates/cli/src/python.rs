//! The Python worker: other people's engines, carried in this program and laid out in a folder of its own.

use std::fs;
use std::path::Path;

use benchbook_jupyter::{Interpreter, Surroundings};
use benchbook_measure::Foreign;
use tempfile::TempDir;

use crate::error::Failure;

/// What people call it.
const NAME: &str = "python";

/// Files of `crates/engines/python` by their names, with their text.
macro_rules! carried {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../engines/python/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = carried![
    "__main__.py",
    "benchbook_worker/__init__.py",
    "benchbook_worker/__main__.py",
    "benchbook_worker/arrays.py",
    "benchbook_worker/attention.py",
    "benchbook_worker/blocks.py",
    "benchbook_worker/decoding.py",
    "benchbook_worker/gpu_rows.py",
    "benchbook_worker/graphs.py",
    "benchbook_worker/machine.py",
    "benchbook_worker/numpy_rows.py",
    "benchbook_worker/onnx_rows.py",
    "benchbook_worker/openvino_rows.py",
    "benchbook_worker/own.py",
    "benchbook_worker/program.py",
    "benchbook_worker/programs.py",
    "benchbook_worker/rows.py",
    "benchbook_worker/table.py",
    "benchbook_worker/torch_rows.py",
    "benchbook_worker/wire.py",
    "benchbook_worker/worker.py",
];

/// The worker, for as long as its folder is there: it goes with this value.
pub struct PythonWorker {
    /// How it is started.
    pub foreign: Foreign,
    _folder: TempDir,
}

impl PythonWorker {
    /// The worker in this Python, or in that of the project.
    ///
    /// # Errors
    /// There is no Python, or no room for the files.
    pub fn lay_out(python: Option<&Path>) -> Result<Self, Failure> {
        let python = Interpreter::find(&Surroundings::here()?, python)?;
        let while_laid_out = |error| Failure::while_doing("the Python worker in a temporary folder", error);
        let folder = tempfile::Builder::new().prefix("benchbook-python-").tempdir().map_err(while_laid_out)?;
        fs::create_dir(folder.path().join("benchbook_worker")).map_err(while_laid_out)?;
        for (name, text) in FILES {
            fs::write(folder.path().join(name), text).map_err(while_laid_out)?;
        }
        let command = format!("{} {}", word(&python.program), word(folder.path()));
        Ok(Self { foreign: Foreign { name: NAME.to_owned(), command }, _folder: folder })
    }
}

/// A path as one word of the shell.
fn word(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_package_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engines/python");
        let mut found = vec!["__main__.py".to_owned()];
        for entry in fs::read_dir(root.join("benchbook_worker")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            found.extend(name.ends_with(".py").then(|| format!("benchbook_worker/{name}")));
        }
        found.sort_unstable();
        assert_eq!(FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), found);
    }

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        let path = Path::new("/a b/it's/$HOME");
        let said = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", word(path))]).output();
        assert_eq!(said.unwrap().stdout, b"/a b/it's/$HOME");
    }
}
