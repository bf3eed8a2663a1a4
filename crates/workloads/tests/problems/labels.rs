//! Labels, by which runs of a store are compared.

use benchbook_core::Workload;

use crate::registry;

#[test]
fn every_label_stays_what_it_was() {
    let labels = |workload: &dyn Workload| -> Vec<String> {
        let cases = workload.presets().into_iter().flat_map(|preset| preset.cases);
        cases.map(|given| format!("{}: {}", workload.name(), workload.case(given).unwrap().name)).collect()
    };
    let found: Vec<String> = registry().workloads().flat_map(labels).collect();
    let known: Vec<&str> = include_str!("../../fixtures/labels.txt").lines().collect();
    assert_eq!(found, known);
}
