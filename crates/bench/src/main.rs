//! benchbook's own speed and its own proofs, measured here and written to `datasets/bench.md`.
//!
//! `cargo xtask bench` sets up, builds this program, and runs it in the clone with the same arguments.
#![expect(clippy::print_stdout, reason = "telling what it does is this program's job")]

mod answer;
mod ask;
mod beside;
mod claims;
mod decoding;
mod exhaustive;
mod goals;
mod kernels;
mod lengths;
mod machine;
mod mixers;
mod models;
mod notebook;
mod numbers;
mod parts;
mod peer;
mod precision;
mod recording;
mod search;
mod space;
mod sql;
mod startup;
mod timing;
mod training;
mod trust;

use parts::Told;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use xtask::arguments::{self, Choice, Options, Request, TRAINING, TRAINING_STEPS};
use xtask::error::{Named, Result, exit_code};
use xtask::step::{State, Steps};
use xtask::workspace::{Python, Ready, Workspace};

/// The head of `datasets/bench.md`, whose sections are one measurement each, with its machine and day.
const TITLE: &str = "# benchbook's own speed\n\nMeasured by `cargo xtask bench`, ratios side by side in one run.\n";

fn main() -> ExitCode {
    let words: Vec<String> = std::iter::once("bench".to_owned()).chain(arguments::given()).collect();
    exit_code(carry_out(&words))
}

fn carry_out(words: &[String]) -> Result<()> {
    if let Request::Bench(options, choice) = arguments::parse(words)? {
        measure(&options, &choice)
    } else {
        print!("{}", arguments::HELP);
        Ok(())
    }
}

/// A measurement, and what is said of it below its heading.
type Measured = fn(&Ready, &Choice) -> Result<Told>;

/// What is said of one that has failed already where something exceeds a roof, or that knows no roof.
fn plain(text: Result<String>) -> Result<Told> {
    text.map(Told::from)
}

/// Runs the chosen measurements, one section of the file each.
fn measure(options: &Options, choice: &Choice) -> Result<()> {
    let workspace = Workspace::at(Path::new("."), options)?;
    let python = Python::in_folder(workspace.venv());
    let mut ready = Ready { workspace, python, steps: Steps::default() };
    let family = |name: &str| choice.kernels && choice.family == name;
    let all: [(bool, &str, Measured); 18] = [
        (choice.recording, "Recording", |ready, _| plain(recording::measure(ready))),
        (choice.sql, "SQL beside DuckDB", |ready, _| plain(sql::measure(ready))),
        (choice.startup, "Start to finish", |ready, _| plain(startup::measure(ready))),
        (choice.notebook, "Notebooks", |ready, _| plain(notebook::measure(ready))),
        (choice.answer, "Time to an answer", |ready, _| plain(answer::measure(ready))),
        (choice.timing, "Timing by the Python worker", |ready, _| plain(timing::measure(ready))),
        (choice.stock, "Notebooks beside stock evcxr", |ready, _| plain(notebook::beside_stock(ready))),
        (family("attention"), "Kernels beside libtorch", kernels::measure),
        (family("mixers"), "Mixers and experts beside PyTorch", mixers::measure),
        (family("precision"), "Precision and sparsity", precision::measure),
        (family("decoding"), "Whole models", |ready, _| plain(decoding::measure(ready))),
        (family(TRAINING), "Training", |ready, choice| plain(training::measure(ready, choice))),
        (family(TRAINING_STEPS), "Steps of training", |ready, choice| plain(training::measure(ready, choice))),
        (choice.models, "Real models", |ready, choice| plain(models::measure(ready, choice))),
        (choice.claims, "Published claims", |ready, choice| plain(claims::measure(ready, &choice.only))),
        (choice.exhaustive, "Every f32 in eight bits", |_, _| plain(exhaustive::measure())),
        (choice.search, "Searches", |ready, choice| plain(search::measure(ready, choice))),
        (choice.trust, "Trust", |ready, choice| plain(trust::measure(ready, choice))),
    ];
    let path = ready.workspace.root.join("datasets/bench.md");
    let mut text = fs::read_to_string(&path).unwrap_or_else(|_| TITLE.to_owned());
    let mut exceeding = Vec::new();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).named("create", folder)?;
    }
    for (_, what, measure) in all.into_iter().filter(|(chosen, ..)| *chosen) {
        let mut steps = std::mem::take(&mut ready.steps);
        let told = steps.take(what, || Ok((measure(&ready, choice)?, State::Done)))?;
        ready.steps = steps;
        println!("\n{}\n", told.text);
        exceeding.extend(told.exceeding);
        let body = format!("{}\n\n{}", machine::describe(&ready.workspace.root), told.text);
        text = with_section(&text, &heading(what, &machine::processors_in_full()), &body);
        // What follows may take hours, and fail.
        fs::write(&path, &text).named("write", &path)?;
    }
    ready.steps.account();
    println!("\nwritten to {}", path.display());
    goals::none_exceeds(&exceeding)
}

/// What is the processor's as much as ours: these sections stand for each kind of machine side by side.
const BY_MACHINE: [&str; 7] = [
    "Kernels beside libtorch",
    "Mixers and experts beside PyTorch",
    "Precision and sparsity",
    "Whole models",
    "Training",
    "Steps of training",
    "Real models",
];

/// Between what was measured and the machine.
const ON: &str = ": ";

/// The heading of a measurement on a machine.
fn heading(what: &str, machine: &str) -> String {
    if BY_MACHINE.contains(&what) { format!("{what}{ON}{machine}") } else { what.to_owned() }
}

/// The text with this section's body, in place of an older one, behind that of another machine, or at the end.
fn with_section(text: &str, heading: &str, body: &str) -> String {
    let line = format!("## {heading}");
    let section = format!("{line}\n\n{}\n", body.trim());
    let mut parts: Vec<String> = vec![String::new()];
    for row in text.lines() {
        if row.starts_with("## ") {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(row);
            part.push('\n');
        }
    }
    let of = |line: &str| line.split(ON).next() == heading.split(ON).next();
    let begins = |part: &String| part.lines().next().and_then(|line| line.strip_prefix("## ")).is_some_and(of);
    match parts.iter_mut().find(|part| part.lines().next() == Some(&line)) {
        Some(part) => *part = section,
        None => parts.insert(parts.iter().rposition(begins).map_or(parts.len(), |last| last + 1), section),
    }
    parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_added_then_replaced() {
        let one = with_section(TITLE, "A", "first");
        let two = with_section(&one, "B", "other");
        let three = with_section(&two, "A", "second\n\n| x |");
        assert_eq!(three, format!("{TITLE}\n## A\n\nsecond\n\n| x |\n\n## B\n\nother\n"));
        assert_eq!(with_section(&three, "B", "other"), three);
    }

    #[test]
    fn machines_stand_side_by_side() {
        let [one, other] = ["2 x Epic", "2 x Xeon"].map(|machine| heading("Whole models", machine));
        assert_eq!(heading("Recording", "2 x Epic"), "Recording");
        let text = with_section(&with_section(&with_section(TITLE, &one, "first"), "B", "b"), &other, "second");
        assert_eq!(text, format!("{TITLE}\n## {one}\n\nfirst\n\n## {other}\n\nsecond\n\n## B\n\nb\n"));
        let again = with_section(&text, &one, "third");
        assert_eq!(again, text.replace("first", "third"));
    }
}
