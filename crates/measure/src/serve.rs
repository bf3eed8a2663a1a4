//! The worker's side of the pipe, and the `main` of a worker program.
#![expect(unsafe_code, reason = "a handler of a signal can be set in no other way")]

use std::ffi::c_int;
use std::io::{BufReader, BufWriter, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use benchbook_core::message::{Ask, PROTOCOL, Say};
use benchbook_core::{Array, for_people};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::unistd::{Pid, dup2_stdout, getpgrp, getpid, getppid};

use crate::frame::{Arrays, Reader, parts, write};
use crate::host::{Host, Worker};
use crate::process::Hello;
use crate::{Error, Result};

/// Does what is asked through stdin until that closes, as the child of process `parent`.
///
/// What a kernel prints goes to stderr: stdout belongs to the frames.
///
/// # Errors
/// A closed pipe, or a controller of another version.
pub fn serve(host: Host, parent: Option<u32>) -> Result<()> {
    die_with(parent)?;
    let stdout = std::io::stdout();
    let io = |what| move |source| Error::Io { what, source };
    let pipe = stdout.as_fd().try_clone_to_owned().map_err(io("keeping the pipe to the controller"))?;
    dup2_stdout(std::io::stderr())
        .map_err(|error| Error::Io { what: "sending stdout to stderr", source: error.into() })?;

    let mut pipe = BufWriter::new(std::fs::File::from(pipe));
    let Hello { version, profile, debug_assertions } = Hello::of_this_process();
    let pid = std::process::id();
    write(&mut pipe, &Say::Hello { protocol: PROTOCOL, version, pid, profile, debug_assertions }, &[], None)?;
    let mut reader = Reader::new(BufReader::new(std::io::stdin()));
    let mut worker = Worker::new(host);
    while let Some(frame) = reader.receive()? {
        let (say, arrays) = match frame.message::<Ask>() {
            Ok((ask, arrays)) => worker.answer(ask, arrays),
            Err(error) => (Say::Failed { message: error.to_string() }, Arrays::new()),
        };
        send(&mut pipe, &say, &arrays)?;
    }
    Ok(())
}

/// Sends an answer, or, where it is larger than a frame may be, why it cannot be sent.
fn send(pipe: &mut impl Write, say: &Say, arrays: &[(String, Array)]) -> Result<()> {
    match write(pipe, say, &parts(arrays), None) {
        Err(Error::Message(reason)) => {
            let failed = Say::Failed { message: format!("what is answered cannot be sent: {reason}") };
            write(pipe, &failed, &[], None)
        }
        other => other,
    }
}

/// Asks the system to end this process when `parent` ends, however that happens, with all that it has started.
fn die_with(parent: Option<u32>) -> Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    let wrong = |source: std::io::Error| Error::Io { what: "tying the worker's life to its controller's", source };
    let mut signal = Signal::SIGKILL;
    // That of someone who starts a worker by hand may hold other processes.
    if getpgrp() == getpid() {
        let action = SigAction::new(SigHandler::Handler(end_group), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler makes one system call, `kill`, which a handler may make, and touches no memory of ours.
        unsafe { sigaction(Signal::SIGTERM, &action) }.map_err(|error| wrong(error.into()))?;
        signal = Signal::SIGTERM;
    }
    set_pdeathsig(signal).map_err(|error| wrong(error.into()))?;
    // The parent may have ended before the request was in force.
    if getppid().as_raw().cast_unsigned() == parent {
        Ok(())
    } else {
        Err(wrong(std::io::Error::other("the controller is gone already")))
    }
}

/// Ends the group of this process, itself included.
extern "C" fn end_group(_signal: c_int) {
    // Nobody is left who could be told of a refusal.
    let _ = kill(Pid::from_raw(0), Signal::SIGKILL);
}

/// What a controller asks of a worker at its start.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    threads: usize,
    parent: Option<u32>,
}

const USAGE: &str = "benchbook starts this program itself; by hand: benchbook-worker serve --threads N";

/// Sizes the thread pools, then serves `host` until the controller is gone.
///
/// `set_threads` runs before anything else, since a pool that has started keeps its size.
pub fn worker_main(set_threads: impl FnOnce(usize) -> Result<(), String>, host: impl FnOnce() -> Host) -> ExitCode {
    // Text that is not UTF-8 is no word of the controller's either.
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let served = parse(words).and_then(|arguments| {
        set_threads(arguments.threads)?;
        serve(host(), arguments.parent).map_err(|error| error.to_string())
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        #[expect(clippy::print_stderr, reason = "the last words of a program; its controller reads them")]
        Err(message) => {
            eprintln!("benchbook-worker: {}", for_people(&message));
            ExitCode::from(4)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    if words.next().as_deref() != Some("serve") {
        return Err(USAGE.into());
    }
    let mut arguments = Arguments { threads: 1, parent: None };
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        let number = |_| format!("{word} `{value}` is not a number");
        match word.as_str() {
            "--threads" => arguments.threads = value.parse().map_err(number)?,
            "--parent" => arguments.parent = Some(value.parse().map_err(number)?),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_beyond_a_frame_is_a_failure_and_not_the_end() {
        let mut pipe = Vec::new();
        send(&mut pipe, &Say::Failed { message: "x".repeat(17 << 20) }, &[]).unwrap();
        send(&mut pipe, &Say::Dropped, &[]).unwrap();
        let mut reader = Reader::new(pipe.as_slice());
        let mut next = || reader.receive().unwrap().unwrap().message::<Say>().unwrap().0;
        let failed = next();
        assert!(matches!(&failed, Say::Failed { message } if message.contains("its header claims")), "{failed:?}");
        assert_eq!(next(), Say::Dropped);
    }

    #[test]
    fn only_the_controllers_words_are_understood() {
        let parse = |text: &str| parse(text.split_whitespace().map(str::to_owned));
        assert_eq!(parse("serve --threads 2 --parent 7"), Ok(Arguments { threads: 2, parent: Some(7) }));
        for wrong in ["", "--help", "serve --threads", "serve --threads two", "serve --speed 9"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
