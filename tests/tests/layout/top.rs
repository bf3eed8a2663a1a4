//! The top level holds what the design names, and dot files.

use crate::sources::{none, root};
use benchbook_tests::git;
use std::collections::BTreeSet;

const NAMES: [&str; 13] = [
    "Cargo.toml",
    "Cargo.lock",
    "crates",
    "notebooks",
    "queries",
    "datasets",
    "tests",
    "environment.yml",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
];

/// Names of the top level that have no place there, from a list of paths.
fn strangers(paths: &str) -> Vec<String> {
    let names: BTreeSet<&str> = paths.lines().filter_map(|path| path.split('/').next()).collect();
    let stranger = |name: &&str| !name.starts_with('.') && !name.is_empty() && !NAMES.contains(name);
    names.into_iter().filter(stranger).map(|name| format!("{name} has no place at the top level")).collect()
}

#[test]
fn the_top_level_holds_nothing_else() {
    // What a person leaves lying about is theirs; only what is committed is laid out.
    let output = git("git", &root()).args(["ls-files"]).output();
    match output {
        Ok(output) if output.status.success() => none(&strangers(&String::from_utf8_lossy(&output.stdout))),
        _ => println!("skipped: this is no git checkout, so nothing tells what belongs to it"),
    }
}

#[test]
fn a_planted_stranger_is_found() {
    assert_eq!(strangers("crates/a.rs\n.ci/run\nLICENSE\n"), Vec::<String>::new());
    assert_eq!(strangers("docs/a.md\nCargo.toml\ndocs/b.md\nrun.sh\n").len(), 2);
}
