//! libtorch's implementations against the references of their workloads.
#![cfg(feature = "libtorch")]

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use benchbook_core::message::SAME_PATH;
use benchbook_core::{DType, Params, Registry, Setting, Support, Value};
use benchbook_tests::{Bench, program};

fn registry() -> Registry {
    let mut registry = Registry::default();
    benchbook_workloads::register(&mut registry);
    benchbook_engines::register(&mut registry);
    registry
}

/// Largest scaled error of `torch-sdpa` on a case, over all outputs, and what a dtype allows.
fn error(workload: &str, dtype: DType, given: &[(&str, Value)]) -> (f64, f64) {
    let registry = registry();
    let params = given.iter().fold(Params::default(), |params, (name, value)| params.with(name, value.clone()));
    let case = registry.case(workload, params).unwrap();
    let sdpa = registry.find_implementation(workload, "torch-sdpa").unwrap();
    let posed = registry.find_workload(workload).unwrap().pose(&case.params).unwrap();
    let inputs = posed.inputs(1);
    assert_eq!(sdpa.supports("libtorch", dtype, &case.params), Support::Yes);
    let setting = Setting { device: "libtorch".into(), dtype, threads: 1, copies: 2 };
    let mut subject = sdpa.prepare(&setting, &case.params, &inputs).unwrap();
    subject.run(3);
    let found = posed.reference(&inputs, 1).compare(&subject.outputs().unwrap());
    let error = found.iter().map(|output| output.max_scaled_error).fold(0.0, f64::max);
    (error, posed.tolerance(dtype))
}

fn all_right(workload: &str, cases: &[&[(&str, i64)]], more: &[(&str, Value)]) {
    for case in cases {
        let sizes = case.iter().map(|(name, size)| (*name, Value::Int(*size)));
        let given: Vec<(&str, Value)> = sizes.chain(more.iter().cloned()).collect();
        for dtype in [DType::F32, DType::F64] {
            let (error, allowed) = error(workload, dtype, &given);
            // Not `>`: an error that is no number is wrong too.
            assert!(error <= allowed, "{workload} {given:?} in {dtype}: {error:e}, allowed are {allowed:e}");
        }
    }
}

#[test]
fn attention_and_its_gradients_are_right() {
    let cases: [&[(&str, i64)]; 2] =
        [&[("seq_q", 65)], &[("seq_q", 20), ("seq_kv", 30), ("heads", 4), ("kv_heads", 2), ("batch", 2)]];
    for (workload, causal) in
        [("attention", false), ("attention", true), ("attention-gradients", false), ("attention-gradients", true)]
    {
        all_right(workload, &cases, &[("causal", Value::Bool(causal))]);
    }
}

#[test]
fn projections_around_sdpa_are_right() {
    let cases: [&[(&str, i64)]; 4] = [
        &[("seq", 65)],
        &[("seq", 1), ("head_dim", 3)],
        &[("seq", 40), ("kv_heads", 2), ("batch", 3)],
        &[("seq", 33), ("heads", 3), ("kv_heads", 1), ("head_dim", 5), ("batch", 2)],
    ];
    for causal in [false, true] {
        all_right("projected-attention", &cases, &[("causal", Value::Bool(causal))]);
    }
}

#[test]
fn windows_and_rotations_around_sdpa_are_right() {
    let cases: [&[(&str, i64)]; 5] = [
        &[("seq", 70), ("window_size", 9)],
        &[("seq", 70), ("window_size", 1), ("batch", 2)],
        &[("seq", 70), ("window_size", 69), ("head_dim", 6)],
        &[("seq", 70), ("window_size", 70)],
        &[("seq", 50), ("window_size", 200), ("kv_heads", 2)],
    ];
    all_right("window-attention", &cases, &[]);
    all_right("window-attention", &[&[("seq", 40), ("window_size", 7), ("kv_heads", 4), ("batch", 2)]], &[]);
}

#[test]
fn programs_that_add_are_right_and_the_other_is_refused() {
    let cases: [&[(&str, i64)]; 3] =
        [&[("seq", 64)], &[("seq", 1)], &[("seq", 45), ("heads", 3), ("head_dim", 7), ("batch", 2)]];
    for program in ["alibi", "document"] {
        all_right("programmable-attention", &cases, &[("program", program.into())]);
    }
    let registry = registry();
    let softcap = Params::default().with("program", "softcap".into());
    let case = registry.case("programmable-attention", softcap).unwrap();
    let sdpa = registry.find_implementation("programmable-attention", "torch-sdpa").unwrap();
    match sdpa.supports("libtorch", DType::F32, &case.params) {
        Support::No(reason) => assert!(reason.contains("softcap"), "{reason}"),
        Support::Yes => panic!("there is no way to say a soft cap to SDPA"),
    }
}

#[test]
fn gathered_pages_are_right() {
    let cases: [&[(&str, i64)]; 4] = [
        &[("context", 100), ("block_size", 16)],
        &[("context", 1), ("block_size", 1)],
        &[("context", 64), ("block_size", 16), ("kv_heads", 2), ("batch", 3)],
        &[("context", 50), ("block_size", 7), ("heads", 3), ("kv_heads", 3), ("head_dim", 5), ("batch", 6)],
    ];
    all_right("paged-attention", &cases, &[]);
}

