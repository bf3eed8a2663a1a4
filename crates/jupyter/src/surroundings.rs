//! What a program finds around it: environment variables, a working directory, its own place.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use benchbook_process::{is_program, output};

use crate::error::{Error, Named, Result};

/// How long a question to a program may take: the first start of a Python reads hundreds of files.
const LIMIT: Duration = Duration::from_secs(300);

/// How much of what a failed program said goes into the error, in characters.
const TAIL: usize = 600;

/// Environment variables, the working directory, and the program itself.
///
/// A value rather than calls all over, so that a test can plant a machine of its own.
#[derive(Debug, Clone)]
pub struct Surroundings {
    variables: BTreeMap<OsString, OsString>,
    folder: PathBuf,
    program: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    ///
    /// # Errors
    /// The working directory is gone.
    pub fn here() -> Result<Self> {
        let folder = std::env::current_dir().named("find", "the working directory")?;
        let program = std::env::current_exe().named("find", "this program")?;
        Ok(Self { variables: std::env::vars_os().collect(), folder, program })
    }

    #[cfg(test)]
    pub(crate) fn planted(variables: &[(&str, &OsStr)], folder: &Path, program: &Path) -> Self {
        let own = |(name, value): &(&str, &OsStr)| (OsString::from(name), (*value).to_owned());
        Self { variables: variables.iter().map(own).collect(), folder: folder.into(), program: program.into() }
    }

    /// A variable; an empty one counts as absent.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The working directory.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of this program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// A path as given, from the working directory on.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The program of this name on `PATH`.
    pub(crate) fn on_path(&self, name: &str) -> Option<PathBuf> {
        let path = self.variable("PATH")?;
        std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| is_program(file))
    }

    /// What a program prints, without the white space around it.
    pub(crate) fn output(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(&self.variables).current_dir(&self.folder);
        let failed = |said: String| {
            let command = format!("{} {}", program.display(), arguments.join(" "));
            Error::Command { command, said }
        };
        let output = output(&mut command, LIMIT).map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let skip = said.chars().count().saturating_sub(TAIL);
        Err(failed(format!("{}: {}", output.status, said.trim_end().chars().skip(skip).collect::<String>())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::program;

    #[test]
    fn a_program_is_found_on_the_path_only_where_it_may_be_run() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        program(&two.join("tool"), "#!/bin/sh\necho found\n");
        std::fs::create_dir(&one).expect("writable");
        std::fs::write(one.join("tool"), "no program").expect("writable");
        let path = std::env::join_paths([&one, &two]).expect("a path");
        let here = Surroundings::planted(&[("PATH", &path), ("EMPTY", OsStr::new(""))], folder.path(), &one);
        assert_eq!(here.on_path("tool"), Some(two.join("tool")));
        assert_eq!(here.on_path("absent"), None);
        assert_eq!(here.variable("EMPTY"), None);
        assert_eq!(here.output(&two.join("tool"), &[]).expect("it runs"), "found");
    }

    #[test]
    fn a_failed_program_is_quoted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tool = folder.path().join("tool");
        program(&tool, "#!/bin/sh\necho no such thing >&2\nexit 3\n");
        let here = Surroundings::planted(&[], folder.path(), &tool);
        let error = here.output(&tool, &["-x"]).expect_err("it fails").to_string();
        assert!(error.contains("tool -x") && error.contains("no such thing") && error.contains('3'), "{error}");
        let error = here.output(&folder.path().join("absent"), &[]).expect_err("absent").to_string();
        assert!(error.contains("absent"), "{error}");
    }
}
