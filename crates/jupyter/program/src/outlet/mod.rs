//! The process around the cells: evcxr's at its outer side, that of the code at its inner side.
//!
//! evcxr takes whole lines, and shows pictures when the cell has ended. This process hands both on at once, and to evcxr
//! only what it waits for. It stays when the code crashes, so that the last words are heard.

pub(crate) mod said;
mod split;

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use benchbook_front::text::Decoder;
use benchbook_process::Supervised;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};

use said::Said;
use split::{COMPLETE, Piece, Splitter};

/// Names the socket of the kernel, at which this process tells what happens.
pub(crate) const SOCKET: &str = "BENCHBOOK_CELLS_SOCKET";
/// Set by evcxr in the process that it takes for that of the code.
const RUNTIME: &str = "EVCXR_IS_RUNTIME";
/// Set in the process of the code itself.
const INNER: &str = "BENCHBOOK_CELLS_INNER";

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// What this process is, where evcxr has started it; nothing where a person or Jupyter has.
pub(crate) fn serve() -> Option<ExitCode> {
    std::env::var_os(RUNTIME)?;
    if std::env::var_os(INNER).is_some() {
        // The code ends with the process around it. Where this is not possible, it ends with its standard input.
        let _ = set_pdeathsig(Signal::SIGKILL);
        return None;
    }
    Some(match run() {
        Ok(status) => as_it_ended(status),
        Err(error) => {
            eprintln!("the process around the cells has failed: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Ends as the process of the code did.
fn as_it_ended(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal().and_then(|signal| Signal::try_from(signal).ok()) {
        // Where the signal does not end this process, the exit code does.
        let _ = raise(signal);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn run() -> io::Result<ExitStatus> {
    let socket = std::env::var_os(SOCKET).ok_or_else(|| io::Error::other(format!("{SOCKET} is not set")))?;
    let side = UnixStream::connect(socket)?;
    let ((output, to_output), (errors, to_errors), (gone, keep)) = (io::pipe()?, io::pipe()?, io::pipe()?);
    let mut inner = Command::new(std::env::current_exe()?);
    inner.args(std::env::args_os().skip(1)).env(INNER, "1").stdin(Stdio::inherit());
    let mut child = Supervised::start_in_our_group(inner.stdout(to_output).stderr(to_errors))?;
    // It holds our ends of the pipes of the code.
    drop(inner);
    let waits = std::thread::Builder::new().name("wait".into()).spawn(move || {
        let status = child.wait();
        drop(keep);
        status
    })?;
    let (output, errors) = (Some(output), Some(errors));
    let (splitter, decoder, evcxr) = (Splitter::default(), Decoder::default(), io::stdout());
    Outlet { output, errors, gone, side, evcxr, splitter, decoder }.serve()?;
    waits.join().map_err(|_| io::Error::other("the thread that waits for the code panicked"))?
}

/// Hands on what comes, until the process of the code has gone and nothing is left.
struct Outlet<W> {
    output: Option<PipeReader>,
    errors: Option<PipeReader>,
    /// Closed when the process of the code has ended; others that it started may go on holding its output.
    gone: PipeReader,
    side: UnixStream,
    evcxr: W,
    splitter: Splitter,
    decoder: Decoder,
}

/// What can be taken without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ready {
    output: bool,
    errors: bool,
    gone: bool,
}

impl<W: Write> Outlet<W> {
    fn serve(mut self) -> io::Result<()> {
        loop {
            let ready = self.ready(PollTimeout::NONE)?;
            if ready.errors {
                self.take_errors()?;
            }
            if ready.output {
                self.take_output()?;
            }
            if ready == (Ready { output: false, errors: false, gone: true }) {
                break;
            }
        }
        for piece in std::mem::take(&mut self.splitter).end() {
            self.hand_on(piece)?;
        }
        let rest = std::mem::take(&mut self.decoder).end();
        self.complained(rest)?;
        self.settle()
    }

    /// Waits until something can be taken, for so long at most.
    fn ready(&self, timeout: PollTimeout) -> io::Result<Ready> {
        let pipes = [self.output.as_ref(), self.errors.as_ref(), Some(&self.gone)];
        let mut watched: Vec<PollFd<'_>> =
            pipes.iter().flatten().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)).collect();
        while let Err(error) = poll(&mut watched, timeout) {
            if error != Errno::EINTR {
                return Err(error.into());
            }
        }
        let mut found = watched.iter().map(|one| one.any().unwrap_or(false));
        // In the order in which they were put there.
        let output = self.output.is_some() && found.next().unwrap_or(false);
        let errors = self.errors.is_some() && found.next().unwrap_or(false);
        Ok(Ready { output, errors, gone: found.next().unwrap_or(false) })
    }

    fn take_output(&mut self) -> io::Result<()> {
        if let Some(piece) = taken(&mut self.output)? {
            for piece in self.splitter.push(&piece) {
                self.hand_on(piece)?;
            }
        }
        Ok(())
    }

    fn take_errors(&mut self) -> io::Result<()> {
        match taken(&mut self.errors)? {
            Some(piece) => {
                let text = self.decoder.push(&piece);
                self.complained(text)
            }
            None => Ok(()),
        }
    }

    fn hand_on(&mut self, piece: Piece) -> io::Result<()> {
        match piece {
            Piece::Say(said) => self.say(&said),
            Piece::Line(line) => {
                if line == COMPLETE {
                    // What the code has complained of lies in its pipe by now.
                    while self.ready(PollTimeout::ZERO)?.errors {
                        self.take_errors()?;
                    }
                    self.settle()?;
                }
                writeln!(self.evcxr, "{line}")?;
                self.evcxr.flush()
            }
        }
    }

    fn complained(&mut self, text: String) -> io::Result<()> {
        if text.is_empty() { Ok(()) } else { self.say(&Said::Complained(text)) }
    }

    /// Waits until the kernel has seen everything.
    fn settle(&mut self) -> io::Result<()> {
        self.say(&Said::Done)?;
        self.side.read_exact(&mut [0])
    }

    fn say(&mut self, said: &Said) -> io::Result<()> {
        let mut line = serde_json::to_vec(said)?;
        line.push(b'\n');
        self.side.write_all(&line)
    }
}

/// What a pipe brings; nothing, and no pipe any more, where it has ended.
fn taken(pipe: &mut Option<PipeReader>) -> io::Result<Option<Vec<u8>>> {
    let Some(open) = pipe else { return Ok(None) };
    let mut piece = vec![0; PIECE_BYTES];
    let length = loop {
        match open.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    piece.truncate(length);
    if length == 0 {
        *pipe = None;
        return Ok(None);
    }
    Ok(Some(piece))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    #[test]
    fn evcxr_hears_of_the_end_when_the_kernel_has_seen_everything() {
        let ((output, mut to_output), (errors, mut to_errors), (gone, keep)) =
            (io::pipe().unwrap(), io::pipe().unwrap(), io::pipe().unwrap());
        let (side, kernel) = UnixStream::pair().unwrap();
        let (evcxr, mut to_evcxr) = io::pipe().unwrap();
        let outlet = Outlet {
            output: Some(output),
            errors: Some(errors),
            gone,
            side,
            evcxr: to_evcxr.try_clone().unwrap(),
            splitter: Splitter::default(),
            decoder: Decoder::default(),
        };
        let thread = std::thread::spawn(move || outlet.serve());
        let mut acknowledge = kernel.try_clone().unwrap();
        let mut lines =
            BufReader::new(kernel).lines().map(|line| serde_json::from_str::<Said>(&line.unwrap()).unwrap());
        let mut until_done = || lines.by_ref().take_while(|said| *said != Said::Done).collect::<Vec<_>>();

        to_errors.write_all(b"late\n").unwrap();
        to_output.write_all(format!("early\n{COMPLETE}\n").as_bytes()).unwrap();
        let seen = until_done();
        assert!(seen.contains(&Said::Printed("early\n".into())) && seen.contains(&Said::Complained("late\n".into())));
        // What evcxr has so far ends here: nothing of the end may have come before.
        to_evcxr.write_all(b"mark\n").unwrap();
        acknowledge.write_all(b"\n").unwrap();
        let mut heard = BufReader::new(evcxr).lines();
        assert_eq!(heard.next().unwrap().unwrap(), "mark");
        assert_eq!(heard.next().unwrap().unwrap(), COMPLETE);

        // The code goes, while another process still holds its output.
        to_output.write_all(b"last words").unwrap();
        drop(keep);
        assert_eq!(until_done(), [Said::Printed("last words".into())]);
        acknowledge.write_all(b"\n").unwrap();
        thread.join().unwrap().unwrap();
    }
}
