//! Waiting until a process has stopped working, as it shows from outside.
//!
//! OpenMP's threads go on spinning for milliseconds after a call. Without this wait, one variant's
//! spinning would be timed as another's slowness, and random order does not cancel that.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::unistd::gettid;

use crate::clock;
use crate::environment::Root;
use crate::stat::Process;

/// Length of one look.
const LOOK: Duration = Duration::from_millis(1);
/// Processor time within a look that counts as rest.
const REST_NS: i64 = 100_000;
/// Looks before giving up: a library that never rests cannot be waited for.
const MOST_LOOKS: u32 = 100;

/// What is seen of processes.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// Whether a thread runs, or would.
    runs: bool,
    /// Processor time of all threads: exact where none runs.
    cpu_ns: i64,
}

/// Waits until every thread of these processes has rested for a millisecond, for a tenth of a second at most; whether they
/// have. The thread that asks does not count.
pub fn wait_for_rest(processes: &[u32]) -> bool {
    wait_with(|| look(Root(Path::new("/")), processes), || sleep(LOOK)).is_some()
}

fn look(root: Root<'_>, processes: &[u32]) -> Look {
    let asks = processes.contains(&std::process::id()).then(|| gettid().to_string());
    let runs = |thread: &String, path: String| {
        asks.as_ref() != Some(thread) && Process::at(root, &path).is_some_and(|found| found.runs)
    };
    let works = |process: &u32| {
        let folder = format!("proc/{process}/task");
        root.names(&folder).iter().any(|thread| runs(thread, format!("{folder}/{thread}/stat")))
    };
    let own_ns = if asks.is_some() { clock::this_thread_cpu_ns() } else { 0 };
    Look { runs: processes.iter().any(works), cpu_ns: clock::cpu_ns_of(processes) - own_ns }
}

/// [`wait_for_rest`] with the looks and the pause passed in; returns the looks it took, nothing where they were too many.
fn wait_with(mut look: impl FnMut() -> Look, mut pause: impl FnMut()) -> Option<u32> {
    let mut before = look();
    for looks in 1..=MOST_LOOKS {
        pause();
        let now = look();
        if !before.runs && !now.runs && now.cpu_ns - before.cpu_ns < REST_NS {
            return Some(looks);
        }
        before = now;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::environment::planted::Tree;

    /// Looks at a process: whether it runs, and its processor time in microseconds.
    fn looks(seen: &[(bool, i64)]) -> impl FnMut() -> Look + '_ {
        let mut seen = seen.iter();
        move || {
            let (runs, cpu_us) = *seen.next().unwrap();
            Look { runs, cpu_ns: 1_000 * cpu_us }
        }
    }

    #[test]
    fn it_waits_for_the_end_of_the_spinning_and_no_longer() {
        // Between ticks the time of a thread that runs seems to stand still.
        let spinning = [(true, 0), (true, 0), (true, 4_000), (false, 4_300), (false, 4_310), (false, 4_320)];
        assert_eq!(wait_with(looks(&spinning), || ()), Some(4));
        let blinking = [(false, 0), (false, 150), (false, 300), (false, 301)];
        assert_eq!(wait_with(looks(&blinking), || ()), Some(3), "it ran between the looks");
    }

    #[test]
    fn it_gives_up_on_what_never_rests_and_says_so() {
        assert_eq!(wait_with(|| Look { runs: true, cpu_ns: 0 }, || ()), None);
    }

    #[test]
    fn a_thread_that_runs_is_seen_and_who_looks_is_not() {
        let stat = |state: &str| format!("9 (a) {state} 3{} 7{}", " 0".repeat(17), " 0".repeat(20));
        let (this, thread) = (std::process::id(), gettid());
        let tree = [("8/task/8", "S"), ("8/task/9", "S"), ("7/task/7", "S"), ("7/task/9", "R")]
            .into_iter()
            .map(|(thread, state)| (thread.to_owned(), state))
            .chain([(format!("{this}/task/{thread}"), "R"), (format!("{this}/task/1"), "S")])
            .fold(Tree::new(), |tree, (thread, state)| tree.file(&format!("proc/{thread}/stat"), &stat(state)));
        let runs = |process| look(Root(tree.path()), &[process]).runs;
        assert_eq!([8, 7, this, 6].map(runs), [false, true, false, false]);
    }

    #[test]
    fn a_process_that_works_is_not_at_rest_until_it_waits() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "while :; do :; done & echo on; read line; kill $!; wait; echo off; read line"]);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "on");
        let busy: Vec<u32> = Process::all(Root(Path::new("/")))
            .into_iter()
            .filter_map(|(id, process)| (process.parent == shell.id()).then_some(id))
            .collect();
        assert!(!wait_for_rest(&busy), "{busy:?}");
        shell.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "off");
        assert!(wait_for_rest(&[shell.id()]));
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
