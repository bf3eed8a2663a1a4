//! `benchbook-first`: measures attention while burn, libtorch and DataFusion are still to be built, and shows what it found.
//!
//! It is its own worker; its run is recorded as any other, and what it says of it comes from `benchbook-stats`.

mod attention;
mod found;
mod page;
mod run;

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use benchbook_core::Registry;
use benchbook_measure::{CountingAllocator, Host, worker_main};
use benchbook_workloads::attention::Attention;

use crate::attention::{FUSED, NAIVE};
use crate::found::{Record, Row};
use crate::run::Done;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The exit code of everything that goes wrong, as of `benchbook`.
const EXIT_ERROR: u8 = 4;

fn main() -> ExitCode {
    let Some(first) = std::env::args_os().nth(1) else {
        return said("give the folder of a store: `benchbook-first results` measures attention into it".into());
    };
    if first == "serve" {
        return worker_main(set_threads, host);
    }
    look(Path::new(&first)).map_or_else(said, |()| ExitCode::SUCCESS)
}

/// Measures into a store and shows what was found.
fn look(store: &Path) -> Result<(), Box<dyn Error>> {
    let done = run::measured(store)?;
    let record = Record::read(&done.folder)?;
    let rows: Vec<_> = done.cases.iter().map(|case| record.of_case(case)).collect();
    show(std::io::stdout().lock(), &rows, &done)
}

/// Shows what was found; an error where that is nothing.
fn show(mut out: impl Write, rows: &[Row], done: &Done) -> Result<(), Box<dyn Error>> {
    let text = format!("{}\n{}recorded in {}", page::table(rows), page::chart(rows), done.folder.display());
    match writeln!(out, "{text}") {
        // A closed pipe is the reader's wish: all is in the record.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written?,
    }
    if done.measured_nothing {
        return Err("nothing could be measured: the table says why, the record says it of each trial".into());
    }
    Ok(())
}

fn said(error: Box<dyn Error>) -> ExitCode {
    // Where nobody reads it, the exit code says enough.
    let _ = writeln!(std::io::stderr(), "error: {error}");
    ExitCode::from(EXIT_ERROR)
}

fn set_threads(threads: usize) -> Result<(), String> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|error| error.to_string())
}

fn host() -> Host {
    let mut registry = Registry::default();
    registry.workload(Attention).implementation(NAIVE).implementation(FUSED);
    Host::new(registry, |_| None, Vec::new(), Vec::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard output that nobody reads any more.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_output_is_no_error_and_nothing_measured_is_one_after_the_table() {
        let done = |measured_nothing| Done { folder: "results/run_id=1".into(), cases: Vec::new(), measured_nothing };
        assert!(show(Closed, &[], &done(false)).is_ok());
        assert!(show(Closed, &[], &done(true)).is_err());
        let mut out = Vec::new();
        let error = show(&mut out, &[], &done(true)).expect_err("nothing was measured").to_string();
        assert!(error.contains("nothing could be measured"), "{error}");
        assert!(String::from_utf8_lossy(&out).contains("recorded in results/run_id=1"));
    }
}
