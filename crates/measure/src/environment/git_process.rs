//! Git as a child that looks at the folder it is started in, whoever started this program.
//!
//! Compiled into `xtask` too, which uses no crate of this workspace.

use std::ffi::OsStr;
use std::path::Path;
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
