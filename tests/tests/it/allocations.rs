//! Mixers and experts by hand allocate nothing in a call, as a run records it: in `benchbook-simd` the kernels are held to that, and
//! here what stands between them and a sample.

use std::collections::BTreeSet;
use std::fs;

use benchbook_tests::Bench;
use serde_json::Value;

/// Workloads, each with what is written by hand for it.
const BY_HAND: [(&str, &[&str]); 13] = [
    ("selective-scan", &["fused"]),
    ("selective-scan-gradients", &["fused"]),
    ("causal-conv", &["fused"]),
    ("state-space-duality", &["fused"]),
    ("retention", &["chunkwise"]),
    ("rwkv-4", &["fused"]),
    ("rwkv-6", &["fused"]),
    ("rwkv-7", &["fused"]),
    ("hybrid-stack", &["fused"]),
    ("expert-routing", &["insertion"]),
    ("mixture-of-experts", &["sorted", "dense"]),
    ("mixture-of-experts-gradients", &["sorted"]),
    ("capacity-experts", &["sorted", "dense"]),
];

/// Layers of every kind, of which the preset has two, at once and a step at a time.
const LAYERS: &str = "[[cases]]\nworkload = \"hybrid-stack\"\nimplementations = [\"fused\"]\n\
    params = { pattern = \"AEFMRSUVW\", seq = [1, 40], heads = 2, head_dim = 32 }\n";

#[test]
fn mixers_and_experts_allocate_nothing_in_a_call() {
    let bench = Bench::new();
    let case = |(workload, names): (&str, &[&str])| {
        format!("[[cases]]\nworkload = \"{workload}\"\npreset = \"quick\"\nimplementations = {names:?}\n\n")
    };
    fs::write(bench.folder().join("plan.toml"), BY_HAND.map(case).concat() + LAYERS).unwrap();
    // Of several threads, some may take part for the first time late, and want their scratch then.
    let few = ["--quick", "--replicates", "1", "--blocks", "1", "--threads", "1", "--device", "flex"];
    bench.ok(&[&["run", "plan.toml"][..], &few].concat());
    let found = bench.sql(
        "select t.workload, t.implementation, t.case_name, max(m.value) as allocations from trials t \
         left join measures m on m.run_id = t.run_id and m.trial = t.trial and m.name = 'allocations' \
         group by 1, 2, 3 order by 1, 2, 3",
    );
    let kernels = found.iter().map(|row| [&row["workload"], &row["implementation"]].map(ToString::to_string));
    let wanted = BY_HAND.iter().map(|(_, names)| names.len()).sum::<usize>();
    assert_eq!(kernels.collect::<BTreeSet<[String; 2]>>().len(), wanted, "{found:?}");
    let of_layers = |row: &&Value| row["case_name"].as_str().is_some_and(|name| name.starts_with("AEFMRSUVW "));
    assert_eq!(found.iter().filter(of_layers).count(), 2, "{found:?}");
    let more: Vec<&Value> = found.iter().filter(|row| row["allocations"].as_f64() != Some(0.0)).collect();
    assert!(more.is_empty(), "{more:?}");
}
