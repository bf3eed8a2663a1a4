//! A space of settings on this machine: all of them measured once, and a search in it whose winners are measured again.

use crate::ask::{self, rows, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::error::{Named, Result};
use xtask::process;
use xtask::workspace::Ready;

/// Every way to cut a product of this size into tiles, on one thread and on two.
pub struct Space {
    /// Rows, columns and length of the sums.
    pub size: &'static str,
    /// Where its table lies.
    pub file: &'static str,
    /// How long it may be measured before the next call goes on.
    pub time: &'static str,
}

/// What is chosen from.
const SETTINGS: [&str; 6] = ["tune", "matmul", "--implementation", "tiled", "--threads", "1,2"];

/// How each setting is measured once: in little time, since there are thousands of them.
const ONCE: [&str; 12] = [
    "--method",
    "random",
    "--budget",
    "20000",
    "--batch",
    "64",
    "--blocks",
    "6",
    "--sample",
    "2ms",
    "--replicates",
    "5",
];

/// A search as people ask for it, whose best settings eight fresh processes measure again.
const SEARCH: [&str; 10] =
    ["--budget", "40", "--replicates", "8", "--name", "winners", "--afresh", "--seed", "1", "--format=json"];

/// The size of the product of that search.
const SIZE: &str = "512";

/// A search of products of a size, in a store below the folder of what cargo builds.
fn tune(ready: &Ready, store: &Path, size: &str, words: &[&str]) -> Command {
    let mut command = ready.workspace.run("benchbook");
    command.arg("--store").arg(store).args(SETTINGS).arg("--set").arg(format!("m={size}")).args(words);
    command
}

fn folder(ready: &Ready) -> Result<PathBuf> {
    let folder = ready.workspace.target.join("bench/search");
    fs::create_dir_all(&folder).named("create", &folder)?;
    Ok(folder)
}

/// Measures what is still missing of a space, and puts its table where it belongs once all of it is there. What was measured is
/// kept, so that the next call goes on where this one ends.
///
/// # Errors
/// The program does not start, or a file cannot be written. That the time did not do is none.
pub fn measured(ready: &Ready, space: &Space, path: &Path, is_whole: &dyn Fn(&str) -> bool) -> Result<()> {
    let folder = folder(ready)?;
    let grown = folder.join(format!("{}.csv", space.size));
    let name = format!("table-{}", space.size);
    let words = [&ONCE[..], &["--time", space.time, "--name", &name]].concat();
    let mut tune = tune(ready, &folder.join("store"), space.size, &words);
    // Its ending says that the time was used up, or that nothing was better than usual: what counts is the table.
    process::status(tune.arg("--table").arg(&grown), "see its message above")?;
    let text = fs::read_to_string(&grown).unwrap_or_default();
    if is_whole(&text) {
        fs::write(path, text).named("write", path)?;
    }
    Ok(())
}

/// What a search on this machine has found, and how much better it had looked than fresh processes say. That it cannot be had is
/// told, and no error.
///
/// # Errors
/// Its folder cannot be made.
pub fn winners(ready: &Ready) -> Result<String> {
    let store = folder(ready)?.join("winners");
    let _ = fs::remove_dir_all(&store);
    let said = process::output(&mut tune(ready, &store, SIZE, &SEARCH), "see its message above");
    Ok(match said {
        Ok(said) => confirmed(ask::answer(&said).ok().as_ref()),
        Err(error) => format!("A search on this machine was not measured: {error}"),
    })
}

/// A line for each setting that was confirmed.
fn confirmed(found: Option<&Value>) -> String {
    let mut lines = vec![
        format!(
            "A search on this machine, {} settings of a product of {SIZE}³: its best ones, measured again by fresh processes. What is \
             the best of many looks better than it is.",
            SEARCH[1]
        ),
        String::new(),
        "| setting | in the search | confirmed, 95 % interval | had looked better by |".to_owned(),
        "|---|---:|---|---:|".to_owned(),
    ];
    let line = |row: &Value| {
        let [setting, searched, confirmed, interval, better] =
            ["setting", "searched", "confirmed", "interval_95", "looked_better_by"].map(|name| text(row, name));
        format!("| {setting} | {searched} | {confirmed} ({interval}) | {better} |")
    };
    let before = lines.len();
    lines.extend(found.into_iter().flat_map(rows).map(line));
    if lines.len() == before {
        lines.push("| none looked better than the usual one | – | – | – |".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_had_looked_better_is_told_and_so_is_nothing() {
        let found = json!([{ "setting": "depth=128 threads=2", "searched": "1.120×", "confirmed": "1.071×",
                             "interval_95": "1.060× – 1.082×", "looked_better_by": "4.6 %" }]);
        let told = confirmed(Some(&found));
        let line = "| depth=128 threads=2 | 1.120× | 1.071× (1.060× – 1.082×) | 4.6 % |";
        assert!(told.ends_with(line) && told.contains("40 settings"), "{told}");
        assert!(confirmed(None).contains("none looked better"));
    }
}
