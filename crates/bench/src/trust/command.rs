//! Runs what is missing of the experiments, and tells what all of them show.

use super::ask::Asker;
use super::ledger::Ledger;
use super::selection::Selection;
use super::{schedule, tables};
use crate::machine;
use std::fs;
use std::time::{Duration, Instant};
use xtask::arguments::Choice;
use xtask::error::{Named, Result};
use xtask::process;
use xtask::workspace::{Ready, cargo};

/// Where the experiments accumulate.
pub const LEDGER: &str = "datasets/trust.csv";

/// Runs what is missing of the chosen experiments for as long as is given, then tells what all of them show.
pub fn measure(ready: &Ready, choice: &Choice) -> Result<String> {
    let Choice { minutes, only, tools, again, .. } = choice;
    let selection = Selection::new(only, tools)?;
    let root = &ready.workspace.root;
    let rivals = ready.workspace.target.join("rivals");
    println!("   the rivals are compiled in {}", rivals.display());
    let mut build = process::command(cargo());
    build.current_dir(root.join("tests/rivals")).args(["build", "--release"]).env("CARGO_TARGET_DIR", &rivals);
    process::run(&mut build, "see the compiler's message above")?;
    let folder = ready.workspace.target.join("bench/trust");
    fs::create_dir_all(&folder).named("create", &folder)?;
    let asker = Asker {
        program: root.join(ready.workspace.program("benchbook")),
        rivals: rivals.join("release"),
        store: folder,
    };
    let mut ledger = Ledger::open(&root.join(LEDGER), &machine::processors_in_full())?;
    println!("   this machine: {}", ledger.machine());
    if *again {
        println!("   {} of its rows are removed, to be measured again", ledger.put_away(&selection)?);
    }
    let end = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    let left = schedule::left(&ledger, &selection);
    println!("   {} runs are left, {minutes} minutes are given", left.len());
    for (number, task) in left.iter().enumerate() {
        if Instant::now() + Duration::from_secs_f64(task.seconds()) > end {
            println!("   {} of them are for another time: run this again (without `--again`)", left.len() - number);
            break;
        }
        for (experiment, answer) in task.ask(&asker, root)? {
            println!("   {experiment}: {answer}");
            ledger.append(&experiment, &answer)?;
        }
    }
    Ok(tables::all(&ledger))
}
