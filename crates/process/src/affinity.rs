//! The processors on which a thread may run, which its children inherit.
#![expect(unsafe_code, reason = "std does not tell on which processors a thread may run")]

/// A set of processors.
#[derive(Clone, Copy)]
pub struct Affinity(libc::cpu_set_t);

impl Affinity {
    /// That of the thread that asks; nothing where the system does not tell.
    pub fn of_this_thread() -> Option<Self> {
        // SAFETY: it holds numbers alone, all of which may be zero.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: `set` is as large as is said, and outlives the call.
        let asked = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
        (asked == 0).then_some(Self(set))
    }

    /// Gives it to the thread that asks; where the system refuses, that stays where it was.
    pub fn give(&self) {
        // SAFETY: the set is as large as is said, and outlives the call.
        let _ = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.0) };
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::{Mark, Supervised};

    /// The processors of this thread, one by one.
    fn processors() -> Vec<usize> {
        let Affinity(set) = Affinity::of_this_thread().expect("the system tells");
        // SAFETY: the numbers are within the set.
        (0..libc::CPU_SETSIZE as usize).filter(|number| unsafe { libc::CPU_ISSET(*number, &set) }).collect()
    }

    fn run_on(processor: usize) {
        // SAFETY: it holds numbers alone, all of which may be zero.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the number is within the set.
        unsafe { libc::CPU_SET(processor, &mut set) };
        Affinity(set).give();
    }

    #[test]
    fn a_child_runs_where_the_thread_that_asks_for_it_may() {
        // Where there is one processor alone, both are the same.
        let all = processors();
        for processor in [all[0], all[all.len() - 1]] {
            let asks = move || {
                run_on(processor);
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", "grep Cpus_allowed_list /proc/self/status"]).stdout(Stdio::piped());
                let mut child = Supervised::start(shell, Mark::new("BENCHBOOK_TEST_AFFINITY")).expect("a shell");
                std::io::read_to_string(child.take_stdout().expect("piped")).expect("it speaks")
            };
            let said = std::thread::spawn(asks).join().expect("no panic");
            assert_eq!(said.split_whitespace().nth(1), Some(&*processor.to_string()), "{said}");
        }
    }
}
