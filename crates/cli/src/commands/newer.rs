//! `benchbook list --newer`: engines in Python as they are here, beside the newest that pip finds.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use arrow::array::RecordBatch;
use benchbook_jupyter::{Interpreter, Surroundings};

use crate::args::FormatArgs;
use crate::error::Failure;
use crate::output::{self, text_batch};
use crate::python::{Need, needed};

/// How long pip may take for a package.
const PATIENCE: Duration = Duration::from_secs(60);

/// What pip says where it reaches no index.
const BROKEN: &str = "after connection broken";

/// What pip knows of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    newest: String,
    /// The version that is installed, if any.
    here: Option<String>,
}

/// Why pip knows nothing of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Silent {
    /// There is no index, of whatever package.
    NoIndex,
    /// Of this one.
    Package(String),
}

/// Asks the project's pip for every package that an engine of the Python worker needs, and shows what is newer.
///
/// # Errors
/// There is no Python.
pub fn newer(format: FormatArgs) -> Result<u8, Failure> {
    let python = Interpreter::find(&Surroundings::here()?, None)?;
    let batch = releases(&needed(), |package| ask(&python.program, package))?;
    output::print(&batch.schema(), &[batch], format)?;
    Ok(0)
}

/// A row for each package. Once no index was reached, no other package is asked for.
fn releases(needs: &[Need], mut ask: impl FnMut(&str) -> Result<Known, Silent>) -> Result<RecordBatch, Failure> {
    let mut rows: Vec<[String; 5]> = Vec::new();
    let mut reached = true;
    for need in needs {
        let known = if reached { ask(&need.package) } else { Err(Silent::NoIndex) };
        reached = known != Err(Silent::NoIndex);
        let upper = if need.beyond.is_empty() { String::new() } else { format!(", <{}", need.beyond) };
        let takes = format!(">={}{upper}", need.first);
        let [here, newest, news] = match known {
            Ok(known) => {
                let news = news(&known, &need.beyond).to_owned();
                [known.here.unwrap_or_default(), known.newest, news]
            }
            Err(Silent::NoIndex) => ["", "", "pip reaches no package index: see the network"].map(str::to_owned),
            Err(Silent::Package(why)) => [String::new(), String::new(), why],
        };
        rows.push([need.package.clone(), takes, here, newest, news]);
    }
    let column = |index: usize| rows.iter().map(|row| row[index].clone()).collect::<Vec<_>>();
    text_batch(&[
        ("package", column(0)),
        ("takes", column(1)),
        ("here", column(2)),
        ("newest", column(3)),
        ("news", column(4)),
    ])
}

/// What the newest release is to an engine that takes versions before `beyond`; all that follow where that is empty.
fn news(known: &Known, beyond: &str) -> &'static str {
    let newest = numbers(&known.newest);
    match &known.here {
        _ if !beyond.is_empty() && newest >= numbers(beyond) => "newer than its rows take",
        None => "not here",
        Some(here) if numbers(here) >= newest => "the newest is here",
        Some(_) => "newer than here",
    }
}

/// The numbers of a version, without what is built into it: 2, 9, 0 of `2.9.0+cpu`.
fn numbers(version: &str) -> Vec<u64> {
    let public = version.split('+').next().unwrap_or_default();
    let number = |part: &str| {
        let end = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().unwrap_or(0)
    };
    public.split('.').map(number).collect()
}

/// What pip answers for a package.
fn ask(python: &Path, package: &str) -> Result<Known, Silent> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "index", "versions", package, "--disable-pip-version-check", "--no-input", "--no-color"]);
    // Of a connection that is broken it tells only where it tries again.
    pip.args(["--retries", "1", "--timeout", "10"]);
    let said = benchbook_process::output(&mut pip, PATIENCE).map_err(|error| Silent::Package(error.to_string()))?;
    if said.status.success() {
        let known = known(&String::from_utf8_lossy(&said.stdout));
        return known.ok_or_else(|| Silent::Package("pip's answer is none".to_owned()));
    }
    Err(silent(&String::from_utf8_lossy(&said.stderr)))
}

