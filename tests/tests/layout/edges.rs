//! Who may use whom: the table of the design, and no other edge; who is linked with burn and libtorch, and who must do
//! without.

use crate::sources::{cargo, none, root};
use serde_json::Value;
use std::collections::BTreeSet;

/// A crate and the crates of the workspace that it may use, whatever the kind of dependency.
const EDGES: [(&str, &[&str]); 29] = [
    ("benchbook-formats", &[]),
    ("benchbook-core", &["benchbook-formats"]),
    ("benchbook-stats", &[]),
    ("benchbook-search", &[]),
    ("benchbook-process", &[]),
    ("benchbook-journal", &["benchbook-core"]),
    ("benchbook-record", &["benchbook-core", "benchbook-journal"]),
    ("benchbook-query", &["benchbook-record", "benchbook-stats"]),
    ("benchbook-quality", &["benchbook-core", "benchbook-stats"]),
    ("benchbook-measure", &["benchbook-core", "benchbook-journal", "benchbook-process", "benchbook-stats"]),
    ("benchbook-simd", &["benchbook-formats"]),
    ("benchbook-workloads", &["benchbook-core"]),
    ("benchbook-models", &["benchbook-formats", "benchbook-simd"]),
    (
        "benchbook-engines",
        &[
            "benchbook-core",
            "benchbook-formats",
            "benchbook-models",
            "benchbook-process",
            "benchbook-quality",
            "benchbook-simd",
            "benchbook-workloads",
        ],
    ),
    (
        "benchbook-report",
        &["benchbook-core", "benchbook-process", "benchbook-query", "benchbook-record", "benchbook-stats"],
    ),
    (
        "benchbook-matrix",
        &[
            "benchbook-core",
            "benchbook-measure",
            "benchbook-models",
            "benchbook-query",
            "benchbook-record",
            "benchbook-report",
            "benchbook-workloads",
        ],
    ),
    ("benchbook-jupyter", &["benchbook-process", "benchbook-report"]),
    ("benchbook-front", &["benchbook-process"]),
    ("benchbook-kernel", &["benchbook-front", "benchbook-process"]),
    ("benchbook", LIBRARIES),
    ("benchbook-notebook", &["benchbook"]),
    (
        "benchbook-first",
        &["benchbook-core", "benchbook-measure", "benchbook-simd", "benchbook-stats", "benchbook-workloads"],
    ),
    ("benchbook-bundle", &["benchbook-core", "benchbook-measure", "benchbook-workloads"]),
    ("benchbook-worker", &["benchbook-measure", "benchbook-workloads", "benchbook-engines"]),
    (
        "benchbook-cli",
        &[
            "benchbook-core",
            "benchbook-matrix",
            "benchbook-measure",
            "benchbook-process",
            "benchbook-query",
            "benchbook-record",
            "benchbook-report",
            "benchbook-search",
            "benchbook-jupyter",
            "benchbook-workloads",
        ],
    ),
    ("benchbook-tests", TESTED),
    ("xtask", &["benchbook-process"]),
    ("benchbook-bench", &["benchbook-formats", "benchbook-process", "benchbook-search", "xtask"]),
    ("workspace-hack", &[]),
];

const LIBRARIES: &[&str] = &[
    "benchbook-core",
    "benchbook-stats",
    "benchbook-process",
    "benchbook-record",
    "benchbook-query",
    "benchbook-matrix",
    "benchbook-measure",
    "benchbook-workloads",
    "benchbook-engines",
    "benchbook-report",
    "benchbook-search",
];

/// What the end-to-end tests use besides programs: the facade's libraries, the front end, for a kernel without Rust, and what
/// lays out the portable bundle.
const TESTED: &[&str] = &[
    "benchbook-core",
    "benchbook-stats",
    "benchbook-process",
    "benchbook-record",
    "benchbook-query",
    "benchbook-measure",
    "benchbook-workloads",
    "benchbook-engines",
    "benchbook-report",
    "benchbook-front",
    "xtask",
];

/// A library from outside, and the only crates that may name it.
const OUTSIDE: [(&str, &[&str]); 9] = [
    ("burn", &["benchbook-engines", "benchbook", "benchbook-tests"]),
    ("tch", &["benchbook-engines"]),
    ("datafusion", &["benchbook-query", "benchbook"]),
    ("object_store", &["benchbook-record", "benchbook-query"]),
    ("plotly", &["benchbook-report", "benchbook"]),
    ("statrs", &["benchbook-stats"]),
    ("nvml-wrapper", &["benchbook-measure"]),
    ("evcxr", &["benchbook-kernel"]),
    ("zmq", &["benchbook-front", "benchbook-tests"]),
];

