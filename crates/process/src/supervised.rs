//! A child with all that it has started: tied to this process, watched, and ended.
#![expect(unsafe_code, reason = "std signals no group, ties no child to its parent, and looks at none but to reap it")]

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::affinity::Affinity;
use crate::mark::Mark;
use crate::stat::Process;

/// How often a wait looks again.
const PAUSE: Duration = Duration::from_millis(5);

/// How long the end of a child is waited for that this user may not end.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// A child; it is ended when this is dropped.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    /// Of one with a group of its own.
    mark: Option<Mark>,
    /// Ends what it has started, once that has begun; numbers of what could not be ended.
    ending: Option<JoinHandle<Vec<u32>>>,
    /// Set once it has been waited for: from then on its number may be somebody else's.
    ended: Option<Ended>,
}

/// How a child has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status; nothing where the system does not tell.
    pub status: Option<ExitStatus>,
    /// Numbers of the processes that could not be ended: those that it has started, and its own.
    pub left: Vec<u32>,
}

impl Supervised {
    /// Starts a child that ends with this process, however that ends, and with all that it has started.
    ///
    /// It has a group of its own, so that Ctrl-C reaches this process alone, and the mark, which finds what leaves the
    /// group. The system sends it SIGTERM when this process has ended.
    ///
    /// # Errors
    /// What the system says where it cannot be started.
    pub fn start(mut command: Command, mark: Mark) -> io::Result<Self> {
        set_apart(&mut command, &mark);
        Ok(Self { child: start_for_long(command)?, mark: Some(mark), ending: None, ended: None })
    }

    /// As [`Supervised::start`], by a thread that does not end before the child.
    pub(crate) fn start_here(command: &mut Command, mark: Mark) -> io::Result<Self> {
        set_apart(command, &mark);
        Ok(Self { child: command.spawn()?, mark: Some(mark), ending: None, ended: None })
    }

    /// Starts a child in the group of this process, where Ctrl-C and the end of the group reach it too. What it starts is
    /// not looked for, and it is not tied: it has to end by itself when its pipes do.
    ///
    /// The memory of this process is left as it is, which a measuring one needs: tying a child copies the tables of
    /// its pages.
    ///
    /// # Errors
    /// What the system says where it cannot be started.
    pub fn start_in_our_group(command: &mut Command) -> io::Result<Self> {
        Ok(Self { child: command.spawn()?, mark: None, ending: None, ended: None })
    }

    /// Its process id, which is that of its group too where it has one of its own.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipe to its standard input, once and where there is one.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The pipe from its standard output, once and where there is one.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The pipe from its standard error, once and where there is one.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Whether a process is one that it has started, wherever that has moved to.
    pub fn has_started(&self, id: u32) -> bool {
        let marked = self.mark.as_ref().is_some_and(|mark| mark.is_on(Path::new("/"), id));
        marked || Process::descends(Path::new("/"), id, self.id())
    }

    /// Whether it ends by itself within `patience`. A closed pipe may be seen a little before the end.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let mut waited = Duration::ZERO;
        // It stays to be waited for: until then nobody else can get its number.
        while self.ended.is_none() && runs_on(self.id()) {
            if waited >= patience {
                return false;
            }
            std::thread::sleep(PAUSE);
            waited += PAUSE;
        }
        true
    }

    /// Waits for its end, and leaves alone what it has started.
    ///
    /// # Errors
    /// The system does not tell how it ended.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.ended.get_or_insert_with(|| Ended { status: Some(status), left: Vec::new() });
        Ok(status)
    }

    /// Begins to end it with all that it has started: several end side by side before each is waited for.
    pub fn let_go(&mut self) {
        if self.ended.is_some() || self.ending.is_some() {
            return;
        }
        // What has ended by then cannot be killed, and need not be; the child may have left its group.
        let _ = self.mark.as_ref().map(|_| kill(-self.child.id().cast_signed()));
        let _ = self.child.kill();
        // What has left the group; one that this user may not end stays. Where there is no room for a thread, `end` does it.
        self.ending = self.mark.clone().and_then(|mark| Builder::new().spawn(move || mark.end_all()).ok());
    }

    /// Ends it with all that it has started, and waits for it; one that this user may not end has a second to do so by itself.
    pub fn end(&mut self) -> &Ended {
        self.let_go();
        let ended = self.ended.take().unwrap_or_else(|| self.ended_by_us());
        self.ended.insert(ended)
    }

    /// How it has ended that was let go. Its number is its own until it has been waited for.
    fn ended_by_us(&mut self) -> Ended {
        let left = match self.ending.take() {
            Some(ending) => ending.join().ok(),
            None => self.mark.as_ref().map(Mark::end_all),
        };
        let mut left = left.unwrap_or_default();
        if self.child.kill().is_err() && !self.ends_within(LAST_PATIENCE) {
            left.retain(|id| *id != self.id());
            left.push(self.id());
            return Ended { status: None, left };
        }
        Ended { status: self.child.wait().ok(), left }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether a child has yet to end, which is when the last of its threads does: the first may have ended before.
fn runs_on(id: u32) -> bool {
    // SAFETY: it holds numbers and pointers alone, all of which may be zero.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is written to while the call lasts, and outlives it.
    let asked = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, options) };
    // SAFETY: what is not written is zero, which is what a child that has not ended is told by.
    asked == 0 && unsafe { info.si_pid() } == 0
}

