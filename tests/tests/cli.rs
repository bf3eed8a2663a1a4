//! The program as its users meet it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Stdio;

use benchbook_tests::Bench;

fn two_runs() -> Bench {
    let bench = Bench::faulty();
    for tag in ["first", "second"] {
        let words = ["run", "double", "--quick", "--replicates", "5", "--blocks", "8", "--implementation", "good,twin"];
        bench.ok(&[&words[..], &["--tag", tag]].concat());
    }
    bench
}

/// Every file of a kind below the store.
fn files(bench: &Bench, name: &str) -> Vec<PathBuf> {
    let runs = fs::read_dir(bench.store()).unwrap().flatten().map(|run| run.path().join(name));
    let mut found: Vec<_> = runs.filter(|path| path.is_file()).collect();
    found.sort();
    found
}

#[test]
fn the_main_line_from_measuring_to_reporting() {
    let bench = two_runs();
    let speedup = bench.ok(&["sql", "--query", "speedup", "--param", "baseline=good"]);
    assert!(speedup.contains("twin/host/f32"), "{speedup}");
    let within = bench.ok(&["compare", "latest", "--baseline", "good"]);
    assert!(within.contains("paired blocks") && within.contains("twin/host/f32"), "{within}");
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&bench.ok(&["compare", "latest", "--baseline", "good", "--format", "json"])).unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.get("warnings").is_some_and(|text| text.is_null())));
    let across = bench.ok(&["compare", "latest~1", "latest"]);
    assert!(across.contains("unpaired, sequential") && !across.contains("equivalent "), "{across}");
    for file in ["r.html", "r.md", "r.json"] {
        bench.ok(&["report", "--output", file]);
        assert!(fs::metadata(bench.folder().join(file)).unwrap().len() > 1_000);
    }
    let json: serde_json::Value = serde_json::from_slice(&fs::read(bench.folder().join("r.json")).unwrap()).unwrap();
    assert_eq!(json["sections"][0]["title"], "Comparison");
    let html = fs::read_to_string(bench.folder().join("r.html")).unwrap();
    let page: String = html.split("<script").map(|part| part.rsplit("</script>").next().unwrap()).collect();
    assert!(page.contains("<table>") && page.len() < html.len() / 4, "what is left is the page without plotly.js");
    let elsewhere = page.replace("href=\"#", "");
    assert!(!elsewhere.contains("src=") && !elsewhere.contains("href="), "the report loads something");
    let places = ["<p class=\"first\">", "<nav", "class=\"headline\"", "<table>"].map(|part| page.find(part).unwrap());
    assert!(places.is_sorted(), "date, machine and contents stand first: {places:?}");
    let date = json["facts"].as_array().unwrap().iter().find(|fact| fact[0] == "Started").unwrap()[1].as_str().unwrap();
    assert!(page[places[0]..places[1]].contains(date), "{date}");
    let linked: Vec<&str> = page.split("<a href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(linked.len() > 4 && linked.iter().all(|id| page.contains(&format!("id=\"{id}\""))), "{linked:?}");
}

#[test]
fn a_comparison_is_a_line_to_paste() {
    let bench = two_runs();
    let told = bench.ok(&["compare", "latest", "--baseline", "good", "--summary"]);
    assert!(told.starts_with("twin/host/f32") && told.lines().count() == 1, "{told}");
    assert!(told.contains("× speedup, ") && told.contains(" % throughput, measured: "), "{told}");
    bench.fails(&["compare", "--summary", "--metric", "peak_added_bytes"], 4, &["--metric"]);
}

