//! Who is linked with burn and libtorch, and who must do without.

use crate::sources::{cargo, none};

const SLOW: [&str; 10] =
    ["plotly", "sqlparser", "minijinja", "parquet", "object_store", "reqwest", "hyper", "rustls", "ring", "tokio"];

/// Packages of a tree that a program without kernels may not be linked with.
fn heavy(tree: &str) -> Vec<String> {
    let heavy =
        |name: &str| name == "tch" || name == "torch-sys" || name.starts_with("burn") || name.starts_with("cubecl");
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
fn the_first_look_waits_for_nothing_that_takes_long_to_compile() {
    let tree = tree(&["--package", "benchbook-first"]);
    none(&heavy(&tree));
    none(&slow(&tree));
}

#[test]
fn minimal_leaves_libtorch_out() {
    let names = heavy(&tree(&["--workspace", "--no-default-features"]));
    assert!(names.iter().any(|name| name == "burn"), "kernels are always built");
    let torch: Vec<String> =
        names.into_iter().filter(|name| ["tch", "torch-sys", "burn-tch"].contains(&name.as_str())).collect();
    none(&torch);
}

#[test]
fn a_planted_link_is_found() {
    let worker = heavy(&tree(&["--package", "benchbook-worker"]));
    for name in ["burn", "tch", "torch-sys"] {
        assert!(worker.iter().any(|found| found == name), "{name}: {worker:?}");
    }
    let program = slow(&tree(&["--package", "benchbook-cli"]));
    for name in SLOW {
        assert!(program.iter().any(|found| found == name), "{name}: {program:?}");
    }
    assert_eq!(heavy("benchbook-cli v0.1.0 (/x)\nburnish v1.0.0\narrow v59.0.0 (*)"), ["burnish"]);
}
