//! Other people's engines: the Python worker measures beside our own, and says why it cannot.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use benchbook_process::ENGINES;
use benchbook_tests::{Bench, alive, in_repository, python_line, python_with, python_worker, repository};
use serde_json::Value;
use xtask::engines;
use xtask::workspace::Python;

fn odd(python: &Path, way: &str) -> String {
    python_line(python, &format!("-B '{}' {way}", in_repository("tests/python/odd_engine.py").display()))
}

/// How the trials of each variant have ended: variant, status and reason.
fn outcomes(bench: &Bench) -> Vec<(String, String, String)> {
    let rows = bench.sql(
        "select distinct t.variant, o.status, o.stop_reason from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial order by 1",
    );
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(row, "variant"), text(row, "status"), text(row, "stop_reason"))).collect()
}

/// The words of a run of one replicate and two blocks, on one thread.
fn short<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["run"][..], words, &["--quick", "--replicates", "1", "--blocks", "2", "--threads", "1"]].concat()
}

#[test]
fn engines_of_python_are_measured_beside_our_own_in_the_same_blocks() {
    let Some(python) = python_with("torch, numpy") else { return };
    let (bench, named) = (Bench::new(), format!("--python={}", python.display()));
    let rows = ["--implementation", "tiled,numpy,eager", "--device", "flex,numpy,torch", &named];
    bench.ok(&short(&[&["matmul", "--set", "m=64"][..], &rows].concat()));
    let found = outcomes(&bench);
    let labels: Vec<String> = found.iter().map(|(variant, status, _)| format!("{variant} {status}")).collect();
    assert_eq!(labels, ["eager/torch/f32/1t ok", "numpy/numpy/f32/1t ok", "tiled/flex/f32/1t ok"]);
    let ran = bench.sql("select distinct device, engine_version from trials order by 1");
    let tells =
        |place: usize, part: &str| ran[place]["engine_version"].as_str().is_some_and(|told| told.contains(part));
    assert!(tells(1, "BLAS") && tells(2, "ATen"), "the instructions that ran are recorded: {ran:?}");

    let rows = ["--implementation", "compile,sdpa-flash,sdpa-math", "--device", "torch", &named];
    let (words, left) = ([&["attention", "--set", "seq_q=16"][..], &rows].concat(), bench.folder().join("left"));
    fs::create_dir(&left).unwrap();
    let output = bench.command(&short(&words)).env("TMPDIR", &left).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(&left).unwrap().count(), 0, "a compiler leaves nothing behind");
    let found = outcomes(&bench);
    assert!(found.len() == 6 && found.iter().all(|(_, status, _)| status == "ok"), "{found:?}");
    let compiled = bench.sql(
        "select t.implementation, min(m.value) as least from measures m \
         join trials t on t.run_id = m.run_id and t.trial = m.trial where m.name = 'compile_ns' group by 1",
    );
    assert!(compiled.len() == 1 && compiled[0]["least"].as_f64() > Some(1e6), "{compiled:?}");
}

#[test]
fn pytorchs_own_timer_is_measured_beside_the_worker() {
    let Some(python) = python_with("torch") else { return };
    let bench = Bench::new();
    let script = in_repository("crates/bench/src").join("native_timer.py");
    let worker = format!("timers={}", python_line(&python, &format!("-B '{}'", script.display())));
    bench.ok(&short(&["matmul", "--set", "m=64", "--device", "worker,native", "--worker", &worker]));
    let found = outcomes(&bench);
    let labels: Vec<String> = found.iter().map(|(variant, status, _)| format!("{variant} {status}")).collect();
    assert_eq!(labels, ["own-timer/native/f32/1t ok", "worker/worker/f32/1t ok"], "{found:?}");
}

#[test]
fn weights_that_all_calls_share_are_not_called_cold() {
    let Some(python) = python_with("torch, onnx, onnxscript, onnxruntime") else { return };
    let (bench, named) = (Bench::new(), format!("--python={}", python.display()));
    let rows = ["--implementation", "graph,eager", "--device", "onnxruntime,torch", "--cache", "cold", &named];
    bench.ok(&short(&[&["linear", "--set", "rows=8"][..], &rows].concat()));
    let found = outcomes(&bench);
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("eager/torch/f32/1t", "ok"));
    let (variant, status, reason) = &found[1];
    assert_eq!((variant.as_str(), status.as_str()), ("graph/onnxruntime/f32/1t", "unsupported"));
    assert!(reason.contains("measure it hot"), "{reason}");
}