#[test]
fn categories_and_presets_are_asked_for_by_name() {
    let bench = Bench::new();
    let plan = bench.ok(&["run", "--category", "cpu", "--quick", "--dry-run"]);
    for part in ["suite = \"cpu-quick\"", "workload = \"fma\"", "workload = \"int8-dot\"", "preset = \"quick\""] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let plan = bench.ok(&["run", "attention", "transformer-block", "--preset", "b2 s128 d256 h8", "--dry-run"]);
    for part in ["preset = \"b2-s128-d256-h8\"", "# attention b2 h8 s128 d32: ", "# transformer-block gpt-2 b2 h8 s128"]
    {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let plan = bench.ok(&["run", "--all", "--quick", "--dry-run"]);
    for part in
        ["suite = \"all-quick\"", "workload = \"attention\"", "workload = \"fma\"", "workload = \"text-training\""]
    {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    bench.fails(&["run", "attention", "--all"], 4, &["--all"]);
    bench.fails(&["run", "--category", "memmory"], 4, &["accuracy or cpu or gpu or memory"]);
    for command in ["run", "validate"] {
        bench.fails(&[command, "--category", "gpu"], 4, &["torch-cuda", "--python"]);
    }
    bench.fails(&["run", "attention", "--preset", "b3"], 4, &["unknown preset `b3`", "b2-s128-d256-h8"]);
    bench.fails(&["run", "attention", "--category", "cpu"], 4, &["--category"]);
    bench.fails(&["run"], 4, &["WORKLOAD"]);
    assert!(!bench.store().exists());
}

#[test]
fn kernels_are_validated_within_seconds() {
    let bench = Bench::new();
    let told = bench.ok(&["validate", "--threads", "1"]);
    assert!(told.contains("kernels right, before and after being timed"), "{told}");
    let runs = bench.sql("select suite from runs");
    assert_eq!((runs.len(), runs[0]["suite"].as_str()), (1, Some("validate-system")));
}

#[test]
fn verdicts_reach_the_exit_code_only_if_asked() {
    let bench = two_runs();
    let words = ["run", "double", "--set", "length=4096", "--replicates", "5", "--blocks", "20"];
    bench.ok(&[&words[..], &["--implementation", "good,half-speed"]].concat());
    let gate =
        |baseline: &str, fail_on: &str| bench.run(&["compare", "--baseline", baseline, "--fail-on", fail_on]).code;
    assert_eq!(bench.run(&["compare", "--baseline", "good"]).code, Some(0), "nobody asked");
    assert_eq!(gate("good", "slower"), Some(1), "twice the work is slower");
    assert_eq!(gate("half-speed", "slower,undecided"), Some(0), "half the work is faster");
    bench.ok(&[
        "run",
        "double",
        "--quick",
        "--replicates",
        "1",
        "--blocks",
        "8",
        "--implementation",
        "good,half-speed",
    ]);
    assert_eq!(gate("good", "slower"), Some(0), "one process gates nothing");
    assert_eq!(gate("good", "slower,undecided"), Some(2), "it counts as undecided");
}

#[test]
fn every_format_holds_the_same_rows() {
    let bench = two_runs();
    let statement = "select trial, sample, elapsed_ns from samples order by run_id, trial, sample limit 7";
    let json: Vec<serde_json::Value> =
        serde_json::from_str(&bench.ok(&["sql", "--format", "json", statement])).unwrap();
    assert_eq!(json.len(), 7);
    let csv = bench.ok(&["sql", "--format", "csv", statement]);
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("trial,sample,elapsed_ns"));
    for (line, row) in lines.zip(&json) {
        assert_eq!(line, format!("{},{},{}", row["trial"], row["sample"], row["elapsed_ns"]));
    }
    let arrow = bench.command(&["sql", "--format", "arrow", statement]).stderr(Stdio::null()).output().unwrap();
    let reader = arrow::ipc::reader::StreamReader::try_new(arrow.stdout.as_slice(), None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 7);
    let parquet = bench.command(&["sql", "--format", "parquet", statement]).output().unwrap().stdout;
    assert_eq!((&parquet[..4], &parquet[parquet.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    assert!(bench.ok(&["sql", statement]).ends_with("7 rows\n"));
    let empty = bench.ok(&["sql", "--format", "csv", "select trial from samples where false"]);
    assert_eq!(empty, "trial\n");
    assert_eq!(bench.ok(&["sql", "--format", "json", "select trial from samples where false"]).trim(), "[]");
}

#[test]
fn what_parameters_may_be_is_listed_and_one_that_was_renamed_is_named() {
    let bench = Bench::new();
    let told = "unknown parameter `block`, it is called `block_size` now";
    bench.fails(&["run", "paged-attention", "--set", "block=16"], 4, &[told]);
    let text = bench.ok(&["list", "workloads", "--format", "json"]);
    let workloads: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let ranges = |name: &str| workloads.iter().find(|row| row["workload"] == name).unwrap()["ranges"].clone();
    assert_eq!(ranges("matmul"), "m=1..=131072 n=1..=131072 k=1..=131072");
    let program = ranges("programmable-attention");
    assert!(program.as_str().unwrap().contains("program=alibi|softcap|document"), "{program}");
}

#[test]
fn parameters_are_refused_alike_in_a_plan_and_on_the_line() {
    let bench = Bench::faulty();
    for (in_plan, on_line, parts) in [
        ("lenght = 3", "lenght=3", ["unknown parameter `lenght`", "did you mean `length`?"]),
        ("length = \"abc\"", "length=abc", ["`abc` is not a whole number", "give one such as 256"]),
        ("length = 0.5", "length=0.5", ["`0.5` is not a whole number", "give one such as 256"]),
        ("length = true", "length=true", ["`true` is not a whole number", "give one such as 256"]),
        ("length = 0", "length=0", ["0 is out of range", "give 1 to 1099511627776"]),
    ] {
        let plan = format!("[[cases]]\nworkload = \"double\"\nparams = {{ {in_plan} }}\n");
        fs::write(bench.folder().join("plan.toml"), plan).unwrap();
        bench.fails(&["run", "plan.toml"], 4, &parts);
        bench.fails(&["run", "double", "--set", on_line], 4, &parts);
    }
    assert!(!bench.store().exists(), "nothing was measured");
}

#[test]
fn bad_input_is_named_and_ends_with_4() {
    let bench = two_runs();
    fs::write(bench.folder().join("broken.toml"), "suite = \"x\"\n[[cases]\n").unwrap();
    fs::write(bench.folder().join("zero.toml"), "[[cases]]\nworkload = \"double\"\nparams = { length = 0 }\n").unwrap();
    fs::write(bench.folder().join("note.txt"), "hello").unwrap();
    let cases: [(&[&str], &[&str]); 28] = [
        (&["run", "duble"], &["did you mean `double`"]),
        (&["run", "double", "--implementation", "god"], &["did you mean `good`"]),
        (&["run", "double", "--set", "lenght=3"], &["did you mean `length`"]),
        (&["run", "double", "--set", "length=0"], &["length", "give 1 to"]),
        (&["run", "double", "--set", "length=abc"], &["`abc` is not a whole number", "such as"]),
        (&["run", "double", "--set", "length=1", "--set", "length=2"], &["given twice"]),
        (&["run", "double", "--time", "0s"], &["--time"]),
        (&["run", "double", "--time", "soon"], &["write 30s"]),
        (&["run", "double", "--dtype", "f31"], &["f32"]),
        (&["run", "double", "--dtype", "f32,f32"], &["f32 twice"]),
        (&["run", "double", "--replicates", "0"], &["replicates"]),
        (&["run", "broken.toml"], &["line 2, column"]),
        (&["run", "zero.toml"], &["length"]),
        (&["run", "missing.toml"], &["missing.toml"]),
        (&["--store", "s3://bucket/x", "run", "double"], &["read-only"]),
        (&["--store", "note.txt", "sql", "select 1"], &["note.txt"]),
        (&["--store", ".", "sql", "select 1"], &["store"]),
        (&["sql", "select tim_ns from results"], &["time_ns"]),
        (&["sql", "selekt 1"], &["selekt"]),
        (&["sql", "--query", "speedups"], &["speedup"]),
        (
            &["sql", "--query", "speedup", "--param", "run=first", "--param", "run=second"],
            &["--param run is given twice", "leave one of them out"],
        ),
        (&["sql", "select 1", "--csv", "a=note.txt", "--csv", "a=note.txt"], &["--csv a is given twice"]),
        (&["compare", "latest~9"], &["latest"]),
        (
            &["compare", "--baseline", "good", "--metric", "tme"],
            &["no metric `tme`; did you mean `time`?; it has time"],
        ),
        (&["compare", "--baseline", "good", "--metric", "time", "--margin", "2%"], &["that of time is 1 %"]),
        (&["compare", "--baseline", "good", "--margin", "2%"], &["--metric"]),
        (&["report", "--output", "r.pdf"], &[".html, .md or .json"]),
        (&["frobnicate"], &["frobnicate"]),
    ];
    for (words, parts) in cases {
        bench.fails(words, 4, parts);
    }
    bench.fails(&["compare", "latest", "--baseline", "god"], 4, &["good"]);
    bench.ok(&["run", "double", "--quick", "--replicates", "1", "--blocks", "3", "--implementation", "twin"]);
    bench.fails(&["compare", "latest", "--baseline", "good"], 4, &["nothing to compare", "twin/host/f32"]);
    for statement in
        ["drop table samples", "copy samples to 'x.csv'", "create table t as select 1", "select * from '/etc/passwd'"]
    {
        let ran = bench.run(&["sql", statement]);
        assert_eq!(ran.code, Some(4), "{statement}: {}", ran.stdout);
    }
    assert!(!bench.folder().join("x.csv").exists());
    let output = bench.command(&[]).arg(OsStr::from_bytes(b"\xff")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(4) && !told.contains("panicked"), "{told}");
}

#[test]
fn a_store_is_the_same_for_whoever_names_it() {
    let bench = Bench::faulty();
    let run = ["run", "double", "--quick", "--replicates", "1", "--blocks", "3", "--implementation", "good"];
    let url = format!("file://{}/my%20store", bench.folder().canonicalize().unwrap().display());
    bench.ok(&[&["--store", &url][..], &run].concat());
    assert!(bench.folder().join("my store").is_dir());
    for store in [url.as_str(), "my store"] {
        assert_eq!(bench.ok(&["--store", store, "store", "ls", "--format", "csv"]).lines().count(), 2, "{store}");
    }
    // A variable that is set to nothing is not set.
    let output = bench.command(&run).env("BENCHBOOK_STORE", "").output().unwrap();
    assert!(output.status.success() && bench.store().is_dir(), "{output:?}");
    bench.fails(&["--store", "", "store", "ls"], 4, &["not a benchbook store"]);
    for tag in ["v1~1", "latest-one", "0190"] {
        bench.fails(&[&run[..], &["--tag", tag]].concat(), 4, &["cannot name a run", tag]);
    }
}

#[test]
fn unlike_environments_are_refused_with_3_unless_forced() {
    let bench = Bench::faulty();
    let words = ["run", "double", "--quick", "--replicates", "2", "--blocks", "3", "--implementation", "good"];
    bench.ok(&[&words[..], &["--threads", "1"]].concat());
    bench.ok(&[&words[..], &["--threads", "2"]].concat());
    bench.fails(&["compare", "latest~1", "latest"], 3, &["may not be compared, because they differ in", "threads"]);
    let forced = bench.ok(&["compare", "latest~1", "latest", "--force"]);
    assert!(forced.contains("Compared by force"), "{forced}");
}

#[test]
fn damaged_files_are_named_and_left_out_and_the_rest_answers() {
    let bench = two_runs();
    let runs = |bench: &Bench| bench.sql("select count(distinct run_id) as n from samples")[0]["n"].as_i64().unwrap();
    assert_eq!(runs(&bench), 2);
    let victim = &files(&bench, "samples.parquet")[0];
    let file = fs::OpenOptions::new().read(true).write(true).open(victim).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
    drop(file);
    assert_eq!(runs(&bench), 1, "a flipped bit is found, not averaged");
    let ran = bench.run(&["sql", "select count(*) from samples"]);
    assert!(ran.stderr.contains("samples.parquet"), "{}", ran.stderr);
    let verify = bench.run(&["store", "verify"]);
    assert_eq!(verify.code, Some(4));
    assert!(verify.stdout.contains("samples.parquet"), "{}", verify.stdout);
    let second = &files(&bench, "samples.parquet")[1];
    let bytes = fs::read(second).unwrap();
    fs::write(second, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(runs(&bench), 0, "a truncated file is left out too");
}

#[test]
fn help_shows_examples_and_a_closed_pipe_is_no_error() {
    let bench = two_runs();
    for command in
        ["run", "matrix", "list", "sql", "compare", "report", "doctor", "store", "tune", "feedback", "worker", "schema"]
    {
        let help = bench.ok(&[command, "--help"]);
        assert!(help.contains("Example"), "{command} --help shows no example");
    }
    assert!(bench.ok(&["gate", "--help"]).contains("build.rs"), "whose code a gate runs");
    let mut child =
        bench.command(&["sql", "--format", "csv", "select * from generate_series(1, 2000000)"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_exit_code_belongs_to_the_answer_also_where_nobody_reads_it() {
    let bench = two_runs();
    let words = ["run", "double", "--set", "length=4096", "--replicates", "5", "--blocks", "20", "--implementation"];
    bench.ok(&[&words[..], &["good,half-speed"]].concat());
    let unread = |words: &[&str]| {
        // The reader has gone before the program starts.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = bench.command(words).stdout(writer).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!told.contains("Broken pipe") && !told.contains("panicked at"), "{words:?}: {told}");
        output.status.code()
    };
    let gate = ["compare", "--baseline", "good", "--fail-on", "slower", "--format"];
    for format in ["table", "json", "csv", "arrow", "parquet"] {
        assert_eq!(unread(&[&gate[..], &[format]].concat()), Some(1), "{format}");
    }
    assert_eq!(unread(&[&words[..], &["panics"]].concat()), Some(4), "a run that measured nothing");
    assert_eq!(unread(&["report", "latest~1", "--output", "r.md"]), Some(0));
    for words in [&["store", "ls"][..], &["store", "verify"], &["schema"], &["list"], &["sql", "select 1"], &["--help"]]
    {
        assert_eq!(unread(words), Some(0), "{words:?}");
    }
    let victim = &files(&bench, "samples.parquet")[0];
    let bytes = fs::read(victim).unwrap();
    fs::write(victim, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(unread(&["store", "verify"]), Some(4), "a damaged store");
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let bench = two_runs();
    let mut command = bench.command(&["sql", "--format", "csv", "select * from samples"]);
    command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("space"), "{output:?}");
}

#[test]
fn a_dry_run_prints_the_plan_and_measures_nothing() {
    let bench = Bench::faulty();
    let text = bench.ok(&["run", "double", "--set", "length=16,32", "--dry-run"]);
    assert!(text.contains("# double n16") && text.contains("# double n32"), "{text}");
    assert!(text.contains("# takes at least ") && text.contains(" trials"), "{text}");
    assert!(!bench.store().exists());
    let plan: String = text.lines().filter(|line| !line.starts_with("# ")).map(|line| format!("{line}\n")).collect();
    fs::write(bench.folder().join("plan.toml"), plan).unwrap();
    assert_eq!(bench.ok(&["run", "plan.toml", "--dry-run"]), text, "the plan as printed is the plan");
}

#[test]
fn tables_keep_to_the_width_that_is_asked_for() {
    let bench = two_runs();
    let words = ["run", "double", "--quick", "--set", "length=64,128", "--replicates", "5", "--blocks", "5"];
    bench.ok(&[&words[..], &["--implementation", "good,twin"]].concat());
    let at = |width: &str, words: &[&str]| {
        let output = bench.command(words).env("COLUMNS", width).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let samples = "select * from samples limit 3";
    let asked: [&[&str]; 5] = [
        &["compare", "--baseline", "good"],
        &["list"],
        &["store", "ls"],
        &["sql", samples],
        &["sql", "--query", "runs"],
    ];
    for words in asked {
        let text = at("80", words);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 80, "{words:?} is {widest} wide:\n{text}");
    }
    assert!(at("80", &["sql", samples]).contains("left out, --wide shows all"), "a lost column is told");
    let wide = at("80", &["sql", samples, "--wide"]);
    assert!(wide.contains("invalid_reason") && !wide.contains("left out"), "{wide}");
    let compared = at("80", &["compare", "--baseline", "good"]);
    let told = compared.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("In every row:") && told.contains("scope across replicates"), "{compared}");
}

#[test]
fn cases_stand_in_the_order_of_the_plan() {
    let bench = Bench::faulty();
    let wanted = ["n4096", "n64", "n1024", "n128", "n256", "n32"];
    let words =
        ["run", "double", "--quick", "--set", "length=4096,64,1024,128,256,32", "--replicates", "2", "--blocks", "3"];
    bench.ok(&[&words[..], &["--implementation", "good,twin"]].concat());
    for query in ["summary", "speedup", "checks", "health"] {
        let baseline: &[&str] = if query == "speedup" { &["--param", "baseline=good"] } else { &[] };
        let text = bench.ok(&[&["sql", "--query", query, "--format", "json"][..], baseline].concat());
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let mut cases: Vec<&str> = rows.iter().filter_map(|row| row["case_name"].as_str()).collect();
        cases.dedup();
        assert_eq!(cases, wanted, "{query}");
    }
    bench.ok(&["report", "--output", "r.html"]);
    let html = fs::read_to_string(bench.folder().join("r.html")).unwrap();
    let places = wanted.map(|case| html.find(&format!(">double {case}<")).expect(case));
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_time_budget_holds_for_the_whole_run() {
    let bench = Bench::faulty();
    let words = ["run", "double", "--set", "length=64,128", "--implementation", "good,twin", "--blocks", "100000000"];
    bench.ok(&[&words[..], &["--time", "3s", "--replicates", "2"]].concat());
    let outcomes = bench.sql("select distinct stop_reason from outcomes where trial is not null");
    // On a busy machine the first groups may leave nothing for the last.
    let ends_by_time = |reason: &str| reason == "time" || reason.contains("used up before it began");
    assert!(outcomes.iter().any(|row| row["stop_reason"] == "time"), "{outcomes:?}");
    assert!(outcomes.iter().all(|row| row["stop_reason"].as_str().is_some_and(ends_by_time)), "{outcomes:?}");
    let ended = bench.sql("select max(at_ns) / 1e9 as s from outcomes")[0]["s"].as_f64().unwrap();
    // The blocks asked for take hours; every group ends with the block that crosses its deadline.
    assert!(ended < 30.0, "the run took {ended} s of 3");
    let events = bench.sql("select message from events where kind = 'budget_exhausted'");
    assert_eq!(events.len(), 1);

    let none = bench.run(&["run", "double", "--time", "1ms", "--implementation", "good", "--tag", "none"]);
    assert_eq!(none.code, Some(4), "nothing could be measured in a millisecond");
    let reasons = bench.sql(
        "select distinct stop_reason from outcomes o join runs r on r.run_id = o.run_id \
         where trial is not null and array_has(tags, 'none')",
    );
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0]["stop_reason"].as_str().unwrap().contains("used up before it began"), "{reasons:?}");
}

#[test]
fn a_right_answer_is_waited_for_once_in_a_run() {
    // A problem that the program links, and one that its worker owns.
    for (bench, what) in [
        (Bench::new(), ["matmul", "--set", "m=64", "--implementation", "tiled,burn", "--device", "flex"]),
        (Bench::faulty(), ["double", "--set", "length=64", "--implementation", "good,twin", "--device", "host"]),
    ] {
        let often = ["--quick", "--replicates", "5", "--blocks", "2", "--threads", "1"];
        bench.ok(&[&["run"][..], &what, &often].concat());
        let waited = bench.sql(
            "select t.replicate >= 3 as again, count(*) as trials, sum(case when m.value > 0 then 1 else 0 end) as waited \
             from measures m join trials t on t.run_id = m.run_id and t.trial = m.trial \
             where m.name = 'reference_ns' group by 1 order by 1",
        );
        assert_eq!((&waited[0]["trials"], &waited[1]["trials"]), (&6.into(), &4.into()), "{waited:?}");
        // Three seeds take turns: one of two trials waits for the answer to each, and perhaps the other for that of its end.
        assert!((3..=6).contains(&waited[0]["waited"].as_i64().unwrap()), "{waited:?}");
        assert_eq!(waited[1]["waited"], 0, "both are known by then: {waited:?}");
    }
}
