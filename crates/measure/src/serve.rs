//! The worker's side of the pipe.

use std::io::{BufReader, BufWriter};
use std::os::fd::AsFd;

use benchbook_core::message::{PROTOCOL, Reply, Request};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{dup2_stdout, getppid};

use crate::handler::{Handler, Host};
use crate::process::Hello;
use crate::wire::{Receiver, Sender};
use crate::{Error, Result};

/// Serves requests from stdin until it closes, as the child of process `parent`.
///
/// What a kernel prints goes to stderr: stdout belongs to the protocol.
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

    let mut sender = Sender::new(BufWriter::new(std::fs::File::from(pipe)))?;
    let Hello { version, profile, debug_assertions } = Hello::of_this_process();
    sender.send(&Reply::Hello { protocol: PROTOCOL, version, pid: std::process::id(), profile, debug_assertions })?;
    let mut receiver = Receiver::new(BufReader::new(std::io::stdin()))?;
    let mut handler = Handler::new(host);
    while let Some(request) = receiver.receive::<Request>()? {
        sender.send(&handler.handle(request))?;
    }
    Ok(())
}

/// Asks the system to end this process when `parent` ends, however that happens.
fn die_with(parent: Option<u32>) -> Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    let wrong = |source: std::io::Error| Error::Io { what: "tying the worker's life to its controller's", source };
    set_pdeathsig(Signal::SIGKILL).map_err(|error| wrong(error.into()))?;
    // The parent may have ended before the request was in force.
    if getppid().as_raw().cast_unsigned() == parent {
        Ok(())
    } else {
        Err(wrong(std::io::Error::other("the controller is gone already")))
    }
}
