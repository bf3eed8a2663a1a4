//! What the cells of a notebook need of the library; a program needs none of it.

mod cells;
mod desk;
mod failure;
mod given;
mod interrupt;
mod line;
mod names;
mod question;
mod shown;
mod value;

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Once;
use std::thread;

use benchbook_core::on_one_line;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use cells::cells;
pub use desk::{answer, give};
pub use failure::fail;
use failure::{failed, tell};
pub use given::Given;
pub(crate) use interrupt::is_ours;
pub use interrupt::{interrupted, look};
pub use line::{LineByDebug, LineByForm, NoLine, lines, tell_lines};
pub use shown::{clear_output, display, display_as, update};
pub use value::{ByDebug, ByForm, TypeOfVariable, Value, show};

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

/// Waits for the end of the Jupyter kernel, which holds the other end of our standard input.
fn end_with_kernel() {
    let input = std::io::stdin();
    let mut watched = [PollFd::new(input.as_fd(), PollFlags::empty())];
    // Nothing is asked for, so that only the other end's closing wakes us.
    while let Err(nix::errno::Errno::EINTR) = poll(&mut watched, PollTimeout::NONE) {}
    // A cell that runs for ever would outlive its Jupyter kernel. Nobody is left to be told if this fails.
    let _ = kill(Pid::this(), Signal::SIGKILL);
}