/// The newest version, which stands behind the name, and the one that is installed.
fn known(said: &str) -> Option<Known> {
    let (_, rest) = said.lines().next()?.split_once('(')?;
    let (newest, _) = rest.split_once(')')?;
    let here = said.lines().find_map(|line| line.trim().strip_prefix("INSTALLED:"));
    let here = here.and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
    Some(Known { newest: newest.to_owned(), here })
}

/// Why there is no answer.
fn silent(said: &str) -> Silent {
    if said.contains(BROKEN) {
        return Silent::NoIndex;
    }
    let error = said.lines().rev().find_map(|line| line.trim().strip_prefix("ERROR: "));
    Silent::Package(error.unwrap_or("pip fails and does not say why").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As pip 23.2 writes it.
    const TORCH: &str =
        "torch (2.11.0)\nAvailable versions: 2.11.0, 2.10.0, 2.9.0\n  INSTALLED: 2.9.0\n  LATEST:    2.11.0\n";
    const LATEST: &str = "scipy (1.16.3)\nAvailable versions: 1.16.3\n  INSTALLED: 1.16.3 (latest)\n";
    const ABSENT: &str = "torchao (0.18.0)\nAvailable versions: 0.18.0, 0.17.0\n";
    const UNREACHED: &str = "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
        connection broken by 'NewConnectionError('refused')': /simple/torch/\nERROR: No matching distribution found for torch\n";
    const UNKNOWN: &str =
        "WARNING: pip index is currently an experimental command.\nERROR: No matching distribution found for a\n";

    fn need(package: &str, beyond: &str) -> Need {
        Need { package: package.into(), first: "0.1".into(), beyond: beyond.into() }
    }

    fn shown(needs: &[Need], ask: impl FnMut(&str) -> Result<Known, Silent>) -> String {
        let batch = releases(needs, ask).unwrap();
        benchbook_report::table(&batch.schema(), &[batch], None).unwrap()
    }

    #[test]
    fn what_pip_says_is_read() {
        let of = |newest: &str, here: Option<&str>| Known { newest: newest.into(), here: here.map(str::to_owned) };
        assert_eq!(known(TORCH), Some(of("2.11.0", Some("2.9.0"))));
        assert_eq!(known(LATEST), Some(of("1.16.3", Some("1.16.3"))));
        assert_eq!(known(ABSENT), Some(of("0.18.0", None)));
        assert!(known("").is_none() && known("torch").is_none() && known("torch (").is_none());
        assert_eq!(silent(UNREACHED), Silent::NoIndex);
        assert_eq!(silent(UNKNOWN), Silent::Package("No matching distribution found for a".into()));
        assert_eq!(silent(""), Silent::Package("pip fails and does not say why".into()));
    }

    #[test]
    fn a_release_is_news_by_its_numbers() {
        let news = |said: &str, beyond: &str| news(&known(said).unwrap(), beyond);
        assert_eq!(news(TORCH, "3"), "newer than here");
        assert_eq!(news(TORCH, "2.11"), "newer than its rows take");
        assert_eq!(news(TORCH, "2.11.1"), "newer than here");
        assert_eq!((news(LATEST, ""), news(ABSENT, "")), ("the newest is here", "not here"));
        assert_eq!(news(ABSENT, "0.15"), "newer than its rows take");
        assert_eq!(numbers("2.9.0rc1+cpu.5"), [2, 9, 0]);
        assert!(numbers("2.10") > numbers("2.9.1"));
    }

    #[test]
    fn without_a_network_one_package_is_asked_for_and_every_row_says_so() {
        let needs = [need("torch", "3"), need("a", "2"), need("scipy", "")];
        let mut asked = Vec::new();
        let text = shown(&needs, |package| {
            asked.push(package.to_owned());
            Err(silent(UNREACHED))
        });
        assert_eq!(asked, ["torch"]);
        assert_eq!(text.matches("no package index").count(), 3, "{text}");
        let text = shown(&needs, |package| match package {
            "torch" => Ok(known(TORCH).unwrap()),
            "scipy" => Ok(known(LATEST).unwrap()),
            _ => Err(silent(UNKNOWN)),
        });
        for part in [">=0.1, <3", "2.11.0", "newer than here", "No matching distribution", "the newest is here"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
