//! Cells of a notebook: how soon they answer, beside stock evcxr, and whether they measure what the program measures.

use crate::ask::ask;
use crate::numbers::{at_most, median, quantile};
use crate::sql;
use benchbook_process::Lines;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::workspace::Ready;

const SCRIPT: &str = include_str!("notebook.py");
/// The longest line of that script.
const LINE_BYTES: usize = 16 << 20;
const ROUNDS: u32 = 5;
/// Stock evcxr takes minutes a round.
const STOCK_ROUNDS: u32 = 3;
/// Later cells of each kind in a round.
const LATER: u32 = 6;
/// The kernels that may be timed, and how their columns are headed.
const COLUMNS: [(&str, &str); 2] = [("benchbook", "Rust (benchbook)"), ("stock", "stock")];
/// The kinds, as the script and a person call them, with the goal for the median in seconds.
const CELLS: [(&str, &str, f64); 6] = [
    ("magic", "`%%sql` cell", 0.05),
    ("sql", "`lab.sql` cell", 0.35),
    ("chart", "table and chart, beside their work", 0.35),
    ("let", "new `let`", 0.35),
    ("untyped", "new `let` of the library, without a type", 0.35),
    ("value", "plain value", 0.35),
];
/// The same of completions.
const COMPLETIONS: [(&str, &str, f64); 2] = [("first", "first completion", 10.0), ("later", "later completion", 0.2)];
/// Samples and trials of the store that cells of SQL ask.
const LARGE: (u64, u64) = (1_000_000, 1_000);
/// A notebook without cells of SQL.
const PLAIN: &str = "notebooks/05_compare_runs.ipynb";
const KERNELS: u32 = 40;
/// Pairs of runs in each kernel.
const PAIRS: u32 = 4;
const BLOCKS: u32 = 40;
/// One, since two threads on a small machine share their cores with all else.
const THREADS: u32 = 1;
/// Largest difference between a notebook and the program.
const MARGIN: f64 = 0.01;

/// Cells of the kernel and of stock evcxr, in turn.
pub fn beside_stock(ready: &Ready) -> Result<String> {
    println!("   stock evcxr compiles the library again where it has not yet: about an hour");
    let kernels = json!({ "benchbook": ours(ready)?, "stock": stock(ready)? });
    let table = cells(&timed(ready, &kernels, STOCK_ROUNDS)?, STOCK_ROUNDS);
    run_under_stock(ready, &kernels["stock"])?;
    Ok(format!("{table}\n\n`{PLAIN}` runs headless under stock, as it is."))
}

/// Runs a notebook under stock evcxr, whose start-up files do what the cells before the others do.
fn run_under_stock(ready: &Ready, stock: &Value) -> Result<()> {
    let jupyter = ready.workspace.target.join("evcxr-stock/jupyter");
    let (place, config) = (jupyter.join("kernels/stock"), jupyter.join("config"));
    let [first, then] = [0_usize, 1].map(|cell| stock["before"][cell].as_str().unwrap_or_default());
    let mut spec = stock["spec"].clone();
    spec["env"]["EVCXR_CONFIG_DIR"] = config.display().to_string().into();
    for (folder, name, text) in [
        (&place, "kernel.json", spec.to_string().as_str()),
        (&config, "init.evcxr", first),
        (&config, "prelude.rs", then),
    ] {
        fs::create_dir_all(folder).named("create", folder)?;
        fs::write(folder.join(name), text).named("write", folder.join(name))?;
    }
    let mut command = ready.workspace.run("benchbook");
    command.args(["notebook", "run", PLAIN, "--kernel", "stock", "--quick", "--check", "--timeout", "1800s"]);
    command.env("BENCHBOOK_PYTHON", &ready.python.executable).env("JUPYTER_PATH", &jupyter);
    process::run(&mut command, "see the message above: this notebook needs nothing of our own kernel")
}

