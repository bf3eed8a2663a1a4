//! What is said of samples, by what was counted around them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const CALM: Moment = Moment {
    cpu: Some(1),
    waited_ns: Some(100),
    gave_way: Some(7),
    busy_ticks: Some(9),
    stolen_ticks: Some(5),
    throttled: Some(2),
};
const RAN: Ran = Ran {
    iterations: 1,
    started_ns: 0,
    elapsed_ns: 1_000_000,
    cpu_ns: Some(1_000_000),
    system_ns: None,
    waited_ns: None,
    cpu_before: None,
    cpu_after: None,
    throttled: None,
};

fn watch(threads: usize) -> Watch {
    Watch::new(threads, Caller::this_thread(), Vec::new())
}

/// What is said of a sample that took so much processor time.
fn judged(watch: &mut Watch, load: &mut Load, later: &Moment, ran: &Ran) -> Option<Disturbance> {
    watch.judge(load, &CALM, later, ran, ran.cpu_ns.unwrap_or(0) as f64)
}

#[test]
fn each_disturbance_is_named_and_the_gravest_first() {
    let since = |later: Moment| judged(&mut watch(1), &mut Load::default(), &later, &RAN);
    let gave_way = Moment { gave_way: Some(8), ..CALM };
    assert_eq!(since(CALM), None);
    assert_eq!(since(Moment { waited_ns: Some(20_000), ..gave_way }), None, "20 µs");
    assert_eq!(since(Moment { waited_ns: Some(30_000), ..gave_way }), Some(Disturbance::Preempted));
    assert_eq!(since(Moment { cpu: Some(0), ..gave_way }), Some(Disturbance::Migrated));
    assert_eq!(
        since(Moment { stolen_ticks: Some(6), waited_ns: Some(1 << 30), ..gave_way }),
        Some(Disturbance::Stolen)
    );
    let throttled = Moment { cpu: Some(0), throttled: Some(3), stolen_ticks: Some(6), ..gave_way };
    assert_eq!(since(throttled), Some(Disturbance::Throttled));
}

#[test]
fn a_long_sample_keeps_hardly_more_than_a_short_one() {
    let gave_way = |waited_ns| Moment { waited_ns: Some(waited_ns), gave_way: Some(8), ..CALM };
    let of = |elapsed_ns, waited_ns| {
        judged(&mut watch(1), &mut Load::default(), &gave_way(waited_ns), &Ran { elapsed_ns, ..RAN })
    };
    // 20 µs in any, and a thousandth of it, which a system takes for itself.
    for (elapsed_ns, most_ns) in [(1_000, 20_000), (1_000_000, 21_000), (100_000_000, 120_000)] {
        assert_eq!(of(elapsed_ns, most_ns), None, "{elapsed_ns} ns");
        assert_eq!(of(elapsed_ns, most_ns + 1_000), Some(Disturbance::Preempted), "{elapsed_ns} ns");
    }
}

#[test]
fn who_wakes_up_late_or_elsewhere_was_not_disturbed() {
    let since = |later: Moment| judged(&mut watch(1), &mut Load::default(), &later, &RAN);
    assert_eq!(since(Moment { waited_ns: Some(1 << 30), cpu: Some(0), ..CALM }), None);
    // Where the system does not tell who gave way, everybody may have.
    let untold = Moment { waited_ns: Some(1 << 30), gave_way: None, ..CALM };
    assert_eq!(since(untold), Some(Disturbance::Preempted));
}

