//! Ends everything that a job has started, wherever it has moved to.
//!
//! Jupyter kernels run in sessions of their own and may leave their parents, so neither a process group nor the tree of
//! parents finds them all; the job's mark in their environment does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that every process of a job inherits.
pub(super) const MARK: &str = "BENCHBOOK_NOTEBOOK_JOB";

/// Pause between two looks: a process ends a little after it is killed.
const PAUSE: Duration = Duration::from_millis(5);
/// Looks before what cannot be killed is given up: 10 s.
const MOST_LOOKS: u32 = 2_000;

/// Kills every process with this mark and what these have started, until a look finds none; gives what is left.
pub(super) fn end_all(mark: &str) -> Vec<i32> {
    let mut left = Vec::new();
    for _ in 0..MOST_LOOKS {
        left = belonging(Path::new("/proc"), mark);
        if left.is_empty() {
            break;
        }
        for id in &left {
            // It may have ended since; then there is nothing to do.
            let _ = kill(Pid::from_raw(*id), Signal::SIGKILL);
        }
        std::thread::sleep(PAUSE);
    }
    left
}

/// Processes with the mark, and their descendants even where these have shed it. The dead who wait for their parents have
/// no environment, so they do not count.
fn belonging(proc: &Path, mark: &str) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(-1);
    let entry = format!("{MARK}={mark}");
    let names = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let ids = names.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter(|id| *id != own);
    let mut found = BTreeSet::new();
    let mut children = BTreeMap::<i32, Vec<i32>>::new();
    for id in ids {
        let folder = proc.join(id.to_string());
        let environment = std::fs::read(folder.join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes()) {
            found.insert(id);
        }
        if let Some((parent, true)) = std::fs::read_to_string(folder.join("stat")).ok().as_deref().and_then(parent) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut open: Vec<i32> = found.iter().copied().collect();
    while let Some(id) = open.pop() {
        let below = children.get(&id).into_iter().flatten();
        open.extend(below.filter(|child| found.insert(**child)));
    }
    found.into_iter().collect()
}

/// The parent in `/proc/<id>/stat`, and whether the process lives; a name may hold spaces and parentheses.
fn parent(stat: &str) -> Option<(i32, bool)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let lives = !matches!(fields.next()?, "Z" | "X");
    Some((fields.next()?.parse().ok()?, lives))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_mark_and_its_descendants_are_found() {
        let proc = tempfile::tempdir().expect("a temporary folder");
        let plant = |id: i32, parent: i32, state: &str, environment: &str| {
            let folder = proc.path().join(id.to_string());
            std::fs::create_dir(&folder).expect("writable");
            std::fs::write(folder.join("environ"), environment).expect("writable");
            std::fs::write(folder.join("stat"), format!("{id} (a) (b c) {state} {parent} 0")).expect("writable");
        };
        plant(10, 1, "S", "A=1\0BENCHBOOK_NOTEBOOK_JOB=this\0");
        plant(11, 10, "S", "");
        plant(12, 11, "R", "A=1\0");
        plant(13, 1, "S", "BENCHBOOK_NOTEBOOK_JOB=this-other\0X_BENCHBOOK_NOTEBOOK_JOB=this\0");
        plant(14, 13, "S", "");
        plant(15, 10, "Z", "");
        std::fs::create_dir(proc.path().join("self")).expect("writable");
        assert_eq!(belonging(proc.path(), "this"), [10, 11, 12]);
        assert_eq!(belonging(proc.path(), "absent"), Vec::<i32>::new());
        assert_eq!(belonging(&proc.path().join("nowhere"), "this"), Vec::<i32>::new());
    }

    #[test]
    fn a_real_tree_is_ended_also_where_it_left_its_session() {
        let mark = format!("test-{}", uuid::Uuid::now_v7());
        // A child in a session of its own, one that has shed its environment, and a shell that waits for both.
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "setsid sleep 600 & env -i sleep 600 & echo ready; wait"])
            .env(MARK, &mark)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut ready = String::new();
        let stdout = shell.stdout.take().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut ready).expect("it speaks");
        assert!(belonging(Path::new("/proc"), &mark).len() >= 2);
        assert_eq!(end_all(&mark), Vec::<i32>::new());
        assert!(!shell.wait().expect("it ended").success());
        assert!(belonging(Path::new("/proc"), &mark).is_empty());
    }
}