/// Times the cells of some kernels on a copy of the demonstration's store.
fn timed(ready: &Ready, kernels: &Value, rounds: u32) -> Result<Vec<Value>> {
    let folder = ready.workspace.target.join("bench/notebook");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).named("create", &folder)?;
    copy_store(&ready.workspace.root.join("datasets/demo"), &folder.join("store"))?;
    let large = sql::store(ready, LARGE.0, LARGE.1)?;
    let large = large.canonicalize().named("find", large)?;
    let job = json!({
        "what": "cells", "kernels": kernels, "rounds": rounds, "later": LATER, "folder": folder, "large": large,
    });
    run(ready, &job)
}

/// Cells of the kernel, and the same trial in a cell and by the program.
pub fn measure(ready: &Ready) -> Result<String> {
    let kernels = json!({ "benchbook": ours(ready)? });
    let timed = timed(ready, &kernels, ROUNDS)?;
    let folder = ready.workspace.target.join("bench/notebook");
    let pairs = folder.join("pairs");
    fs::create_dir_all(&pairs).named("create", &pairs)?;
    let program = ready.workspace.root.join(ready.workspace.program("benchbook"));
    let job = json!({
        "what": "pairs", "kernels": kernels, "folder": pairs, "program": program, "pairs": PAIRS, "blocks": BLOCKS,
        "threads": THREADS, "kernels_for_pairs": KERNELS,
    });
    run(ready, &job)?;
    Ok(format!("{}\n\n{}", cells(&timed, ROUNDS), equality(ready, &pairs)?))
}

/// The kernel as it is installed.
fn ours(ready: &Ready) -> Result<Value> {
    let folder = ready.python.folder.join("share/jupyter/kernels/benchbook");
    let path = folder.join("kernel.json");
    let text = fs::read_to_string(&path).named("read", &path)?;
    let text = text.replace("{resource_dir}", &folder.display().to_string());
    let mut spec: Value =
        serde_json::from_str(&text).map_err(|error| Error::Content { path, problem: error.to_string() })?;
    // So that SQL is answered before a cell of Rust has opened it.
    spec["env"]["BENCHBOOK_STORE"] = "store".into();
    Ok(json!({ "spec": spec, "before": [], "is_ours": true }))
}

/// evcxr as it comes, with the facade as a dependency by path.
fn stock(ready: &Ready) -> Result<Value> {
    let evcxr = ready.python.folder.join("bin/evcxr_jupyter");
    let built = ready.workspace.target.join("evcxr-stock");
    let config = built.join("no-config");
    fs::create_dir_all(&config).named("create", &config)?;
    let torch = ready.python.torch()?;
    let facade = ready.workspace.root.join("crates/benchbook");
    let libdir = process::output(process::command("rustc").args(["--print", "target-libdir"]), "install Rust")?;
    let spec = json!({
        "argv": [evcxr, "--control_file", "{connection_file}"],
        "display_name": "stock",
        "language": "rust",
        "interrupt_mode": "message",
        "env": {
            "EVCXR_TMPDIR": built, "EVCXR_CONFIG_DIR": config, "LIBTORCH": torch,
            // The relative run path that evcxr gives a cell misses std outside of /tmp.
            "LD_LIBRARY_PATH": format!("{}:{}", libdir, torch.join("lib").display()),
            "BENCHBOOK_WORKER": ready.workspace.root.join(ready.workspace.program("benchbook-worker")),
        },
    });
    let dependency = format!(":dep benchbook = {{ path = \"{}\" }}", facade.display());
    Ok(json!({ "spec": spec, "before": [dependency, "use benchbook::prelude::*;"], "is_ours": false }))
}

fn copy_store(from: &Path, to: &Path) -> Result<()> {
    let mut copy = process::command("cp");
    process::run(copy.arg("--recursive").arg(from).arg(to), "take a clone with its datasets")
}

