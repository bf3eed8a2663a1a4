//! The commit that is measured.

use std::io;
use std::path::Path;
use std::process::Output;
use std::thread::JoinHandle;
use std::time::Duration;

use benchbook_process::{git, output};
use serde::Serialize;

/// How long git may take: a repository on a slow disk is read as a whole.
const LIMIT: Duration = Duration::from_secs(120);

/// Commit of the folder from which a run was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Git {
    /// Full name of the commit; nothing without a repository or before the first commit.
    pub commit: Option<String>,
    /// Whether tracked files differ from that commit.
    pub dirty: Option<bool>,
    /// Whether the program could be started; nothing if it was not asked.
    pub installed: Option<bool>,
    /// Why there is no answer.
    pub reason: Option<String>,
}

impl Git {
    /// What a program was built from that says so itself, such as that of a portable bundle, which measures far from its
    /// repository: a commit, and a `+` where files differed from it.
    pub(super) fn built_from() -> Option<Self> {
        option_env!("BENCHBOOK_COMMIT").map(Self::told)
    }

    fn told(text: &str) -> Self {
        let commit = text.trim_end_matches('+');
        Self { commit: Some(commit.to_owned()), dirty: Some(commit != text), ..Self::default() }
    }
}

/// A question to git that is being answered while other things are read.
pub(super) struct Pending(JoinHandle<io::Result<Output>>);

impl Pending {
    /// Starts the question; untracked files are left out, because listing them can take seconds.
    pub fn ask(program: &Path, folder: &Path) -> Self {
        let mut command = git(program, folder);
        command.args(["-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch"]);
        command.args(["--untracked-files=no", "--ignore-submodules=dirty"]).env("GIT_OPTIONAL_LOCKS", "0");
        Self(std::thread::spawn(move || output(&mut command, LIMIT)))
    }

    /// Waits for the answer.
    pub fn answer(self) -> Git {
        let answer = self.0.join().unwrap_or_else(|_| Err(io::Error::other("the thread that asked it has panicked")));
        match answer {
            Ok(output) => read(&output),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                missing(true, &format!("git gave no answer: {error}"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing(false, "git or the folder to look in is missing")
            }
            Err(error) => missing(false, &format!("git could not be started: {error}")),
        }
    }
}

fn missing(installed: bool, reason: &str) -> Git {
    Git { installed: Some(installed), reason: Some(reason.to_owned()), ..Git::default() }
}

fn read(output: &Output) -> Git {
    if output.status.success() {
        return parse(&String::from_utf8_lossy(&output.stdout));
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let reason = if message.contains("not a git repository") {
        "not inside a git repository"
    } else {
        message.lines().next().unwrap_or("git failed without a message")
    };
    missing(true, reason)
}

/// Reads `git status --porcelain=v2 --branch`.
fn parse(text: &str) -> Git {
    let commit = text
        .lines()
        .find_map(|line| line.strip_prefix("# branch.oid "))
        .filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::to_owned);
    let changed = text.lines().any(|line| ["1 ", "2 ", "u "].iter().any(|kind| line.starts_with(kind)));
    let reason = commit.is_none().then(|| "the repository has no commit yet".to_owned());
    Git { dirty: commit.is_some().then_some(changed), commit, installed: Some(true), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read() {
        let id = "89b1c0d3b3f0f3f6b8c58e53a1c56f31e8c05bbf";
        let clean = format!("# branch.oid {id}\n# branch.head main\n? new.rs\n");
        let git = parse(&clean);
        assert_eq!((git.commit.as_deref(), git.dirty), (Some(id), Some(false)));
        for change in ["1 .M N... 100644 a.rs", "2 R. N... b.rs", "u UU N... c.rs"] {
            assert_eq!(parse(&format!("{clean}{change}\n")).dirty, Some(true), "{change}");
        }
        let first = parse("# branch.oid (initial)\n# branch.head main\n1 A. N... a.rs\n");
        assert_eq!((first.commit, first.dirty), (None, None));
        assert!(first.reason.is_some());
    }

    #[test]
    fn what_a_program_was_built_from_says_whether_that_was_all() {
        for (text, dirty) in [("89b1c0d", false), ("89b1c0d+", true)] {
            let git = Git::told(text);
            assert_eq!((git.commit.as_deref(), git.dirty), (Some("89b1c0d"), Some(dirty)));
        }
    }

    #[test]
    fn absence_is_an_answer() {
        let here = std::env::temp_dir();
        let git = Pending::ask(Path::new("no-such-program-as-this"), &here).answer();
        assert_eq!((git.installed, git.commit), (Some(false), None));
        assert!(git.reason.is_some());
    }

    #[test]
    fn a_real_repository_before_and_after_a_change() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = |arguments: &[&str]| {
            git("git", folder.path())
                .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
                .args(arguments)
                .output()
                .is_ok_and(|output| output.status.success())
        };
        let ask = || Pending::ask(Path::new("git"), folder.path()).answer();
        if !run(&["init", "--quiet"]) {
            assert_eq!(ask().commit, None, "no git here");
            return;
        }
        std::fs::write(folder.path().join("a"), "1").expect("a file");
        assert!(run(&["add", "a"]));
        assert_eq!((ask().commit, ask().dirty), (None, None), "before the first commit");
        assert!(run(&["commit", "--quiet", "--message", "first"]));
        std::fs::write(folder.path().join("untracked"), "1").expect("a file");
        let clean = ask();
        assert_eq!((clean.commit.as_ref().map(String::len), clean.dirty), (Some(40), Some(false)));
        std::fs::write(folder.path().join("a"), "22").expect("a file");
        assert_eq!(ask(), Git { dirty: Some(true), ..clean });
    }

    #[test]
    fn a_folder_without_a_repository_is_an_answer() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let git = Pending::ask(Path::new("git"), folder.path()).answer();
        assert_eq!((git.commit, git.dirty), (None, None));
        assert!(git.reason.is_some());
    }
}