#[test]
fn a_compiler_that_packs_weights_before_is_right() {
    let Some(python) = python_with("torch") else { return };
    let (bench, named) = (Bench::new(), format!("--python={}", python.display()));
    let rows = ["--implementation", "compile-frozen", "--device", "torch", &named];
    bench.ok(&short(&[&["mlp", "--set", "rows=8", "--set", "width=32"][..], &rows].concat()));
    let found = outcomes(&bench);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("compile-frozen/torch/f32/1t", "ok"), "{found:?}");
}

#[test]
fn without_a_compiler_a_trial_fails_and_the_run_goes_on() {
    let Some(python) = python_with("torch") else { return };
    let (bench, named) = (Bench::new(), format!("--python={}", python.display()));
    let rows = ["attention", "--set", "seq_q=16", "--implementation", "compile,eager", "--device", "torch", &named];
    let output = bench.command(&short(&rows)).env("CXX", "/no/such/compiler").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = outcomes(&bench);
    assert_eq!((found[1].0.as_str(), found[1].1.as_str()), ("eager/torch/f32/1t", "ok"));
    assert_eq!(found[0].1, "failed");
    assert!(found[0].2.contains("/no/such/compiler"), "{found:?}");
}

/// The devices of a worker, each with why it is not here.
fn devices(bench: &Bench, command: &str) -> Vec<(String, String)> {
    let listed = bench.ok(&["list", "devices", "--worker", &format!("python={command}"), "--format", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    listed.iter().map(|row| (text(row, "device"), text(row, "available"))).collect()
}

#[test]
fn a_package_that_is_missing_or_of_a_wrong_version_is_a_reason() {
    let Some(python) = python_with("numpy") else { return };
    let bench = Bench::new();
    // Without its site-packages a Python has the standard library, which is all that the wire needs.
    let without = devices(&bench, &python_line(&python, "-S -B -m benchbook_worker"));
    let reason = |found: &[(String, String)], device: &str| {
        found.iter().find(|(name, _)| name == device).map(|(_, reason)| reason.clone()).unwrap()
    };
    for (device, package) in [
        ("numpy", "numpy"),
        ("torch", "torch"),
        ("onnxruntime", "onnxruntime"),
        ("ctranslate2", "ctranslate2"),
        ("llama-cpp", "llama-cpp-python"),
        ("openvino", "openvino"),
        ("transformers", "transformers"),
        ("zentorch", "zentorch"),
        ("flash-attention-2", "flash-attn"),
        ("flash-attention-3", "flash-attn-3"),
        ("xformers", "xformers"),
        ("transformer-engine", "transformer-engine"),
        ("deepspeed", "deepspeed"),
        ("tensorrt", "tensorrt"),
        ("tensorrt-llm", "tensorrt-llm"),
    ] {
        let said = reason(&without, device);
        assert!(said.starts_with(&format!("the package {package} is missing")), "{device}: {said}");
    }

    let old = bench.folder().join("old");
    fs::create_dir_all(old.join("numpy-1.0.dist-info")).unwrap();
    fs::write(old.join("numpy-1.0.dist-info/METADATA"), "Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n").unwrap();
    let command = python_line(&python, "-S -B -m benchbook_worker")
        .replace("PYTHONPATH='", &format!("PYTHONPATH='{}:", old.display()));
    let said = reason(&devices(&bench, &command), "numpy");
    assert!(said.starts_with("numpy is 1.0, and 1.26 or newer"), "{said}");
}

/// An environment with the packages of a Python, and without engines of its own.
fn as_project(python: &Path, folder: PathBuf) -> Python {
    fs::create_dir(&folder).unwrap();
    let given = python.parent().and_then(Path::parent).unwrap().canonicalize().unwrap();
    for entry in given.read_dir().unwrap().flatten().filter(|entry| entry.file_name() != ENGINES) {
        symlink(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    Python { executable: folder.join("bin").join(python.file_name().unwrap()), folder }
}

#[test]
fn an_engine_in_an_environment_of_its_own_has_its_own_versions_and_reuses_the_rest() {
    let Some(python) = python_with("numpy") else { return };
    let bench = Bench::new();
    let project = as_project(&python, bench.folder().join("project"));
    let own = engines::environment(&project, "numpy").unwrap();
    // Its packages are found before those of the project, whose code it has.
    let metadata = own.packages().unwrap().join("numpy-2.0.99.dist-info/METADATA");
    fs::create_dir(metadata.parent().unwrap()).unwrap();
    fs::write(&metadata, "Metadata-Version: 2.1\nName: numpy\nVersion: 2.0.99\n").unwrap();
    assert_eq!(engines::environment(&project, "numpy").unwrap(), own);
    assert!(metadata.is_file(), "an environment that works is not made anew");

    let named = format!("--python={}", project.executable.display());
    let listed = bench.ok(&["list", "devices", &named, "--format", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let told = |device: &str| {
        let rows = listed.iter().filter(|row| row["device"] == device);
        rows.filter_map(|row| row["engine"].as_str()).collect::<Vec<&str>>()
    };
    assert_eq!(told("numpy"), ["numpy 2.0.99"], "in one Python, which is its own");
    assert!(told("onnxruntime").len() == 1 && told("zentorch").len() == 1, "all others in that of the project");

    bench.ok(&short(&["matmul", "--set", "m=16", "--implementation", "numpy", "--device", "numpy", &named]));
    let ran = bench.sql("select distinct engine_version from trials");
    let is_own = |row: &Value| row["engine_version"].as_str().is_some_and(|told| told.starts_with("2.0.99"));
    assert!(ran.len() == 1 && ran.iter().all(is_own), "{ran:?}");
}

#[test]
fn what_an_engine_wants_of_pip_stands_in_its_table() {
    let Some(python) = python_with("numpy") else { return };
    let folder = python.parent().unwrap().to_owned();
    let project = Python { folder, executable: python };
    let wanted = |engine| engines::wanted(&repository(), &project, engine);
    assert_eq!(wanted("zentorch").unwrap(), ["zentorch>=2.14,<2.15", "torch>=2.14,<2.15"]);
    let error = wanted("no-such-engine").unwrap_err().to_string();
    assert!(error.contains("no engine `no-such-engine`") && error.contains("onnxruntime, openvino"), "{error}");
}

#[test]
fn a_python_that_is_not_there_is_named_and_the_machine_still_measures() {
    let bench = Bench::new();
    bench.fails(&short(&["matmul", "--set", "m=16", "--python=/no/such/python"]), 4, &["/no/such/python"]);
    let mut command = bench.command(&short(&["matmul", "--set", "m=16", "--device", "flex"]));
    let output = command.env("BENCHBOOK_PYTHON", "/no/such/python").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_suite_of_engines_measures_all_that_are_here() {
    let Some(python) = python_with("torch, numpy") else { return };
    let (bench, named) = (Bench::new(), format!("--python={}", python.display()));
    // What ends in `-mkl` has the same rows as the library that it is a way of.
    // Three solve nothing of it, or only on request.
    let is_of_it = |name: &str| !(name.ends_with("-mkl") || ["ctranslate2", "llama-cpp", "zentorch"].contains(&name));
    let is_here = |(name, available): &(String, String)| available == "here" && is_of_it(name);
    let here: BTreeSet<String> =
        devices(&bench, &python_worker(&python)).into_iter().filter(is_here).map(|(name, _)| name).collect();
    let asked: Vec<&str> = here.iter().map(String::as_str).collect();
    let plan = in_repository("datasets/engines.toml");
    bench.ok(&short(&[plan.to_str().unwrap(), "--device", &asked.join(","), &named]));
    let rows = bench.sql(
        "select t.workload, t.variant, t.device, o.status, o.stop_reason from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial",
    );
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let lost: Vec<&Value> = rows.iter().filter(|row| text(row, "status") != "ok").collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(rows.iter().map(|row| text(row, "device")).collect::<BTreeSet<String>>(), here);
    let workloads: BTreeSet<String> = rows.iter().map(|row| text(row, "workload")).collect();
    assert_eq!(workloads.len(), 5, "{workloads:?}");
}

/// Without libtorch, some of what they name is nowhere.
#[cfg(feature = "libtorch")]
#[test]
fn plans_of_the_bench_name_what_there_is() {
    let Some(python) = python_with("numpy") else { return };
    let (bench, named) = (Bench::new(), format!("--python={}", python.display()));
    let files = fs::read_dir(in_repository("crates/bench/src")).unwrap().map(|entry| entry.unwrap().path());
    let plans: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    assert!(plans.len() > 4, "{plans:?}");
    for plan in plans {
        let said = bench.ok(&["run", plan.to_str().unwrap(), "--dry-run", &named]);
        let unknown: Vec<&str> = said.lines().filter(|line| line.contains("has no implementation")).collect();
        assert!(unknown.is_empty() && said.contains("# takes at least "), "{}: {unknown:?}", plan.display());
    }
}

#[test]
fn what_an_engine_should_not_do_is_an_outcome_of_its_trial() {
    let Some(python) = python_with("numpy") else { return };
    let bench = Bench::new();
    let ways = [
        ("dies", "failed", "signal 6; its last words: the last line before the end"),
        ("fights", "ok", ""),
        ("hangs", "failed", "no answer for 10.0 s"),
        ("keeps-first", "wrong", "scaled error"),
        ("not-a-number", "wrong", "inf"),
        ("other-shape", "wrong", "inf"),
        ("prints", "ok", ""),
        ("raises", "failed", "the last line of the engine"),
        ("reads", "ok", ""),
        ("refuses", "unsupported", "it takes no matrices at all"),
        ("rounds", "ok", ""),
        ("zeros", "failed", "which is no approximation"),
    ];
    let workers: Vec<String> = ways.iter().map(|(way, ..)| format!("{way}={}", odd(&python, way))).collect();
    let names = ways.map(|(way, ..)| way).join(",");
    let mut words = vec!["matmul", "--set", "m=16", "--timeout", "10s", "--device", &names];
    words.extend(workers.iter().flat_map(|worker| ["--worker", worker.as_str()]));
    bench.ok(&short(&words));
    let found = outcomes(&bench);
    assert_eq!(found.len(), ways.len(), "{found:?}");
    for ((way, status, part), (variant, ended, reason)) in ways.iter().zip(&found) {
        assert_eq!(variant, &format!("{way}/{way}/f32/1t"));
        assert!(ended == status && reason.contains(part), "{way}: {ended}, {reason}");
    }
    // What its format loses stands beside the times, and a kernel that is right for its codes is right.
    let lost = bench.sql(
        "select t.device, m.value as lost from measures m join trials t on t.run_id = m.run_id and t.trial = m.trial \
         where m.name = 'relative_error'",
    );
    // Numbers of 11 bits are off by 2⁻¹² to 2⁻¹¹ of themselves over the root of three, 1.4e-4 to 2.8e-4, and these are 256.
    let bound = |row: &Value| (1e-4..3.5e-4).contains(&row["lost"].as_f64().unwrap());
    assert!(lost.len() == 1 && lost[0]["device"] == "rounds" && lost.iter().all(bound), "{lost:?}");
    let crowded = bench.sql("select distinct message from events where kind = 'more_threads' and trial is null");
    assert_eq!(crowded.len(), 1, "one of them has more threads at work than the one that it was given: {crowded:?}");
    assert!(crowded[0]["message"].as_str().unwrap().starts_with("fights/fights/f32/1t: it has more"), "{crowded:?}");
    let workers = bench.sql("select distinct worker from trials where worker is not null");
    let orphans = workers.iter().filter(|row| alive(row["worker"].as_i64().unwrap() as i32)).count();
    assert!(workers.len() > ways.len() / 2 && orphans == 0, "{workers:?}");
}

#[test]
fn a_loop_that_does_not_end_is_an_outcome_and_the_run_goes_on() {
    let Some(python) = python_with("numpy") else { return };
    let (bench, file) = (Bench::new(), in_repository("tests/python/endless_engine.py"));
    let worker = |way: &str| format!("{way}={}", python_line(&python, &format!("-B '{}' {way}", file.display())));
    let (never, more) = (worker("never-ends"), worker("one-more"));
    let sizes = ["vocabulary=64", "width=32", "prompt=5", "tokens=6"].map(|size| ["--set", size]).concat();
    let names = "kv-cache,never-ends,one-more";
    let rows = ["--implementation", names, "--device", "flex,never-ends,one-more", "--timeout", "10s"];
    let beside = ["--worker", never.as_str(), "--worker", more.as_str()];
    bench.ok(&short(&[&["generate"][..], &sizes, &rows, &beside].concat()));
    let found = outcomes(&bench);
    let wanted = [
        ("kv-cache/flex/f32/1t", "ok", "blocks"),
        ("never-ends/never-ends/f32/1t", "failed", "no answer for 10.0 s"),
        ("one-more/one-more/f32/1t", "failed", "tells of 7 steps, and 6 are the most that the case allows"),
    ];
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for ((variant, status, reason), (of, ended, part)) in found.iter().zip(wanted) {
        assert!(variant == of && status == ended && reason.contains(part), "{variant}: {status}, {reason}");
    }
    let workers = bench.sql("select distinct worker from trials");
    assert!(workers.iter().all(|row| !alive(row["worker"].as_i64().unwrap() as i32)), "{workers:?}");
}

#[test]
fn a_right_answer_that_comes_late_is_nobodys() {
    let Some(python) = python_with("numpy") else { return };
    let (bench, worker) = (Bench::new(), format!("late={}", odd(&python, "late")));
    let words = ["matmul", "--set", "m=16,17", "--timeout", "10s", "--device", "late", "--worker", &worker];
    bench.ok(&short(&words));
    let rows = bench.sql(
        "select t.worker, o.status, o.stop_reason from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial order by o.status",
    );
    assert_eq!(rows.len(), 2, "{rows:?}");
    let ends = rows.iter().map(|row| format!("{} {}", row["status"], row["stop_reason"])).collect::<Vec<String>>();
    assert!(ends[0].starts_with("\"failed\"") && ends[0].contains("no answer for 10.0 s"), "{ends:?}");
    assert_eq!(ends[1], "\"ok\" \"blocks\"", "the other case has a process of its own");
    let workers: BTreeSet<i64> = rows.iter().map(|row| row["worker"].as_i64().unwrap()).collect();
    assert!(workers.len() == 2 && workers.iter().all(|id| !alive(*id as i32)), "{rows:?}");
}

#[test]
fn the_examples_are_measured_as_they_stand() {
    let Some(python) = python_with("torch, numpy") else { return };
    let bench = Bench::new();
    // How each is measured as its page says is a test of its own; here it meets what it does not expect.
    for (file, workload, set, variant) in [
        ("my_module.py", "attention", "kv_heads=2", "my-module/mine/f32/1t"),
        ("my_engine.py", "matmul", "m=130", "by-blocks/blocks/f32/1t"),
        ("copy_worker.py", "copy", "mib=3", "slice/bytes/f32/1t"),
    ] {
        let file = in_repository("crates/engines/python/examples").join(file);
        let worker = format!("mine={}", python_line(&python, &format!("-B '{}'", file.display())));
        let device = variant.split('/').nth(1).unwrap();
        bench.ok(&short(&[workload, "--set", set, "--device", device, "--worker", &worker]));
        assert!(outcomes(&bench).contains(&(variant.to_owned(), "ok".to_owned(), "blocks".to_owned())), "{variant}");
        assert!(fs::read_to_string(file).unwrap().lines().count() < 90, "an example is short");
    }
    let file = in_repository("crates/engines/python/examples/compare_functions.py");
    let output =
        Command::new("sh").args(["-c", &python_line(&python, &format!("-B '{}'", file.display()))]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("by_partition: ") && said.contains(" MB"), "{said}{output:?}");
}

#[test]
fn the_package_passes_its_own_tests() {
    for (package, file) in [("numpy", "worker_tests.py"), ("numpy", "gpu_tests.py"), ("torch", "torch_tests.py")] {
        let Some(python) = python_with(package) else { continue };
        let file = in_repository("tests/python").join(file);
        let command = python_line(&python, &format!("-B '{}'", file.display()));
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