/// Feeds the script and gives what it says, line by line.
fn run(ready: &Ready, job: &Value) -> Result<Vec<Value>> {
    let mut command = process::command(&ready.python.executable);
    command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let remedy = "see the message above; `benchbook kernel doctor` says what is missing";
    let mut child = process::start(&mut command, remedy)?;
    if let Some(mut input) = child.take_stdin() {
        input.write_all(job.to_string().as_bytes()).named("write", "the job")?;
    }
    let mut said = Vec::new();
    for line in child.take_stdout().into_iter().flat_map(|output| Lines::of(output, LINE_BYTES)) {
        let line = String::from_utf8_lossy(&line);
        println!("   {line}");
        said.extend(serde_json::from_str::<Value>(&line));
    }
    let status = child.wait().named("wait for", "the script")?;
    if status.success() { Ok(said) } else { Err(process::failed(&command, status, remedy)) }
}

/// The table of start and cells.
fn cells(timed: &[Value], rounds: u32) -> String {
    let mut seconds: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for one in timed {
        let kernel = one["kernel"].as_str().unwrap_or_default();
        let mut add = |kind: &'static str, value: &Value| {
            seconds.entry((kernel, kind)).or_default().extend(value.as_f64());
        };
        match one["kind"].as_str() {
            Some("first") => {
                add("kernel ready", &one["ready_s"]);
                add("first SQL result", &one["first_sql_s"]);
                add("first Rust result", &one["first_s"]);
            }
            Some("later" | "completion") => {
                let mut all = CELLS.into_iter().chain(COMPLETIONS);
                if let Some((_, title, _)) = all.find(|(what, ..)| one["what"] == *what) {
                    add(title, &one["seconds"]);
                }
            }
            Some("memory") => add("memory", &one["bytes"]),
            _ => {}
        }
    }
    let of = |kernel: &str, kind: &str| {
        seconds.iter().find(|((k, what), _)| *k == kernel && *what == kind).map_or(&[][..], |(_, values)| values)
    };
    let spread = |values: &[f64]| match values {
        [] => "not measured".to_owned(),
        values => format!("{:.2} s (p90 {:.2})", median(values), quantile(values, 0.9)),
    };
    let is_timed = |(kernel, _): &(&str, &str)| seconds.keys().any(|(known, _)| known == kernel);
    let columns: Vec<(&str, &str)> = COLUMNS.into_iter().filter(is_timed).collect();
    let row = |first: &str, cell: &dyn Fn(&str) -> String, last: &str| {
        let cells: Vec<String> = columns.iter().map(|(kernel, _)| cell(kernel)).collect();
        format!("| {first} | {} | {last} |", cells.join(" | "))
    };
    let titles: Vec<&str> = columns.iter().map(|(_, title)| *title).collect();
    let mut lines = vec![
        format!(
            "{rounds} rounds, kernels in turn; a round starts a kernel and runs {LATER} cells of each kind, each with a text \
             that no cell before had. Cells of SQL ask a store of {} samples. Of a table and a chart, the time of the work itself is left out.",
            LARGE.0
        ),
        "Stock, where it is measured, is evcxr_jupyter as it comes, with `:dep` on `crates/benchbook` compiled before."
            .to_owned(),
        String::new(),
        format!("| | {} | goal for the median |", titles.join(" | ")),
        format!("|---|{}---|", "---|".repeat(titles.len())),
    ];
    let starts = [("kernel ready", 0.5), ("first SQL result", 1.5), ("first Rust result", 6.0)];
    let others = CELLS.into_iter().chain(COMPLETIONS).map(|(_, title, goal)| (title, goal));
    for (kind, goal) in starts.into_iter().chain(others) {
        let verdict = match of("benchbook", kind) {
            [] => "none".to_owned(),
            ours => at_most(median(ours), goal, " s"),
        };
        lines.push(row(kind, &|kernel: &str| spread(of(kernel, kind)), &verdict));
    }
    let mib = |kernel: &str| match of(kernel, "memory") {
        [] => "not measured".to_owned(),
        bytes => format!("{:.0} MiB", median(bytes) / f64::from(1 << 20)),
    };
    lines.push(row("memory of the cells' process", &mib, "none"));
    lines.join("\n")
}

