//! Mixers and experts by hand allocate nothing in a call, as a run records it: in `benchbook-simd` the kernels are held to that, and
//! here what stands between them and a sample.

use std::fs;

use benchbook_tests::Bench;
use serde_json::Value;

/// Workloads, each with what is written by hand for it.
const BY_HAND: [(&str, &str); 13] = [
    ("selective-scan", "fused"),
    ("selective-scan-gradients", "fused"),
    ("causal-conv", "fused"),
    ("state-space-duality", "fused"),
    ("retention", "chunkwise"),
    ("rwkv-4", "fused"),
    ("rwkv-6", "fused"),
    ("rwkv-7", "fused"),
    ("hybrid-stack", "fused"),
    ("expert-routing", "insertion"),
    ("mixture-of-experts", "sorted"),
    ("mixture-of-experts-gradients", "sorted"),
    ("capacity-experts", "sorted"),
];

#[test]
fn mixers_and_experts_allocate_nothing_in_a_call() {
    let bench = Bench::new();
    let case = |(workload, implementation): (&str, &str)| {
        format!(
            "[[cases]]\nworkload = \"{workload}\"\npreset = \"quick\"\nimplementations = [\"{implementation}\"]\n\n"
        )
    };
    fs::write(bench.folder().join("plan.toml"), BY_HAND.map(case).concat()).unwrap();
    // Of several threads, some may take part for the first time late, and want their scratch then.
    let few = ["--quick", "--replicates", "1", "--blocks", "1", "--threads", "1", "--device", "flex"];
    bench.ok(&[&["run", "plan.toml"][..], &few].concat());
    let found = bench.sql(
        "select t.workload, t.case_name, max(m.value) as allocations from trials t \
         left join measures m on m.run_id = t.run_id and m.trial = t.trial and m.name = 'allocations' \
         group by 1, 2 order by 1, 2",
    );
    let workloads = found.iter().filter_map(|row| row["workload"].as_str());
    assert_eq!(workloads.collect::<std::collections::BTreeSet<&str>>().len(), BY_HAND.len(), "{found:?}");
    let more: Vec<&Value> = found.iter().filter(|row| row["allocations"].as_f64() != Some(0.0)).collect();
    assert!(more.is_empty(), "{more:?}");
}