/// A group and a mark for a command to come, and its end with this process.
fn set_apart(command: &mut Command, mark: &Mark) {
    mark.put_on(command);
    command.process_group(0);
    let parent = std::process::id();
    let tie = move || {
        // SAFETY: `prctl` takes numbers alone here, and touches no memory of ours.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `getppid` takes nothing and cannot fail.
        let is_there = unsafe { libc::getppid() }.cast_unsigned() == parent;
        // The parent may have ended before the request was in force.
        if is_there { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    };
    // SAFETY: between fork and exec the closure makes two system calls, allocates nothing and takes no lock.
    unsafe { command.pre_exec(tie) };
}

/// Starts a child from a thread that lasts as long as this process: to the system, a child whose starting thread has ended
/// has lost its parent. The child runs on the processors of the thread that asks for it all the same.
fn start_for_long(command: Command) -> io::Result<Child> {
    type Job = (Command, Option<Affinity>, Sender<io::Result<Child>>);
    static THREAD: OnceLock<Sender<Job>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (send, jobs) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, affinity, answer) in jobs {
                if let Some(affinity) = affinity {
                    affinity.give();
                }
                // Whoever has asked waits for it.
                let _ = answer.send(command.spawn());
            }
        });
        send
    });
    let gone = || io::Error::other("the thread that starts processes has ended");
    let (answer, started) = mpsc::channel();
    thread.send((command, Affinity::of_this_thread(), answer)).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())?
}

