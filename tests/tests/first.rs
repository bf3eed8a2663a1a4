//! The first look: a program without burn and DataFusion measures, records and shows.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use benchbook_tests::{Bench, program};

fn look(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(program("benchbook-first"));
    command.args(words).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn what_the_first_look_shows_is_what_its_record_says() {
    let bench = Bench::new();
    let output = look(bench.folder(), &["results"]);
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}\n{said}");
    for part in ["b1 h8 s512 d64", "b1 h8 s1024 d64", "naive", "fused", "95 % interval"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    let trials = bench.sql("select implementation, count(*) as n from trials group by 1 order by 1");
    assert_eq!(trials.len(), 2, "{trials:?}");
    assert!(trials.iter().all(|row| row["n"] == 10), "two cases in five processes: {trials:?}");
    let failed = bench.sql("select * from checks where not passed");
    assert!(failed.is_empty(), "{failed:?}");
    let words = ["sql", "--query", "speedup", "--param", "baseline=naive", "--format", "json"];
    let judged: Vec<serde_json::Value> = serde_json::from_str(&bench.ok(&words)).unwrap();
    // Beside other tests a process may have too many disturbed samples, and then there is no interval.
    for row in judged.iter().filter(|row| row["replicates"] == 5) {
        let speedup = format!("{:.2}×", row["speedup"].as_f64().unwrap());
        let case = row["case_name"].as_str().unwrap();
        assert!(shown.lines().any(|line| line.starts_with(case) && line.contains(&speedup)), "{row}\n{shown}");
    }
    assert!(bench.ok(&["store", "verify"]).contains("every file is as it was written"));
}

#[test]
fn without_a_store_the_first_look_says_what_to_give() {
    let bench = Bench::new();
    let output = look(bench.folder(), &[]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("benchbook-first results"), "{output:?}");
}
