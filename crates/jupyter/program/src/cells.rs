//! The process of the cells: started with the kernel, shared by evcxr, which has cells run, and by the kernel, which has
//! SQL answered.

mod names;

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use benchbook_front::{Bundle, Error, Failure, Page, Result};
use benchbook_process::{Mark, Supervised};

use crate::bridge;
use crate::forms::ENDED;
use crate::inlet::Inlet;
use crate::output::Output;
use crate::split::{COMPLETE, Piece};
use names::Known;

/// The variable that finds what a cell has started.
const MARK: &str = "BENCHBOOK_CELLS_MARK";
/// How evcxr has a cell run, and how the kernel asks.
const RUN: &str = "LOAD_AND_RUN ";
const ASK: &str = "ASK ";
/// How it is told which cell of the notebook begins.
const BEGIN: &str = "BEGIN ";

/// Who has asked for something that the process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Evcxr,
    Kernel,
    /// The kernel, for what cells of SQL may name.
    Names,
}

/// The process, and who is connected to it.
#[derive(Default)]
struct Place {
    /// Whether the kernel may use it: the library was looked at.
    checked: Option<std::result::Result<PathBuf, Failure>>,
    /// Ends the process with all that it has started; nothing where there is none.
    process: Option<Mark>,
    /// How many there were.
    number: u64,
    /// How the last one ended.
    ended: Option<ExitStatus>,
    /// Who asked, in the order in which it is answered.
    turns: VecDeque<Turn>,
    /// How many questions of the kernel were answered.
    answered: u64,
    known: Known,
    /// The cell of the notebook that has begun last.
    cell: u64,
    /// Where the lines for evcxr go.
    evcxr: Option<Arc<UnixStream>>,
    /// Where interrupts go, once the process has connected, and the cell that was interrupted last.
    interrupts: Option<UnixStream>,
    interrupted: u64,
    /// Whether evcxr has had variables in this process.
    used: bool,
}

impl Place {
    /// Tells the process which cell was interrupted last; one that runs no more takes no notice.
    fn tell_of_interrupt(&mut self) {
        let line = format!("{}\n", self.interrupted);
        if let Some(stream) = &mut self.interrupts {
            // Where the process has gone, there is nothing to stop.
            let _ = stream.write_all(line.as_bytes());
        }
    }
}

struct Shared {
    place: Mutex<Place>,
    changed: Condvar,
    /// Held while something is asked, so that the turns are in the order of the questions.
    input: Mutex<Option<ChildStdin>>,
    /// What evcxr's cells print and show, and what the answers to the kernel do.
    of_evcxr: Inlet,
    of_kernel: Inlet,
    socket: PathBuf,
}

/// The process of the cells; copies are the same one.
#[derive(Clone)]
pub(crate) struct Cells(Arc<Shared>);

/// What a panic has left is still whole.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(what: &'static str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = Builder::new().name(what.into()).spawn(work);
    thread.map(drop).map_err(|source| Error::Thread { what, source })
}

