//! Programs that run inside of another one, such as a shell that leaves them little.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The status of a shell that may mount nothing.
const MAY_NOT: i32 = 77;

/// What a shell does that makes a folder a disk of that size, before it becomes the program that follows.
const SMALL: &str = "mount -t tmpfs -o size=\"$1\" none \"$2\" || exit 77\nshift 2\nexec \"$@\"";

/// A command as the last words of another one, in the folder and with the variables of its own.
pub fn inside(mut outer: Command, command: &Command) -> Command {
    outer.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// What comes of a command that alone sees a folder as a disk of this size (`64k`), which goes with it; nothing, and the reason on
/// standard error, where this user may mount nothing.
pub fn on_small_disk(folder: &Path, size: &str, command: &Command) -> Option<Output> {
    let mut alone = Command::new("unshare");
    alone.args(["--user", "--map-root-user", "--mount", "sh", "-c", SMALL, "sh", size]).arg(folder);
    match inside(alone, command).output() {
        Ok(output) if output.status.code() != Some(MAY_NOT) && !is_forbidden(&output.stderr) => Some(output),
        refused => {
            eprintln!("skipped: this user may mount nothing: {refused:?}");
            None
        }
    }
}

/// Whether the system lets nobody but an administrator of it make a space of mounts.
fn is_forbidden(complaint: &[u8]) -> bool {
    String::from_utf8_lossy(complaint).starts_with("unshare: ")
}
