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

/// From one look to the next, in nanoseconds: who works at neither has rested for so long.
const LOOK_NS: i64 = 1_000_000;
/// The same after a look at which something works, which is not the beginning of a rest.
const AGAIN_NS: i64 = 200_000;
/// Processor time of a thread within a look that counts as rest.
const REST_NS: i64 = 100_000;
/// How long one looks before giving up, in nanoseconds: a library that never rests cannot be waited for. Where there are many
/// threads, a look itself takes its time.
const MOST_NS: i64 = 100_000_000;

/// What is seen of processes.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// When one has looked.
    at_ns: i64,
    /// Whether a thread runs, or would.
    runs: bool,
    /// Whether it is one process of one thread: where that waits, nothing is left that could work.
    is_alone: bool,
    /// How many threads there are.
    threads: i64,
    /// Processor time of all threads: exact where none runs.
    cpu_ns: i64,
}

/// Processes that have worked, with the first look at them: what one does until their rest is asked for is a part of the wait.
#[derive(Debug)]
pub struct Stirred {
    processes: Vec<u32>,
    first: Look,
}

impl Stirred {
    /// Looks at processes that may still work.
    pub fn now(processes: Vec<u32>) -> Self {
        let first = look(Root(Path::new("/")), &processes);
        Self { processes, first }
    }

    /// Waits until every thread of them has rested for a millisecond, for a tenth of a second at most; whether they have. The
    /// thread that asks does not count, and one thread alone that waits rests.
    pub fn rest(&self) -> bool {
        let looks = || look(Root(Path::new("/")), &self.processes);
        wait_with(self.first, looks, sleep, &clock::now_ns).is_some()
    }
}

/// The same of processes that nobody has looked at yet.
pub fn wait_for_rest(processes: &[u32]) -> bool {
    Stirred::now(processes.to_vec()).rest()
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
    let cpu_ns = clock::cpu_ns_of(processes) - own_ns;
    Look { at_ns: clock::now_ns(), runs: any, is_alone: processes.len() == 1 && threads == 1, threads, cpu_ns }
}