/// A crate, and what it never knows.
const NEVER: [(&str, &[&str]); 8] = [
    ("benchbook-core", &["arrow", "parquet", "chrono", "tokio", "object_store", "tempfile"]),
    ("benchbook-stats", &["arrow", "parquet", "chrono", "tokio"]),
    ("benchbook-journal", &["parquet", "object_store", "tokio", "url"]),
    ("benchbook-measure", &["parquet", "object_store", "tokio", "url"]),
    ("benchbook-process", &["arrow", "chrono", "nix", "tempfile", "uuid"]),
    ("benchbook-workloads", &["arrow", "parquet", "chrono"]),
    ("benchbook-engines", &["arrow", "parquet", "chrono"]),
    // All of it is compiled for the first look.
    ("workspace-hack", &["parquet", "object_store", "ring", "rustls", "tokio"]),
];

/// Features are unified through this crate; xtask, and what that uses, must not wait for what it brings.
const UNIFIER: &str = "workspace-hack";
const WITHOUT_UNIFIER: [&str; 3] = ["benchbook-process", "xtask", UNIFIER];

struct Package {
    name: String,
    uses: Vec<String>,
}

fn breaches(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for Package { name, uses } in packages {
        let Some((_, may)) = EDGES.iter().find(|(known, _)| known == name) else {
            found.push(format!("{name} is not in the table"));
            continue;
        };
        for used in uses {
            let ours = EDGES.iter().any(|(known, _)| known == used);
            let unifies = used == UNIFIER && !WITHOUT_UNIFIER.contains(&name.as_str());
            if ours && !unifies && !may.contains(&used.as_str()) {
                found.push(format!("{name} may not use {used}"));
            }
            if OUTSIDE.iter().any(|(library, only)| library == used && !only.contains(&name.as_str())) {
                found.push(format!("{name} may not use {used}, which has its place elsewhere"));
            }
            if NEVER.iter().any(|(one, never)| one == name && never.contains(&used.as_str())) {
                found.push(format!("{name} never knows {used}"));
            }
        }
        if !WITHOUT_UNIFIER.contains(&name.as_str()) && !uses.iter().any(|used| used == UNIFIER) {
            found.push(format!("{name} must use {UNIFIER}, or building it alone compiles its libraries again"));
        }
    }
    let absent = EDGES.iter().filter(|(known, _)| !packages.iter().any(|package| package.name == *known));
    found.extend(absent.map(|(known, _)| format!("{known} is in the table and not in the workspace")));
    found
}

fn packages() -> Vec<Package> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).expect("JSON");
    let text = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let package =
        |one: &Value| Package { name: text(one), uses: list(&one["dependencies"]).iter().map(text).collect() };
    list(&metadata["packages"]).iter().map(package).collect()
}

#[test]
fn crates_use_only_what_the_table_allows() {
    none(&breaches(&packages()));
}

#[test]
fn a_planted_edge_is_found() {
    for (name, used, part) in [
        ("benchbook-stats", "benchbook-record", "benchbook-stats may not use benchbook-record"),
        ("benchbook-stats", "arrow", "never knows arrow"),
        ("benchbook-cli", "burn", "may not use burn"),
        ("benchbook-core", "chrono", "never knows chrono"),
        ("benchbook-measure", "benchbook-record", "benchbook-measure may not use benchbook-record"),
        ("workspace-hack", "parquet", "workspace-hack never knows parquet"),
        ("benchbook-engines", "benchbook-measure", "may not use benchbook-measure"),
        ("benchbook-workloads", "burn", "may not use burn"),
        ("benchbook-worker", "benchbook-notebook", "may not use benchbook-notebook"),
        ("benchbook-process", "benchbook-core", "benchbook-process may not use benchbook-core"),
        ("xtask", "workspace-hack", "xtask may not use workspace-hack"),
    ] {
        let mut packages = packages();
        let planted = packages.iter_mut().find(|package| package.name == name).expect(name);
        planted.uses.push(used.to_owned());
        assert!(breaches(&packages).iter().any(|breach| breach.contains(part)), "{name} -> {used}");
    }
}

/// Whose code right answers are computed by, and what says that they were computed by other code.
const ANSWERS: &str = "benchbook-workloads";
const DIGEST: &str = "crates/workloads/build.rs";

