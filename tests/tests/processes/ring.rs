//! Ring attention by processes: right, within its memory, and nobody is left behind.

use std::fs;
use std::time::{Duration, Instant};

use benchbook_tests::Bench;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// A run of a ring of three processes, which ends only when it is told to.
const LONG: [&str; 14] = [
    "run",
    "ring-attention",
    "--set",
    "seq=2000",
    "--set",
    "workers=3",
    "--implementation",
    "ring-processes",
    "--replicates",
    "1",
    "--blocks",
    "100000000",
    "--threads",
    "1",
];

/// Processes below `parent`, their children included.
fn descendants(parent: u32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let texts = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let children: Vec<i32> =
        texts.flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect();
    let below = children.iter().flat_map(|child| descendants(child.cast_unsigned())).collect::<Vec<_>>();
    [children, below].concat()
}

/// Those of the processes below `parent` that are workers of a ring.
fn members(parent: u32) -> Vec<i32> {
    let is_one = |id: &i32| {
        let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).nth(1) == Some(b"ring")
    };
    descendants(parent).into_iter().filter(is_one).collect()
}

fn alive(id: i32) -> bool {
    // A zombie has ended; only its parent has not asked yet.
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not happen within 60 s");
        std::thread::sleep(LOOK);
    }
}

#[test]
fn processes_are_right_and_hold_what_the_model_says() {
    let bench = Bench::new();
    let words = ["run", "ring-attention", "--set", "heads=4", "--set", "kv_heads=2", "--set", "seq=4099"];
    let split = ["--set", "head_dim=16", "--set", "workers=1,3", "--set", "causal=true,false"];
    let how = ["--replicates", "1", "--blocks", "3", "--threads", "1"];
    bench.ok(&[&words[..], &split, &how].concat());

    let rows = bench.sql(
        "select t.implementation, o.status, o.stop_reason, count(*) as n from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial group by 1, 2, 3 order by 1",
    );
    let names: Vec<_> = rows.iter().map(|row| row["implementation"].as_str().unwrap()).collect();
    assert_eq!(names, ["ring-processes", "ring-threads", "whole", "zigzag-processes", "zigzag-threads"], "{rows:?}");
    assert!(rows.iter().all(|row| row["status"] == "ok" && row["n"] == 4), "{rows:?}");
    let failed = bench.sql("select * from checks where not passed");
    assert!(failed.is_empty(), "{failed:?}");
    // Whoever remembered an answer would be found: its inputs change, in workers of every kind.
    let unchanged = bench.sql("select * from measures where name = 'inputs_change' and value = 0");
    assert!(unchanged.is_empty(), "{unchanged:?}");

    let bytes = bench.sql(
        "select t.implementation, t.case_name, \
         max(case when m.name = 'worker_bytes' then m.value end) as counted, \
         max(case when m.name = 'worker_bytes_model' then m.value end) as modelled, \
         max(case when m.name = 'worker_resident_bytes' then m.value end) as resident \
         from measures m join trials t on t.run_id = m.run_id and t.trial = m.trial \
         where t.implementation <> 'whole' group by 1, 2",
    );
    assert_eq!(bytes.len(), 16, "{bytes:?}");
    for row in bytes {
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("no {name}: {row}"));
        assert_eq!(number("counted"), number("modelled"), "{row}");
        if row["implementation"].as_str().unwrap().ends_with("processes") {
            // Stacks, the kernel's tiles and pages that are not full come on top.
            let (counted, resident) = (number("counted"), number("resident"));
            assert!(resident > 0.5 * counted && resident < counted + f64::from(8 << 20), "{row}");
        }
    }
}

#[test]
fn a_ring_ends_with_whoever_started_it() {
    let bench = Bench::new();
    let mut child = bench.command(&LONG).spawn().unwrap();
    let mut ring = Vec::new();
    wait_until("a ring of three", || {
        ring = members(child.id());
        ring.len() == 3
    });
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the end of every worker of the ring", || ring.iter().all(|id| !alive(*id)));
}

#[test]
fn a_killed_worker_of_a_ring_is_a_failed_trial() {
    let bench = Bench::new();
    let child = bench.command(&LONG).spawn().unwrap();
    let mut ring = Vec::new();
    wait_until("a ring of three", || {
        ring = members(child.id());
        ring.len() == 3
    });
    kill(Pid::from_raw(ring[1]), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    let failed = bench.sql("select stop_reason from outcomes where trial is not null and status = 'failed'");
    assert_eq!(failed.len(), 1, "{failed:?} {}", String::from_utf8_lossy(&output.stderr));
    assert!(failed[0]["stop_reason"].as_str().unwrap().contains("signal: 9"), "{failed:?}");
    wait_until("the end of every worker of the ring", || ring.iter().all(|id| !alive(*id)));
}
