//! Models with real weights on every engine that is here: how fast, how large and how good. What was measured is not measured again.

mod pace;
mod part;
mod table;

use crate::ask::{self, rows};
use crate::kernels;
use pace::{Known, Step};
use part::{PARTS, Part};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;
use table::Found;
use xtask::arguments::Choice;
use xtask::error::Result;
use xtask::process;
use xtask::workspace::Ready;

const HEAD: &str = "The same weights and threads for every engine, samples in turns, intervals (95 %) over fresh processes of one run;\n\
    metrics of quality have theirs over the items that they count. What an engine makes is held against the model in `f64` before it\n\
    is timed, and after: of tokens each one, so that all of them in `f32` have the quality of ours in `f32`. Prompts, texts and sounds\n\
    of timings are drawn, those of quality are real. A *call* adds to memory what is told beside the weights, which engines keep in\n\
    their own ways. Who rounds to 8 bits on the way (`int8` of other engines, `q4-1` of llama.cpp) has no right answer to the bit: it\n\
    may be off by twice what such a rounding moves the model in `f64`, and how far its answers are from those of unrounded weights is\n\
    told. SmolLM2 went through Q4_1: 4-bit schemes with an offset look better on it than they are, such as `q4-1`, whose file has the\n\
    same grid; ours has none.";

/// Measures what is missing, as long as there is time for it, and tells what is there.
///
/// # Errors
/// The program cannot be asked.
pub fn measure(ready: &Ready, choice: &Choice) -> Result<String> {
    let bench = Bench::of(ready, choice.quick);
    if choice.again {
        let _ = fs::remove_dir_all(&bench.folder);
    }
    bench.go_on(choice.go_on_minutes())?;
    let mut lines = vec![HEAD.to_owned(), String::new()];
    if choice.quick {
        lines.extend(["A quick look: fewer tokens and one text at a time.".to_owned(), String::new()]);
    }
    lines.extend(bench.table()?);
    Ok(lines.join("\n"))
}

/// The table in its whole form or as a quick look, with a store of its own.
struct Bench<'a> {
    ready: &'a Ready,
    folder: PathBuf,
    parts: Vec<&'static Part>,
    quick: bool,
}

impl<'a> Bench<'a> {
    fn of(ready: &'a Ready, quick: bool) -> Self {
        let folder = ready.workspace.target.join("bench/models").join(if quick { "quick" } else { "full" });
        let parts = PARTS.iter().filter(|part| !quick || part.quick.is_some()).collect();
        Self { ready, folder, parts, quick }
    }

    fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// What the store knows of each part.
    fn known(&self) -> Result<Vec<Known>> {
        let runs: Vec<Value> = if self.store().exists() {
            let said = kernels::ask(self.ready, &self.folder, &["sql", "--format", "json", pace::RUNS])?;
            rows(&said).cloned().collect()
        } else {
            Vec::new()
        };
        Ok(self.parts.iter().map(|part| Known::of(&runs, part)).collect())
    }

    /// Measures one part after another for so many minutes, and says of each that is left what it needs.
    fn go_on(&self, minutes: f64) -> Result<()> {
        let (started, mut begun) = (Instant::now(), Vec::<Step>::new());
        loop {
            let left_s = 60.0 * minutes - started.elapsed().as_secs_f64();
            let known = self.known()?;
            let Some(step) = pace::next(&known, &begun, left_s) else {
                for line in self.parts.iter().zip(&known).filter_map(|(part, known)| pace::lacking(part, known)) {
                    println!("   {line}");
                }
                return Ok(());
            };
            println!("   {}", pace::told(&step, self.parts[step.place].name, &known, left_s));
            self.run(&step);
            begun.push(step);
        }
    }

    /// Measures replicates of a part; that its weights were not brought is no reason to lose what else there is.
    fn run(&self, step: &Step) {
        let part = self.parts[step.place];
        let mut command = self.ready.workspace.run("benchbook");
        command.arg("--store").arg(self.store()).args(part.words(self.quick, step.replicates, step.seconds));
        command.arg(kernels::python(self.ready));
        if let Err(error) = process::run(&mut command, "see its message above") {
            println!("   {}: {error}", part.name);
        }
    }

    /// What there is of every part, and below it what is missing.
    fn table(&self) -> Result<Vec<String>> {
        let (known, mut told) = (self.known()?, Vec::new());
        let mut lines = table::COLUMNS.map(str::to_owned).to_vec();
        for (part, known) in self.parts.iter().copied().zip(&known) {
            match &known.run {
                Some(run) => {
                    let found = Found::of(self.ready, &self.folder, part, run)?;
                    let own = found.table(part);
                    lines.extend(if own.is_empty() { vec![table::absent(part)] } else { own });
                    told.push((part, found));
                }
                None => lines.push(table::absent(part)),
            }
        }
        let missing = table::missing(&self.variants()?, &told, self.quick);
        lines.extend(table::closing(&self.parts, &known, &missing, self.quick));
        Ok(lines)
    }

    /// Every implementation on every device, and whether it can be measured here.
    fn variants(&self) -> Result<Value> {
        let mut command = self.ready.workspace.run("benchbook");
        ask::ask(command.args(["list", "variants", "--format", "json", &kernels::python(self.ready)]))
    }
}
