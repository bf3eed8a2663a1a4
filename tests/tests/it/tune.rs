//! Searches: settings are measured once, gone on with where a call has ended, confirmed, and refused where there is nothing to
//! choose.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use benchbook_record::{LocalStore, RunRow, RunWriter};
use benchbook_tests::{Bench, in_repository, python_with, wait_until};

/// Six settings of a small product on one thread.
const TUNE: [&str; 14] = [
    "tune",
    "matmul",
    "--set",
    "m=24",
    "--implementation",
    "tiled",
    "--knob",
    "depth=32,64,128",
    "--knob",
    "panels=1,4",
    "--knob",
    "down=1",
    "--threads",
    "1",
];

fn words<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&TUNE[..], &["--replicates", "1", "--method", "random"], more].concat()
}

/// The implementations that runs with this tag have measured, and how many runs there are.
fn measured(bench: &Bench, tag: &str) -> (BTreeSet<String>, i64) {
    let rows = bench.sql(&format!(
        "select distinct t.implementation as name from trials t \
         join runs r on r.run_id = t.run_id where array_to_string(r.tags, ' ') = '{tag}'"
    ));
    let runs = bench.sql(&format!("select count(*) as n from runs where array_to_string(tags, ' ') = '{tag}'"));
    let names = rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    (names, runs[0]["n"].as_i64().unwrap())
}

