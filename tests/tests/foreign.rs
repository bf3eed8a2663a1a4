//! Workers of other programs: one in Python beside our own, one with each fault, and some that talk nonsense.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use benchbook_tests::{Bench, OF_TOMORROW, SPEAKS, WAYS, on_small_disk, program, python_with};
use serde_json::Value;

/// The line that starts a Python script of the tests; nothing where no Python has numpy.
fn script(name: &str) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
    Some(format!("'{}' '{}'", python_with("numpy")?.display(), script.display()))
}

/// The line that starts a worker that talks nonsense.
fn speaks(way: &str) -> String {
    format!("'{}' {SPEAKS} {way}", program("faulty-worker").display())
}

/// How the trials of each variant have ended: status, reason and number.
fn outcomes(bench: &Bench) -> Vec<Value> {
    bench.sql(
        "select t.variant, t.implementation, o.status, o.stop_reason, count(*) as n from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial group by 1, 2, 3, 4 order by 1",
    )
}

#[test]
fn a_worker_in_python_is_measured_beside_our_own() {
    let Some(line) = script("worker.py") else { return };
    let (bench, worker) = (Bench::new(), format!("numpy={line}"));
    let matmul = ["run", "matmul", "--set", "m=64", "--quick", "--replicates", "5", "--blocks", "4", "--threads", "1"];
    let both = ["--device", "flex,numpy", "--implementation", "tiled,numpy", "--worker", &worker];
    bench.ok(&[&matmul[..], &both].concat());
    let found: Vec<String> = outcomes(&bench)
        .iter()
        .map(|row| format!("{} {} {}", row["variant"].as_str().unwrap(), row["status"].as_str().unwrap(), row["n"]))
        .collect();
    assert_eq!(found, ["numpy/numpy/f32/1t ok 5", "tiled/flex/f32/1t ok 5"]);

    let blocks = bench.sql(
        "select count(*) as n from (select replicate, block from results where valid group by 1, 2 \
         having count(distinct variant) = 2)",
    );
    assert_eq!(blocks[0]["n"], 20, "every block has both");
    let compared = bench.ok(&["compare", "--baseline", "tiled", "--wide"]);
    assert!(compared.contains("paired blocks") && compared.contains("numpy/numpy/f32/1t"), "{compared}");
    let checks = bench.sql(
        "select c.phase, c.output, count(*) as n from checks c join trials t on t.run_id = c.run_id and t.trial = c.trial \
         where c.passed and t.device = 'numpy' group by 1, 2 order by 1",
    );
    let checks: Vec<String> =
        checks.iter().map(|row| format!("{} {} {}", row["phase"], row["output"], row["n"])).collect();
    assert_eq!(checks, ["\"after\" \"output\" 5", "\"before\" \"output\" 5"]);

    let told = bench.sql(
        "select t.engine, m.name, min(m.value) as least, count(*) as n from measures m \
         join trials t on t.run_id = m.run_id and t.trial = m.trial \
         where t.device = 'numpy' and m.name in ('inputs_change', 'peak_added_bytes') group by 1, 2 order by 2",
    );
    assert_eq!((&told[0]["engine"], &told[0]["least"], &told[0]["n"]), (&"numpy".into(), &1.0.into(), &5.into()));
    assert_eq!(told[1]["n"], 5, "each replicate tells its memory: {told:?}");
    let times = bench.sql(
        "select min(s.cpu_user_ns + s.cpu_system_ns) as least from samples s \
         join trials t on t.run_id = s.run_id and t.trial = s.trial where t.device = 'numpy'",
    );
    assert!(times[0]["least"].as_i64() > Some(0), "it tells its processor time: {times:?}");
    let runs = bench.sql("select command, libraries from runs");
    assert!(runs[0]["command"].as_str().unwrap().contains(&format!("--worker {worker}")), "{runs:?}");
    assert!(runs[0]["libraries"].to_string().contains("numpy"), "{runs:?}");
}

