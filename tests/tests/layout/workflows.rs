//! Workflows take other people's actions by the hash of a commit: a tag can be moved to other code.

use crate::sources::{Source, none, sources};

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
