//! Runs killed at random moments: what was written survives, and nothing is left running.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};

use benchbook_tests::{Bench, Ran};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Runs killed: with half of them aimed at the worker instead of the controller.
const KILLS: usize = 100;

/// A run long enough that it never ends by itself here.
const LONG: [&str; 8] =
    ["run", "double", "--replicates", "1", "--implementation", "good,twin", "--blocks", "100000000"];

/// Processes whose parent is `parent`.
fn children(parent: u32) -> BTreeSet<i32> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

fn alive(id: i32) -> bool {
    // A zombie has ended; only its parent has not asked yet.
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what} did not happen within 30 s");
        std::thread::yield_now();
    }
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
        let deadline = Instant::now() + Duration::from_micros(rng.random_range(0..400_000));
        let mut workers = BTreeSet::new();
        while Instant::now() < deadline {
            workers.extend(children(child.id()));
            std::thread::yield_now();
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
            child.kill().unwrap();
            child.wait().unwrap();
        }
        wait_until("the end of every worker", || workers.iter().all(|worker| !alive(*worker)));
    }

    let runs: Vec<serde_json::Value> = serde_json::from_str(&bench.ok(&["store", "ls", "--format", "json"])).unwrap();
    let states: Vec<_> = runs.iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states[0], "finished");
    assert!(states[1..].iter().all(|state| *state == "interrupted"), "{states:?}");
    assert!(states.len() > KILLS / 4, "of {KILLS} runs only {} lived long enough to be recorded", states.len() - 1);
    let journals = bench.sql("select count(distinct run_id) as runs, count(*) as samples from samples");
    assert!(journals[0]["samples"].as_i64().unwrap() >= 5, "{journals:?}");
    assert_eq!(bench.run(&["store", "verify"]).code, Some(0));

    bench.ok(&["store", "repair"]);
    let repaired = bench.sql("select count(distinct run_id) as runs, count(*) as samples from samples");
    assert_eq!(journals, repaired, "a repair changes no row");
    assert!(bench.ok(&["store", "repair"]).contains("nothing to repair"));
    assert_eq!(bench.run(&["store", "verify"]).code, Some(0));
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
    // The first child answers questions; those that come later are measured.
    let mut seen = BTreeSet::new();
    wait_until("a measured worker", || {
        seen.extend(children(child.id()));
        bench.store().exists() && seen.len() >= 3
    });
    let victim = *seen.iter().last().unwrap();
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    assert!(child.wait().unwrap().success());
    let failed = bench.sql("select stop_reason from outcomes where trial is not null and status = 'failed'");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0]["stop_reason"].as_str().unwrap().contains("signal 9"), "{failed:?}");
    let ok = bench.sql("select count(*) as n from outcomes where trial is not null and status = 'ok'");
    assert_eq!(ok[0]["n"], 3);
}

#[test]
fn ctrl_c_finishes_the_journal() {
    let bench = Bench::faulty();
    let mut child = start(&bench);
    wait_until("the first written samples", || {
        let journals = fs::read_dir(bench.store()).into_iter().flatten().flatten();
        journals.filter_map(|run| fs::metadata(run.path().join("journal.bbj")).ok()).any(|file| file.len() > 20_000)
    });
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