#[test]
fn every_setting_is_measured_once_and_then_none() {
    let bench = Bench::new();
    let search = words(&["--budget", "20", "--seed", "3", "--name", "all", "--table", "all.csv"]);
    bench.ok(&search);
    let (names, runs) = measured(&bench, "tune:all");
    // The usual setting stands beside all others.
    assert_eq!((names.len(), runs), (7, 1), "{names:?}");
    assert!(names.contains("tiled") && names.contains("tiled:depth=64:panels=4:down=1"), "{names:?}");
    let table = fs::read_to_string(bench.folder().join("all.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines[0], lines.len()), ("depth,panels,relative_time", 7), "{table}");
    for line in &lines[1..] {
        let time: f64 = line.rsplit(',').next().unwrap().parse().unwrap();
        assert!(time > 0.0 && time.is_finite(), "{line}");
    }
    let again = bench.run(&search);
    assert_eq!(again.code, Some(0), "{}\n{}", again.stdout, again.stderr);
    assert!(again.stderr.contains("goes on"), "{}", again.stderr);
    assert_eq!(measured(&bench, "tune:all"), (names, 1), "what is known is not measured again");
    assert_eq!(fs::read_to_string(bench.folder().join("all.csv")).unwrap().lines().count(), 7);
    let listed = bench.ok(&["sql", "--query", "evaluations", "--param", "search=tune:all", "--format", "json"]);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.len(), 7, "{listed:?}");
    assert!(listed.iter().all(|row| row["median_ns"].as_f64().is_some_and(|time| time > 0.0)), "{listed:?}");
}

#[test]
fn a_space_is_measured_in_less_time_by_fewer_and_shorter_samples() {
    let bench = Bench::new();
    bench.ok(&words(&["--budget", "6", "--seed", "4", "--name", "short", "--blocks", "6", "--sample", "1ms"]));
    let samples = bench.sql("select count(*) as n from samples group by run_id, trial");
    assert!(samples.len() >= 7 && samples.iter().all(|row| row["n"] == 6), "{samples:?}");
    for plan in bench.sql("select plan from runs") {
        let plan = plan["plan"].as_str().unwrap();
        assert!(plan.contains("min_sample_ns = 1000000\n") && plan.contains("warmup_ns = 10000000\n"), "{plan}");
    }
    bench.fails(&words(&["--budget", "1", "--blocks", "2"]), 4, &["--blocks"]);
}

#[test]
fn a_search_that_goes_on_tries_what_one_that_was_never_cut_off_tries() {
    let bench = Bench::new();
    let asked = |name: &str, budget: &str| {
        bench.ok(&words(&["--budget", budget, "--seed", "5", "--batch", "3", "--name", name, "--afresh"]));
        measured(&bench, &format!("tune:{name}"))
    };
    let (first, _) = asked("cut", "2");
    let (cut, runs) = asked("cut", "4");
    assert_eq!((first.len(), cut.len()), (3, 5), "{first:?} {cut:?}");
    assert!(first.is_subset(&cut) && runs >= 2);
    assert_eq!(asked("whole", "4").0, cut);
}

#[test]
fn a_search_that_was_killed_measures_nothing_again_that_it_knows() {
    let bench = Bench::new();
    let search = words(&["--budget", "6", "--seed", "2", "--batch", "1", "--name", "killed"]);
    let mut child = bench.command(&search).spawn().unwrap();
    // Of each setting, the runs that have samples of it which may be used.
    let known = || -> BTreeSet<String> {
        let rows = bench.sql(
            "select distinct t.implementation as name from results t join runs r on r.run_id = t.run_id \
             where t.valid and array_to_string(r.tags, ' ') = 'tune:killed' and t.implementation <> 'tiled'",
        );
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    // Of what is being measured nobody knows yet how it ends: of three settings two have ended.
    wait_until("three settings are known", || {
        let there = bench.store().join("benchbook-store.json").exists();
        child.try_wait().unwrap().is_some() || (there && known().len() >= 3)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let before = known();
    assert!(before.len() >= 2, "{before:?}");
    bench.ok(&search);
    let runs = bench.sql(
        "select t.implementation as name, count(distinct t.run_id) as n from trials t join runs r on r.run_id = t.run_id \
         where array_to_string(r.tags, ' ') = 'tune:killed' group by 1",
    );
    assert_eq!(runs.len(), 7, "{runs:?}");
    for row in runs.iter().filter(|row| before.contains(row["name"].as_str().unwrap())) {
        assert_eq!(row["n"], 1, "{row} was known before the kill: {before:?}");
    }
}

#[test]
fn shapes_are_searched_within_a_budget() {
    let bench = Bench::new();
    let shapes = |more: &[&str]| {
        let words = ["tune", "matmul", "--set", "m=16,24", "--set", "k=8,16", "--implementation", "tiled:depth=64"];
        let more = [&["--threads", "1", "--replicates", "1", "--budget", "4"][..], more].concat();
        [&words[..], &more[..]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |more: &[&str]| bench.run(&shapes(more).iter().map(String::as_str).collect::<Vec<_>>());
    let found = run(&["--name", "wide", "--under", "peak_added_bytes=1GiB", "--format", "json"]);
    assert_eq!(found.code, Some(0), "{}\n{}", found.stdout, found.stderr);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(rows.len(), 3, "the best three: {rows:?}");
    assert!(rows[0]["setting"].as_str().unwrap().starts_with("m="), "{rows:?}");
    let cases = bench.sql(
        "select distinct t.case_name as name from trials t join runs r on r.run_id = t.run_id \
         where array_to_string(r.tags, ' ') = 'tune:wide'",
    );
    assert_eq!(cases.len(), 4, "{cases:?}");
    // What was measured is known to another search too, which learns from it and finds nothing so fast.
    let none = run(&["--name", "narrow", "--under", "time=0.001"]);
    assert_eq!(none.code, Some(4), "{}\n{}", none.stdout, none.stderr);
    assert!(none.stderr.contains("meets time ≤ 0.001") && none.stderr.contains("the nearest is"), "{}", none.stderr);
    assert!(none.stderr.contains("earlier runs"), "{}", none.stderr);
}

/// The project's Python, where it has Optuna.
fn python_with_optuna() -> Option<PathBuf> {
    let python = python_with("sys")?;
    let has = Command::new(&python).args(["-c", "import optuna"]).output().unwrap().status.success();
    if !has {
        eprintln!("skipped: this Python is too old for the Optuna of environment.yml");
    }
    has.then_some(python)
}

#[test]
fn optuna_tells_the_regret_of_its_searches_in_a_table() {
    let Some(python) = python_with_optuna() else { return };
    let bench = Bench::new();
    let table = bench.folder().join("table.csv");
    fs::write(&table, "depth,form,time_ns\n64,a,3\n128,a,2\n64,b,\n128,b,4\n").unwrap();
    let mut search = Command::new(&python);
    search.arg(in_repository("crates/search/src/optuna_search.py")).arg(&table).args(["9", "3"]);
    let told = search.output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let said = String::from_utf8(told.stdout).unwrap();
    let of = |line: &str| line.split(' ').map(|number| number.parse().expect(&said)).collect::<Vec<f64>>();
    let searches: Vec<Vec<f64>> = said.lines().map(of).collect();
    assert_eq!(searches.len(), 3, "{said}");
    for regret in searches {
        // A setting failed, or is so much slower than the best.
        let is_known = |regret: &f64| [f64::INFINITY, 1.0, 0.5, 0.0].contains(regret);
        assert!(regret.len() == 9 && regret.iter().all(is_known), "{said}");
        assert!(regret.is_sorted_by(|before, after| before >= after) && regret[8] == 0.0, "{said}");
    }
}

#[test]
fn a_search_asks_optuna_where_the_projects_python_has_it() {
    let bench = Bench::new();
    let search = |budget: &'static str| {
        let more = ["--method", "optuna", "--budget", budget, "--seed", "7", "--batch", "2", "--name", "theirs"];
        [&TUNE[..], &["--replicates", "1"], &more].concat()
    };
    // Any program that says nothing is a Python without Optuna.
    let none = bench.command(&search("2")).env("BENCHBOOK_PYTHON", "/bin/false").output().unwrap();
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(none.status.code() == Some(4) && said.contains("brings Optuna into the Python of the project"), "{said}");
    let Some(python) = python_with_optuna() else { return };
    let asked = |budget: &'static str| {
        let output = bench.command(&search(budget)).env("BENCHBOOK_PYTHON", &python).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        measured(&bench, "tune:theirs").0
    };
    // Settings, and the usual one beside them; what was tried before is tried again by nobody, to the last of six.
    let first = asked("3");
    assert_eq!(first.len(), 4, "{first:?}");
    let whole = asked("20");
    assert!(whole.len() == 7 && first.is_subset(&whole), "{whole:?}");
}

#[test]
fn techniques_and_sizes_of_a_model_are_searched() {
    let bench = Bench::new();
    let model = ["tune", "--model", "smollm2-135m", "--set", "prompt=8", "--set", "tokens=2", "--threads", "1"];
    let depth = bench.ok(&[&model[..], &["--set", "layers=1,2", "--implementation", "plain", "--dry-run"]].concat());
    assert!(depth.contains("layers: 1, 2") && depth.contains("2 settings"), "{depth}");
    let all = bench.ok(&[&model[..], &["--set", "layers=1", "--dry-run"]].concat());
    assert!(all.contains("int8") && all.contains("2of4"), "every technique is a choice: {all}");
    let search = ["--set", "layers=1", "--implementation", "plain,int8,int4-g32", "--metric", "weight_bytes"];
    let search = [&model[..], &search, &["--budget", "3", "--replicates", "1", "--format", "json"]].concat();
    let found: Vec<serde_json::Value> = serde_json::from_str(&bench.ok(&search)).unwrap();
    assert_eq!(found[0]["setting"], "implementation=int4-g32", "{found:?}");
    let runs = bench.sql("select distinct array_to_string(tags, ' ') as tag from runs");
    assert!(runs.iter().any(|run| run["tag"] == "tune:smollm2-135m-tpe-0"), "{runs:?}");
    let adaptive = bench.ok(&["sql", "--query", "adaptive", "--param", "model=smollm2-135m", "--format", "json"]);
    let adaptive: Vec<serde_json::Value> = serde_json::from_str(&adaptive).unwrap();
    assert!(adaptive.iter().any(|row| row["variant"] == "int4-g32/flex/f32/1t"), "{adaptive:?}");
    for row in &adaptive {
        assert!(row["model"] == "smollm2-135m" && row["found_by"] == "tuning" && row["tried"] == 3, "{row}");
        assert_eq!(
            (row["place"] == 0, row["cell"].as_str()),
            (row["variant"] == "plain/flex/f32/1t", Some("measured"))
        );
    }
    bench.fails(&["tune", "--model", "smollm2-136m"], 4, &["smollm2-13"]);
    bench.fails(&["tune", "matmul", "--model", "smollm2-135m"], 4, &["cannot be used with"]);
}

#[test]
fn what_cannot_be_searched_is_refused_with_what_to_do() {
    let bench = Bench::new();
    let fixed = ["--knob", "depth=32", "--knob", "panels=1", "--knob", "down=1"];
    let one =
        [&["tune", "matmul", "--set", "m=24", "--implementation", "tiled", "--threads", "1"][..], &fixed].concat();
    bench.fails(&one, 4, &["nothing to choose"]);
    bench.fails(&words(&["--budget", "0"]), 4, &["--budget 20"]);
    bench.fails(&words(&["--budget", "1", "--metric", "tim"]), 4, &["unknown metric `tim`", "did you mean `time`"]);
    bench.fails(&["tune", "matmul", "--implementation", "tiled", "--knob", "dept=1,2"], 4, &["did you mean `depth`"]);
    bench.fails(&["tune", "matmull"], 4, &["did you mean `matmul`"]);
    let dry = bench.ok(&words(&["--dry-run"]));
    assert!(dry.contains("depth: 32, 64, 128") && dry.contains("6 settings"), "{dry}");
}

#[test]
fn what_only_a_later_setting_or_the_end_asks_for_is_refused_before_anything_is_measured() {
    let bench = Bench::new();
    let none_confirms = [&TUNE[..], &["--budget", "1", "--method", "random", "--replicates", "0"]].concat();
    bench.fails(&none_confirms, 4, &["`replicates` is 0"]);
    // The first setting has one thread.
    bench.fails(&words(&["--budget", "1", "--threads", "0"]), 4, &["`threads` is 0"]);
    bench.fails(&words(&["--budget", "1", "--threads", "2000"]), 4, &["`threads` is over 1024"]);
    assert!(!bench.store().join("benchbook-store.json").exists(), "nothing was measured");
}

#[test]
fn searches_of_two_names_share_a_store_that_knew_nothing() {
    let bench = Bench::new();
    LocalStore::create_or_open(bench.store()).unwrap();
    let asked = |name, seed| words(&["--budget", "3", "--seed", seed, "--name", name, "--afresh"]);
    let child = bench.command(&asked("one", "1")).spawn().unwrap();
    let other = bench.run(&asked("other", "2"));
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(other.code, Some(0), "{}", other.stderr);
    assert!(other.stderr.contains("nothing is known yet of these settings"), "{}", other.stderr);
    for name in ["tune:one", "tune:other"] {
        // Three settings, and the usual one beside them.
        assert_eq!(measured(&bench, name).0.len(), 4, "{name}");
    }
}

#[test]
fn two_searches_of_one_name_at_a_time_are_refused() {
    let bench = Bench::new();
    let store = LocalStore::create_or_open(bench.store()).unwrap();
    let row = RunRow { tags: vec!["tune:busy".into()], ..RunRow::new("matmul-search") };
    let writer = RunWriter::create(&store, &row).unwrap();
    let asked = words(&["--budget", "1", "--name", "busy"]);
    bench.fails(&asked, 4, &["another process is at work on tune:busy", "--name"]);
    drop(writer);
    bench.ok(&asked);
}
