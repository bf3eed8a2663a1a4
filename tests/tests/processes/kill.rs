//! Runs killed at random moments: what was written survives, and nothing is left running.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};

use benchbook_tests::{Bench, LOOK, Ran, alive, children, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Runs killed: with half of them aimed at the worker instead of the controller.
const KILLS: usize = 100;

/// A run long enough that it never ends by itself here.
const LONG: [&str; 8] =
    ["run", "double", "--replicates", "1", "--implementation", "good,twin", "--blocks", "100000000"];

/// Bytes in the journals that are not Parquet yet.
fn written(bench: &Bench) -> u64 {
    let runs = fs::read_dir(bench.store()).into_iter().flatten().flatten();
    runs.filter_map(|run| fs::metadata(run.path().join("journal.bbj")).ok()).map(|file| file.len()).sum()
}

fn start(bench: &Bench) -> Child {
    bench.command(&LONG).spawn().expect("benchbook starts")
}

#[test]
fn a_hundred_runs_killed_at_random_times_lose_nothing_that_was_written() {
    let bench = Bench::faulty();
    bench.ok(&[
        "run",
        "double",
        "--quick",
        "--replicates",
        "1",
        "--implementation",
        "good",
        "--blocks",
        "5",
        "--tag",
        "whole",
    ]);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for round in 0..KILLS {
        let mut child = start(&bench);
        let mut workers = BTreeSet::new();
        let mut watch = |time: Duration, done: &dyn Fn() -> bool| {
            let deadline = Instant::now() + time;
            while Instant::now() < deadline && !done() {
                workers.extend(children(child.id()));
                std::thread::sleep(LOOK);
            }
        };
        watch(Duration::from_micros(rng.random_range(0..400_000)), &|| false);
        if round % 10 == 0 {
            // Some live until samples have been written, which happens each second; the first time other rows may be more.
            let before = written(&bench);
            watch(Duration::from_secs(30), &|| written(&bench) > before + 40_000);
        }
        if round % 2 == 0 {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            // A killed worker fails its trials; the run itself goes on and is killed later.
            for worker in children(child.id()) {
                let _ = kill(Pid::from_raw(worker), Signal::SIGKILL);
            }
            workers.extend(children(child.id()));
            std::thread::sleep(Duration::from_micros(rng.random_range(0..100_000)));
            workers.extend(children(child.id()));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        wait_until("the end of every worker", || workers.iter().all(|worker| !alive(*worker)));
    }

    let runs: Vec<serde_json::Value> = serde_json::from_str(&bench.ok(&["store", "ls", "--format", "json"])).unwrap();
    let states: Vec<_> = runs.iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states[0], "finished");
    // A run whose workers were killed first may have ended by itself before its own turn came.
    assert!(states.iter().all(|state| ["interrupted", "finished"].contains(state)), "{states:?}");
    assert!(states.iter().filter(|state| **state == "finished").count() <= 1 + KILLS / 2, "{states:?}");
    let journals = bench.sql("select count(distinct run_id) as runs, count(*) as samples from samples");
    assert!(
        journals[0]["runs"].as_i64().unwrap() > KILLS as i64 / 10,
        "the runs that lived a second have samples: {journals:?}"
    );
    let gaps = bench.sql("select run_id, trial from samples group by run_id, trial having count(*) <> max(sample) + 1");
    assert!(gaps.is_empty(), "what was written has no gaps: {gaps:?}");
    let unchecked = bench.sql(
        "select count(*) as n from results r left join (select run_id, trial from checks where phase = 'after') c \
         on c.run_id = r.run_id and c.trial = r.trial where r.valid and c.trial is null",
    );
    assert_eq!(unchecked[0]["n"], 0, "what was killed before its second check is not valid");
    // What a kill leaves behind may be named (a run that never began, a write that did not end, a torn
    // last frame), but no bytes may be other than they were written.
    let named = bench.run(&["store", "verify"]).stdout;
    assert!(!named.contains("checksum") && !named.contains("BLAKE3"), "{named}");

    // A run that was killed while it was being made counts as dead only after a while.
    wait_until("a clean store", || {
        bench.ok(&["store", "repair"]);
        bench.run(&["store", "verify"]).code == Some(0)
    });
    let repaired = bench.sql("select count(distinct run_id) as runs, count(*) as samples from samples");
    assert_eq!(journals, repaired, "a repair changes no row");
}

#[test]
fn a_killed_worker_fails_its_trials_and_the_run_goes_on() {
    let bench = Bench::faulty();
    let words = [
        "run",
        "double",
        "--replicates",
        "2",
        "--implementation",
        "good,twin",
        "--time",
        "4s",
        "--blocks",
        "100000000",
    ];
    let mut child = bench.command(&words).spawn().unwrap();
    // Once samples are written, the only children left are the two that are measured.
    let mut victim = None;
    wait_until("a measured worker", || {
        victim = children(child.id()).first().copied().filter(|_| written(&bench) > 5_000);
        victim.is_some()
    });
    let victim = victim.expect("a measured worker");
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    assert!(child.wait().unwrap().success());
    let failed = bench.sql("select stop_reason from outcomes where trial is not null and status = 'failed'");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0]["stop_reason"].as_str().unwrap().contains("signal 9"), "{failed:?}");
    let ok = bench.sql("select count(*) as n from outcomes where trial is not null and status = 'ok'");
    assert_eq!(ok[0]["n"], 3);
}

#[test]
fn a_killed_run_gives_no_verdict_and_says_why() {
    let bench = Bench::faulty();
    let mut child = start(&bench);
    wait_until("the first written samples", || written(&bench) > 20_000);
    // While it measures, its samples may be read; whoever compares them is told that it is not over.
    let live = bench.sql("select count(*) as n, sum(case when valid then 1 else 0 end) as valid from results");
    assert!(live[0]["n"].as_i64().unwrap() > 0 && live[0]["n"] == live[0]["valid"], "{live:?}");
    assert!(bench.ok(&["compare"]).contains("Warning: the run is still being measured"));
    let workers = children(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the end of every worker", || workers.iter().all(|worker| !alive(*worker)));
    let reasons = bench.sql("select distinct valid, invalid_reason from results");
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!((&reasons[0]["valid"], reasons[0]["invalid_reason"].as_str()), (&false.into(), Some("unchecked")));
    let compared = bench.ok(&["compare"]);
    for part in ["? undecided", "the run was interrupted", "1 unchecked"] {
        assert!(compared.contains(part), "{part}: {compared}");
    }
    assert_eq!(bench.run(&["compare", "--fail-on", "undecided"]).code, Some(2));
}

#[test]
fn ctrl_c_finishes_the_journal() {
    let bench = Bench::faulty();
    let mut child = start(&bench);
    wait_until("the first written samples", || written(&bench) > 20_000);
    let workers = children(child.id());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(4), None), "it ends by itself and says that it is not complete");
    wait_until("the end of every worker", || workers.iter().all(|worker| !alive(*worker)));
    let outcome = bench.sql("select status from outcomes where trial is null");
    assert_eq!(outcome[0]["status"], "interrupted");
    let rows = bench.sql("select count(*) as n, sum(case when valid then 1 else 0 end) as valid from results");
    assert!(rows[0]["n"].as_i64().unwrap() > 0 && rows[0]["n"] == rows[0]["valid"], "{rows:?}");
    let Ran { stdout, .. } = bench.run(&["store", "ls"]);
    assert!(stdout.contains("finished") || stdout.contains("interrupted"), "{stdout}");
}