/// [`Stirred::rest`] with the looks, the pause and the clock passed in; returns the looks that it took beside the first, nothing
/// where they took too long.
fn wait_with(
    first: Look,
    mut look: impl FnMut() -> Look,
    mut pause: impl FnMut(Duration),
    now_ns: Now<'_>,
) -> Option<u32> {
    let (end_ns, mut looks, mut before) = (now_ns() + MOST_NS, 0, first);
    while now_ns() < end_ns {
        if before.is_alone && !before.runs {
            return Some(looks);
        }
        let next_ns = if before.runs { AGAIN_NS } else { LOOK_NS };
        let left_ns = next_ns - (now_ns() - before.at_ns);
        if left_ns > 0 {
            pause(Duration::from_nanos(left_ns.cast_unsigned()));
        }
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

    /// A process of two threads, which has not been looked at before the clock began.
    const TWO: Look = Look { at_ns: 0, runs: false, is_alone: false, threads: 2, cpu_ns: 0 };

    /// How many looks it takes, by what each sees: whether it runs, and its processor time in microseconds.
    fn looks(seen: &[(bool, i64)]) -> Option<u32> {
        let mut seen = seen.iter().map(|(runs, cpu_us)| Look { runs: *runs, cpu_ns: 1_000 * cpu_us, ..TWO });
        let first = seen.next().unwrap();
        wait_with(first, || seen.next().unwrap(), |_| (), &|| 0)
    }

    #[test]
    fn it_waits_for_the_end_of_the_spinning_and_no_longer() {
        // Between ticks the time of a thread that runs seems to stand still.
        let spinning = [(true, 0), (true, 0), (true, 4_000), (false, 4_300), (false, 4_310), (false, 4_320)];
        assert_eq!(looks(&spinning), Some(4));
        let blinking = [(false, 0), (false, 300), (false, 600), (false, 601)];
        assert_eq!(looks(&blinking), Some(3), "it ran between the looks");
    }

    #[test]
    fn a_rest_begins_soon_after_the_work_has_ended_and_is_as_long_as_any() {
        for (works_ns, rested_ns) in [(0, 1_000_000), (50_000, 1_200_000), (3_050_000, 4_200_000)] {
            let now_ns = Cell::new(0);
            let look = || Look { at_ns: now_ns.get(), runs: now_ns.get() < works_ns, ..TWO };
            let wait = |pause: Duration| now_ns.set(now_ns.get() + i64::try_from(pause.as_nanos()).unwrap());
            assert!(wait_with(look(), look, wait, &|| now_ns.get()).is_some());
            assert_eq!(now_ns.get(), rested_ns, "it works for {works_ns} ns");
        }
    }

    #[test]
    fn what_is_done_since_the_first_look_is_a_part_of_the_wait() {
        for (done_ns, left_ns) in [(0, 1_000_000), (400_000, 600_000), (2_000_000, 0)] {
            let (now_ns, paused_ns) = (Cell::new(done_ns), Cell::new(0));
            let look = || Look { at_ns: now_ns.get(), ..TWO };
            let wait = |pause: Duration| {
                let ns = i64::try_from(pause.as_nanos()).unwrap();
                paused_ns.set(paused_ns.get() + ns);
                now_ns.set(now_ns.get() + ns);
            };
            assert_eq!(wait_with(TWO, look, wait, &|| now_ns.get()), Some(1), "it is looked at once more");
            assert_eq!(paused_ns.get(), left_ns, "after {done_ns} ns");
        }
    }

    #[test]
    fn one_thread_alone_that_waits_is_at_rest_and_one_that_runs_is_not() {
        let alone = Look { is_alone: true, threads: 1, ..TWO };
        let waits = |first: Look| wait_with(first, || alone, |_| (), &|| 0);
        assert_eq!(waits(alone), Some(0));
        assert_eq!(waits(Look { runs: true, ..alone }), Some(1));
        let of = |processes: &[u32]| {
            let stat = format!("9 (a) S 3{} 7{}", " 0".repeat(17), " 0".repeat(20));
            let tree = ["8/task/8", "9/task/9", "7/task/7", "7/task/6"];
            let tree = tree.iter().fold(Tree::new(), |tree, thread| tree.file(&format!("proc/{thread}/stat"), &stat));
            look(Root(tree.path()), processes).is_alone
        };
        assert_eq!([of(&[8]), of(&[7]), of(&[8, 9])], [true, false, false], "two may wait for each other");
    }

    #[test]
    fn it_gives_up_on_what_never_rests_and_says_so() {
        // However long a look takes.
        for look_ns in [1_000_000, 30_000_000] {
            let (now_ns, looks) = (Cell::new(0), Cell::new(0));
            let look = || {
                now_ns.set(now_ns.get() + look_ns);
                looks.set(looks.get() + 1);
                Look { at_ns: now_ns.get(), runs: true, ..TWO }
            };
            assert_eq!(wait_with(look(), look, |_| (), &|| now_ns.get()), None);
            assert!(looks.get() <= 1 + MOST_NS / look_ns + 1, "{} looks of {look_ns} ns", looks.get());
        }
    }

    #[test]
    fn each_of_many_threads_may_blink() {
        let blinking = |threads: i64| {
            let mut cpu_ns = 0;
            move || {
                cpu_ns += 50_000 * 8;
                Look { threads, cpu_ns, ..TWO }
            }
        };
        let clock = Cell::new(0);
        let ticking = || clock.replace(clock.get() + 10_000_000);
        assert_eq!(wait_with(TWO, blinking(8), |_| (), &ticking), Some(1));
        assert_eq!(wait_with(TWO, blinking(2), |_| (), &ticking), None, "two that take so much work");
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
