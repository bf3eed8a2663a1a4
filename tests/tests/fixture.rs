//! The committed store: version 1 of the record, as measured, read by everything that is later.

use std::path::{Path, PathBuf};

use benchbook_tests::Bench;

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/demo")
}

fn ok(words: &[&str]) -> String {
    let store = demo();
    Bench::new().ok(&[&["--store", store.to_str().expect("a path in UTF-8")], words].concat())
}

#[test]
fn every_checksum_of_the_committed_store_holds() {
    assert!(ok(&["store", "verify"]).contains("every file is as it was written"));
    let marker = std::fs::read_to_string(demo().join("benchbook-store.json")).unwrap();
    let marker: serde_json::Value = serde_json::from_str(&marker).unwrap();
    assert_eq!(marker["schema_version"], 1);
}

#[test]
fn the_committed_store_answers_every_named_query() {
    let rows = |words: &[&str]| -> Vec<serde_json::Value> {
        serde_json::from_str(&ok(&[&["sql", "--format", "json"], words].concat())).unwrap()
    };
    assert_eq!(rows(&["--query", "runs"]).len(), 3);
    // Five cases; two naive variants as baselines, three candidates each.
    assert_eq!(rows(&["--query", "speedup", "--param", "run=demo"]).len(), 30);
    assert_eq!(rows(&["--query", "summary", "--param", "run=demo"]).len(), 25);
    // 125 trials, checked before and after.
    let checks = rows(&["--query", "checks", "--param", "run=demo"]);
    assert_eq!(checks.len(), 250);
    assert!(checks.iter().all(|check| check["passed"] == true));
    assert!(rows(&["--query", "left_out", "--param", "run=demo"]).is_empty());
    assert!(!rows(&["--query", "memory", "--param", "run=demo"]).is_empty());
    let across = ["--query", "sequential", "--param", "baseline=demo", "--param", "candidate=demo-again"];
    assert_eq!(rows(&across).len(), 25);
    let scaling = rows(&["--query", "scaling", "--param", "run=demo"]);
    assert!(scaling.iter().any(|row| row["exponent"].as_f64().is_some_and(|exponent| (0.5..3.0).contains(&exponent))));
}

#[test]
fn the_examples_of_the_readme_work() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    assert!(readme.contains("compare demo --baseline naive/flex/f32/2t"));
    let table = ok(&["compare", "demo", "--baseline", "naive/flex/f32/2t"]);
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| attention ")).collect();
    assert_eq!(rows.len(), 20);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let found = table.lines().any(|line| cells.iter().all(|cell| line.contains(cell)));
        assert!(found, "the README shows what the program does not say: {row}");
    }
}
