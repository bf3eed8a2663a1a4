//! Runs what is missing of the experiments, and tells what all of them show.

use super::ask::Asker;
use super::ledger::Ledger;
use super::selection::Selection;
use super::{schedule, tables};
use crate::machine;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use xtask::arguments::Choice;
use xtask::error::{Named, Result};
use xtask::process;
use xtask::workspace::{Ready, cargo};

/// Where the experiments accumulate.
pub const LEDGER: &str = "datasets/trust.csv";

/// Puts away what is asked for, runs what is missing of the chosen experiments for as long as is given, then tells what all of
/// them show.
pub fn measure(ready: &Ready, choice: &Choice) -> Result<String> {
    let Choice { only, tools, again, before, .. } = choice;
    let minutes = choice.go_on_minutes();
    let selection = Selection::new(only, tools)?;
    let root = &ready.workspace.root;
    // Before anything is removed, which may be to be measured again.
    let asker = if minutes > 0.0 { Some(asker(ready)?) } else { None };
    let [day, revision] = [machine::day(), machine::revision(root)].map(Option::unwrap_or_default);
    let mut ledger = Ledger::open(&root.join(LEDGER), &machine::processors_in_full())?.dated(&day, &revision);
    println!("   this machine: {}", ledger.machine());
    if *again {
        println!("   {} of its rows are removed, to be measured again", ledger.put_away(&selection)?);
    }
    if let Some(day) = before {
        println!("   {} rows from before {day} are removed", ledger.put_away_before(&selection, day)?);
    }
    if let Some(asker) = asker {
        ask(&asker, root, &mut ledger, &selection, minutes)?;
    }
    Ok(tables::all(&ledger))
}

/// Builds the rivals, and says where all tools lie.
fn asker(ready: &Ready) -> Result<Asker> {
    let root = &ready.workspace.root;
    let rivals = ready.workspace.target.join("rivals");
    println!("   the rivals are compiled in {}", rivals.display());
    let mut build = process::command(cargo());
    build.current_dir(root.join("tests/rivals")).args(["build", "--release"]).env("CARGO_TARGET_DIR", &rivals);
    process::run(&mut build, "see the compiler's message above")?;
    let folder = ready.workspace.target.join("bench/trust");
    fs::create_dir_all(&folder).named("create", &folder)?;
    Ok(Asker {
        program: root.join(ready.workspace.program("benchbook")),
        rivals: rivals.join("release"),
        store: folder,
    })
}

/// Asks what is missing, for so many minutes.
fn ask(asker: &Asker, root: &Path, ledger: &mut Ledger, selection: &Selection, minutes: f64) -> Result<()> {
    let end = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    // Answers that tell too little are followed by other questions, which nobody knows before.
    loop {
        let left = schedule::left(ledger, selection);
        println!("   {} runs are left, {minutes} minutes are given", left.len());
        if left.is_empty() {
            return Ok(());
        }
        for (number, task) in left.iter().enumerate() {
            if Instant::now() + Duration::from_secs_f64(task.seconds()) > end {
                println!("   {} of them are for another time: run this again (without `--again`)", left.len() - number);
                return Ok(());
            }
            for (experiment, answer) in task.ask(asker, root)? {
                println!("   {experiment}: {answer}");
                ledger.append(&experiment, &answer)?;
            }
        }
    }
}
