//! Notebooks made for a test, run headless by the real program on the real kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Bench;

/// The Python environment of the project; none means that a test of notebooks has to be skipped.
///
/// # Panics
/// In CI, where it must be there.
pub fn environment() -> Option<PathBuf> {
    let python = std::env::var_os("BENCHBOOK_PYTHON").map(PathBuf::from);
    let kernel = |python: &Path| {
        let prefix = python.parent().and_then(Path::parent)?;
        prefix.join("share/jupyter/kernels/benchbook/kernel.json").is_file().then_some(())
    };
    if let Some(python) = python.filter(|python| kernel(python).is_some()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "CI must have the kernel: BENCHBOOK_PYTHON is set by `cargo xtask test`");
    eprintln!("skipped: no Python environment with the kernel, `cargo xtask test` makes and names it");
    None
}

/// A code cell.
pub fn cell(source: &str) -> Value {
    json!({ "cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": source })
}

/// A code cell that declares what it shows.
pub fn showing(what: &str, source: &str) -> Value {
    let mut cell = cell(source);
    cell["metadata"]["benchbook"] = json!({ "shows": [what] });
    cell
}

impl Bench {
    /// Writes a notebook of these code cells and gives its path.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn notebook(&self, name: &str, mut cells: Vec<Value>) -> PathBuf {
        for (number, cell) in cells.iter_mut().enumerate() {
            cell["id"] = format!("cell-{number}").into();
        }
        let notebook = json!({
            "cells": cells,
            "metadata": {
                "kernelspec": { "name": "benchbook", "display_name": "Rust (benchbook)", "language": "rust" },
                "language_info": { "name": "rust" },
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        });
        let path = self.folder().join(name);
        fs::write(&path, notebook.to_string()).expect("a temporary folder can be written");
        path
    }

    /// The outputs of an executed notebook: each code cell's, as one text.
    ///
    /// # Panics
    /// If it has not been written, or is not JSON.
    pub fn outputs(&self, executed: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join(executed)).expect("an executed copy");
        let notebook: Value = serde_json::from_str(&text).expect("a notebook");
        let cells = notebook["cells"].as_array().expect("cells");
        cells.iter().filter(|cell| cell["cell_type"] == "code").map(|cell| joined(&cell["outputs"])).collect()
    }
}

/// Everything that a cell printed or showed as plain text.
fn joined(outputs: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let one = |output: &Value| text(&output["text"]) + &text(&output["data"]["text/plain"]);
    outputs.as_array().into_iter().flatten().map(one).collect()
}

/// Looks at a page or a live notebook in a headless browser; the script says what it saw.
///
/// # Panics
/// If the script fails.
pub fn look(python: &Path, words: &[&str]) -> Value {
    script(python, "look.py", words)
}

/// Runs one of the tests' Python scripts; gives the JSON in its last line.
///
/// # Panics
/// If the script fails.
pub fn script(python: &Path, name: &str, words: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
    let mut command = Command::new(python);
    // As the programs of a bench: tests run side by side, so the machine is never quiet.
    command.arg(script).args(words).env("BENCHBOOK_KEEP_DISTURBED", "1");
    let output = command.output().expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {words:?}\n{said}\n{complained}");
    serde_json::from_str(said.lines().last().unwrap_or_default()).expect("a line of JSON")
}
