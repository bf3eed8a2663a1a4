//! What a build compiled and what it found compiled, by cargo's own messages.

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use xtask::error::Result;
use xtask::process;

/// The files of a build: libraries, proc macros and programs, each named by its unit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Built {
    all: BTreeSet<String>,
    /// Those that were there already.
    fresh: BTreeSet<String>,
}

impl Built {
    /// How many files there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Files of an earlier build that this one did not find: it has compiled them again, or others in their place.
    pub fn again<'a>(&'a self, earlier: &'a Self) -> Vec<&'a str> {
        earlier.all.difference(&self.fresh).map(String::as_str).collect()
    }
}

/// Runs a `cargo build` whose progress the person sees; `remedy` says what to do where it fails.
pub fn build(command: &mut Command, remedy: &str) -> Result<Built> {
    command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|source| process::cannot_start(command, &source, remedy))?;
    if !output.status.success() {
        return Err(process::failed(command, output.status, remedy));
    }
    Ok(read(&String::from_utf8_lossy(&output.stdout)))
}

fn read(messages: &str) -> Built {
    let mut built = Built::default();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        let files: Vec<&str> =
            message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // A library that is asked for by name is called otherwise than one that another needs; its metadata is not.
        let metadata = files.iter().find(|file| file.ends_with(".rmeta"));
        for file in metadata.map_or(&files[..], std::slice::from_ref) {
            built.all.insert((*file).to_owned());
            if message["fresh"] == true {
                built.fresh.insert((*file).to_owned());
            }
        }
    }
    built
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_again_or_otherwise_is_found() {
        let message = |file: &str, fresh: bool| {
            format!("{{\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/{file}.rlib\"],\"fresh\":{fresh}}}\n")
        };
        let first = read(&[message("a-1", false), message("b-1", false), message("c-1", true)].concat());
        let whole = [message("b-1", false), message("c-1", true), message("d-1", false)].concat();
        assert_eq!(first.count(), 3);
        let again = read(&format!("{whole}{}no JSON\n", message("a-1", true)));
        assert_eq!(again.again(&first), ["/t/b-1.rlib"], "compiled again");
        let otherwise = read(&format!("{}{}", message("a-2", false), message("b-1", true)));
        assert_eq!(otherwise.again(&first), ["/t/a-1.rlib", "/t/c-1.rlib"], "others in their place");
        assert!(first.again(&Built::default()).is_empty());
    }

    #[test]
    fn a_library_is_the_same_whoever_asks_for_it() {
        let message = |files: &str, fresh: bool| {
            format!("{{\"reason\":\"compiler-artifact\",\"filenames\":[{files}],\"fresh\":{fresh}}}\n")
        };
        let needed = read(&message("\"/t/deps/liba-1.rlib\",\"/t/deps/liba-1.rmeta\"", false));
        let asked_for = read(&message("\"/t/liba.rlib\",\"/t/deps/liba-1.rmeta\"", true));
        assert_eq!((needed.count(), asked_for.again(&needed)), (1, vec![]));
    }
}