/// The ratio notebook over program of one trial, with its interval.
fn equality(ready: &Ready, folder: &Path) -> Result<String> {
    let sql = "with tagged as (select run_id, array_to_string(tags, ',') as tag from runs), \
         one as (select r.run_id, split_part(tag, '-', 2) as kernel, split_part(tag, '-', 3) as pair, \
         split_part(tag, '-', 4) as way, ln(median(time_ns)) as t \
         from results r join tagged using (run_id) where valid group by 1, 2, 3, 4), \
         mean as (select n.kernel, avg(n.t - c.t) as d from one n join one c on n.kernel = c.kernel and n.pair = c.pair \
         where n.way = 'notebook' and c.way = 'cli' group by n.kernel) \
         select exp(avg(d)) as ratio, exp(ci_low(d, 0.9)) as low, exp(ci_high(d, 0.9)) as high from mean";
    let mut command = ready.workspace.run("benchbook");
    let rows = ask(command.arg("--store").arg(folder.join("store")).args(["sql", "--format", "json", sql]))?;
    let value = |name: &str| rows[0][name].as_f64().unwrap_or(f64::NAN);
    let (ratio, low, high) = (value("ratio"), value("low"), value("high"));
    let inside = low >= 1.0 - MARGIN && high <= 1.0 + MARGIN;
    let verdict = if inside {
        format!("*equivalent within {:.0} %*", 100.0 * MARGIN)
    } else {
        let beyond = 100.0 * (1.0 - MARGIN - low).max(high - 1.0 - MARGIN);
        let margin = 100.0 * MARGIN;
        format!("**not shown equivalent within {margin:.0} %: the interval reaches {beyond:.1} % beyond**")
    };
    Ok(format!(
        "The trial matmul 512³ on flex ({BLOCKS} samples, {THREADS} thread), measured by `lab.run_here` in a cell and by\n\
         `benchbook run` in a fresh worker: {PAIRS} pairs in random order in each of {KERNELS} kernels. Time in the notebook\n\
         over time on the command line, averaged in a kernel: {ratio:.4}, 90 % interval over kernels {low:.4} – {high:.4}:\n\
         {verdict}.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_cell_has_a_text_that_is_timed() {
        let (_, rest) = SCRIPT.split_once("\nLATER = {").expect("the texts");
        let (texts, _) = rest.split_once("\n}").expect("their end");
        let kind = |line: &'static str| line.strip_prefix("    \"")?.split('"').next();
        let mut kinds: Vec<&str> = texts.lines().filter_map(kind).collect();
        kinds.sort_unstable();
        let mut known = CELLS.map(|(kind, ..)| kind);
        known.sort_unstable();
        assert_eq!(kinds, known);
        assert!(texts.contains("let kept_NEW = lab.sql("), "a variable of the library has no type: {texts}");
    }

    #[test]
    fn kernels_that_were_timed_have_a_column_each() {
        let later = |kernel: &str, what: &str, seconds: f64| json!({ "kind": "later", "kernel": kernel, "what": what, "seconds": seconds });
        let timed = [
            later("benchbook", "value", 0.25),
            later("stock", "value", 3.13),
            later("benchbook", "of another version", 9.0),
            json!({ "kind": "completion", "kernel": "benchbook", "what": "first", "seconds": 12.0 }),
        ];
        let table = cells(&timed, 1);
        for line in [
            "| | Rust (benchbook) | stock | goal for the median |",
            "|---|---|---|---|",
            "| plain value | 0.25 s (p90 0.25) | 3.13 s (p90 3.13) | at most 0.35 s: met, 0.10 s to spare |",
            "| first completion | 12.00 s (p90 12.00) | not measured | at most 10 s: **missed by 2.00 s** |",
            "| memory of the cells' process | not measured | not measured | none |",
        ] {
            assert!(table.lines().any(|found| found == line), "{line}\n{table}");
        }
    }
}
