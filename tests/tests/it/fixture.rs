//! The committed stores, as measured: the demo, and a run of version 1 of the record, which everything that is later reads.

use std::fs;
use std::path::{Path, PathBuf};

use benchbook_core::{Params, Value};
use benchbook_tests::Bench;

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/demo")
}

/// A store with one run of version 1: products in six variants and three sizes.
fn version_1() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/version-1")
}

fn ok(words: &[&str]) -> String {
    let store = demo();
    Bench::new().ok(&[&["--store", store.to_str().expect("a path in UTF-8")], words].concat())
}

#[test]
fn every_checksum_of_the_committed_stores_holds() {
    for (store, version) in [(demo(), 2), (version_1(), 1)] {
        let verified = Bench::new().ok(&["--store", store.to_str().expect("a path in UTF-8"), "store", "verify"]);
        assert!(verified.contains("every file is as it was written"), "{verified}");
        let marker = fs::read_to_string(store.join("benchbook-store.json")).unwrap();
        let marker: serde_json::Value = serde_json::from_str(&marker).unwrap();
        assert_eq!(marker["schema_version"], version);
    }
}

/// What a store answers, row by row.
fn asked(store: &Path, words: &[&str]) -> Vec<serde_json::Value> {
    let store = ["--store", store.to_str().expect("a path in UTF-8"), "sql", "--format", "json"];
    serde_json::from_str(&Bench::new().ok(&[&store[..], words].concat())).unwrap()
}

#[test]
fn recorded_cases_have_the_labels_that_they_had() {
    let registry = benchbook_workloads::problems();
    for store in [version_1(), demo().with_file_name("ring"), demo()] {
        let cases = asked(&store, &["select workload, case_name, params from trials"]);
        assert!(cases.len() > 1, "{}", store.display());
        for case in cases {
            let [workload, name] = ["workload", "case_name"].map(|column| case[column].as_str().unwrap());
            let found = registry.case(workload, params_of(&case["params"])).unwrap();
            assert_eq!(found.name, name, "{workload} in {}", store.display());
        }
    }
}

/// Parameters as a store tells them: by name a value of each type, all but one of them absent.
fn params_of(told: &serde_json::Value) -> Params {
    told.as_object().unwrap().iter().fold(Params::default(), |params, (name, types)| {
        let (kind, value) = types.as_object().unwrap().iter().find(|(_, value)| !value.is_null()).unwrap();
        let value: Value = serde_json::from_value(serde_json::json!({ kind: value })).unwrap();
        params.with(name, value)
    })
}

#[test]
fn a_run_of_version_1_answers_to_the_names_that_it_knew() {
    let store = version_1();
    for query in ["checks", "figures", "health", "history", "left_out", "runs", "summary"] {
        asked(&store, &["--query", query]);
    }
    for query in ["memory", "speedup"] {
        asked(&store, &["--query", query, "--param", "baseline=burn"]);
    }
    let pairs = "select count(*) as n from pairs p join verdicts v on v.run_id = p.run_id and v.case_name = p.case_name \
                 and v.baseline = p.baseline and v.candidate = p.candidate where v.reason is null or v.speedup > 0";
    assert!(asked(&store, &[pairs])[0]["n"].as_u64().unwrap() > 100);
    let columns = "select time_ns, m, n, k, case_name, variant from results where valid limit 1";
    assert_eq!(asked(&store, &[columns]).len(), 1);
    let store = store.to_str().expect("a path in UTF-8");
    let compared = Bench::new().ok(&["--store", store, "compare", "--baseline", "burn"]);
    assert!(compared.contains("tiled/flex"), "{compared}");
}

