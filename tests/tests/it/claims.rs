//! What measures the published claims names workloads, implementations and parameters that there are.

use std::fs;

use benchbook_tests::{Bench, in_repository, python_with};

/// What the entry of a claim says of a setting; nothing where it does not have it.
fn setting<'a>(entry: &'a str, name: &str) -> Option<&'a str> {
    entry.lines().find_map(|line| line.strip_prefix("  ")?.strip_prefix(name)?.strip_prefix(": "))
}

/// The parts of a list or a mapping, each in one line (`[a, b]`, `{ a: 1, b: 2 }`), or of a word alone.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    value.trim_matches(['[', ']', '{', '}', ' ']).split(", ").filter(|part| !part.is_empty())
}

/// A parameter as TOML writes it.
fn param(pair: &str) -> String {
    let (name, value) = pair.split_once(": ").unwrap();
    let is_word = value.parse::<f64>().is_err() && value.parse::<bool>().is_err();
    if is_word { format!("{name} = {value:?}") } else { format!("{name} = {value}") }
}

/// The case of a claim, with both of its sides.
fn case_of(entry: &str) -> String {
    let value = |name: &str| setting(entry, name).unwrap_or_default();
    let (workload, candidate) = (value("workload"), value("candidate"));
    let names: Vec<&str> = [candidate].into_iter().chain(parts(value("baseline"))).collect();
    let params: Vec<String> = parts(value("params")).map(param).collect();
    let params = params.join(", ");
    format!("[[cases]]\nworkload = {workload:?}\nimplementations = {names:?}\nparams = {{ {params} }}\n\n")
}

#[test]
fn every_claim_that_can_be_measured_names_what_there_is() {
    let Some(python) = python_with("torch, numpy, transformers") else { return };
    let (bench, named) = (Bench::new(), format!("--python={}", python.display()));
    let text = fs::read_to_string(in_repository("crates/bench/src/claims/claims.yaml")).unwrap();
    let is_claim = |part: &&str| setting(part, "workload").is_some();
    let is_anywhere = |entry: &&str| setting(entry, "devices") == Some("[]");
    let (anywhere, ours): (Vec<&str>, Vec<&str>) = text.split("\n\n").filter(is_claim).partition(is_anywhere);
    assert!(anywhere.len() > 5 && ours.len() > 20, "{} and {}", anywhere.len(), ours.len());
    for (entries, devices) in [(anywhere, "[]"), (ours, "[\"flex\"]")] {
        let cases: String = entries.iter().map(|entry| case_of(entry)).collect();
        let plan = bench.folder().join("claims.toml");
        fs::write(&plan, format!("suite = \"claims\"\ndevices = {devices}\n\n{cases}")).unwrap();
        let said = bench.ok(&["run", plan.to_str().unwrap(), "--dry-run", &named]);
        let lacks = ["has no implementation", "does not run on", "is left out"];
        let lacking: Vec<&str> = said.lines().filter(|line| lacks.iter().any(|words| line.contains(words))).collect();
        assert!(lacking.is_empty() && said.contains("# takes at least "), "{lacking:?}");
    }
}
