//! Runs the chosen measurements, one section of the table each.

use crate::{claims, kernels, machine, notebook, recording, sql, startup, table, trust};
use std::fs;
use std::path::Path;
use xtask::arguments::{Choice, Options};
use xtask::error::{Named, Result};
use xtask::python::Python;
use xtask::step::{State, Steps};
use xtask::workspace::{Ready, Workspace};

/// A measurement's heading and what is said below it.
type Measured = fn(&Ready, Choice) -> Result<String>;

pub fn command(options: &Options, choice: Choice) -> Result<()> {
    let workspace = Workspace::at(Path::new("."), options)?;
    let python = Python::in_folder(workspace.venv());
    let mut ready = Ready { workspace, python, steps: Steps::default() };
    let all: [(bool, &str, Measured); 8] = [
        (choice.recording, "Recording", |ready, _| recording::measure(ready)),
        (choice.sql, "SQL beside DuckDB", |ready, _| sql::measure(ready)),
        (choice.startup, "Start to finish", |ready, _| startup::measure(ready)),
        (choice.notebook, "Notebooks", |ready, _| notebook::measure(ready)),
        (choice.stock, "Notebooks beside stock evcxr", |ready, _| notebook::beside_stock(ready)),
        (choice.kernels, "Kernels beside libtorch", |ready, _| kernels::measure(ready)),
        (choice.claims, "Published claims", |ready, _| claims::measure(ready)),
        (choice.trust, "Trust", |ready, choice| trust::measure(ready, choice.minutes)),
    ];
    let path = ready.workspace.root.join("datasets/bench.md");
    let mut text = fs::read_to_string(&path).unwrap_or_else(|_| table::TITLE.to_owned());
    for (_, heading, measure) in all.into_iter().filter(|(chosen, ..)| *chosen) {
        let mut steps = std::mem::take(&mut ready.steps);
        let body = steps.take(heading, || Ok((measure(&ready, choice)?, State::Done)))?;
        ready.steps = steps;
        println!("\n{body}\n");
        text = table::with_section(&text, heading, &format!("{}\n\n{body}", machine::describe(&ready.workspace.root)));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).named("create", folder)?;
    }
    fs::write(&path, text).named("write", &path)?;
    ready.steps.account();
    println!("\nwritten to {}", path.display());
    Ok(())
}