#[test]
fn what_a_worker_has_read_around_the_clock_is_believed_before_what_is_seen_from_outside() {
    let own = Ran { waited_ns: Some(0), cpu_before: Some(1), cpu_after: Some(1), throttled: Some(0), ..RAN };
    let of = |later: &Moment, ran: Ran| judged(&mut watch(1), &mut Load::default(), later, &ran);
    let outside = Moment { waited_ns: Some(1 << 30), cpu: Some(0), throttled: Some(3), gave_way: Some(8), ..CALM };
    assert_eq!(of(&outside, own), None, "that was before or after");
    assert_eq!(of(&CALM, Ran { waited_ns: Some(30_000), ..own }), Some(Disturbance::Preempted));
    assert_eq!(of(&CALM, Ran { cpu_after: Some(0), ..own }), Some(Disturbance::Migrated));
    assert_eq!(of(&CALM, Ran { throttled: Some(1), ..own }), Some(Disturbance::Throttled));
}

#[test]
fn a_long_sample_keeps_no_more_of_a_wait_than_a_short_one() {
    let waited = |elapsed_ns: i64, waited_ns: u64| {
        let ran = Ran { elapsed_ns, ..RAN };
        let later = Moment { waited_ns: Some(100 + waited_ns), gave_way: Some(8), ..CALM };
        judged(&mut watch(1), &mut Load::default(), &later, &ran)
    };
    for elapsed_ns in [1_000_000, 10_000_000, 100_000_000] {
        assert_eq!(waited(elapsed_ns, 1_000_000), Some(Disturbance::Preempted), "a slice of another, {elapsed_ns}");
        assert_eq!(waited(elapsed_ns, 15_000), None);
    }
}

#[test]
fn others_are_found_over_all_trials_of_a_worker() {
    // A tick of the machine a sample, of 2 ms of two processors: a trial of 100 samples is shorter than the window.
    let ran = |own_ns| Ran { elapsed_ns: 5_000_000, cpu_ns: Some(own_ns), ..RAN };
    let busy = Moment { busy_ticks: Some(10), waited_ns: Some(1 << 30), cpu: Some(0), gave_way: Some(8), ..CALM };
    let mut load = Load::default();
    let mut trial = |own_ns: i64| {
        let mut watch = watch(2);
        (0..20).map(|_| judged(&mut watch, &mut load, &busy, &ran(own_ns))).collect::<Vec<_>>()
    };
    assert!(trial(9_500_000).iter().all(Option::is_none), "all but a twentieth is its own");
    assert!(trial(9_500_000).iter().all(Option::is_none));
    let loaded: Vec<_> = (0..4).flat_map(|_| trial(5_000_000)).collect();
    assert_eq!(loaded[0], None, "too early to tell");
    assert!(loaded[60..].iter().all(|one| *one == Some(Disturbance::Loaded)), "{loaded:?}");
}

#[test]
fn a_warm_up_says_what_others_take_before_the_first_sample() {
    let mut load = Load::default();
    load.add(800e6, 390e6);
    assert!(load.is_high());
    load.add(1600e6, 1590e6);
    assert!(!load.is_high());
}

#[test]
fn a_pool_on_one_processor_is_starved_however_the_machine_counts() {
    let of = |watch: &mut Watch, own_ns: i64| {
        judged(watch, &mut Load::default(), &CALM, &Ran { cpu_ns: Some(own_ns), ..RAN })
    };
    let mut spread = watch(2);
    assert_eq!(of(&mut spread, 1_000_000), None, "too early to tell");
    assert!((0..20).all(|at| of(&mut spread, 1_960_000 + at * 1_000).is_none()));
    assert_eq!(of(&mut spread, 1_000_000), Some(Disturbance::Starved));
    assert_eq!(of(&mut spread, 1_700_000), Some(Disturbance::Starved));
    assert_eq!(of(&mut spread, 1_850_000), None);
    assert!(spread.is_spread(&Ran { cpu_ns: None, ..RAN }), "what is not told says nothing");
    // Threads that spin on while clocks are read have no more than all processors.
    let mut spinning = watch(2);
    assert!((0..10).all(|_| of(&mut spinning, 9_000_000).is_none()));
    assert_eq!(of(&mut spinning, 1_990_000), None);
    // What works on one thread most of the time is not starved on one.
    let mut single = watch(2);
    assert!((0..20).all(|at| of(&mut single, 1_050_000 + at * 1_000).is_none()));
}

