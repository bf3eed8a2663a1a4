//! How many threads of processes work at a time, as the system shows it from outside.

use std::collections::BTreeMap;
use std::path::Path;

use super::moment::second;
use crate::clock;
use crate::environment::Root;

/// Nanoseconds between two looks at least: what runs on another processor is counted at its ticks.
const LEAST_NS: i64 = 20_000_000;

/// What the threads of processes have had of the processors so far, and how long each has waited for one.
#[derive(Debug)]
pub(super) struct Working {
    at_ns: i64,
    cpu_ns: i64,
    /// By the file that says so, one a thread.
    waited_ns: BTreeMap<String, u64>,
}

impl Working {
    /// A look at these processes.
    pub fn now(processes: &[u32]) -> Self {
        let waited_ns = waits(Root(Path::new("/")), processes);
        Self { at_ns: clock::now_ns(), cpu_ns: clock::cpu_ns_of(processes), waited_ns }
    }

    /// How many threads have worked at a time until a later look, on average: those that had a processor, and those that waited
    /// for one. So a thread is one however busy the machine is. Nothing where the looks are too near to tell.
    pub fn until(&self, later: &Self) -> Option<f64> {
        let elapsed_ns = later.at_ns - self.at_ns;
        let before = |thread: &String| self.waited_ns.get(thread).copied().unwrap_or(0);
        let waited_ns: u64 = later.waited_ns.iter().map(|(thread, ns)| ns.saturating_sub(before(thread))).sum();
        let worked_ns = (later.cpu_ns - self.cpu_ns) as f64 + waited_ns as f64;
        (elapsed_ns >= LEAST_NS).then_some(worked_ns / elapsed_ns as f64)
    }
}

/// Whether so many threads at a time are more than were given: pools that work in turn overlap a little.
pub(super) fn is_crowd(at_work: f64, given: usize) -> bool {
    at_work > 1.25 * given.max(1) as f64 + 0.25
}

/// How long the threads of processes have waited for a processor, where the system tells.
fn waits(root: Root<'_>, processes: &[u32]) -> BTreeMap<String, u64> {
    let mut waits = BTreeMap::new();
    for folder in processes.iter().map(|process| format!("proc/{process}/task")) {
        for thread in root.names(&folder) {
            let path = format!("{folder}/{thread}/schedstat");
            if let Some(waited_ns) = root.text(&path).as_deref().and_then(second) {
                waits.insert(path, waited_ns);
            }
        }
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::planted::Tree;

    fn look(at_ms: i64, cpu_ms: i64, waited_ms: &[(&str, u64)]) -> Working {
        let waited_ns = waited_ms.iter().map(|(thread, ms)| ((*thread).to_owned(), ms * 1_000_000)).collect();
        Working { at_ns: at_ms * 1_000_000, cpu_ns: cpu_ms * 1_000_000, waited_ns }
    }

    #[test]
    fn who_waits_for_a_processor_works_too() {
        let first = look(1_000, 10, &[("a", 5), ("gone", 900)]);
        // Three threads on two processors, of which each has to wait a third of the time.
        let later = look(1_100, 210, &[("a", 38), ("b", 33), ("c", 34)]);
        assert_eq!(first.until(&later), Some(3.0));
        // One thread on a machine that has little left for it.
        assert_eq!(first.until(&look(1_100, 30, &[("a", 85)])), Some(1.0));
        assert_eq!(first.until(&look(1_010, 40, &[])), None, "too near to tell");
    }

    #[test]
    fn one_thread_more_than_was_given_is_a_crowd_and_pools_that_overlap_are_none() {
        let cases = [(1.0, 1, false), (1.4, 1, false), (2.0, 1, true), (2.6, 2, false), (3.0, 2, true)];
        for (at_work, given, crowd) in cases {
            assert_eq!(is_crowd(at_work, given), crowd, "{at_work} of {given}");
        }
    }

    #[test]
    fn all_threads_are_read_as_far_as_the_system_tells() {
        let tree = Tree::new()
            .file("proc/4/task/4/schedstat", "90 42 3\n")
            .file("proc/4/task/5/schedstat", "7 8 9\n")
            .file("proc/6/task/6/schedstat", "1 2 3\n")
            .file("proc/6/task/7/stat", "");
        let read = waits(Root(tree.path()), &[4, 6, 8]);
        assert_eq!(read.into_values().collect::<Vec<_>>(), [42, 8, 2]);
    }
}
