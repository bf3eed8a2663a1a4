//! Known work: the program as its own worker, calibrations, and the two stages of a run.

use benchbook_tests::{Bench, program};

/// `benchbook` with these words, measuring known work.
fn known(bench: &Bench, words: &[&str]) -> String {
    let mut command = bench.command(words);
    let output = command.env("BENCHBOOK_WORKER", program("benchbook")).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{words:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn calibrations_add_up_and_the_doctor_tells_them() {
    let bench = Bench::faulty();
    let rows = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap().as_array().unwrap().clone();
    let verdicts = |rows: &[serde_json::Value]| -> u64 {
        rows.iter().map(|row| row["verdicts"].as_str().unwrap().parse::<u64>().unwrap()).sum()
    };
    // Two verdicts for each of the three lengths of samples where the machine is free; fewer beside other tests.
    let first = rows(&bench.ok(&["calibrate", "--time", "4s", "--format", "json"]));
    let second = rows(&bench.ok(&["calibrate", "--time", "4s", "--format", "json"]));
    let (before, after) = (verdicts(&first), verdicts(&second));
    assert!((1..=6).contains(&before) && after > before && after <= 12, "{before} then {after}: {second:?}");
    let names = ["mde_in_10s", "detectable_in_10s"].map(|name| first[0][name].as_str());
    assert!(names[0].is_some() && names[0] == names[1], "the earlier name answers too: {first:?}");
    let doctor = bench.run(&["doctor"]).stdout;
    assert!(doctor.contains("verdicts on equal programs wrong"), "{doctor}");
    let elsewhere = bench.run(&["--store", "another", "doctor"]).stdout;
    assert!(elsewhere.contains("benchbook calibrate"), "what is missing comes with its remedy: {elsewhere}");
}

#[test]
fn a_pilot_fixes_the_replicates_once_and_widens_the_interval() {
    let bench = Bench::faulty();
    let words = ["run", "known-steps", "--quick", "--set", "steps=20000", "--set", "extra=0.5", "--threads", "1"];
    known(&bench, &[&words[..], &["--half-width", "0.5%", "--most-replicates", "12", "--blocks", "10"]].concat());
    let found = bench.sql("select count(distinct replicate) as n, min(pilot) as pilot from pairs");
    let replicates = found[0]["n"].as_i64().unwrap();
    assert!((8..=12).contains(&replicates) && found[0]["pilot"] == 8, "{found:?}");
    let planned = bench.sql("select message from events where kind in ('planned', 'budget_exhausted')");
    assert!(planned[0]["message"].as_str().unwrap().contains("expected half-width"), "{planned:?}");
    let widths = bench.sql(
        "select paired_speedup(log_ratio, replicate) as ratio, \
         ln(paired_speedup_high(log_ratio, replicate) / paired_speedup_low(log_ratio, replicate)) as piloted \
         from pairs where baseline_implementation = 'plain'",
    );
    let number = |name: &str| widths[0][name].as_f64().unwrap();
    // Half as much work again, exactly; no machine turns that into a quarter or into double.
    assert!((0.5..0.8).contains(&number("ratio")), "{widths:?}");
    let bare = bench.sql(
        "select ln(paired_speedup_high(l, r) / paired_speedup_low(l, r)) as width \
         from (select log_ratio as l, replicate as r from pairs where baseline_implementation = 'plain')",
    );
    assert!(number("piloted") > bare[0]["width"].as_f64().unwrap(), "{widths:?} {bare:?}");
}

#[test]
fn a_half_width_that_the_time_forbids_is_a_warning_in_the_table() {
    let bench = Bench::faulty();
    let words = ["run", "known-steps", "--quick", "--set", "steps=2000", "--set", "extra=0.0", "--threads", "1"];
    known(&bench, &[&words[..], &["--half-width", "0.001%", "--time", "3s"]].concat());
    let table = bench.ok(&["compare", "--baseline", "plain"]);
    assert!(table.contains("Warning:") && table.contains("more time or replicates are needed"), "{table}");
}
