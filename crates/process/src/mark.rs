//! Ends what a process has started, wherever that has moved to.
//!
//! What calls `setsid` leaves its group, and what forks twice leaves its parent. A variable in the environment, which
//! every process inherits, finds both: so a server that builds programs ends what a build leaves behind.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::stat::Process;
use crate::supervised::kill;

/// Pause between two looks: a process ends a little after it is killed.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks before what cannot be killed is given up: 10 s.
const MOST_LOOKS: u32 = 2_000;

/// Looks in a row that find nothing: a process that is becoming another program has no environment for a moment.
const EMPTY_LOOKS: u32 = 2;

/// A variable with a value of its own, for one process and all that it starts.
#[derive(Debug, Clone)]
pub struct Mark {
    variable: &'static str,
    value: String,
}

impl Mark {
    /// A value of the variable that no other process has.
    pub fn new(variable: &'static str) -> Self {
        // Keys of 128 bits that the system has drawn, under which the same number never hashes alike.
        let [left, right] = [0, 1].map(|_| RandomState::new().hash_one(std::process::id()));
        Self { variable, value: format!("{}-{left:016x}{right:016x}", std::process::id()) }
    }

    /// Gives the mark to a process to come.
    pub(crate) fn put_on(&self, command: &mut Command) {
        command.env(self.variable, &self.value);
    }

    /// The mark as an entry of an environment, `NAME=VALUE`: for who has a library start processes.
    pub fn entry(&self) -> String {
        format!("{}={}", self.variable, self.value)
    }

    /// Kills every process with this mark and what these have started, until no more are found; the numbers of those
    /// that cannot be ended.
    ///
    /// A process that has cleared its environment is found only as long as one above it has the mark.
    pub fn end_all(&self) -> Vec<u32> {
        let root = Path::new("/");
        let (mut left, mut empty) = (BTreeMap::new(), 0);
        for _ in 0..MOST_LOOKS {
            left = self.bearers(root);
            empty = if left.is_empty() { empty + 1 } else { 0 };
            let ending = left.iter().filter(|(id, started)| end(root, **id, **started)).count();
            if empty == EMPTY_LOOKS || (!left.is_empty() && ending == 0) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        left.into_keys().collect()
    }

    /// Processes with the mark, and their descendants even where these have shed it, by their numbers; when each began.
    fn bearers(&self, root: &Path) -> BTreeMap<u32, u64> {
        // Before any environment is read, so that what has a number by now is not taken for what had it then.
        let mut all = Process::all(root);
        all.remove(&std::process::id());
        let mut found = BTreeMap::new();
        let mut open: Vec<u32> = all.keys().copied().filter(|id| self.is_on(root, *id)).collect();
        while let Some(id) = open.pop() {
            let Some(process) = all.get(&id) else { continue };
            if found.insert(id, process.started).is_none() {
                let below = all.iter().filter(|(_, other)| other.lives && other.parent == id);
                open.extend(below.map(|(id, _)| *id));
            }
        }
        found
    }

    /// Whether a process has the mark; one that has ended has no environment.
    pub(crate) fn is_on(&self, root: &Path, id: u32) -> bool {
        let environment = std::fs::read(root.join(format!("proc/{id}/environ"))).unwrap_or_default();
        let entry = self.entry();
        environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
    }
}

/// Kills the process with this number where it is the one that began then; whether this user may.
fn end(root: &Path, id: u32, started: u64) -> bool {
    let same = Process::read(root, id).is_some_and(|process| process.started == started);
    !same || !kill(id.cast_signed()).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    use super::*;
    use crate::stat::planted::Tree;

    #[test]
    fn the_mark_and_its_descendants_are_found() {
        let plant = |tree: Tree, id: u32, parent: u32, state: &str, environment: &str| {
            let stat = format!("{id} (a) (b c) {state} {parent}{} 7", " 0".repeat(17));
            tree.file(&format!("proc/{id}/stat"), &stat).file(&format!("proc/{id}/environ"), environment)
        };
        let tree = [
            (10, 1, "S", "A=1\0MARK=this\0"),
            (11, 10, "S", ""),
            (12, 11, "R", "A=1\0"),
            (13, 1, "S", "MARK=this-other\0X_MARK=this\0"),
            (14, 13, "S", ""),
            (15, 10, "Z", ""),
        ]
        .into_iter()
        .fold(Tree::new(), |tree, (id, parent, state, environment)| plant(tree, id, parent, state, environment));
        let found = |value: &str, path: &Path| {
            let mark = Mark { variable: "MARK", value: value.into() };
            mark.bearers(path).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(found("this", tree.path()), [(10, 7), (11, 7), (12, 7)]);
        assert!(found("absent", tree.path()).is_empty());
        assert!(found("this", &tree.path().join("nowhere")).is_empty());
    }

    #[test]
    fn a_real_tree_is_ended_also_where_it_left_its_session() {
        let mark = Mark::new("BENCHBOOK_TEST_MARK");
        // A child in a session of its own, one that has shed its environment, and a shell that waits for both.
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "setsid sleep 600 & env -i sleep 600 & echo ready; wait"]).stdout(Stdio::piped());
        mark.put_on(&mut shell);
        let mut shell = shell.spawn().expect("a shell");
        let mut ready = String::new();
        BufReader::new(shell.stdout.take().expect("piped")).read_line(&mut ready).expect("it speaks");
        let root = Path::new("/");
        assert!(mark.bearers(root).len() >= 2);
        assert_eq!(mark.end_all(), Vec::<u32>::new());
        assert!(!shell.wait().expect("it ended").success());
        assert!(mark.bearers(root).is_empty());
    }

    #[test]
    fn a_later_process_with_the_same_number_is_let_alone() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("a program of every system");
        let root = Path::new("/");
        let started = Process::read(root, child.id()).expect("it runs").started;
        assert!(end(root, child.id(), started + 1));
        drop(child.stdin.take());
        assert!(child.wait().expect("it ended").success(), "it ended by itself");
    }
}
