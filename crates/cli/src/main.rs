//! `benchbook`: honest measurement of deep-learning optimizations, from the command line.
//!
//! Thin: it parses, calls the libraries, and shows. It links neither burn nor libtorch; what can be
//! measured it learns from `benchbook-worker`.

mod args;
mod commands;
mod coverage;
mod error;
mod output;
mod people;
mod progress;
mod python;
mod revisions;

use std::process::ExitCode;
use std::thread::{Builder, JoinHandle};

use args::{Cli, Command};
use benchbook_measure::{known_work, worker_main};
use error::{EXIT_ERROR, Failure, say};

fn main() -> ExitCode {
    // As a worker of known work this program is started by itself.
    if std::env::args_os().nth(1).is_some_and(|word| word == "serve") {
        return worker_main(known_work::set_threads, known_work::host);
    }
    let cli = match Cli::read() {
        Ok(cli) => cli,
        // Help and version are answers; everything else is a usage error, which repeats the words that it got.
        Err(error) if error.use_stderr() => {
            people::say(error.render().to_string().trim_end());
            return ExitCode::from(EXIT_ERROR);
        }
        Err(error) => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
    };
    benchbook_matrix::read_real_weights();
    // A thread with room: a statement with thousands of terms is planned by recursion.
    let done = Builder::new().stack_size(STACK_BYTES).spawn(|| dispatch(cli)).map(JoinHandle::join);
    match done {
        Ok(Ok(Ok(code))) => ExitCode::from(code),
        Ok(Ok(Err(failure))) => {
            failure.print();
            ExitCode::from(failure.code())
        }
        // The panic has been told.
        Ok(Err(_)) => ExitCode::from(EXIT_ERROR),
        Err(error) => {
            let room = STACK_BYTES >> 20;
            say(format_args!(
                "error: there is no address space for a stack of {room} MiB ({error}): raise `ulimit -v`"
            ));
            ExitCode::from(EXIT_ERROR)
        }
    }
}

/// Address space of the working thread's stack; memory is taken only as it is used.
const STACK_BYTES: usize = 1 << 30;

/// Runs the command; the number is the exit code of a command that did what it was asked.
fn dispatch(cli: Cli) -> Result<u8, Failure> {
    match cli.command {
        Command::Run(arguments) => commands::run::run(&cli.store, arguments),
        Command::Validate(arguments) => commands::validate::validate(&cli.store, &arguments),
        Command::List(arguments) => commands::list::list(&cli.store, &arguments),
        Command::Sql(arguments) => commands::sql::sql(&cli.store, &arguments),
        Command::Compare(arguments) => commands::compare::compare(&cli.store, &arguments),
        Command::Matrix(arguments) => commands::matrix::matrix(&cli.store, &arguments),
        Command::Gate(arguments) => commands::gate::gate(&cli.store, &arguments),
        Command::Calibrate(arguments) => commands::calibrate::calibrate(&cli.store, &arguments),
        Command::Tune(arguments) => commands::tune::tune(&cli.store, &arguments),
        Command::Feedback(arguments) => commands::feedback::feedback(&cli.store, &arguments),
        Command::Report(arguments) => commands::report::report(&cli.store, &arguments),
        Command::Doctor(arguments) => commands::doctor::doctor(&cli.store, &arguments),
        Command::Store(arguments) => commands::store::store(&cli.store, arguments),
        Command::Kernel(arguments) => commands::kernel::kernel(arguments),
        Command::Notebook(arguments) => commands::notebook::notebook(arguments),
        Command::Worker(arguments) => commands::worker::worker(arguments),
        Command::Schema => commands::sql::schema(),
    }
}
