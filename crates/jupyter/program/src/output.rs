//! What the process of the cells prints, as it comes: text and things for the page, lines for whoever has asked.

use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;

use benchbook_front::text::Decoder;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::said::Said;
use crate::split::{COMPLETE, Piece, Splitter};

/// How much is read at once, in bytes: what a pipe holds.
const PIECE_BYTES: usize = 64 << 10;

/// Hands on what comes, until the process has gone and nothing is left.
pub(crate) struct Output<T> {
    output: Option<PipeReader>,
    errors: Option<PipeReader>,
    /// Closed when the process has ended; others that it started may go on holding its output.
    gone: PipeReader,
    take: T,
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

impl<T: FnMut(Piece)> Output<T> {
    /// Reads these pipes; `take` gets every piece.
    pub(crate) fn new(output: PipeReader, errors: PipeReader, gone: PipeReader, take: T) -> Self {
        let (output, errors) = (Some(output), Some(errors));
        Self { output, errors, gone, take, splitter: Splitter::default(), decoder: Decoder::default() }
    }

    /// # Errors
    /// A pipe cannot be read.
    pub(crate) fn serve(mut self) -> io::Result<()> {
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
        self.complained(rest);
        Ok(())
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
        if let Some(piece) = taken(&mut self.errors)? {
            let text = self.decoder.push(&piece);
            self.complained(text);
        }
        Ok(())
    }

    fn hand_on(&mut self, piece: Piece) -> io::Result<()> {
        if matches!(&piece, Piece::Line(line) if line == COMPLETE) {
            // What the code has complained of lies in its pipe by now: a thread of it may go on without end.
            if self.ready(PollTimeout::ZERO)?.errors {
                self.take_errors()?;
            }
        }
        (self.take)(piece);
        Ok(())
    }

    fn complained(&mut self, text: String) {
        if !text.is_empty() {
            (self.take)(Piece::Say(Said::Complained(text)));
        }
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
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::sync::mpsc::{channel, sync_channel};

    use super::*;

    #[test]
    fn the_end_is_heard_of_when_everything_was_taken() {
        let ((output, mut to_output), (errors, mut to_errors), (gone, keep)) =
            (io::pipe().unwrap(), io::pipe().unwrap(), io::pipe().unwrap());
        let (send, pieces) = channel();
        let read = Output::new(output, errors, gone, move |piece| send.send(piece).unwrap());
        let thread = std::thread::spawn(move || read.serve());
        to_errors.write_all(b"late\n").unwrap();
        to_output.write_all(format!("early\n{COMPLETE}\n").as_bytes()).unwrap();
        let seen: Vec<Piece> = pieces.iter().take(3).collect();
        assert!(seen[..2].contains(&Piece::Say(Said::Printed("early\n".into()))), "{seen:?}");
        assert!(seen[..2].contains(&Piece::Say(Said::Complained("late\n".into()))), "{seen:?}");
        assert_eq!(seen[2], Piece::Line(COMPLETE.into()));
        // The process goes, while another one still holds its output.
        to_output.write_all(b"last words").unwrap();
        drop(keep);
        thread.join().unwrap().unwrap();
        assert_eq!(pieces.iter().collect::<Vec<_>>(), [Piece::Say(Said::Printed("last words".into()))]);
    }

    #[test]
    fn complaints_without_end_do_not_hold_up_the_end_of_a_cell() {
        let ((output, mut to_output), (gone, _keep)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let errors = PipeReader::from(OwnedFd::from(File::open("/dev/zero").unwrap()));
        to_output.write_all(format!("{COMPLETE}\n").as_bytes()).unwrap();
        // Bounded, and so it ends once nobody takes anything from it.
        let (send, pieces) = sync_channel(1);
        let read = Output::new(output, errors, gone, move |piece| send.send(piece).unwrap());
        std::thread::spawn(move || read.serve());
        assert!(pieces.iter().take(100).any(|piece| piece == Piece::Line(COMPLETE.into())));
    }
}
