//! Libraries are compiled once: a crate built or tested alone asks for the very features that the
//! whole workspace asks for.

use crate::sources::{cargo, none};
use std::collections::BTreeSet;

/// Built by its own command only: see ARCHITECTURE.md.
const APART: [&str; 4] = ["benchbook-kernel", "benchbook-notebook", "xtask", "workspace-hack"];

/// Everything that is built and tested together.
const TOGETHER: [&str; 5] = ["--workspace", "--exclude", "benchbook-notebook", "--exclude", "benchbook-kernel"];

/// Packages with their features, one unit a line.
type Units = BTreeSet<String>;

fn units(selection: &[&str], edges: &str) -> Units {
    let tree = ["tree", "--locked", "--prefix", "none", "--format", "{p} {f}", "--edges", edges];
    read(&cargo(&[&tree, selection].concat()))
}

fn read(tree: &str) -> Units {
    tree.lines()
        .map(|line| line.trim().trim_end_matches("(*)").trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// The units of `alone` that the workspace does not have.
fn extra(name: &str, alone: &Units, workspace: &Units) -> Vec<String> {
    alone.difference(workspace).map(|unit| format!("{name} would compile again: {unit}")).collect()
}

fn members() -> Vec<String> {
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list").clone();
    let names = packages.iter().map(|package| package["name"].as_str().expect("a name").to_owned());
    names.filter(|name| !APART.contains(&name.as_str())).collect()
}

#[test]
fn one_crate_alone_recompiles_nothing() {
    let tested = units(&TOGETHER, "normal,build,dev");
    assert!(tested.len() > 100, "the tree was read");
    // The programs are built without xtask, the tests with it.
    let programs = units(&[&TOGETHER[..], &["--exclude", "xtask"]].concat(), "normal,build");
    let mut found = extra("building the programs", &programs, &tested);
    for name in members() {
        found.extend(extra(&name, &units(&["--package", &name], "normal,build"), &tested));
        found.extend(extra(&format!("testing {name}"), &units(&["--package", &name], "normal,build,dev"), &tested));
    }
    none(&found);
}

#[test]
fn the_notebook_alone_adds_only_itself() {
    let workspace = units(&TOGETHER, "normal,build,dev");
    let alone = units(&["--package", "benchbook-notebook"], "normal,build");
    let found = extra("benchbook-notebook", &alone, &workspace);
    none(&found.into_iter().filter(|line| !line.contains("compile again: benchbook-notebook ")).collect::<Vec<_>>());
}

#[test]
fn a_planted_feature_is_found() {
    let workspace = read("half v2.7.1 bytemuck,std\nhalf v2.7.1 bytemuck,std (*)\n\nlog v0.4.1 \n");
    assert_eq!(workspace.len(), 2);
    assert_eq!(
        extra("x", &read("half v2.7.1 std\nlog v0.4.1 (*)"), &workspace),
        ["x would compile again: half v2.7.1 std"]
    );
    assert!(extra("x", &read("log v0.4.1"), &workspace).is_empty());
}
