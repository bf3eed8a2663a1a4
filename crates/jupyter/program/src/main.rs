//! The program `benchbook-jupyter CONNECTION_FILE`: the Jupyter kernel, with evcxr behind its front end; with
//! `--content-id FILE…` it says by which name a build of these files goes.

mod analysis;
mod analyst;
mod answers;
mod bridge;
mod cells;
mod evaluator;
mod execution;
mod forms;
mod inlet;
mod level;
mod output;
mod parent;
mod rewritten;
mod said;
mod session;
mod snapshot;
mod split;
mod values;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use benchbook_front::{About, Connection, Parts, Result, serve};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use crate::analyst::Analyst;
use crate::evaluator::Evcxr;
use crate::session::Session;

/// Set by a headless run, which must leave no Jupyter kernel behind however it ends.
const HEADLESS: &str = "BENCHBOOK_NOTEBOOK_JOB";
/// What `cargo xtask` asks when it makes a snapshot.
const CONTENT_ID: &str = "--content-id";

fn main() -> ExitCode {
    // evcxr starts this program again: as what it takes for the process of the cells, and in the place of the compiler; and
    // the kernel does, as what knows the library's sources.
    if let Some(ended) = bridge::serve() {
        return ended;
    }
    evcxr::runtime_hook();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let done = match words.as_slice() {
        [flag, project] if flag == analysis::FLAG => {
            analysis::serve(Path::new(project)).map_err(|error| error.to_string())
        }
        [flag, files @ ..] if flag == CONTENT_ID => name_build(files).map_err(|error| error.to_string()),
        _ => run(words.first().map(OsString::as_os_str).unwrap_or_default()).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn name_build(files: &[OsString]) -> io::Result<()> {
    writeln!(io::stdout(), "{}", snapshot::content_id(files)?)
}

fn run(file: &OsStr) -> Result<()> {
    if std::env::var_os(HEADLESS).is_some() {
        // Where this is not possible, the runner still ends its own process group.
        let _ = set_pdeathsig(Signal::SIGKILL);
    }
    let connection = Connection::read(Path::new(file))?;
    let session = Session::start()?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let about = About {
        banner: format!("benchbook {version}: Rust cells by evcxr, `%%sql` for the store, `!command`, `?name`"),
        version,
        rust: env!("CARGO_PKG_RUST_VERSION").to_owned(),
    };
    let parts = Parts {
        evaluator: Box::new(Evcxr::new(session.clone())),
        assistant: Box::new(Analyst::new(session.clone())),
        interrupter: Arc::new(session.clone()),
    };
    parent::end_with_it(&session);
    let ended = serve(&connection, about, parts, &mut |line| eprintln!("{line}"));
    session.finish();
    ended
}