impl Cells {
    /// Listens at a socket of this path; starts nothing yet.
    ///
    /// # Errors
    /// The path is taken, or the system gives no thread.
    pub(crate) fn new(socket: &Path) -> Result<Self> {
        let taken = |error: io::Error| {
            Error::Lost(format!("that of the cells cannot be made at {}: {error}", socket.display()))
        };
        let listener = UnixListener::bind(socket).map_err(taken)?;
        let cells = Self(Arc::new(Shared {
            place: Mutex::default(),
            changed: Condvar::new(),
            input: Mutex::default(),
            of_evcxr: Inlet::default(),
            of_kernel: Inlet::default(),
            socket: socket.to_owned(),
        }));
        let own = cells.clone();
        let accept = move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // Where there is no thread, the other end sees that it is not heard.
                let _ = spawn("peer", move || own.greet(stream));
            }
        };
        spawn("socket of the cells", accept)?;
        Ok(cells)
    }

    /// Where evcxr's bridge finds the kernel.
    pub(crate) fn socket(&self) -> &Path {
        &self.0.socket
    }

    /// What the cells of evcxr print and show.
    pub(crate) fn inlet(&self) -> &Inlet {
        &self.0.of_evcxr
    }

    /// How the last process ended, in words; nothing where none has.
    pub(crate) fn how_it_ended(&self) -> Option<String> {
        held(&self.0.place).ended.map(|status| status.to_string())
    }

    /// The number of the last process: another one knows nothing of what this one held.
    pub(crate) fn number(&self) -> u64 {
        held(&self.0.place).number
    }

    /// Whether evcxr's variables are in the process that is there.
    pub(crate) fn has_variables(&self) -> bool {
        let place = held(&self.0.place);
        place.used && place.process.is_some()
    }

    /// A cell of the notebook begins.
    pub(crate) fn begin(&self, cell: u64) {
        held(&self.0.place).cell = cell;
        // Where there is no process, the next one hears of it as it is started.
        let _ = self.say(None, &format!("{BEGIN}{cell}"));
    }

    /// Starts the process of this program, before it is known whether the kernel may use it.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(&self, program: &Path) -> io::Result<()> {
        let mut input = held(&self.0.input);
        *input = Some(self.started(program)?);
        Ok(())
    }

    /// Starts the process; gives its standard input.
    fn started(&self, program: &Path) -> io::Result<ChildStdin> {
        let mut command = Command::new(program);
        // The library asks whether it is in a notebook.
        command.env(bridge::SOCKET, &self.0.socket).env(bridge::RUNTIME, "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mark = Mark::new(MARK);
        let mut child = Supervised::start(command, mark.clone())?;
        let absent = || io::Error::other("a process without pipes");
        let output = PipeReader::from(OwnedFd::from(child.take_stdout().ok_or_else(absent)?));
        let errors = PipeReader::from(OwnedFd::from(child.take_stderr().ok_or_else(absent)?));
        let mut input = child.take_stdin().ok_or_else(absent)?;
        let (gone, keep) = io::pipe()?;

        let (number, cell) = {
            let mut place = held(&self.0.place);
            place.number += 1;
            (place.process, place.used, place.turns) = (Some(mark.clone()), false, VecDeque::new());
            (place.number, place.cell)
        };
        // One that has ended by now is seen below.
        let _ = input.write_all(format!("{BEGIN}{cell}\n").as_bytes());
        let own = self.clone();
        Builder::new().name("wait".into()).spawn(move || {
            let status = child.wait().ok();
            // Nothing that a cell has started outlives the process of the cells.
            mark.end_all();
            held(&own.0.place).ended = status;
            drop(keep);
        })?;
        let (own, ends) = (self.clone(), self.clone());
        Builder::new().name("output".into()).spawn(move || {
            // A pipe that cannot be read has ended, as far as anybody can tell.
            let _ = Output::new(output, errors, gone, move |piece| own.take(piece)).serve();
            ends.gone(number);
        })?;
        Ok(input)
    }

    /// From now on the kernel may use it, and starts it by this program again; or says why not.
    pub(crate) fn check(&self, checked: std::result::Result<PathBuf, Failure>) {
        if checked.is_err() {
            self.end();
        }
        held(&self.0.place).checked = Some(checked);
        self.0.changed.notify_all();
    }

    /// Takes what the process says.
    fn take(&self, piece: Piece) {
        let line = match piece {
            Piece::Say(said) => {
                let turn = held(&self.0.place).turns.front().copied();
                let inlet = if turn == Some(Turn::Kernel) { &self.0.of_kernel } else { &self.0.of_evcxr };
                return inlet.take(said);
            }
            Piece::Line(line) => line,
        };
        let evcxr = {
            let mut place = held(&self.0.place);
            let turn = if line == COMPLETE { place.turns.pop_front() } else { place.turns.front().copied() };
            if turn == Some(Turn::Names) {
                place.known.hear(&line);
            } else if line == COMPLETE {
                place.known.may_have_changed();
            }
            place.answered += u64::from(turn == Some(Turn::Kernel) && line == COMPLETE);
            if matches!(turn, Some(Turn::Kernel | Turn::Names)) { None } else { place.evcxr.clone() }
        };
        match evcxr {
            // Where evcxr has gone, its end is seen elsewhere.
            Some(stream) => _ = writeln!(&*stream, "{line}"),
            None => self.0.changed.notify_all(),
        }
    }

    /// The process has ended, and everything that it said was taken.
    fn gone(&self, number: u64) {
        let mut place = held(&self.0.place);
        if place.number == number {
            (place.process, place.interrupts, place.turns) = (None, None, VecDeque::new());
            // By this evcxr learns of it.
            if let Some(stream) = place.evcxr.take() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        drop(place);
        self.0.changed.notify_all();
    }

    /// Somebody has connected, and says who it is.
    fn greet(&self, stream: UnixStream) {
        let Ok(reads) = stream.try_clone() else { return };
        let mut reads = BufReader::new(reads);
        let mut hello = String::new();
        if reads.read_line(&mut hello).is_err() {
            return;
        }
        match hello.trim_end() {
            "cells" => {
                let mut place = held(&self.0.place);
                place.interrupts = Some(stream);
                // It is asked as soon as it is started, and may be interrupted before it has come here.
                place.tell_of_interrupt();
            }
            bridge::HELLO => self.serve_evcxr(&Arc::new(stream), reads),
            // Nobody whom the kernel knows.
            _ => {}
        }
    }

    /// Hands on what evcxr asks, until it has gone, or starts its next one.
    fn serve_evcxr(&self, stream: &Arc<UnixStream>, reads: BufReader<UnixStream>) {
        if self.meet_evcxr(stream).is_err() {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        for line in reads.lines() {
            let Ok(line) = line else { break };
            // While a cell runs, evcxr hands on what a person has typed, whatever that looks like.
            let runs = held(&self.0.place).turns.contains(&Turn::Evcxr);
            let turn = (line.starts_with(RUN) && !runs).then_some(Turn::Evcxr);
            // Where the process has gone, evcxr learns of it.
            let _ = self.say(turn, &line);
        }
        let place = held(&self.0.place);
        let is_current = place.evcxr.as_ref().is_some_and(|current| Arc::ptr_eq(current, stream));
        // Its variables went with it, and the next one begins without any.
        let process = if is_current { place.process.clone() } else { None };
        drop(place);
        if let Some(mark) = process {
            mark.end_all();
        }
    }

    /// Gives evcxr a process without variables.
    fn meet_evcxr(&self, stream: &Arc<UnixStream>) -> std::result::Result<(), Failure> {
        let fresh = |place: &mut Place| place.process.is_some() && place.used;
        let place = held(&self.0.place);
        let place = self.0.changed.wait_while(place, fresh).unwrap_or_else(PoisonError::into_inner);
        drop(place);
        self.there()?;
        let mut place = held(&self.0.place);
        (place.used, place.evcxr) = (true, Some(Arc::clone(stream)));
        Ok(())
    }

    /// Waits until the kernel may use the process, and starts one where there is none; gives its number.
    fn there(&self) -> std::result::Result<u64, Failure> {
        let place = held(&self.0.place);
        let unknown = |place: &mut Place| place.checked.is_none();
        let place = self.0.changed.wait_while(place, unknown).unwrap_or_else(PoisonError::into_inner);
        let program = match &place.checked {
            Some(Ok(program)) => program.clone(),
            Some(Err(failure)) => return Err(failure.clone()),
            None => return Err(Failure::new("benchbook", "the library was not looked at; restart the kernel")),
        };
        drop(place);
        // Held so that only one is started, and that nobody asks it before.
        let mut input = held(&self.0.input);
        if held(&self.0.place).process.is_none() {
            let started = self.started(&program).map_err(|error| {
                let message = format!("the process of the cells cannot be started ({}: {error})", program.display());
                Failure::new("benchbook", message)
            })?;
            *input = Some(started);
        }
        Ok(held(&self.0.place).number)
    }

    /// Writes a line to the process; whoever has a turn by it is answered in this order.
    fn say(&self, turn: Option<Turn>, line: &str) -> io::Result<()> {
        let mut input = held(&self.0.input);
        let Some(pipe) = input.as_mut() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        held(&self.0.place).turns.extend(turn);
        pipe.write_all(format!("{line}\n").as_bytes())
    }

    /// Has the library answer a question, on one line; what it prints and shows goes to this page.
    ///
    /// # Errors
    /// What the library says, or the process has ended.
    pub(crate) fn ask(&self, question: &str, page: &Page) -> std::result::Result<Option<Bundle>, Failure> {
        let number = self.there()?;
        self.0.of_kernel.turn_to(Some(page));
        let before = held(&self.0.place).answered;
        let ended = || {
            let how = self.how_it_ended().unwrap_or_else(|| "nobody knows how".into());
            Failure::new(ENDED, format!("the process of the cells has ended ({how}), and its variables with it"))
        };
        self.say(Some(Turn::Kernel), &format!("{ASK}{question}")).map_err(|_| ended())?;
        let place = held(&self.0.place);
        let runs = |place: &mut Place| place.answered == before && place.number == number && place.process.is_some();
        let place = self.0.changed.wait_while(place, runs).unwrap_or_else(PoisonError::into_inner);
        let answered = place.answered > before;
        drop(place);
        if answered { self.0.of_kernel.kept() } else { Err(ended()) }
    }

    /// Asks a cell of the notebook to stop; a process that has not connected yet hears of it when it does.
    pub(crate) fn interrupt(&self, cell: u64) {
        let mut place = held(&self.0.place);
        place.interrupted = cell;
        place.tell_of_interrupt();
    }

    /// Ends the process.
    pub(crate) fn end(&self) {
        if let Some(mark) = held(&self.0.place).process.clone() {
            // To look for what it has started takes a while. Where there is no thread, the next call tries again.
            let _ = spawn("end", move || drop(mark.end_all()));
        }
    }

    /// Ends the process with all that it has started, and no other one is started.
    pub(crate) fn finish(&self) {
        let process = {
            let mut place = held(&self.0.place);
            place.checked = Some(Err(Failure::new(ENDED, "the kernel has ended")));
            place.process.clone()
        };
        self.0.changed.notify_all();
        if let Some(mark) = process {
            mark.end_all();
        }
    }
}

#[cfg(test)]
mod tests;
