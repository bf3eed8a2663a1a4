//! The process of the cells: it runs what evcxr has compiled, and answers what needs no compiler.
#![expect(unsafe_code, reason = "a cell is a function of a library that was compiled a moment ago")]

use std::ffi::c_void;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::process::ExitCode;
use std::ptr::null_mut;

use libloading::Library;

use super::{begin, failed, interrupt, names, question};

/// How evcxr asks for a cell: its library, and the name of its function.
const RUN: &str = "LOAD_AND_RUN ";
/// How the Jupyter kernel asks itself, and how it says which cell of the notebook begins.
const ASK: &str = "ASK ";
const BEGIN: &str = "BEGIN ";
/// How it asks what cells of SQL may name.
const NAMES: &str = "NAMES";
/// What either waits for.
const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";
/// By which evcxr knows that a cell has left no new variables.
const PANIC: &str = "EVCXR_PANIC_NOTIFICATION";

/// What a cell is: it takes the variables of the cells before it, and gives them back with its own.
type Cell = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// The `main` of the program that runs the cells of a notebook, for a Jupyter kernel of ours.
pub fn cells() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The kernel hands on what this process says last.
            let _ = writeln!(io::stderr(), "the process of the cells cannot go on: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    begin()?;
    interrupt::listen()?;
    let mut variables = null_mut();
    loop {
        let mut line = String::new();
        // The lock is held for this line only: a cell may read from standard input too.
        if io::stdin().read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end_matches('\n');
        let mut last_words = "";
        if let Some(asked) = line.strip_prefix(RUN) {
            match run(asked, variables) {
                Ok(given) => variables = given,
                // The cell has not begun, so the variables are as they were.
                Err(error) => {
                    failed("load", &format!("the compiled cell cannot be loaded: {error}"));
                    last_words = PANIC;
                }
            }
        } else if let Some(asked) = line.strip_prefix(ASK) {
            question::answer(asked);
        } else if line == NAMES {
            names::tell()?;
        } else {
            // A cell's number, or a line that a person has typed and no cell has read.
            if let Some(Ok(cell)) = line.strip_prefix(BEGIN).map(str::parse) {
                interrupt::begin(cell);
            }
            continue;
        }
        let mut out = io::stdout().lock();
        out.write_all(super::MARGIN)?;
        for line in [last_words, COMPLETE].into_iter().filter(|line| !line.is_empty()) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
    }
}

/// Runs a cell; gives the variables for the next one.
fn run(asked: &str, variables: *mut c_void) -> io::Result<*mut c_void> {
    let odd = || io::Error::other(format!("a cell without a function: {asked}"));
    let (path, name) = asked.rsplit_once(' ').ok_or_else(odd)?;
    // SAFETY: the compiler of this library has made it for this process; what runs as it is loaded is the cell's own.
    let library = unsafe { Library::new(path) }.map_err(io::Error::other)?;
    // Values of later cells may hold its code as long as this process lives.
    let library = ManuallyDrop::new(library);
    // SAFETY: evcxr gives every cell a function of this type.
    let cell = unsafe { library.get::<Cell>(name.as_bytes()) }.map_err(io::Error::other)?;
    // SAFETY: the variables are what the cell before has given, or nothing; a panic is caught inside.
    Ok(unsafe { cell(variables) })
}
