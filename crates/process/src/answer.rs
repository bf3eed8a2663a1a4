//! What a command says until it ends.

use std::io::{self, Read};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::mark::Mark;
use crate::supervised::Supervised;
use crate::words::last_words;

/// The variable that finds what a command has left behind.
const MARK: &str = "BENCHBOOK_COMMAND_MARK";

/// Bytes that are kept of each pipe.
const MOST_BYTES: u64 = 256 << 20;

/// How long the end of its words may come after its own, before somebody else is taken to hold the pipes.
const PATIENCE: Duration = Duration::from_millis(300);

/// The same once everybody who could hold them has been ended.
const SETTLE: Duration = Duration::from_secs(10);

/// Runs a command to its end, without any input, and gives what it said: of each pipe 256 MiB at most. It ends with this
/// process. One that takes longer than `limit` is ended with all that it has started; so is what it leaves behind, where
/// that holds its pipes.
///
/// # Errors
/// It cannot be started, or takes too long ([`io::ErrorKind::TimedOut`], with its last words).
pub fn output(command: &mut Command, limit: Duration) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Supervised::start_here(command, Mark::new(MARK))?;
    let (Some(stdout), Some(stderr)) = (child.take_stdout().map(collect), child.take_stderr().map(collect)) else {
        return Err(io::Error::other("its pipes are missing"));
    };
    let in_time = child.ends_within(limit);
    let soon = |pipe: &Receiver<Vec<u8>>| if in_time { pipe.recv_timeout(PATIENCE).ok() } else { None };
    let (said, told) = (soon(&stdout), soon(&stderr));
    let status = if said.is_some() && told.is_some() { Some(child.wait()?) } else { child.end().status };
    let rest = |pipe: Receiver<Vec<u8>>| pipe.recv_timeout(SETTLE).ok();
    let (Some(stdout), Some(stderr)) = (said.or_else(|| rest(stdout)), told.or_else(|| rest(stderr))) else {
        return Err(io::Error::other("what it has started cannot be ended, and holds its pipes open"));
    };
    if in_time {
        let status = status.ok_or_else(|| io::Error::other("the system does not tell how it ended"))?;
        return Ok(Output { status, stdout, stderr });
    }
    let words = last_words(String::from_utf8_lossy(&stderr).lines());
    let words = words.map_or_else(String::new, |words| format!("; its last words: {words}"));
    let late = format!("no answer within {:.1} s, so it was ended{words}", limit.as_secs_f64());
    Err(io::Error::new(io::ErrorKind::TimedOut, late))
}

/// All that comes through a pipe, read by a thread of its own; what is too much is passed over.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, whole) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What cannot be read is missing, and the end of the command tells why.
        let _ = pipe.by_ref().take(MOST_BYTES).read_to_end(&mut bytes);
        let _ = io::copy(&mut pipe, &mut io::sink());
        let _ = send.send(bytes);
    });
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> io::Result<Output> {
        output(Command::new("/bin/sh").args(["-c", script]), limit)
    }

    #[test]
    fn both_pipes_are_read_whatever_they_hold() {
        // More than a pipe holds, in both.
        let said = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; exit 3";
        let output = shell(said, Duration::MAX).expect("it ends");
        assert_eq!((output.status.code(), output.stdout.len(), output.stderr.len()), (Some(3), 300_000, 300_000));
        let none = shell("cat", Duration::MAX).expect("it ends");
        assert!(none.status.success() && none.stdout.is_empty(), "it has no input");
    }

    #[test]
    fn one_that_takes_too_long_is_ended_with_its_last_words() {
        let late =
            shell("echo loading >&2; setsid sleep 600 & sleep 600", Duration::from_secs(2)).expect_err("it sleeps");
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert!(late.to_string().ends_with("so it was ended; its last words: loading"), "{late}");
    }

    #[test]
    fn one_that_is_left_behind_with_the_pipes_holds_nothing_up() {
        let output = shell("setsid sleep 600 & echo said", Duration::MAX).expect("it ends");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"said\n".as_slice()));
    }

    #[test]
    fn an_absent_program_is_told() {
        let error = output(&mut Command::new("/no/such/program"), Duration::MAX).expect_err("absent");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
