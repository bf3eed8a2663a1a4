//! Waiting until a process has stopped working, as it shows from outside.
//!
//! OpenMP's threads go on spinning for milliseconds after a call. Without this wait, one variant's
//! spinning would be timed as another's slowness, and random order does not cancel that.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use benchbook_process::Process;
use nix::unistd::gettid;

use crate::clock::{self, Now};
use crate::environment::Root;

/// Length of one look.
const LOOK: Duration = Duration::from_millis(1);
/// Processor time of a thread within a look that counts as rest.
const REST_NS: i64 = 100_000;
/// How long one looks before giving up, in nanoseconds: a library that never rests cannot be waited for. Where there are many
/// threads, a look itself takes its time.
const MOST_NS: i64 = 100_000_000;

/// What is seen of processes.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// Whether a thread runs, or would.
    runs: bool,
    /// How many threads there are.
    threads: i64,
    /// Processor time of all threads: exact where none runs.
    cpu_ns: i64,
}

/// Waits until every thread of these processes has rested for a millisecond, for a tenth of a second at most; whether they
/// have. The thread that asks does not count.
pub fn wait_for_rest(processes: &[u32]) -> bool {
    wait_with(|| look(Root(Path::new("/")), processes), || sleep(LOOK), &clock::now_ns).is_some()
}

fn look(root: Root<'_>, processes: &[u32]) -> Look {
    let asks = processes.contains(&std::process::id()).then(|| gettid().to_string());
    let runs = |thread: &String, path: String| {
        asks.as_ref() != Some(thread) && Process::at(root.0, &path).is_some_and(|found| found.runs)
    };
    let (mut any, mut threads) = (false, 0);
    for process in processes {
        let folder = format!("proc/{process}/task");
        let names = root.names(&folder);
        threads += names.len() as i64;
        any = any || names.iter().any(|thread| runs(thread, format!("{folder}/{thread}/stat")));
    }
    let own_ns = if asks.is_some() { clock::this_thread_cpu_ns() } else { 0 };
    Look { runs: any, threads, cpu_ns: clock::cpu_ns_of(processes) - own_ns }
}

/// [`wait_for_rest`] with the looks, the pause and the clock passed in; returns the looks it took, nothing where they took too
/// long.
fn wait_with(mut look: impl FnMut() -> Look, mut pause: impl FnMut(), now_ns: Now<'_>) -> Option<u32> {
    let (end_ns, mut looks) = (now_ns() + MOST_NS, 0);
    let mut before = look();
    while now_ns() < end_ns {
        pause();
        let now = look();
        looks += 1;
        if !before.runs && !now.runs && now.cpu_ns - before.cpu_ns < REST_NS * now.threads.max(1) {
            return Some(looks);
        }
        before = now;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::environment::planted::Tree;

    /// Looks at a process: whether it runs, and its processor time in microseconds.
    fn looks(seen: &[(bool, i64)]) -> impl FnMut() -> Look + '_ {
        let mut seen = seen.iter();
        move || {
            let (runs, cpu_us) = *seen.next().unwrap();
            Look { runs, threads: 1, cpu_ns: 1_000 * cpu_us }
        }
    }

    #[test]
    fn it_waits_for_the_end_of_the_spinning_and_no_longer() {
        // Between ticks the time of a thread that runs seems to stand still.
        let spinning = [(true, 0), (true, 0), (true, 4_000), (false, 4_300), (false, 4_310), (false, 4_320)];
        assert_eq!(wait_with(looks(&spinning), || (), &|| 0), Some(4));
        let blinking = [(false, 0), (false, 150), (false, 300), (false, 301)];
        assert_eq!(wait_with(looks(&blinking), || (), &|| 0), Some(3), "it ran between the looks");
    }

    #[test]
    fn it_gives_up_on_what_never_rests_and_says_so() {
        // However long a look takes.
        for look_ns in [1_000_000, 30_000_000] {
            let (now_ns, looks) = (Cell::new(0), Cell::new(0));
            let look = || {
                now_ns.set(now_ns.get() + look_ns);
                looks.set(looks.get() + 1);
                Look { runs: true, threads: 1, cpu_ns: 0 }
            };
            assert_eq!(wait_with(look, || (), &|| now_ns.get()), None);
            assert!(looks.get() <= 1 + MOST_NS / look_ns + 1, "{} looks of {look_ns} ns", looks.get());
        }
    }

    #[test]
    fn each_of_many_threads_may_blink() {
        let blinking = |threads: i64| {
            let mut cpu_ns = 0;
            move || {
                cpu_ns += 50_000 * 8;
                Look { runs: false, threads, cpu_ns }
            }
        };
        let clock = Cell::new(0);
        let ticking = || clock.replace(clock.get() + 10_000_000);
        assert_eq!(wait_with(blinking(8), || (), &ticking), Some(1));
        assert_eq!(wait_with(blinking(1), || (), &ticking), None, "one that takes so much works");
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
        let busy: Vec<u32> = Process::all(Path::new("/"))
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