/// Crates that problems may use and whose code is no part of the digest of their right answers: what is kept of these between
/// runs would outlive it.
fn undigested(script: &str, edges: &[(&'static str, &'static [&'static str])]) -> Vec<String> {
    let (mut open, mut all) = (vec![ANSWERS], BTreeSet::new());
    while let Some(name) = open.pop() {
        if all.insert(name) {
            open.extend(edges.iter().filter(|(known, _)| *known == name).flat_map(|(_, uses)| uses.iter().copied()));
        }
    }
    let folder = |name: &str| match name {
        ANSWERS => "\"src\"".to_owned(),
        other => format!("\"../{}/src\"", other.trim_start_matches("benchbook-")),
    };
    let absent = all.into_iter().filter(|&name| !script.contains(&folder(name)));
    absent.map(|name| format!("{DIGEST} leaves {name} out")).collect()
}

#[test]
fn right_answers_are_kept_under_all_code_that_computes_them() {
    let script = std::fs::read_to_string(root().join(DIGEST)).expect("a readable file");
    none(&undigested(&script, &EDGES));
    let edge: (&str, &[&str]) = (ANSWERS, &["benchbook-stats"]);
    let planted = [&EDGES[..], &[edge]].concat();
    assert_eq!(undigested(&script, &planted), ["crates/workloads/build.rs leaves benchbook-stats out"]);
    let own = script.replace("\"src\"", "\"elsewhere\"");
    assert_eq!(undigested(&own, &EDGES), ["crates/workloads/build.rs leaves benchbook-workloads out"]);
}

#[test]
fn a_crate_without_a_place_is_found() {
    let mut packages = packages();
    packages.push(Package { name: "benchbook-corner".to_owned(), uses: Vec::new() });
    packages.retain(|package| package.name != "benchbook-stats");
    let found = breaches(&packages);
    assert!(found.contains(&"benchbook-corner is not in the table".to_owned()), "{found:?}");
    assert!(found.contains(&"benchbook-stats is in the table and not in the workspace".to_owned()), "{found:?}");
}

const SLOW: [&str; 10] =
    ["plotly", "sqlparser", "minijinja", "parquet", "object_store", "reqwest", "hyper", "rustls", "ring", "tokio"];

/// Packages of a tree that a program without kernels may not be linked with.
fn heavy(tree: &str) -> Vec<String> {
    let begins = ["burn", "candle", "cubecl"];
    let heavy = |name: &str| ["tch", "torch-sys"].contains(&name) || begins.iter().any(|start| name.starts_with(start));
    named(tree, heavy)
}

/// Packages of a tree that the first table need not wait for: SQL, charts, Parquet and object stores.
fn slow(tree: &str) -> Vec<String> {
    named(tree, |name| SLOW.contains(&name) || name.starts_with("datafusion"))
}

/// Packages of a tree whose name is such a one.
fn named(tree: &str, is: impl Fn(&str) -> bool) -> Vec<String> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| is(name)).map(str::to_owned).collect()
}

fn tree(arguments: &[&str]) -> String {
    cargo(&[&["tree", "--locked", "--prefix", "none", "--edges", "normal,build"], arguments].concat())
}

#[test]
fn the_program_benchbook_links_neither_burn_nor_libtorch() {
    none(&heavy(&tree(&["--package", "benchbook-cli"])));
}

#[test]
fn the_first_look_and_the_bundle_have_nothing_that_takes_long_to_compile() {
    for package in ["benchbook-first", "benchbook-bundle"] {
        let tree = tree(&["--package", package]);
        none(&heavy(&tree));
        none(&slow(&tree));
    }
}

#[test]
fn minimal_leaves_libtorch_and_candle_out() {
    let names = heavy(&tree(&["--workspace", "--no-default-features"]));
    assert!(names.iter().any(|name| name == "burn"), "kernels are always built");
    let left_out = ["tch", "torch-sys", "burn-tch", "candle-core", "candle-nn"];
    let others: Vec<String> = names.into_iter().filter(|name| left_out.contains(&name.as_str())).collect();
    none(&others);
}

#[test]
fn a_planted_link_is_found() {
    let worker = heavy(&tree(&["--package", "benchbook-worker"]));
    for name in ["burn", "candle-core", "tch", "torch-sys"] {
        assert!(worker.iter().any(|found| found == name), "{name}: {worker:?}");
    }
    let program = slow(&tree(&["--package", "benchbook-cli"]));
    for name in SLOW {
        assert!(program.iter().any(|found| found == name), "{name}: {program:?}");
    }
    assert_eq!(heavy("benchbook-cli v0.1.0 (/x)\nburnish v1.0.0\narrow v59.0.0 (*)"), ["burnish"]);
}
