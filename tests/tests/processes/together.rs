//! Processes that train together, or keep what another trains with: they come to what one comes to, and whoever is lost is named.

use std::fs;

use benchbook_tests::{Bench, alive, children, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A run of a small training by these implementations.
fn words<'a>(names: &'a str, blocks: &'a str) -> Vec<&'a str> {
    let mut words = vec!["run", "text-training", "--implementation", names, "--quick", "--replicates", "1"];
    words.extend(["--blocks", blocks, "--threads", "2"]);
    for size in ["layers=1", "heads=2", "width=16", "batch=4", "seq=8", "steps=6"] {
        words.extend(["--set", size]);
    }
    words
}

#[test]
fn two_come_to_what_one_comes_to_and_send_less_where_they_compress() {
    let bench = Bench::new();
    let compressed = ["int8", "int8-plain", "top-k", "top-k-plain", "power-sgd", "power-sgd-plain"]
        .map(|scheme| format!("two-workers-{scheme}"));
    bench.ok(&words(&format!("kept,two-workers,{}", compressed.join(",")), "2"));
    let statuses = bench.sql("select status, count(*) as n from outcomes where trial is not null group by status");
    assert_eq!((statuses.len(), &statuses[0]["status"], &statuses[0]["n"]), (1, &"ok".into(), &8.into()));
    let losses = |name: &str| -> Vec<f64> {
        let rows = bench.sql(&format!(
            "select v.value from step_values v join trials t on t.run_id = v.run_id and t.trial = v.trial \
             where t.implementation = '{name}' and v.name = 'loss' and v.sample = 0 order by v.step"
        ));
        rows.iter().filter_map(|row| row["value"].as_f64()).collect()
    };
    let kept = losses("kept");
    assert_eq!(kept.len(), 6);
    for (step, (one, two)) in kept.iter().zip(losses("two-workers")).enumerate() {
        // Sums in another order, and steps that go by them.
        assert!((one - two).abs() < if step == 0 { 1e-5 } else { 1e-2 } * one, "step {step}: {two} for {one}");
    }
    for name in &compressed {
        let found = losses(name);
        // Nothing has been sent before the first step, and what was sent is another gradient from then on.
        assert!((found[0] - kept[0]).abs() < 1e-5 * kept[0] && found[2] != kept[2], "{name}: {found:?} for {kept:?}");
    }
    let ratio = |name: &str| {
        let rows = bench.sql(&format!(
            "select value from metric_values where metric = 'compression_ratio' and implementation = '{name}'"
        ));
        rows[0]["value"].as_f64().unwrap_or_default()
    };
    assert_eq!(ratio("two-workers"), 1.0);
    // A byte a number, and four for the scale of sixteen.
    assert!((ratio("two-workers-int8") - 4.0 / 1.25).abs() < 1e-9);
    // Eight bytes for each of a hundredth, rounded up.
    assert!((49.0..=50.0).contains(&ratio("two-workers-top-k")));
    // Of 471 rows of sixteen numbers, four for each row and for each column.
    assert!((ratio("two-workers-power-sgd") - 471.0 * 16.0 / (4.0 * 487.0)).abs() < 1e-9);
}

#[test]
fn two_that_diverge_say_at_which_step() {
    let bench = Bench::new();
    bench.fails(&[&words("two-workers", "2")[..], &["--set", "rate=1e29"]].concat(), 4, &[]);
    let outcomes = bench.sql("select status, stop_reason from outcomes where trial is not null");
    let reason = outcomes[0]["stop_reason"].as_str().unwrap_or_default();
    assert!(
        outcomes[0]["status"] == "failed" && reason.contains("diverged: the loss of step 2 of 6 is"),
        "{outcomes:?}"
    );
    let kept = bench.sql("select step, value from step_values where name = 'loss'");
    assert!(kept.len() == 1 && kept[0]["step"] == 0 && kept[0]["value"].as_f64() > Some(0.0), "{kept:?}");
}

/// Processes below `parent`, their children included, that were started by this word.
fn members(parent: u32, word: &str) -> Vec<i32> {
    let is_one = |id: &i32| {
        let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).nth(1) == Some(word.as_bytes())
    };
    let below = |id: i32| [vec![id], members(id.cast_unsigned(), word)].concat();
    children(parent).into_iter().flat_map(below).filter(is_one).collect()
}

#[test]
fn a_worker_that_is_killed_fails_its_trial_and_leaves_nobody_waiting() {
    let bench = Bench::new();
    let child = bench.command(&words("two-workers", "100000000")).spawn().unwrap();
    let mut both = Vec::new();
    wait_until("two workers of a training", || {
        both = members(child.id(), "training");
        both.len() == 2
    });
    kill(Pid::from_raw(both[1]), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    let failed = bench.sql("select stop_reason from outcomes where trial is not null and status = 'failed'");
    assert_eq!(failed.len(), 1, "{failed:?} {}", String::from_utf8_lossy(&output.stderr));
    let reason = failed[0]["stop_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("of two that train together") && reason.contains("signal: 9"), "{reason}");
    wait_until("the end of the other", || both.iter().all(|id| !alive(*id)));
}

/// A run of an optimizer of more parameters than go through a pipe at a time.
fn optimizer<'a>(names: &'a str, blocks: &'a str) -> Vec<&'a str> {
    let words = ["run", "adamw", "--set", "rows=70", "--set", "width=1031", "--implementation", names, "--quick"];
    [&words[..], &["--replicates", "1", "--blocks", blocks, "--threads", "1"]].concat()
}

#[test]
fn states_that_another_process_keeps_come_to_the_same() {
    let bench = Bench::new();
    bench.ok(&optimizer("fused,fused-process", "2"));
    let checks = bench.sql("select bool_and(passed) as passed, count(*) as n from checks");
    // Three outputs of two trials, before and after.
    assert_eq!((&checks[0]["passed"], &checks[0]["n"]), (&true.into(), &12.into()), "{checks:?}");
    let errors =
        bench.sql("select count(distinct status) as n, min(status) as status from outcomes where trial is not null");
    assert_eq!((&errors[0]["n"], &errors[0]["status"]), (&1.into(), &"ok".into()), "{errors:?}");
}

#[test]
fn states_that_are_lost_with_their_process_fail_the_trial() {
    let bench = Bench::new();
    let child = bench.command(&optimizer("fused-process", "100000000")).spawn().unwrap();
    let mut keepers = Vec::new();
    wait_until("a process that keeps states", || {
        keepers = members(child.id(), "states");
        !keepers.is_empty()
    });
    kill(Pid::from_raw(keepers[0]), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    let failed = bench.sql("select stop_reason from outcomes where trial is not null and status = 'failed'");
    assert_eq!(failed.len(), 1, "{failed:?} {}", String::from_utf8_lossy(&output.stderr));
    let reason = failed[0]["stop_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("keeps the states") && reason.contains("signal: 9"), "{reason}");
}
