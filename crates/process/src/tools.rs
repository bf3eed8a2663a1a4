//! Programs, and git and cargo as children that look at the folder they are started in, whoever started this program.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What points git at another repository, tree, index or history: git sets it for its hooks.
const ELSEWHERE: [&str; 14] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Whether a file is there that may be run.
pub fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|known| known.is_file() && known.permissions().mode() & 0o111 != 0)
}

/// A git command about the repository around `folder`; it speaks English and asks nobody for a password.
pub fn git(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
    at_home(&mut command);
    command
}

/// Keeps what points git elsewhere from a command, which may start git itself.
pub fn at_home(command: &mut Command) {
    for name in ELSEWHERE {
        command.env_remove(name);
    }
}

/// Keeps what `cargo run` adds to the environment of a program from a command.
///
/// Build scripts watch some of these variables, and dependencies would be compiled again.
pub fn without_cargo(command: &mut Command) {
    let by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| set_by_cargo_run(name, by_cargo)) {
            command.env_remove(name);
        }
    }
}

fn set_by_cargo_run(name: &str, by_cargo: bool) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    let names = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
    // LIBTORCH of a program that cargo runs comes from the [env] of .cargo/libtorch.toml, as it was before this run.
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&name) || (by_cargo && name == "LIBTORCH")
}

/// The target folder of a build without libtorch: everything has other features, so it is built beside, not over, the rest.
pub fn minimal_target(usual: &Path) -> Option<PathBuf> {
    let mut name = usual.file_name()?.to_owned();
    name.push("-minimal");
    Some(usual.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_run_adds_is_recognised() {
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "LIBTORCH"] {
            assert!(set_by_cargo_run(name, true), "{name}");
        }
        for name in ["CARGO_TARGET_DIR", "CARGO_HOME", "CARGO", "PATH", "LIBTORCH", "LIBTORCH_STATIC"] {
            assert!(!set_by_cargo_run(name, false), "{name}");
        }
    }

    #[test]
    fn the_folder_of_a_minimal_build_lies_beside_the_usual_one() {
        assert_eq!(minimal_target(Path::new("/a/target")), Some("/a/target-minimal".into()));
        assert_eq!(minimal_target(Path::new("/")), None);
    }
}
