//! The top level holds what the design names, and dot files. Workflows take other people's actions by the hash of a
//! commit: a tag can be moved to other code. What the changelog says stands there once.

use crate::sources::{Source, none, root, sources};
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

/// The lines that name an action by anything but forty hexadecimal digits.
fn unpinned(path: &str, text: &str) -> Vec<String> {
    let action = |line: &str| {
        let (_, named) = line.split_once("uses:")?;
        let revision =
            named.split_once('@').map(|(_, revision)| revision.split_whitespace().next().unwrap_or_default());
        let pinned = revision.is_some_and(|hash| hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        // What begins with a dot is a file of this repository.
        (!pinned && !named.trim().starts_with('.')).then(|| format!("{path}: {}", named.trim()))
    };
    text.lines().filter_map(action).collect()
}

#[test]
fn actions_are_pinned() {
    let workflows = sources(&[".github"], &["yml", "yaml"]);
    assert!(workflows.iter().any(|one| one.text.contains("uses:")), "a workflow uses an action");
    none(&workflows.iter().flat_map(|Source { path, text }| unpinned(path, text)).collect::<Vec<_>>());
}

#[test]
fn a_planted_tag_is_found() {
    for named in ["a/b@v4", "a/b@main", "a/b", "a/b@11bd719"] {
        assert_eq!(unpinned("w.yml", &format!("  - uses: {named} # v4\n")).len(), 1, "{named}");
    }
    let pinned = format!("uses: a/b@{} # v4\nuses: ./here\n", "0".repeat(40));
    assert!(unpinned("w.yml", &pinned).is_empty());
}

/// Characters by which two entries of the changelog are the same one.
const ALIKE: usize = 60;

/// Entries of a changelog that begin as one before them does: a merge has said them twice.
fn twice(changelog: &str) -> Vec<String> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for entry in changelog.lines().filter(|line| line.starts_with("- ")) {
        let begins: String = entry.chars().take(ALIKE).collect();
        if !seen.insert(begins.clone()) {
            found.push(format!("CHANGELOG.md says twice: {begins}"));
        }
    }
    found
}

#[test]
fn an_entry_of_the_changelog_stands_once() {
    let page = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("a readable file");
    assert!(page.contains("\n- "), "it has entries");
    none(&twice(&page));
    let planted = "- One entry that is longer than sixty characters, as most are, or more.\n".repeat(2);
    assert_eq!(twice(&planted).len(), 1);
    assert!(twice("- one\n- two\none\n").is_empty());
}
