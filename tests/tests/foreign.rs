//! Workers of other programs: one in Python beside our own.

use std::path::Path;

use benchbook_tests::{Bench, python_with};
use serde_json::Value;

/// The line that starts a Python script of the tests; nothing where no Python has numpy.
fn script(name: &str) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
    Some(format!("'{}' '{}'", python_with("numpy")?.display(), script.display()))
}

/// How the trials of each variant have ended: status, reason and number.
fn outcomes(bench: &Bench) -> Vec<Value> {
    bench.sql(
        "select t.variant, t.implementation, o.status, o.stop_reason, count(*) as n from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial group by 1, 2, 3, 4 order by 1",
    )
}

#[test]
fn a_worker_in_python_is_measured_beside_our_own() {
    let Some(line) = script("worker.py") else { return };
    let (bench, worker) = (Bench::new(), format!("numpy={line}"));
    let matmul = ["run", "matmul", "--set", "m=64", "--quick", "--replicates", "5", "--blocks", "4", "--threads", "1"];
    let both = ["--device", "flex,numpy", "--implementation", "tiled,numpy", "--worker", &worker];
    bench.ok(&[&matmul[..], &both].concat());
    let found: Vec<String> = outcomes(&bench)
        .iter()
        .map(|row| format!("{} {} {}", row["variant"].as_str().unwrap(), row["status"].as_str().unwrap(), row["n"]))
        .collect();
    assert_eq!(found, ["numpy/numpy/f32/1t ok 5", "tiled/flex/f32/1t ok 5"]);

    let blocks = bench.sql(
        "select count(*) as n from (select replicate, block from results where valid group by 1, 2 \
         having count(distinct variant) = 2)",
    );
    assert_eq!(blocks[0]["n"], 20, "every block has both");
    let compared = bench.ok(&["compare", "--baseline", "tiled"]);
    assert!(compared.contains("paired blocks") && compared.contains("numpy/numpy/f32/1t"), "{compared}");
    let checks = bench.sql(
        "select c.phase, c.output, count(*) as n from checks c join trials t on t.run_id = c.run_id and t.trial = c.trial \
         where c.passed and t.device = 'numpy' group by 1, 2 order by 1",
    );
    let checks: Vec<String> =
        checks.iter().map(|row| format!("{} {} {}", row["phase"], row["output"], row["n"])).collect();
    assert_eq!(checks, ["\"after\" \"output\" 5", "\"before\" \"output\" 5"]);

    let told = bench.sql(
        "select t.engine, m.name, min(m.value) as least, count(*) as n from measures m \
         join trials t on t.run_id = m.run_id and t.trial = m.trial \
         where t.device = 'numpy' and m.name in ('inputs_change', 'peak_added_bytes') group by 1, 2 order by 2",
    );
    assert_eq!((&told[0]["engine"], &told[0]["least"], &told[0]["n"]), (&"numpy".into(), &1.0.into(), &5.into()));
    assert_eq!(told[1]["n"], 5, "each replicate tells its memory: {told:?}");
    let times = bench.sql(
        "select min(s.cpu_user_ns + s.cpu_system_ns) as least from samples s \
         join trials t on t.run_id = s.run_id and t.trial = s.trial where t.device = 'numpy'",
    );
    assert!(times[0]["least"].as_i64() > Some(0), "it tells its processor time: {times:?}");
    let runs = bench.sql("select command, libraries from runs");
    assert!(runs[0]["command"].as_str().unwrap().contains(&format!("--worker {worker}")), "{runs:?}");
    assert!(runs[0]["libraries"].to_string().contains("numpy"), "{runs:?}");
}

#[test]
fn a_worker_in_python_takes_the_dtypes_that_it_has() {
    let Some(line) = script("worker.py") else { return };
    let (bench, worker) = (Bench::new(), format!("numpy={line}"));
    let matmul =
        ["run", "matmul", "--set", "m=7,33", "--quick", "--replicates", "1", "--blocks", "3", "--threads", "1"];
    bench.ok(&[&matmul[..], &["--dtype", "f64,bf16", "--device", "numpy", "--worker", &worker]].concat());
    let found: Vec<String> = outcomes(&bench)
        .iter()
        .map(|row| format!("{} {} {}", row["variant"].as_str().unwrap(), row["status"].as_str().unwrap(), row["n"]))
        .collect();
    assert_eq!(found, ["numpy/numpy/bf16/1t unsupported 2", "numpy/numpy/f64/1t ok 2"]);
    let listed = bench.ok(&["list", "variants", "--worker", &worker, "--format", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let here = |row: &&Value| row["variant"].as_str().is_some_and(|variant| variant.starts_with("numpy/numpy/"));
    assert_eq!(listed.iter().find(here).map(|row| &row["available"]), Some(&"here".into()));
    assert!(listed.len() > 1, "our own stand beside it");
}