#[test]
fn runs_of_today_stand_beside_those_of_version_1() {
    let bench = Bench::faulty();
    for run in fs::read_dir(version_1()).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let folder = bench.store().join(run.file_name().unwrap());
        fs::create_dir_all(&folder).unwrap();
        for file in fs::read_dir(&run).unwrap().flatten() {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    fs::copy(version_1().join("benchbook-store.json"), bench.store().join("benchbook-store.json")).unwrap();
    bench.ok(&["run", "double", "--quick", "--replicates", "1", "--blocks", "3", "--implementation", "good"]);
    let checks = bench.sql(
        "select t.workload = 'double' as today, count(*) as n, count(c.output) as named \
         from checks c join trials t on t.run_id = c.run_id and t.trial = c.trial group by 1 order by 1",
    );
    let counts = |row: usize| (checks[row]["n"].as_u64().unwrap(), checks[row]["named"].as_u64().unwrap());
    assert!(checks.len() == 2 && counts(0).0 > 100 && counts(0).1 == 0, "{checks:?}");
    assert_eq!(counts(1), (2, 2), "one trial, before and after");
    let unnamed = bench.sql("select count(*) as n from checks where output is null");
    assert_eq!(unnamed[0]["n"], checks[0]["n"], "{unnamed:?}");
    assert!(bench.ok(&["store", "verify"]).contains("every file is as it was written"));
    assert!(bench.ok(&["schema"]).contains("benchbook schema version 2"));
}

/// The rows that `sql` answers with.
fn rows(words: &[&str]) -> Vec<serde_json::Value> {
    asked(&demo(), words)
}

/// The one number of an answer, called `n`.
fn count(statement: &str) -> usize {
    usize::try_from(rows(&[statement])[0]["n"].as_u64().unwrap()).unwrap()
}

/// The id of the run that most of README shows.
const DEMO: &str = "(select max(run_id) from runs where array_has(tags, 'demo'))";

#[test]
fn the_committed_store_answers_every_named_query() {
    assert_eq!(rows(&["--query", "runs"]).len(), 3);
    let told = |what: &str| format!("(select distinct case_name, variant from trials where run_id = {DEMO} {what})");
    let variants = count(&format!("select count(*) as n from {}", told("")));
    // All others are candidates, beside the `naive` on their own device, or each of them where it has none there.
    let (baselines, candidates) = (told("and implementation = 'naive'"), told("and implementation <> 'naive'"));
    let near = format!(
        "(select c.case_name, c.variant as candidate, \
         case when split_part(b.variant, '/', 2) = split_part(c.variant, '/', 2) then 1 else 0 end as near \
         from {baselines} b join {candidates} c on c.case_name = b.case_name)"
    );
    let nearest = format!("(select *, max(near) over (partition by case_name, candidate) as nearest from {near} n)");
    let pairs = count(&format!("select count(*) as n from {nearest} p where near = nearest"));
    assert!(pairs >= 6, "three lengths, ours and burn's beside naive at least: {pairs} pairs");
    assert_eq!(rows(&["--query", "speedup", "--param", "run=demo"]).len(), pairs);
    assert_eq!(rows(&["--query", "summary", "--param", "run=demo"]).len(), variants);
    // Every trial is checked before and after.
    let checks = rows(&["--query", "checks", "--param", "run=demo"]);
    assert_eq!(checks.len(), 2 * count(&format!("select count(*) as n from trials where run_id = {DEMO}")));
    assert!(checks.iter().all(|check| check["passed"] == true));
    // Samples that the machine disturbed are left out, if there are any.
    rows(&["--query", "left_out", "--param", "run=demo"]);
    assert!(!rows(&["--query", "memory", "--param", "run=demo"]).is_empty());
    let across = ["--query", "sequential", "--param", "baseline=demo", "--param", "candidate=demo-again"];
    assert_eq!(rows(&across).len(), variants);
    let scaling = rows(&["--query", "scaling", "--param", "run=demo"]);
    assert!(scaling.iter().any(|row| row["exponent"].as_f64().is_some_and(|exponent| (0.5..3.0).contains(&exponent))));
}

#[test]
fn the_headline_covers_both_paths_of_burns_attention() {
    let statement = format!(
        "select param(t.params, 'seq_q') as seq, m.name, min(m.value) as value \
         from measures m join trials t on t.run_id = m.run_id and t.trial = m.trial \
         where t.run_id = {DEMO} and t.implementation = 'burn-attention' group by 1, 2"
    );
    let measured = rows(&[&statement]);
    let of = |seq: f64, name: &str| {
        let row = measured.iter().find(|row| row["seq"].as_f64() == Some(seq) && row["name"] == name);
        row.and_then(|row| row["value"].as_f64()).unwrap_or_else(|| panic!("no {name} of {seq} tokens"))
    };
    for (seq, flash) in [(512.0, 0.0), (1024.0, 1.0), (2048.0, 1.0)] {
        assert_eq!(of(seq, "flash_path"), flash, "{seq} tokens");
        // Beside the result of eight heads of width 64, the scores of each head in turn, or tiles that are smaller together.
        let scratch = of(seq, "allocated_bytes") - 4.0 * 8.0 * 64.0 * seq;
        assert_eq!(scratch < 8.0 * 4.0 * seq * seq, flash == 1.0, "{seq} tokens: {scratch} bytes beside the result");
    }
}

#[test]
fn every_way_to_a_verdict_leads_to_the_same() {
    let rows = |words: &[&str]| -> Vec<serde_json::Value> {
        serde_json::from_str(&ok(&[words, &["--format", "json"]].concat())).unwrap()
    };
    let query = ["--param", "run=demo", "--param", "baseline=naive"];
    let asked = |name: &'static str| rows(&[&["sql", "--query", name][..], &query].concat());
    let (speedup, evidence, rules) = (asked("speedup"), asked("evidence"), asked("rules"));
    let compared = rows(&["compare", "demo", "--baseline", "naive"]);
    let view = rows(&[
        "sql",
        "select v.* from verdicts v join runs r on r.run_id = v.run_id where array_has(r.tags, 'demo') \
         and v.baseline_implementation = 'naive' and v.candidate_implementation <> 'naive' and v.nearest \
         order by first_trial, baseline, candidate",
    ]);
    let judged: Vec<_> = rules.iter().filter(|row| row["rule"] == "category").collect();
    assert_eq!([view.len(), compared.len(), evidence.len(), judged.len()], [speedup.len(); 4]);
    for (place, row) in speedup.iter().enumerate() {
        let (evidence, rule) = (&evidence[place], judged[place]);
        for name in ["candidate", "verdict", "said", "reason", "speedup", "low", "high", "q_value"] {
            assert_eq!((&row[name], &row[name]), (&view[place][name], &compared[place][name]), "{name}: {row}");
        }
        assert_eq!((&row["q_value"], &row["candidate"]), (&evidence["q_value"], &evidence["candidate"]), "{evidence}");
        let said = row["said"].as_str().unwrap();
        assert!(rule["why"].as_str().unwrap().contains(&format!(": {said}")), "{row} {rule}");
    }
}

#[test]
fn the_examples_of_the_readme_work() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    assert!(readme.contains("compare demo --baseline naive/flex/f32/2t"));
    let table = ok(&["compare", "demo", "--baseline", "naive/flex/f32/2t", "--wide"]);
    let shown: Vec<&str> = readme.lines().filter(|line| line.starts_with("| attention ")).collect();
    let baseline = ["--param", "run=demo", "--param", "baseline=naive/flex/f32/2t"];
    assert_eq!(shown.len(), rows(&[&["--query", "speedup"][..], &baseline].concat()).len());
    for row in shown {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let found = table.lines().any(|line| cells.iter().all(|cell| line.contains(cell)));
        assert!(found, "the README shows what the program does not say: {row}");
    }
}
