//! SQL on the command line: where a statement comes from, what its answer leaves out, and what it may take.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use benchbook_tests::Bench;

fn one_run() -> Bench {
    let bench = Bench::faulty();
    let words = ["run", "double", "--quick", "--replicates", "2", "--blocks", "3", "--implementation", "good,twin"];
    bench.ok(&words);
    bench
}

/// Flips a bit in the middle of a file of the only run.
fn damage(bench: &Bench, name: &str) {
    let mut folders = fs::read_dir(bench.store()).unwrap().flatten().map(|entry| entry.path());
    let path: PathBuf = folders.find(|path| path.is_dir()).unwrap().join(name);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_statement_comes_from_the_line_a_file_or_stdin() {
    let bench = one_run();
    let ours = include_str!("../../../queries/runs.sql");
    fs::write(bench.folder().join("q.sql"), ours).unwrap();
    let named = bench.ok(&["sql", "--format", "csv", "--query", "runs"]);
    assert_eq!(bench.ok(&["sql", ours, "--format", "csv"]), named);
    assert_eq!(bench.ok(&["sql", "--file", "q.sql", "--format", "csv"]), named);
    for words in [["sql", "-", "--format", "csv"].as_slice(), &["sql", "--file", "-", "--format", "csv"]] {
        let mut child = bench.command(words).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(ours.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), named, "{words:?}");
    }
    let speedup = include_str!("../../../queries/speedup.sql");
    fs::write(bench.folder().join("q.sql"), speedup).unwrap();
    let asked = ["sql", "--file", "q.sql", "--param", "baseline=good", "--format", "csv"];
    assert!(bench.ok(&asked).contains("twin/host/f32"));
    bench.fails(&["sql", "--file", "absent.sql"], 4, &["absent.sql"]);
    bench.fails(&["sql", "--file", "/dev/null"], 4, &["/dev/null", "not a regular file"]);
    bench.fails(&["sql", "--file", "q.sql", "select 1"], 4, &["cannot be used with"]);
    bench.fails(&["sql", "--formt", "csv", "select 1"], 4, &["--format"]);
}

#[test]
fn joined_columns_have_a_name_each() {
    let bench = one_run();
    let sql = "select t.*, s.* from trials t join samples s on s.run_id = t.run_id and s.trial = t.trial limit 1";
    let text = bench.ok(&["sql", "--format", "json", sql]);
    assert_eq!((text.matches("\"run_id\":").count(), text.matches("\"s.run_id\":").count()), (1, 1), "{text}");
}

#[test]
fn a_damaged_file_is_told_beside_every_format_and_ends_with_4_if_asked() {
    let bench = one_run();
    let sql = "select count(*) as n from samples";
    assert_eq!(bench.run(&["sql", "--strict", sql]).code, Some(0));
    damage(&bench, "samples.parquet");
    for format in ["table", "csv", "json", "arrow"] {
        for (strict, code) in [(None, 0), (Some("--strict"), 4)] {
            let ran = bench.run(&[&["sql", "--format", format, sql][..], strict.as_slice()].concat());
            assert_eq!(ran.code, Some(code), "{format}: {}", ran.stderr);
            assert!(ran.stderr.contains("samples.parquet"), "{format}: {}", ran.stderr);
            assert!(!ran.stdout.is_empty(), "the rest answers");
        }
    }
}

#[test]
fn a_name_in_the_store_stays_on_its_line() {
    let bench = one_run();
    let folder = fs::read_dir(bench.store()).unwrap().flatten().map(|entry| entry.path()).find(|path| path.is_dir());
    symlink("/dev/null", folder.unwrap().join("a\nleft out b\u{202e}")).unwrap();
    let sql = "select count(*) as n from samples";
    let other = bench.folder().join("other");
    let merged = bench.run(&["--store", other.to_str().unwrap(), "store", "merge", "results"]);
    for told in [bench.run(&["sql", sql]).stderr, merged.stdout] {
        let line = told.lines().find(|line| line.starts_with("left out"));
        assert!(line.is_some_and(|line| line.contains("/a left out b\u{fffd}: ")), "{told}");
    }
}

