//! `benchbook matrix`: every technique on every model, a few at a time beside the model as it is; what the store holds is not
//! measured again.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use benchbook_core::Plan;
use benchbook_matrix::{Matrix, MatrixPlan, Runner};
use benchbook_measure::run::{Ready, RunSummary};
use benchbook_query::Session;
use benchbook_record::{LocalStore, Store};
use benchbook_report::gate::write_whole;

use crate::args::MatrixArgs;
use crate::commands::run::{local_path, start};
use crate::error::{EXIT_ERROR, Failure, say};
use crate::output;
use crate::people::people;
use crate::progress::{Bar, interrupt_flag};

/// Measures what is missing of the matrix, and shows it.
pub fn matrix(store: &str, arguments: &MatrixArgs) -> Result<u8, Failure> {
    let matrix = Matrix::of(&plan(arguments))?;
    let path = local_path(store)?;
    if let Some(file) = arguments.output.as_ref().filter(|file| file.extension().is_none_or(|end| end != "html")) {
        return Err(Failure::say(format!("{}: the page of a matrix is .html", file.display())));
    }
    let mut runner = Runs { interrupted: interrupt_flag("finishing the journal")? };
    let known = if path.exists() { Some(Store::open(store)?) } else { None };
    let missing = matrix.missing(known.as_ref(), &mut runner)?;
    matrix.tell(&missing, &mut runner);
    if arguments.dry_run {
        let mut out = people();
        for part in &missing.parts {
            writeln!(out, "{}", part.described())?;
        }
        return page(store, arguments, &matrix).map(|()| 0);
    }
    let whole = matrix.measure(&missing, &LocalStore::create_or_open(path)?, &mut runner)?;
    if !whole {
        say("the next `benchbook matrix` goes on from here");
    }
    let answer = matrix.asked(&Session::open(&Store::open(store)?)?, "matrix")?;
    output::print(&answer.schema, &answer.batches, arguments.format)?;
    page(store, arguments, &matrix)?;
    Ok(output::tell_left_out(&answer.left_out, false, if whole { 0 } else { EXIT_ERROR }))
}

/// What is asked for.
fn plan(arguments: &MatrixArgs) -> MatrixPlan {
    MatrixPlan {
        models: arguments.models.clone(),
        tiers: arguments.tiers.clone(),
        techniques: arguments.techniques.clone(),
        quick: arguments.quick,
        layers: arguments.layers,
        memory_bytes: Some(arguments.memory),
        threads: arguments.threads,
        time: arguments.time,
        keep_disturbed: arguments.keep_disturbed,
        again: arguments.again,
    }
}

/// Writes the page of what the store holds, where one is asked for.
fn page(store: &str, arguments: &MatrixArgs, matrix: &Matrix) -> Result<(), Failure> {
    let Some(file) = &arguments.output else { return Ok(()) };
    let text = matrix.page(&Session::open(&Store::open(store)?)?)?;
    let name = file.display().to_string();
    write_whole(file, text.as_bytes()).map_err(|error| Failure::while_doing(&name, error))?;
    say(format_args!("the matrix is in {name}"));
    Ok(())
}

/// Runs as `benchbook run` starts and tells of them.
struct Runs {
    interrupted: Arc<AtomicBool>,
}

impl Runner for Runs {
    fn start(&mut self, plan: Plan) -> benchbook_measure::Result<Ready> {
        start(plan).interrupted(&self.interrupted).workers()
    }

    fn run(&mut self, ready: &mut Ready, store: &LocalStore) -> benchbook_measure::Result<RunSummary> {
        let mut bar = Bar::new();
        let summary = ready.run(store, &mut bar);
        bar.clear();
        summary
    }

    fn say(&mut self, line: &str) {
        say(line);
    }

    fn is_ended(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
