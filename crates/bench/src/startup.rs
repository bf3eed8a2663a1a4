//! Start to finish of the program, as a person waits for it.

use crate::numbers::{at_most, median, quantile};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use xtask::error::{Error, Result};
use xtask::process;
use xtask::workspace::{Ready, Workspace};

const STARTS: usize = 40;

/// A command, and the milliseconds that it may take.
struct Timed {
    arguments: Vec<String>,
    goal_ms: f64,
    took_ms: Vec<f64>,
}

pub fn measure(ready: &Ready) -> Result<String> {
    let workspace = &ready.workspace;
    let store = demo_store(&workspace.root)?;
    let store = store.strip_prefix(&workspace.root).unwrap_or(&store).display().to_string();
    let words = |line: &str| line.split(' ').map(String::from).collect::<Vec<_>>();
    let ask = |rest: &[&str]| {
        words("sql --store")
            .into_iter()
            .chain([store.clone()])
            .chain(rest.iter().map(|word| (*word).to_owned()))
            .collect()
    };
    let mut all = [
        Timed { arguments: words("--help"), goal_ms: 20.0, took_ms: Vec::new() },
        Timed { arguments: ask(&["select count(*) from samples"]), goal_ms: 150.0, took_ms: Vec::new() },
        Timed {
            arguments: ask(&["--query", "speedup", "--param", "baseline=naive"]),
            goal_ms: 150.0,
            took_ms: Vec::new(),
        },
    ];
    for timed in &mut all {
        // The first start reads the program from the disk.
        start(workspace, timed)?;
        timed.took_ms.clear();
    }
    for _ in 0..STARTS {
        for timed in &mut all {
            start(workspace, timed)?;
        }
    }
    let mut lines = vec![
        format!("{STARTS} starts each, in turn; wall time of the whole process, files in the page cache."),
        String::new(),
        "| command | median | 90th percentile | goal for the median |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    lines.extend(all.iter().map(row));
    Ok(lines.join("\n"))
}

fn row(timed: &Timed) -> String {
    let middle = median(&timed.took_ms);
    let mut command = Command::new("benchbook");
    command.args(&timed.arguments);
    let line = process::line(&command);
    format!(
        "| `{line}` | {middle:.1} ms | {:.1} ms | {} |",
        quantile(&timed.took_ms, 0.9),
        at_most(middle, timed.goal_ms, " ms")
    )
}

fn start(workspace: &Workspace, timed: &mut Timed) -> Result<()> {
    let mut command = workspace.run("benchbook");
    command.args(&timed.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let remedy = "run it by hand to see what it says";
    let started = Instant::now();
    let status = command.status();
    timed.took_ms.push(started.elapsed().as_secs_f64() * 1e3);
    let status = status.map_err(|source| process::cannot_start(&command, &source, remedy))?;
    if status.success() { Ok(()) } else { Err(process::failed(&command, status, remedy)) }
}

/// The committed store of the first run: in `datasets` itself or one folder below.
fn demo_store(root: &Path) -> Result<PathBuf> {
    let datasets = root.join("datasets");
    let below = std::fs::read_dir(&datasets).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut stores: Vec<PathBuf> = std::iter::once(datasets.clone())
        .chain(below)
        .filter(|folder| folder.join("benchbook-store.json").is_file())
        .collect();
    stores.sort();
    stores.into_iter().next().ok_or_else(|| Error::Requirement {
        problem: format!("no store in {}", datasets.display()),
        remedy: "take a clone with its datasets, or measure with --recording and --sql only".to_owned(),
    })
}
