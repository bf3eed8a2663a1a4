//! The first look: a program without burn and DataFusion measures, records and shows.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use benchbook_tests::{Bench, program};

const CASES: [&str; 2] = ["b1 h8 s512 d64", "b1 h8 s1024 d64"];

fn look(folder: &Path, words: &[&OsStr]) -> Output {
    let mut command = Command::new(program("benchbook-first"));
    command.args(words).current_dir(folder).env("BENCHBOOK_KEEP_DISTURBED", "1");
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn what_the_first_look_shows_is_what_its_record_says() {
    let bench = Bench::new();
    // A path on the command line need not be UTF-8.
    let output = look(bench.folder(), &[OsStr::new("results"), OsStr::from_bytes(b"\xff")]);
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}\n{said}");
    for part in [CASES[0], CASES[1], "naive", "fused", "95 % interval"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let trials = bench.sql("select implementation, count(*) as n from trials group by 1 order by 1");
    assert_eq!(trials.len(), 2, "{trials:?}");
    assert!(trials.iter().all(|row| row["n"] == 10), "two cases in five processes: {trials:?}");
    let runs = bench.sql("select command from runs");
    assert!(runs[0]["command"].as_str().unwrap().ends_with("results \u{fffd}"), "{runs:?}");
    let failed = bench.sql("select * from checks where not passed");
    assert!(failed.is_empty(), "{failed:?}");
    let words = ["sql", "--query", "speedup", "--param", "baseline=naive", "--format", "json"];
    let judged: Vec<serde_json::Value> = serde_json::from_str(&bench.ok(&words)).unwrap();
    let whole: Vec<_> = judged.iter().filter(|row| row["replicates"] == 5).collect();
    assert!(!whole.is_empty(), "{judged:?}");
    for case in CASES {
        let interval = whole.iter().find(|row| row["case_name"] == case).map(|row| {
            let [speedup, low, high] = ["speedup", "low", "high"].map(|name| row[name].as_f64().unwrap());
            format!("{speedup:.2}×  {low:.2} – {high:.2}")
        });
        let told = interval.as_deref().unwrap_or("no interval");
        assert!(shown.lines().any(|line| line.starts_with(case) && line.contains(told)), "{case}: {told}\n{shown}");
    }
    assert!(bench.ok(&["store", "verify"]).contains("every file is as it was written"));
    let listed: Vec<serde_json::Value> = serde_json::from_str(&bench.ok(&["store", "ls", "--format", "json"])).unwrap();
    assert_eq!(listed[0]["state"], "finished", "its journal is a whole record: {listed:?}");
    assert!(bench.ok(&["store", "repair", "--format", "json"]).contains("turned the journal into Parquet"));
    assert_eq!(bench.sql("select implementation, count(*) as n from trials group by 1 order by 1"), trials);
}

#[test]
fn without_a_store_the_first_look_says_what_to_give() {
    let bench = Bench::new();
    let output = look(bench.folder(), &[]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("benchbook-first results"), "{output:?}");
}
