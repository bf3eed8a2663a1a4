//! The command line, read without a library: there is one verb.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What `--help` shows.
pub const HELP: &str = "\
Measures what a plan says, and records every sample. This is benchbook without SQL, reports and notebooks: it needs
neither Rust nor a network, and its store merges into that of any benchbook.

Usage: benchbook run PLAN.toml [OPTIONS]

Options
  --device NAME,…  only these devices; `cuda` is short for `torch-cuda`, PyTorch on a GPU
  --python PATH    the Python whose engines are measured [default: python3]
  --store DIR      the folder of the store [default: results]
  --help           shows this
  --version        shows the version

Environment variables
  BENCHBOOK_KEEP_DISTURBED  1 uses samples too that the machine disturbed, as on one that is never quiet

Examples
  ./benchbook run plans/quick.toml --device cuda
  ./benchbook run plans/matmul.toml --device torch,flex --python ~/venv/bin/python

Exit codes: 0 something was measured, 4 everything else
";

/// What people call PyTorch on a GPU, and its device.
const CUDA: (&str, &str) = ("cuda", "torch-cuda");

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Show [`HELP`].
    Help,
    /// Show the version.
    Version,
    /// Measure.
    Run(Run),
}

/// What to measure, and where to record it.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    /// The file of the plan.
    pub plan: PathBuf,
    /// Devices in the place of those of the plan; none for these.
    pub devices: Vec<String>,
    /// The Python whose engines are measured.
    pub python: PathBuf,
    /// The folder of the store.
    pub store: PathBuf,
}

/// Reads what follows the program's name.
///
/// # Errors
/// There is no such verb or option, or a plan or a value is missing.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut words = words.into_iter();
    match words.next().as_deref().map(OsStr::to_string_lossy).as_deref() {
        None | Some("help" | "--help" | "-h") => return Ok(Request::Help),
        Some("--version" | "-V") => return Ok(Request::Version),
        Some("run") => {}
        Some(other) => return Err(format!("there is no verb `{other}`: see --help")),
    }
    let (mut plan, mut devices) = (None, Vec::new());
    let [mut python, mut store] = ["python3", "results"].map(PathBuf::from);
    while let Some(word) = words.next() {
        // What is no text is the path of a plan.
        let text = word.to_str().unwrap_or_default();
        let (name, glued) = match text.split_once('=') {
            Some((name, value)) if text.starts_with("--") => (name, Some(OsString::from(value))),
            _ => (text, None),
        };
        let value = || {
            let value = glued.or_else(|| words.next()).filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("`{name}` takes a value"))
        };
        match name {
            "--help" | "-h" => return Ok(Request::Help),
            "--device" => devices = list(&value()?),
            "--python" => python = value()?.into(),
            "--store" => store = value()?.into(),
            _ if name.starts_with('-') => return Err(format!("`run` knows no `{name}`: see --help")),
            _ if plan.is_some() => return Err("give one plan".to_owned()),
            _ => plan = Some(PathBuf::from(&word)),
        }
    }
    let plan = plan.ok_or("give a plan: those in plans/ are a beginning")?;
    Ok(Request::Run(Run { plan, devices, python, store }))
}

/// Names of devices with commas between them.
fn list(names: &OsStr) -> Vec<String> {
    let names = names.to_string_lossy();
    names.split(',').map(|name| if name == CUDA.0 { CUDA.1 } else { name }).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_plan_is_run_as_it_is_or_on_other_devices() {
        let plain =
            || Run { plan: "plan.toml".into(), devices: Vec::new(), python: "python3".into(), store: "results".into() };
        assert_eq!(parsed("run plan.toml"), Ok(Request::Run(plain())));
        let devices = vec!["torch-cuda".to_owned(), "flex".to_owned()];
        let elsewhere = Run { devices, python: "/a/python".into(), store: "x".into(), ..plain() };
        let line = "run --device cuda,flex plan.toml --python=/a/python --store x";
        assert_eq!(parsed(line), Ok(Request::Run(elsewhere)));
    }

    #[test]
    fn help_is_shown_where_nothing_else_is_asked_for() {
        for line in ["", "help", "--help", "run --help", "run plan.toml -h"] {
            assert_eq!(parsed(line), Ok(Request::Help), "{line}");
        }
        assert_eq!(parsed("--version"), Ok(Request::Version));
    }

    #[test]
    fn what_is_unknown_or_missing_is_named() {
        for (line, part) in [
            ("sql", "no verb `sql`"),
            ("run", "give a plan"),
            ("run a.toml b.toml", "one plan"),
            ("run a.toml --fast", "no `--fast`"),
            ("run a.toml --device", "`--device` takes a value"),
            ("run a.toml --store=", "`--store` takes a value"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
