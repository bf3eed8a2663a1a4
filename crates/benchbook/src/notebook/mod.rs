//! What the cells of a notebook need of the library; a program needs none of it.

mod cells;
mod desk;
mod given;
mod interrupt;
mod line;
mod names;
mod question;
mod shown;
mod value;

use std::any::Any;
use std::fmt::Display;
use std::io::Write;
use std::os::fd::AsFd;
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::thread;

use benchbook_core::{for_people, on_one_line};
use benchbook_report::escaped;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::display::Bundle;

pub use cells::cells;
pub use desk::{answer, give};
pub use given::Given;
pub(crate) use interrupt::is_ours;
pub use interrupt::{interrupted, look};
pub use line::{LineByDebug, LineByForm, NoLine, lines, tell_lines};
pub use shown::{clear_output, display, display_as, update};
pub use value::{ByDebug, ByForm, TypeOfVariable, Value, show};

/// The MIME type that tells a headless runner that a cell has failed, which evcxr does not.
const FAILED: &str = "application/vnd.benchbook.error+json";

/// What a Jupyter kernel of ours takes for the margin of a line: the text before it, which may have no end, goes on.
pub(crate) const MARGIN: &[u8] = b"\0\n";

/// Whether this process runs the cells of a notebook.
pub fn live() -> bool {
    std::env::var_os("EVCXR_IS_RUNTIME").is_some()
}

/// Makes a failure one readable message, and ends this process, and the workers with it, when its Jupyter kernel has
/// ended. Once is enough.
///
/// # Errors
/// The system gives no thread.
pub fn begin() -> std::io::Result<()> {
    static BEGUN: Once = Once::new();
    let mut watched = Ok(());
    BEGUN.call_once(|| {
        std::panic::set_hook(Box::new(tell));
        watched = thread::Builder::new().name("end with kernel".into()).spawn(end_with_kernel).map(drop);
    });
    watched
}

/// Shows a panic, unless somebody catches it and tells of it.
fn tell(panic: &PanicHookInfo<'_>) {
    if panic.payload().is::<interrupt::Interrupted>() {
        failed("interrupted", &"interrupted; the variables of earlier cells are as they were");
    } else if !benchbook_measure::kernel_panics_are_caught() && !benchbook_record::panics_are_caught() {
        failed("panic", &said(panic));
    }
}

/// Asks the person before the notebook, on one line; gives the line that is typed, which is empty where nobody answers.
///
/// # Errors
/// The Jupyter kernel has gone.
pub fn input(question: &str) -> std::io::Result<String> {
    {
        // Held for the question only: other threads may print until it is answered.
        let mut out = std::io::stdout().lock();
        if is_ours() {
            out.write_all(MARGIN)?;
        }
        writeln!(out, "EVCXR_INPUT_REQUEST:{}", on_one_line(question))?;
        out.flush()?;
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Shows why a cell failed.
pub fn failed(kind: &str, error: &dyn Display) {
    let message = for_people(&error.to_string());
    let note = serde_json::json!({ "kind": kind, "message": message }).to_string();
    Bundle {
        html: format!("<div class=\"benchbook-error\"><pre>{}</pre></div>\n", escaped(&message)),
        text: message,
        plotly: None,
        note: Some((FAILED, note)),
    }
    .emit();
}

/// What a panic said, and where in the library; a place in a cell's generated source would mislead.
fn said(panic: &PanicHookInfo<'_>) -> String {
    let payload: &dyn Any = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("no message");
    match panic.location() {
        Some(place) if place.file() != "src/lib.rs" => format!("panicked at {place}: {text}"),
        _ => format!("panicked: {text}"),
    }
}

/// Waits for the end of the Jupyter kernel, which holds the other end of our standard input.
fn end_with_kernel() {
    let input = std::io::stdin();
    let mut watched = [PollFd::new(input.as_fd(), PollFlags::empty())];
    // Nothing is asked for, so that only the other end's closing wakes us.
    while let Err(nix::errno::Errno::EINTR) = poll(&mut watched, PollTimeout::NONE) {}
    // A cell that runs for ever would outlive its Jupyter kernel. Nobody is left to be told if this fails.
    let _ = kill(Pid::this(), Signal::SIGKILL);
}

/// `eprintln!` for cells: where evcxr would print the error of a `?`, shows it as a failure; all else is the usual macro.
///
/// evcxr's generated code holds exactly `eprintln!("{}", error)` for that.
#[macro_export]
macro_rules! notebook_eprintln {
    (@ ["{}", error] $format:literal, $error:ident) => {
        $crate::notebook::failed("error", &$error)
    };
    (@ [$($as_written:tt)*] $($again:tt)*) => {
        ::std::eprintln!($($again)*)
    };
    ($($written:tt)*) => {
        $crate::notebook_eprintln!(@ [$($written)*] $($written)*)
    };
}

pub use crate::notebook_eprintln as eprintln;
