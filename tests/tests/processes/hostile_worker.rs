//! Workers that misbehave: the controller says what they did, and neither falls, waits nor grows with them.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use benchbook_tests::{Bench, CHILD, HOSTILE, STOPS_READING, alive, children, inside, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// `benchbook` with a worker that misbehaves like this.
fn beside(bench: &Bench, way: &str, words: &[&str]) -> Command {
    let mut command = bench.command(words);
    command.env(HOSTILE, way);
    command
}

/// The same command with so much address space, in KiB.
fn within(kib: u32, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -v {kib} && exec \"$0\" \"$@\""));
    inside(limited, command)
}

/// Runs a command, which must end with 4 by itself; what it complained of.
fn complaint(mut command: Command) -> String {
    let output = command.output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.status.signal()), (Some(4), None), "{stderr}");
    assert!(!stderr.contains("panicked at"), "{stderr}");
    stderr
}

#[test]
fn what_is_no_message_is_named() {
    let bench = Bench::faulty();
    for (way, part) in [
        ("claims-body", "its body claims 9223372036854775808 bytes"),
        ("ends-in-header", "it ends within a frame"),
        ("claims-length", "claims a length of 2147483647 bytes"),
        ("has-other-columns", "other columns than a message"),
    ] {
        let stderr = complaint(beside(&bench, way, &["run", "double"]));
        assert!(stderr.contains("did not greet as a worker") && stderr.contains(part), "{way}: {stderr}");
    }
}

#[test]
fn a_worker_of_tomorrow_is_told_from_a_broken_one() {
    let bench = Bench::faulty();
    for way in ["is-of-tomorrow", "greets-of-tomorrow"] {
        let stderr = complaint(beside(&bench, way, &["run", "double"]));
        assert!(stderr.contains("the worker speaks protocol 4, this program 3"), "{way}: {stderr}");
    }
}

#[test]
fn gigabytes_without_an_end_of_line_are_not_kept() {
    let bench = Bench::faulty();
    // Kept whole they take 4 GiB, since a buffer doubles as it grows.
    let stderr = complaint(within(4 << 20, &beside(&bench, "chatters", &["run", "double"])));
    assert!(stderr.contains("its last words: xxx"), "{stderr}");
    assert!(stderr.len() < 10_000, "{} bytes", stderr.len());
}

#[test]
fn a_child_of_a_worker_does_not_outlive_it() {
    let bench = Bench::faulty();
    let stderr = complaint(beside(&bench, "leaves-child", &["run", "double"]));
    let (_, rest) = stderr.split_once("its last words: child ").expect(&stderr);
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let child: i32 = digits.parse().expect("a number");
    wait_until("the end of the worker's child", || !alive(child));
}

#[test]
fn what_leaves_the_group_of_a_worker_does_not_outlive_it() {
    let bench = Bench::faulty();
    let controller = beside(&bench, "leaves-group", &["run", "double"]).spawn().unwrap();
    let outside = child_of_worker(&bench);
    assert!(children(controller.id()).iter().all(|worker| !children(worker.cast_unsigned()).contains(&outside)));
    assert!(alive(outside), "it lives as long as its worker does");
    hears_ctrl_c(controller);
    wait_until("the end of what left the group", || !alive(outside));
}

#[test]
fn ctrl_c_is_heard_while_a_worker_starts() {
    let bench = Bench::faulty();
    let controller = beside(&bench, "is-silent", &["run", "double"]).spawn().unwrap();
    wait_until("the start of a worker", || !children(controller.id()).is_empty());
    hears_ctrl_c(controller);
}

#[test]
fn ctrl_c_is_heard_while_a_worker_does_not_read() {
    let bench = Bench::faulty();
    // The question what these cases are is longer than a pipe holds.
    let lengths: Vec<String> = (1..=20_000).map(|length| length.to_string()).collect();
    let plan = format!("[[cases]]\nworkload = \"double\"\nparams = {{ length = [{}] }}\n", lengths.join(", "));
    std::fs::write(bench.folder().join("plan.toml"), plan).unwrap();
    let controller = beside(&bench, STOPS_READING, &["run", "plan.toml"]).spawn().unwrap();
    child_of_worker(&bench);
    hears_ctrl_c(controller);
}

#[test]
fn a_child_of_a_worker_does_not_outlive_a_controller_that_is_killed() {
    let bench = Bench::faulty();
    let mut controller = beside(&bench, STOPS_READING, &["run", "double"]).spawn().unwrap();
    let child = child_of_worker(&bench);
    let workers = children(controller.id());
    assert!(alive(child) && !workers.is_empty());
    controller.kill().unwrap();
    controller.wait().unwrap();
    wait_until("the end of the worker", || workers.iter().all(|worker| !alive(*worker)));
    wait_until("the end of the worker's child", || !alive(child));
}