/// Kills a process, or, by the negative of its number, a group.
pub(crate) fn kill(number: i32) -> io::Result<()> {
    // SAFETY: `kill` takes numbers alone, and touches no memory of ours.
    if unsafe { libc::kill(number, libc::SIGKILL) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    use super::*;
    use crate::stat::planted::Tree;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    fn started(script: &str) -> Supervised {
        Supervised::start(shell(script), Mark::new("BENCHBOOK_TEST_SUPERVISED")).expect("a shell")
    }

    /// The next line of a child, as a number.
    fn number(child: &mut Supervised) -> u32 {
        let mut line = String::new();
        BufReader::new(child.take_stdout().expect("piped")).read_line(&mut line).expect("it speaks");
        line.trim().parse().expect("a number")
    }

    fn lives(id: u32) -> bool {
        Process::read(Path::new("/"), id).is_some_and(|process| process.lives)
    }

    #[test]
    fn a_child_has_a_group_of_its_own_and_takes_with_it_what_has_left_that() {
        let mut child = started("setsid sleep 600 & echo $!; wait");
        let below = number(&mut child);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it lives");
        let group = stat.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(2)).expect("a group");
        assert_eq!(group, child.id().to_string());
        assert!(child.has_started(below) && !child.has_started(std::process::id()));
        assert!(lives(below) && !child.ends_within(Duration::ZERO));
        let ended = child.end().clone();
        assert_eq!((ended.status.and_then(|status| status.signal()), ended.left), (Some(9), vec![]));
        assert!(!lives(below), "{below} has left the group");
        assert!(child.ends_within(Duration::ZERO));
    }

    #[test]
    fn a_child_that_has_left_its_group_without_its_mark_is_ended_too() {
        let mut command = shell("exec env -i /bin/sh -c 'echo $$; exec sleep 600'");
        // SAFETY: `getpgrp` takes nothing and cannot fail.
        let ours = unsafe { libc::getpgrp() };
        let leave = move || {
            // SAFETY: `setpgid` takes numbers alone, and touches no memory of ours.
            if unsafe { libc::setpgid(0, ours) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        };
        // SAFETY: between fork and exec the closure makes one system call, allocates nothing and takes no lock.
        unsafe { command.pre_exec(leave) };
        let mut child = Supervised::start(command, Mark::new("BENCHBOOK_TEST_SUPERVISED")).expect("a shell");
        assert_eq!(number(&mut child), child.id());
        assert_eq!(child.end().status.and_then(|status| status.signal()), Some(9));
    }

    #[test]
    fn an_end_by_itself_keeps_its_status_and_what_is_waited_for_is_let_alone() {
        let mut child = started("exit 7");
        assert!(child.ends_within(Duration::MAX));
        assert_eq!(child.end().status.and_then(|status| status.code()), Some(7));
        let mut child = started("sleep 600 & echo $!");
        let below = number(&mut child);
        assert!(child.wait().expect("it ended").success());
        drop(child);
        assert!(lives(below), "nobody has ended it");
        kill(below.cast_signed()).expect("it lives");
    }

    #[test]
    fn a_child_lives_as_long_as_the_last_of_its_threads() {
        let mut python = Command::new("python3");
        let script = "import ctypes, sys, threading\n\
                      threading.Thread(target=sys.stdin.read).start()\n\
                      ctypes.CDLL(None).pthread_exit(None)";
        python.args(["-c", script]).stdin(Stdio::piped());
        let mut child = Supervised::start(python, Mark::new("BENCHBOOK_TEST_SUPERVISED")).expect("python");
        while lives(child.id()) {
            std::thread::sleep(PAUSE);
        }
        assert!(!child.ends_within(Duration::ZERO), "its second thread reads");
        drop(child.take_stdin());
        assert!(child.ends_within(Duration::MAX));
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let mut child = std::thread::spawn(|| started("echo $$; read line; exit 5")).join().expect("no panic");
        assert_eq!(number(&mut child), child.id());
        drop(child.take_stdin());
        assert!(child.ends_within(Duration::MAX));
        assert_eq!(child.end().status.and_then(|status| status.code()), Some(5));
    }

    #[test]
    fn the_system_is_asked_to_end_a_child_with_its_parent() {
        // The parent in between is this very test program, which starts a child, says its number, and is killed.
        const ROLE: &str = "BENCHBOOK_TEST_PARENT";
        if std::env::var_os(ROLE).is_some() {
            let child = started("exec sleep 600");
            std::fs::write(std::env::var_os(ROLE).expect("a path"), child.id().to_string()).expect("writable");
            kill(std::process::id().cast_signed()).expect("this process lives");
        }
        let folder = Tree::new();
        let told = folder.path().join("number");
        let mut again = Command::new(std::env::current_exe().expect("a test has a path"));
        again.args(["--exact", "supervised::tests::the_system_is_asked_to_end_a_child_with_its_parent"]);
        // Pipes would be held by the child, if it lived on.
        let again = again.env(ROLE, &told).stdout(Stdio::null()).stderr(Stdio::null());
        assert_eq!(again.status().expect("it starts").signal(), Some(9));
        let child: u32 = std::fs::read_to_string(&told).expect("it was told").parse().expect("a number");
        for _ in 0..2_000 {
            if !lives(child) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        let _ = kill(child.cast_signed());
        panic!("{child} has outlived its parent");
    }

    #[test]
    fn one_in_our_group_is_ended_when_it_is_dropped() {
        let child = Supervised::start_in_our_group(&mut shell("exec sleep 600")).expect("a shell");
        let id = child.id();
        assert!(lives(id));
        drop(child);
        assert!(!lives(id));
    }

    #[test]
    fn what_cannot_be_started_is_told() {
        let error = Supervised::start(Command::new("/no/such/program"), Mark::new("BENCHBOOK_TEST_SUPERVISED"));
        assert_eq!(error.expect_err("absent").kind(), io::ErrorKind::NotFound);
    }
}
