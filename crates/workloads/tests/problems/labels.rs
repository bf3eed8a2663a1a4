//! Labels, by which runs of a store are compared.

use benchbook_core::Workload;

use crate::registry;

/// The workload of a line.
fn workload_of(line: &str) -> &str {
    line.split(": ").next().unwrap_or_default()
}

/// The labels of workloads that have lines in the list: those of a new one are in nobody's store yet.
fn of_known<'a>(found: &'a [String], known: &[&str]) -> Vec<&'a str> {
    let is_known = |line: &&str| known.iter().any(|label| workload_of(label) == workload_of(line));
    found.iter().map(String::as_str).filter(is_known).collect()
}

#[test]
fn every_label_stays_what_it_was() {
    let labels = |workload: &dyn Workload| -> Vec<String> {
        let cases = workload.presets().into_iter().flat_map(|preset| preset.cases);
        cases.map(|given| format!("{}: {}", workload.name(), workload.case(given).unwrap().name)).collect()
    };
    let found: Vec<String> = registry().workloads().flat_map(labels).collect();
    let known: Vec<&str> = include_str!("../../fixtures/labels.txt").lines().collect();
    assert_eq!(of_known(&found, &known), known);
}

#[test]
fn a_new_workload_needs_no_line_and_another_label_is_found() {
    let found = ["old: a", "new: a", "old: b"].map(str::to_owned);
    for (known, is_right) in [
        (&["old: a", "old: b"][..], true),
        (&["old: a", "old: c"][..], false),
        (&["old: a"][..], false),
        (&["old: a", "gone: a", "old: b"][..], false),
    ] {
        assert_eq!(of_known(&found, known) == known, is_right, "{known:?}");
    }
}