#[test]
fn a_comparison_tells_of_a_damaged_file_too() {
    let bench = one_run();
    damage(&bench, "measures.parquet");
    for words in [&["compare", "--baseline", "good", "--format", "csv"][..], &["report", "--output", "r.json"]] {
        assert_eq!(bench.run(words).code, Some(0));
        let ran = bench.run(&[words, &["--strict"]].concat());
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        assert!(ran.stderr.contains("measures.parquet"), "{}", ran.stderr);
    }
}

#[test]
fn what_would_take_all_memory_ends_with_4() {
    let bench = one_run();
    let sorted = "select a.value * b.value as x from range(0, 9000) a cross join range(0, 9000) b order by x";
    // No sort, no group and no join holds this one: only the answer does.
    let wide = "select a.value, repeat('x', 1000) as text from range(0, 2000000) a";
    for sql in [sorted, wide] {
        bench.fails(&["sql", "--memory", "200MB", "--format", "csv", sql], 4, &["191 MiB of memory", "--memory"]);
    }
    bench.fails(&["sql", "--memory", "much", "select 1"], 4, &["50%"]);
}

#[test]
fn a_variable_says_what_every_command_may_take() {
    let bench = one_run();
    let told = |memory: &str, words: &[&str]| {
        let output = bench.command(words).env("BENCHBOOK_MEMORY", memory).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let compare = ["compare", "--baseline", "good"];
    let report = ["report", "--baseline", "good", "--output", "r.md"];
    let ls = ["store", "ls", "--workload", "double"];
    let sql = ["sql", "select 1"];
    for words in [&compare[..], &report, &ls, &sql] {
        let (code, text) = told("much", words);
        assert!(code == Some(4) && text.contains("a share of the machine's memory such as 50%"), "{words:?}: {text}");
        assert_eq!(told("", words).0, Some(0), "{words:?}: set to nothing is unset");
    }
    let (code, text) = told("1", &compare);
    assert!(code == Some(4) && text.contains("BENCHBOOK_MEMORY=8GiB"), "{text}");
}

#[test]
fn a_word_is_looked_for_in_the_catalogue_and_a_run_by_time_and_workload() {
    let bench = one_run();
    let mamba = bench.ok(&["list", "mamba", "--format", "csv"]);
    let scan = mamba.lines().find(|line| line.contains(",SM1,")).unwrap();
    assert!(scan.contains("selective scan") && scan.contains("not yet: "), "{scan}");
    assert!(bench.ok(&["list", "double"]).contains("workload"), "what is here is found too");
    for (words, kind, part) in [
        (&["moon"][..], "device,moon,", "unavailable: no rocket"),
        (&["good/moon"], "variant,good/moon/f32/", "of double"),
        (&["claims", "fa3"], "claim,fa3-speed,", "FlashAttention-3"),
        (&["workloads", "double"], "workload,double,", "works"),
        (&["queries", "speedup"], "query,speedup,", "works"),
    ] {
        let found = bench.ok(&[&["list", "--format", "csv"][..], words].concat());
        assert!(found.lines().any(|line| line.starts_with(kind) && line.contains(part)), "{words:?}: {found}");
    }
    bench.fails(&["list", "worklods"], 4, &["did you mean `workloads`"]);

    let listed = |words: &[&str]| {
        let words = [&["store", "ls", "--format", "csv"][..], words].concat();
        bench.ok(&words).lines().count() - 1
    };
    assert_eq!((listed(&[]), listed(&["--since", "7d", "--workload", "double"])), (1, 1));
    bench.fails(&["store", "ls", "--workload", "dubble"], 4, &["did you mean `double`"]);
    assert_eq!(bench.run(&["store", "ls", "--strict"]).code, Some(0));
    damage(&bench, "trials.parquet");
    assert_eq!(bench.run(&["store", "ls", "--strict"]).code, Some(4));
    bench.fails(&["compare", "2 days ago", "latest"], 4, &["no run had begun by then"]);
}