#[test]
fn a_worker_in_python_takes_the_dtypes_that_it_has() {
    let Some(line) = script("worker.py") else { return };
    let (bench, worker) = (Bench::new(), format!("numpy={line}"));
    let matmul =
        ["run", "matmul", "--set", "m=7,33", "--quick", "--replicates", "1", "--blocks", "3", "--threads", "1"];
    bench.ok(&[&matmul[..], &["--dtype", "f64,bf16", "--device", "numpy", "--worker", &worker]].concat());
    let found: Vec<String> = outcomes(&bench)
        .iter()
        .map(|row| format!("{} {} {}", row["variant"].as_str().unwrap(), row["status"].as_str().unwrap(), row["n"]))
        .collect();
    assert_eq!(found, ["numpy/numpy/bf16/1t unsupported 2", "numpy/numpy/f64/1t ok 2"]);
    let listed = bench.ok(&["list", "variants", "--worker", &worker, "--format", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let here = |row: &&Value| row["variant"].as_str().is_some_and(|variant| variant.starts_with("numpy/numpy/"));
    assert_eq!(listed.iter().find(here).map(|row| &row["available"]), Some(&"here".into()));
    assert!(listed.len() > 1, "our own stand beside it");
}

/// What `worker check` finds, as rows.
fn check(bench: &Bench, line: &str, code: i32) -> Vec<Value> {
    let ran = bench.run(&["worker", "check", line, "--threads", "1", "--format", "json"]);
    assert_eq!(ran.code, Some(code), "{line}\n{}\n{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).expect("JSON rows")
}

#[test]
fn a_worker_that_is_right_passes_every_check() {
    let Some(line) = script("worker.py") else { return };
    let bench = Bench::new();
    let rows = check(&bench, &line, 0);
    assert!(rows.len() >= 12 && rows.iter().all(|row| row["level"] == "passed"), "{rows:#?}");
    // Our own are held to the same: one that makes its inputs itself, and one that owns its workload too.
    for name in ["benchbook-worker", "faulty-worker"] {
        let rows = check(&bench, &format!("'{}'", program(name).display()), 0);
        assert!(rows.iter().all(|row| row["level"] == "passed"), "{name}: {rows:#?}");
    }
    let text = bench.ok(&["worker", "check", &line, "--workload", "matmul"]);
    assert!(text.lines().all(|line| line.starts_with("passed ")), "{text}");
    let help = bench.ok(&["worker", "check", "--help"]);
    let example = help.split("worker check \"python3 ").nth(1).and_then(|rest| rest.split('"').next()).expect(&help);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    assert!(example.ends_with("worker.py") && root.join(example).is_file(), "its example is this worker: {example}");
    let ran = bench.run(&["worker", "check", &line, "--workload", "matmull"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains("did you mean `matmul`?") && ran.stdout.contains("skipped"), "{}", ran.stdout);
}

#[test]
fn a_worker_that_is_wrong_is_told_what_it_does_wrong() {
    let Some(line) = script("wrong_worker.py") else { return };
    let bench = Bench::new();
    for (fault, about, part) in [
        ("describes-no-device", "description", "a device `numpy` that `devices` does not hold"),
        ("names-a-column", "description", "a parameter `block`, and a column of `results` has that name"),
        ("answers-anything", "unknown", "asked to `sing`, which nobody can, it answers `none`"),
        ("ends-at-the-unknown", "unknown", "it ended with exit status: 3"),
        ("wrong-length", "outputs", "its arrays take 4 bytes, and its body has 0"),
        ("no-output", "outputs", "it gives 0 outputs, and 1 is the right number"),
        ("other-shape", "outputs", "its `output` has the shape [1], and [1, 1] is right"),
        ("other-dtype", "outputs", "its `output` is f64, and f32 was asked for"),
        ("other-values", "outputs", "its `output` is off by"),
        ("refuses-what-it-has-not", "none", "it answers `failed` (no such thing) and not `none`"),
        ("missing-field", "calls", "missing field `elapsed_ns`"),
        ("other-clock", "calls", "begun -9999"),
        ("fewer-calls", "calls", "asked for 1 calls and told of 0"),
        ("prints", "calls", "it begins with \"one \" and not with `bbw3`"),
        ("old-results", "inputs", "after its inputs were replaced: its `output` is off by"),
        ("forgets-a-copy", "inputs", "after its inputs were replaced: its `output` is off by"),
        ("never-rests", "rest", "a thread still works"),
        ("drops-nothing", "drop", "asked for a call of a trial that it has dropped, it answers `ran`"),
        ("one-call", "trial", "it leaves calls out"),
        ("outlives-its-controller", "end", "it still runs"),
    ] {
        let rows = check(&bench, &format!("{line} {fault}"), 1);
        let row = rows.iter().find(|row| row["area"] == about).expect(about);
        let found = row["finding"].as_str().unwrap();
        assert!(row["level"] == "failed" && found.contains(part), "{fault}: {rows:#?}");
        assert!(row["remedy"].as_str().is_some_and(|promise| !promise.is_empty()), "{fault}: {row}");
        assert_eq!(rows[0]["level"], "passed", "{fault}: it greets as it should");
    }
}

#[test]
fn what_is_no_worker_is_told_so() {
    let bench = Bench::new();
    for (line, part) in [
        ("echo I am a worker", "it begins with \"I am\" and not with `bbw3`"),
        ("/no/such/program", "it ended with exit status: 127"),
        ("true", "it ended"),
    ] {
        let rows = check(&bench, line, 1);
        assert_eq!((&rows[0]["area"], &rows[0]["level"]), (&"greeting".into(), &"failed".into()), "{rows:#?}");
        assert!(rows[0]["finding"].as_str().unwrap().contains(part), "{line}: {rows:#?}");
        assert!(rows[1..].iter().all(|row| row["level"] == "skipped"), "{rows:#?}");
    }
    let rows = check(&bench, &speaks(OF_TOMORROW), 1);
    assert!(rows[0]["finding"].as_str().unwrap().contains("it speaks version 4 of the wire"), "{rows:#?}");
}

#[test]
fn nonsense_of_a_worker_is_an_outcome_of_its_trial_and_the_run_goes_on() {
    let bench = Bench::new();
    let ways: Vec<&str> = WAYS.iter().map(|(way, _)| *way).collect();
    let (devices, names) = (format!("flex,{}", ways.join(",")), format!("tiled,{}", ways.join(",")));
    let workers: Vec<String> = ways.iter().map(|way| format!("{way}={}", speaks(way))).collect();
    let mut words = vec!["run", "matmul", "--set", "m=16", "--quick", "--replicates", "2", "--blocks", "3"];
    words.extend(["--device", &devices, "--implementation", &names]);
    words.extend(workers.iter().flat_map(|worker| ["--worker", worker.as_str()]));
    let said = bench.ok(&words);
    let rows = outcomes(&bench);
    for (way, part) in WAYS {
        let of_way = |row: &&Value| row["implementation"] == way;
        let wanted = if part == "inf" { "wrong" } else { "failed" };
        let trials: i64 = rows.iter().filter(of_way).filter_map(|row| row["n"].as_i64()).sum();
        assert_eq!(trials, 2, "{way}: {rows:#?}");
        for row in rows.iter().filter(of_way) {
            let reason = row["stop_reason"].as_str().unwrap();
            assert!(row["status"] == wanted && reason.contains(part), "{way}: {row}");
        }
    }
    let tiled: Vec<&Value> = rows.iter().filter(|row| row["implementation"] == "tiled").collect();
    assert_eq!((tiled.len(), &tiled[0]["status"], &tiled[0]["n"]), (1, &"ok".into(), &2.into()), "{said}");
    let samples = bench.sql("select count(*) as n, count(distinct implementation) as implementations from results");
    assert_eq!((&samples[0]["n"], &samples[0]["implementations"]), (&6.into(), &1.into()), "nothing is lost");
    bench.ok(&["store", "verify"]);
}

#[test]
fn an_environment_that_vanishes_is_an_outcome_and_the_run_goes_on() {
    let Some(line) = script("worker.py") else { return };
    let bench = Bench::new();
    // It is there while it is asked what it has, and then no more.
    let once = bench.folder().join("once");
    fs::write(&once, format!("#!/bin/sh\nrm -- \"$0\"\nexec {line} \"$@\"\n")).unwrap();
    fs::set_permissions(&once, fs::Permissions::from_mode(0o755)).unwrap();
    let worker = format!("numpy='{}'", once.display());
    let matmul = ["run", "matmul", "--set", "m=16", "--quick", "--replicates", "1", "--blocks", "3", "--threads", "1"];
    let both = ["--device", "flex,numpy", "--implementation", "tiled,numpy", "--worker", &worker];
    bench.ok(&[&matmul[..], &both].concat());
    assert!(!once.exists(), "it was started once");
    let rows = outcomes(&bench);
    assert_eq!(rows.len(), 2, "{rows:#?}");
    assert_eq!((&rows[0]["implementation"], &rows[0]["status"]), (&"numpy".into(), &"failed".into()), "{rows:#?}");
    assert!(rows[0]["stop_reason"].as_str().is_some_and(|reason| reason.contains("exit status: 127")), "{rows:#?}");
    assert_eq!((&rows[1]["implementation"], &rows[1]["status"]), (&"tiled".into(), &"ok".into()), "{rows:#?}");
}

#[test]
fn a_full_memory_file_system_costs_nothing_and_a_full_disk_besides_a_trial() {
    let Some(line) = script("worker.py") else { return };
    let (worker, memory) = (format!("numpy={line}"), Path::new("/dev/shm"));
    let matmul = ["run", "matmul", "--set", "m=64", "--quick", "--replicates", "1", "--blocks", "3", "--threads", "1"];
    let both = ["--device", "flex,numpy", "--implementation", "tiled,numpy", "--worker", &worker];
    for (temporary, status, part) in
        [(None, "ok", "blocks"), (Some(memory), "failed", "its inputs cannot be sent: No space left")]
    {
        let bench = Bench::new();
        let mut command = bench.command(&[&matmul[..], &both].concat());
        command.envs(temporary.map(|folder| ("TMPDIR", folder)));
        // One of the two inputs fits.
        let Some(output) = on_small_disk(memory, "16k", &command) else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rows = outcomes(&bench);
        assert_eq!(rows.len(), 2, "{rows:#?}");
        assert_eq!((&rows[0]["implementation"], &rows[0]["status"]), (&"numpy".into(), &status.into()), "{rows:#?}");
        assert!(rows[0]["stop_reason"].as_str().is_some_and(|reason| reason.contains(part)), "{rows:#?}");
        assert_eq!((&rows[1]["implementation"], &rows[1]["status"]), (&"tiled".into(), &"ok".into()), "{rows:#?}");
    }
}

#[test]
fn a_worker_that_cannot_be_had_is_named_before_anything_is_measured() {
    let bench = Bench::new();
    let with = |workers: &[&str], parts: &[&str]| {
        let mut words = vec!["run", "matmul", "--set", "m=16", "--quick"];
        words.extend(workers.iter().flat_map(|worker| ["--worker", *worker]));
        bench.fails(&words, 4, parts);
    };
    let (nan, tomorrow) = (format!("nan={}", speaks("nan")), format!("new={}", speaks(OF_TOMORROW)));
    let again = format!("again={}", speaks("nan"));
    with(&[&tomorrow], &["the worker `new`", "it speaks version 4 of the wire, and this program version 3"]);
    with(&["lost=/no/such/program"], &["the worker `lost`", "exit status: 127", "benchbook worker check"]);
    with(&[&nan, &again], &["the worker `again`", "another worker has a device `nan` too"]);
    with(&[&nan, &nan], &["--worker nan is given twice"]);
    assert!(!bench.store().exists(), "nothing was recorded");
}

#[test]
fn a_worker_whose_parameter_has_the_name_of_a_column_is_refused() {
    let Some(line) = script("wrong_worker.py") else { return };
    let (bench, worker) = (Bench::new(), format!("numpy={line} names-a-column"));
    let parts = ["the worker `numpy`", "`pages` has a parameter `block`, and a column of `results` has that name"];
    bench.fails(&["run", "matmul", "--set", "m=16", "--quick", "--worker", &worker], 4, &parts);
    assert!(!bench.store().exists(), "nothing was recorded");
}