#[test]
fn mkl_takes_the_path_of_its_device_and_the_record_says_which() {
    let bench = Bench::new();
    let devices: Vec<serde_json::Value> =
        serde_json::from_str(&bench.ok(&["list", "devices", "--format", "json"])).unwrap();
    let mkl = devices.iter().find(|row| row["device"] == "libtorch-mkl").unwrap()["available"].as_str().unwrap();
    let run = |words: &[&str]| bench.ok(&[&["run"][..], words, &["--replicates", "1", "--blocks", "2"]].concat());
    if mkl == "here" {
        run(&["matmul", "--set", "m=64", "--device", "libtorch,libtorch-mkl"]);
        run(&["attention", "--set", "seq_q=64", "--implementation", "naive,torch-sdpa", "--device", "libtorch-mkl"]);
        // Burn and torch share the path of their device, and the two devices do not.
        let rows = bench.sql("select distinct device, engine, engine_version from trials");
        let path = |device: &str| if device == "libtorch" { "MKL generic" } else { "MKL AVX" };
        let right = |row: &&serde_json::Value| {
            row["engine_version"].as_str().unwrap().contains(path(row["device"].as_str().unwrap()))
        };
        assert_eq!((rows.len(), rows.iter().filter(right).count()), (4, 4), "{rows:?}");
        let checks = bench.sql("select count(*) as n, sum(case when passed then 0 else 1 end) as failed from checks");
        assert!(checks[0]["n"].as_i64() >= Some(12) && checks[0]["failed"] == 0, "{checks:?}");
    } else {
        assert!(mkl.starts_with(SAME_PATH) || cfg!(not(target_arch = "x86_64")), "{mkl}");
        bench.fails(&["run", "matmul", "--device", "libtorch-mkl"], 4, &["libtorch-mkl", mkl]);
    }
}

/// Whether a worker that looks for its libraries there first has loaded libtorch when it greets.
fn loads_libtorch(folder: &str) -> bool {
    let mut worker = Command::new(program("benchbook-worker"));
    worker.args(["serve", "--threads", "1"]).env("LD_LIBRARY_PATH", folder);
    let mut worker = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    worker.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/maps", worker.id())).unwrap();
    // It ends with its input.
    drop(worker.stdin.take());
    worker.wait().unwrap();
    maps.contains("/libtorch_cpu.so")
}

#[test]
fn libtorch_is_loaded_by_who_measures_on_it_and_by_who_says_what_there_is() {
    let bench = Bench::new();
    let (wrapper, started) = (bench.folder().join("worker"), bench.folder().join("started"));
    let (note, worker) = (started.display(), program("benchbook-worker"));
    let script = format!("#!/bin/sh\necho \"$LD_LIBRARY_PATH\" >> '{note}'\nexec '{}' \"$@\"\n", worker.display());
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    for (device, loads) in [("flex", false), ("libtorch", true)] {
        fs::write(&started, "").unwrap();
        let what = ["run", "matmul", "--set", "m=64", "--implementation", "burn", "--device", device];
        let words = [&what[..], &["--replicates", "1", "--blocks", "2", "--threads", "1"]].concat();
        let ran = bench.command(&words).env("BENCHBOOK_WORKER", &wrapper).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let folders = fs::read_to_string(&started).unwrap();
        let each: Vec<bool> = folders.lines().map(loads_libtorch).collect();
        assert!(each.len() >= 2 && each[0], "the first is asked what there is: {folders}");
        assert!(each[1..].iter().all(|one| *one == loads), "{device}: {folders}");
    }
    let wrong = bench.sql("select count(*) as n from checks where not passed");
    assert_eq!(wrong[0]["n"], 0);
}

#[test]
fn each_process_tells_what_its_call_adds_to_memory() {
    let bench = Bench::new();
    let words = ["run", "attention", "--set", "seq_q=512", "--implementation", "naive", "--device", "flex,libtorch"];
    bench.ok(&[&words[..], &["--quick", "--replicates", "3", "--blocks", "2"]].concat());
    let rows = bench.sql(
        "select t.device, count(*) as n, min(m.value) as least from measures m \
         join trials t on t.run_id = m.run_id and t.trial = m.trial where m.name = 'peak_added_bytes' group by 1 order by 1",
    );
    // The scores of eight heads are kept at once: 8 MiB. Resident memory is counted in batches.
    let scores = 8.0 * 512.0 * 512.0 * 4.0;
    let told = |row: &serde_json::Value| row["n"] == 3 && row["least"].as_f64() >= Some(0.95 * scores);
    assert!(rows[0]["device"] == "flex" && rows.iter().all(told), "{rows:?}");
    // A system that does not set its peak back tells of counted memory alone.
    let peak = std::path::Path::new("/proc/self/clear_refs");
    assert_eq!(rows.len(), if peak.exists() { 2 } else { 1 }, "{rows:?}");
}

#[test]
fn what_runs_on_flex_names_its_instructions() {
    let bench = Bench::new();
    bench.ok(&["run", "matmul", "--set", "m=64", "--device", "flex", "--replicates", "1", "--blocks", "2"]);
    let rows = bench.sql("select distinct engine, engine_version from trials");
    let named = |row: &serde_json::Value| {
        let version = row["engine_version"].as_str().unwrap();
        // Products of bytes name theirs: AVX-VNNI, or AVX-512 VNNI.
        ["AVX-512", "AVX2", "VNNI", "portable"].iter().any(|name| version.ends_with(name))
    };
    let elsewhere = cfg!(not(target_arch = "x86_64"));
    // burn, our own kernels, and a loop of ours that is portable on every processor.
    assert!(rows.len() >= 2 && rows.iter().all(|row| named(row) || elsewhere), "{rows:?}");
    let library = bench.sql("select libraries['burn-flex'] as version from runs");
    assert_eq!(library[0]["version"], "0.22.1", "runs are compared by it");
}
