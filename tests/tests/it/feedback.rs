//! Loops that measurements close: they climb, keep to a bound, do not swing, and go on where a call has ended.

use benchbook_record::{LocalStore, RunRow, RunWriter};
use benchbook_tests::Bench;
use serde_json::Value;

const LOOP: [&str; 10] =
    ["feedback", "matmul", "--set", "m=8,32,64", "--implementation", "tiled", "--threads", "1", "--format", "json"];

/// The turns that a loop tells.
fn turns(bench: &Bench, more: &[&str]) -> Vec<Value> {
    serde_json::from_str(&bench.ok(&[&LOOP[..], more].concat())).unwrap()
}

fn words<'a>(turns: &'a [Value], name: &str) -> Vec<&'a str> {
    turns.iter().map(|turn| turn[name].as_str().unwrap()).collect()
}

#[test]
fn a_loop_climbs_goes_on_and_says_why() {
    let bench = Bench::new();
    let first = turns(&bench, &["--hold", "time=10s", "--turns", "2", "--name", "up"]);
    assert_eq!(words(&first, "setting"), ["m=8", "m=32"]);
    let whole = turns(&bench, &["--hold", "time=10s", "--turns", "4", "--name", "up"]);
    assert_eq!(words(&whole, "setting"), ["m=8", "m=32", "m=64", "m=64"]);
    assert_eq!(words(&whole, "move"), ["up", "up", "keep", "keep"]);
    let log = bench.ok(&["sql", "--query", "feedback", "--param", "tag=feedback:up", "--format", "json"]);
    let log: Vec<Value> = serde_json::from_str(&log).unwrap();
    let why = words(&log, "why");
    assert_eq!(why.len(), 4);
    assert!(
        why[0].contains("begins with m=8") && why[2].starts_with("turn 1, m=32") && why[2].contains("m=64 is next"),
        "{why:?}"
    );
}

#[test]
fn a_setting_that_is_too_much_is_not_tried_in_every_second_turn() {
    let bench = Bench::new();
    // What a call adds to memory is counted, and the same in every process.
    let open = turns(&bench, &["--hold", "peak_added_bytes=1GiB", "--turns", "3", "--name", "open"]);
    let bytes: Vec<f64> = words(&open, "peak_added_bytes").iter().map(|bytes| bytes.parse().unwrap()).collect();
    assert!(bytes[2] > 1.2 * bytes[1], "{bytes:?}");
    let hold = format!("peak_added_bytes={}", (bytes[1] + bytes[2]) / 2.0);
    let held = turns(&bench, &["--hold", &hold, "--slack", "1%", "--turns", "8", "--name", "held"]);
    // After the first failure two turns pass before the setting is tried again, after the second one four.
    assert_eq!(words(&held, "move"), ["up", "up", "down", "banned", "up", "down", "banned", "banned"]);
    assert_eq!(words(&held, "setting"), ["m=8", "m=32", "m=64", "m=32", "m=32", "m=64", "m=32", "m=32"]);
}

#[test]
fn the_depth_of_a_model_is_a_loop_too() {
    let bench = Bench::new();
    let asked =
        ["feedback", "--model", "smollm2-135m", "--set", "prompt=8", "--set", "tokens=2", "--set", "layers=1,2"];
    let more =
        ["--implementation", "plain", "--threads", "1", "--hold", "time=60s", "--turns", "2", "--format", "json"];
    let turns: Vec<Value> = serde_json::from_str(&bench.ok(&[&asked[..], &more].concat())).unwrap();
    assert_eq!(words(&turns, "setting"), ["layers=1", "layers=2"]);
    let found = bench.ok(&["sql", "--query", "adaptive", "--format", "json"]);
    let found: Vec<Value> = serde_json::from_str(&found).unwrap();
    assert_eq!((found.len(), words(&found, "found_by")), (1, vec!["feedback"]), "the last turn alone: {found:?}");
    assert_eq!(found[0]["tried"], 2);
}

#[test]
fn the_batch_of_a_training_and_the_precision_of_a_product_are_loops_too() {
    let bench = Bench::new();
    let settings = |asked: &[&str]| -> Vec<String> {
        let more = ["--threads", "1", "--hold", "time=60s", "--turns", "2", "--format", "json"];
        let turns: Vec<Value> = serde_json::from_str(&bench.ok(&[&["feedback"][..], asked, &more].concat())).unwrap();
        words(&turns, "setting").into_iter().map(str::to_owned).collect()
    };
    let mut training = vec!["text-training", "--implementation", "kept", "--set", "batch=2,4"];
    for size in ["layers=1", "heads=1", "width=8", "seq=8", "steps=5"] {
        training.extend(["--set", size]);
    }
    assert_eq!(settings(&training), ["batch=2", "batch=4"]);
    let product = ["matmul", "--set", "m=8", "--implementation", "tiled", "--dtype", "bf16,f32"];
    assert_eq!(settings(&product), ["dtype=bf16", "dtype=f32"]);
}

#[test]
fn two_loops_of_one_name_at_a_time_are_refused_and_one_that_was_cut_off_is_no_turn() {
    let bench = Bench::new();
    let store = LocalStore::create_or_open(bench.store()).unwrap();
    let row = RunRow { tags: vec!["feedback:busy".into()], ..RunRow::new("matmul-search") };
    let writer = RunWriter::create(&store, &row).unwrap();
    let hold = ["--hold", "time=10s", "--turns", "1", "--name", "busy"];
    bench.fails(&[&LOOP[..], &hold].concat(), 4, &["another process is at work on feedback:busy", "--name"]);
    drop(writer);
    let first = turns(&bench, &hold);
    assert_eq!((words(&first, "setting"), words(&first, "move")), (vec!["m=8"], vec!["up"]));
}

#[test]
fn what_no_loop_can_do_is_refused_with_what_to_do() {
    let bench = Bench::new();
    bench.fails(&[&LOOP[..], &["--hold", "time=1s", "--turns", "0"]].concat(), 4, &["a loop of 0 turns", "--turns 20"]);
    let hold = ["--hold", "time=0.001", "--turns", "2", "--name", "stuck"];
    bench.fails(&[&LOOP[..], &hold].concat(), 4, &["no setting keeps to time ≤", "a higher bound"]);
    let fixed = ["feedback", "matmul", "--set", "m=8", "--implementation", "tiled", "--hold", "time=1s"];
    bench.fails(&fixed, 4, &["0 lists of values", "least demanding first"]);
    let two = ["feedback", "matmul", "--set", "m=8,16", "--implementation", "tiled,burn", "--hold", "time=1s"];
    bench.fails(&two, 4, &["2 lists of values"]);
    bench.fails(&[&LOOP[..], &["--hold", "time=0"]].concat(), 4, &["a number above zero"]);
    bench.fails(&[&LOOP[..], &["--hold", "tim=1s", "--turns", "1"]].concat(), 4, &["unknown metric `tim`"]);
}
