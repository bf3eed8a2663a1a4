//! A Python environment that exists.

use crate::error::Result;
use crate::process;
use std::path::{Path, PathBuf};

/// A Python environment that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// The environment's folder.
    pub folder: PathBuf,
    /// Its Python.
    pub executable: PathBuf,
}

impl Python {
    /// The environment in this folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { executable: folder.join("bin/python"), folder }
    }

    /// Runs a line of Python and gives its output.
    ///
    /// # Errors
    /// The Python does not start, or the line fails.
    pub fn say(&self, program: &str) -> Result<String> {
        process::output(
            process::command(&self.executable).args(["-c", program]),
            "remove the environment's folder and run this again",
        )
    }

    /// The folder of the package torch, which libtorch is a part of; whether it is there or not.
    ///
    /// # Errors
    /// Those of [`Self::say`].
    pub fn torch(&self) -> Result<PathBuf> {
        let said = self.say("import sysconfig; print(sysconfig.get_path('platlib'))")?;
        Ok(Path::new(&said).join("torch"))
    }
}