/// The number of what a worker has started, once it has.
fn child_of_worker(bench: &Bench) -> i32 {
    let mut text = String::new();
    wait_until("what a worker starts", || {
        text = std::fs::read_to_string(bench.folder().join(CHILD)).unwrap_or_default();
        text.ends_with('\n')
    });
    text.trim().parse().expect("a number")
}

/// Interrupts a program that waits for a worker: both end, and it says why.
fn hears_ctrl_c(controller: Child) {
    let workers = children(controller.id());
    kill(Pid::from_raw(controller.id().cast_signed()), Signal::SIGINT).unwrap();
    wait_until("the end of the program", || !alive(controller.id().cast_signed()));
    let output = controller.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("interrupted before the worker had answered"), "{stderr}");
    wait_until("the end of the worker", || workers.iter().all(|worker| !alive(*worker)));
}

#[test]
fn a_worker_has_its_threads_and_an_allocator_that_keeps_memory() {
    let bench = Bench::faulty();
    let mut command = beside(&bench, "tells-variables", &["run", "double", "--threads", "2"]);
    for (name, value) in [
        ("OMP_THREAD_LIMIT", "1"),
        ("OMP_THREAD_LIMIT_ALL", "1"),
        ("OMP_PROC_BIND", "true"),
        ("OMP_NUM_THREADS", "1"),
        ("MKL_DYNAMIC", "true"),
        ("KMP_HW_SUBSET", "1c"),
        ("GOMP_CPU_AFFINITY", "0"),
        ("RAYON_NUM_THREADS", "1"),
        ("CANDLE_NUM_THREADS", "1"),
        ("CANDLE_CPU_MASK", "0"),
        ("OMP_WAIT_POLICY", "passive"),
    ] {
        command.env(name, value);
    }
    // What a user sets of the allocator stands.
    command.env_remove("GLIBC_TUNABLES");
    let stderr = complaint(command);
    let (_, told) = stderr.split_once("its last words: ").expect(&stderr);
    let told: Vec<&str> = told.split(';').next().unwrap_or_default().split_whitespace().collect();
    for set in [
        "OMP_NUM_THREADS=2",
        "MKL_NUM_THREADS=2",
        "RAYON_NUM_THREADS=2",
        "CANDLE_NUM_THREADS=2",
        "OMP_WAIT_POLICY=passive",
    ] {
        assert!(told.contains(&set), "{set}: {told:?}");
    }
    let keeps = |one: &&str| one.starts_with("GLIBC_TUNABLES=glibc.malloc.arena_max=1:");
    assert!(told.iter().any(keeps), "whoever measures keeps the memory that it frees: {told:?}");
    let limits =
        ["OMP_THREAD_LIMIT", "OMP_PROC_BIND", "MKL_DYNAMIC", "KMP_HW_SUBSET", "GOMP_CPU_AFFINITY", "CANDLE_CPU_MASK"];
    assert!(!told.iter().any(|one| limits.iter().any(|limit| one.starts_with(limit))), "{told:?}");
}

#[test]
fn a_variable_that_workers_do_not_get_is_named() {
    let bench = Bench::faulty();
    let words = ["run", "double", "--quick", "--replicates", "1", "--blocks", "3", "--implementation", "good"];
    let output = bench.command(&words).env("OMP_THREAD_LIMIT", "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let events = bench.sql("select message from events where kind = 'variables_withheld'");
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0]["message"].as_str().unwrap().contains("OMP_THREAD_LIMIT"), "{events:?}");
}

#[test]
fn too_little_address_space_is_named() {
    let bench = Bench::faulty();
    let stderr = complaint(within(1_000_000, &bench.command(&["list"])));
    assert!(stderr.contains("no address space") && stderr.contains("ulimit -v"), "{stderr}");
}

#[test]
fn a_seed_that_cannot_be_recorded_is_refused() {
    let bench = Bench::faulty();
    bench.fails(&["run", "double", "--seed", "9223372036854775808"], 4, &["`seed` is over 9223372036854775807"]);
    let words = ["run", "double", "--quick", "--replicates", "3", "--blocks", "3", "--implementation", "good"];
    bench.ok(&[&words[..], &["--seed", "9223372036854775807"]].concat());
    let negative = bench.sql(
        "select count(*) as n from trials t join runs r on r.run_id = t.run_id where t.input_seed < 0 or r.seed < 0",
    );
    assert_eq!(negative[0]["n"], 0);
}

#[test]
fn three_hundred_years_are_time_enough() {
    let bench = Bench::faulty();
    let words = ["run", "double", "--quick", "--replicates", "1", "--blocks", "3", "--implementation", "good"];
    bench.ok(&[&words[..], &["--time", "293y"]].concat());
    let ends = bench.sql("select distinct stop_reason from outcomes where trial is not null");
    assert_eq!(ends.iter().map(|row| row["stop_reason"].as_str().unwrap()).collect::<Vec<_>>(), ["blocks"]);
}
