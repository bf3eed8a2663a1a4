//! What cargo is told to pass over when it tests has no test: it would never run.

use crate::sources::{Source, cargo, none, root, sources};
use serde_json::Value;

/// Tests that a target has, by the path of its first file, and that cargo passes over.
fn passed_over(first: &str, tests: bool, examples: bool, all: &[Source]) -> Vec<String> {
    let folder = match first.rsplit_once('/') {
        Some((folder, "lib.rs" | "main.rs")) => format!("{folder}/"),
        _ => first.to_owned(),
    };
    let is_example = |line: &str| {
        let line = line.trim_start();
        (line.starts_with("///") || line.starts_with("//!")) && line.contains("```")
    };
    let mut found = Vec::new();
    for Source { path, text } in all.iter().filter(|source| source.path.starts_with(&folder)) {
        if !tests && text.contains("#[test]") {
            found.push(format!("{path}: its tests never run, `test = false` in Cargo.toml"));
        }
        if !examples && text.lines().any(is_example) {
            found.push(format!("{path}: its examples never run, `doctest = false` in Cargo.toml"));
        }
    }
    found
}

#[test]
fn no_test_is_passed_over() {
    let all = sources(&["crates", "tests"], &["rs"]);
    let said: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).expect("JSON");
    let packages = said["packages"].as_array().expect("a list");
    let (root, mut found, mut quiet) = (format!("{}/", root().display()), Vec::new(), 0);
    for target in packages.iter().flat_map(|package| package["targets"].as_array().expect("a list")) {
        let is = |what: &str| target[what].as_bool().expect(what);
        let first = target["src_path"].as_str().expect("a path").strip_prefix(&root).expect("inside the root");
        quiet += usize::from(!is("test"));
        found.extend(passed_over(first, is("test"), is("doctest"), &all));
    }
    assert!(quiet > 0, "some programs have no test");
    none(&found);
}

#[test]
fn a_planted_test_that_never_runs_is_found() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let all = [
        source("crates/x/src/lib.rs", "/// ```\n/// one();\n/// ```\n"),
        source("crates/x/src/deep/one.rs", "    #[test]\n"),
        source("crates/x/src/bin/two.rs", "let fence = \"```\";\n"),
    ];
    let of = |first: &str, tests: bool, examples: bool| passed_over(first, tests, examples, &all).len();
    assert_eq!(of("crates/x/src/lib.rs", true, true), 0);
    assert_eq!((of("crates/x/src/lib.rs", false, true), of("crates/x/src/lib.rs", true, false)), (1, 1));
    assert_eq!(of("crates/x/src/bin/two.rs", false, false), 0);
}
