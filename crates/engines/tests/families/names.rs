//! Names of implementations, by which variants of a store are found.

use crate::common::registry;

#[test]
fn every_name_stays_what_it_was() {
    let registry = registry();
    let found: Vec<String> =
        registry.implementations().map(|one| format!("{}: {}", one.workload(), one.name())).collect();
    let known = include_str!("../../fixtures/names.txt").lines();
    // A build without an engine has none of its calls.
    let known = known.filter(|name| cfg!(feature = "libtorch") || !name.contains(": torch-"));
    let known = known.filter(|name| cfg!(feature = "candle") || !name.contains(": candle"));
    let known = known.filter(|name| cfg!(feature = "onnxruntime") || !name.ends_with(": ort"));
    let gone: Vec<&str> = known.filter(|name| !found.iter().any(|found| found == name)).collect();
    assert!(gone.is_empty(), "stores know these names, and nothing is called so any more: {gone:?}");
}