#[test]
fn processes_that_compute_for_a_kernel_are_its_own() {
    let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let processes = vec![child.id()];
    let long_enough = 20_000_000;
    let mut watch = Watch::new(2, Caller::this_thread(), processes.clone());
    let sampled = watch.take(&mut Load::default(), 0, || {
        let end = clock::cpu_ns_of(&processes) + long_enough;
        while clock::cpu_ns_of(&processes) < end {}
        Ok(RAN)
    });
    let rested = watch.stirred().rest();
    child.kill().unwrap();
    child.wait().unwrap();
    let sampled = sampled.unwrap();
    assert!(sampled.cpu_user_ns >= 1_000_000 + long_enough, "{}", sampled.cpu_user_ns);
    assert!(!rested, "it works on");
    assert_eq!(clock::cpu_ns_of(&processes), 0, "it has ended");
}

#[test]
fn what_a_worker_does_not_tell_is_what_its_process_took() {
    let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let caller = Caller { process: child.id(), thread: child.id() };
    let taken = |elapsed_ns: i64| {
        let mut watch = Watch::new(2, caller, Vec::new());
        let sampled = watch.take(&mut Load::default(), 1, || {
            let end = clock::cpu_ns_of(&[caller.process]) + 20_000_000;
            while clock::cpu_ns_of(&[caller.process]) < end {}
            Ok(Ran { elapsed_ns, cpu_ns: None, system_ns: None, ..RAN })
        });
        (sampled.unwrap(), watch.shares.len(), watch.tells())
    };
    let (short, long) = (taken(LEAST_COARSE_NS - 1), taken(LEAST_COARSE_NS));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(short.0.cpu_user_ns >= 10_000_000, "half of the calls were timed: {:?}", short.0);
    assert_eq!((short.1, long.1), (0, 1), "of a short sample it tells too little to judge by");
    assert!(!short.2 && !long.2, "and who reads the record is told");
}

#[test]
fn load_is_what_the_worker_takes_between_the_moments_at_which_the_machine_is_read() {
    let count = "read line; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read line";
    let mut shell = Command::new("sh");
    let mut child = shell.args(["-c", count]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let caller = Caller { process: child.id(), thread: child.id() };
    let (mut watch, mut load, mut taken_ns) = (Watch::new(2, caller, Vec::new()), Load::default(), 0);
    // It works far longer than its calls are timed, such as where it wakes up, reads clocks and spins afterwards.
    let sampled = watch.take(&mut load, 0, || {
        let before_ns = clock::cpu_ns_of(&[caller.process]);
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "done");
        taken_ns = clock::cpu_ns_of(&[caller.process]) - before_ns;
        Ok(Ran { elapsed_ns: 1_000, cpu_ns: Some(1_000), ..RAN })
    });
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(sampled.unwrap().cpu_user_ns, 1_000);
    // How much it weighs in the window.
    let busy_ns = -WINDOW_NS * (1.0 - load.busy_ns / WINDOW_NS).ln();
    let weight = if load.busy_ns > 0.0 { load.busy_ns / busy_ns } else { 1.0 };
    assert!(taken_ns > 1_000_000 && load.own_ns >= 0.99 * weight * taken_ns as f64, "{load:?} of {taken_ns}");
}

#[test]
fn a_machine_that_tells_nothing_disturbs_nothing() {
    let silent =
        Moment { cpu: None, waited_ns: None, gave_way: None, busy_ticks: None, stolen_ticks: None, throttled: None };
    for threads in [1, 2] {
        assert_eq!(watch(threads).judge(&mut Load::default(), &silent, &CALM, &RAN, 1e6), None);
        assert_eq!(watch(threads).judge(&mut Load::default(), &CALM, &silent, &RAN, 1e6), None);
    }
}
