//! `benchbook gate` on a repository of small worker programs: one line differs from revision to revision.

use std::fs;
use std::path::Path;
use std::process::Command;

use benchbook_tests::{Bench, Ran, git, program};
use serde_json::Value;
use tempfile::TempDir;

/// A repository whose package `benchbook-worker` becomes the faulty worker, with something planted in it.
struct Repository {
    folder: TempDir,
    cache: TempDir,
    bench: Bench,
}

impl Repository {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("worker/src")).unwrap();
        fs::write(folder.path().join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"worker\"]\n").unwrap();
        let package = "[package]\nname = \"benchbook-worker\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        fs::write(folder.path().join("worker/Cargo.toml"), package).unwrap();
        fs::write(folder.path().join(".gitignore"), "target\n").unwrap();
        let repository = Self { folder, cache: TempDir::new().unwrap(), bench: Bench::faulty() };
        repository.git(&["init", "--quiet"]);
        repository
    }

    fn git(&self, words: &[&str]) {
        let who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        let status = git("git", self.folder.path()).args(who).args(words).status().unwrap();
        assert!(status.success(), "git {words:?}");
    }

    /// A worker that becomes the faulty one, its kernel `good` as planted.
    fn plant(&self, fault: &str) {
        self.plant_worker("faulty-worker", fault);
    }

    /// A worker that becomes the program of this name.
    fn plant_worker(&self, name: &str, fault: &str) {
        let worker = program(name);
        self.write(&format!(
            "use std::os::unix::process::CommandExt;\nfn main() {{\n    let error = std::process::Command::new({worker:?})\
             .args(std::env::args().skip(1)).env(\"BENCHBOOK_TEST_GOOD\", {fault:?}).exec();\n    panic!(\"{{error}}\");\n}}\n"
        ));
    }

    fn write(&self, main: &str) {
        fs::write(self.folder.path().join("worker/src/main.rs"), main).unwrap();
    }

    fn commit(&self, tag: &str) {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", tag]);
        self.git(&["tag", tag]);
    }

    fn gate(&self, words: &[&str]) -> Ran {
        let measured = ["--suite", "double", "--impl", "good", "--quick", "--device", "host", "--threads", "1"];
        self.bare_gate(&[&measured[..], words].concat())
    }

    /// A gate that is not told what to measure.
    fn bare_gate(&self, words: &[&str]) -> Ran {
        let store = self.bench.store();
        let mut all = vec!["--store", store.to_str().unwrap(), "gate", "--cache", self.cache.path().to_str().unwrap()];
        all.extend(["--output", "gate.md", "--output", "gate.json"]);
        all.extend(words);
        ran(self.here(&all))
    }

    /// `benchbook` with these words, in the repository.
    fn here(&self, words: &[&str]) -> Command {
        let mut command = self.bench.command(words);
        // The repository's own target folder, not the one of the tests.
        command.current_dir(self.folder.path()).env_remove("CARGO_TARGET_DIR");
        command
    }

    fn report(&self) -> Value {
        serde_json::from_str(&self.read("gate.json")).unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

#[test]
fn a_slower_revision_is_found_twice_and_an_equal_one_is_not() {
    let repository = Repository::new();
    repository.plant("good");
    repository.commit("before");
    repository.plant("half-speed");
    repository.commit("slower");
    let ran = repository.gate(&["--baseline", "before", "--candidate", "slower"]);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    let report = repository.report();
    let found = &report["comparisons"][0];
    assert_eq!(
        (report["outcome"].as_str(), found["verdict"].as_str()),
        (Some("regression"), Some("slower")),
        "{report:#}"
    );
    assert_eq!(found["measured_twice"], true, "only the second estimate counts: {report:#}");
    let (first, ratio) = (found["first"]["ratio"].as_f64().unwrap(), found["estimate"]["ratio"].as_f64().unwrap());
    assert!((0.3..0.8).contains(&ratio) && first != ratio, "twice the work: {first}, {ratio}");
    assert!(repository.read("gate.md").contains("regression"), "{}", repository.read("gate.md"));
    let again = "--suite double --implementation good --device host --threads 1";
    assert!(
        repository.read("gate.md").contains(again),
        "the report says how to do it again: {}",
        repository.read("gate.md")
    );

    let ran = repository.gate(&["--baseline", "slower", "--candidate", "slower"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("same program"), "{}", ran.stdout);

    let ran = repository.gate(&["--baseline", "slower", "--candidate", "before"]);
    assert_eq!(ran.code, Some(0), "faster stops nobody: {}\n{}", ran.stdout, ran.stderr);
    assert!(!repository.cache.path().join("source").exists(), "work trees are gone afterwards");
}

#[test]
fn the_work_tree_is_the_candidate_and_a_kernel_that_breaks_is_no_pass() {
    let repository = Repository::new();
    repository.plant("good");
    repository.commit("before");
    repository.plant("wrong");
    let ran = repository.gate(&["--baseline", "HEAD"]);
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.stdout, ran.stderr);
    let report = repository.report();
    assert!(report["candidate"].as_str().unwrap().ends_with("+dirty"), "{report:#}");
    assert_eq!(report["left_out"][0]["missing"], "candidate-fails", "{report:#}");
    assert!(report["left_out"][0]["why"].as_str().unwrap().contains("wrong"), "{report:#}");
}

#[test]
fn what_cannot_be_compared_says_why_in_the_report_and_in_the_code() {
    let repository = Repository::new();
    repository.git(&["commit", "--quiet", "--allow-empty", "-m", "nothing"]);
    repository.git(&["tag", "empty"]);
    repository.write("fn main() { not rust }\n");
    repository.commit("broken");
    repository.write("fn main() { println!(\"I am from before the protocol\") }\n");
    repository.commit("ancient");
    repository.plant("good");
    repository.commit("now");
    for (baseline, part) in
        [("empty", "benchbook-worker"), ("broken", "does not build"), ("ancient", "did not greet as a worker")]
    {
        let ran = repository.gate(&["--baseline", baseline]);
        assert_eq!(ran.code, Some(3), "{baseline}: {}\n{}", ran.stdout, ran.stderr);
        let reason = repository.report()["not_comparable"].as_str().unwrap_or_default().to_owned();
        assert!(reason.contains(part), "{baseline}: {reason}");
        assert!(repository.read("gate.md").contains("not comparable"), "{baseline}");
    }
    let ran = repository.gate(&["--baseline", "no-such-name"]);
    assert_eq!(ran.code, Some(4));
    assert!(ran.stderr.contains("no revision is called") && ran.stderr.contains("no run or tag"), "{}", ran.stderr);
}

#[test]
fn another_project_is_told_first_what_to_use_instead() {
    let repository = Repository::new();
    fs::remove_dir_all(repository.folder.path().join("worker")).unwrap();
    repository.commit("theirs");
    let ran = repository.bare_gate(&["--baseline", "origin/main", "--output", "no/such/folder/gate.md"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    assert!(ran.stderr.contains("revisions of benchbook itself"), "{}", ran.stderr);
    assert!(!repository.bench.store().exists(), "nothing was begun");
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_built() {
    let repository = Repository::new();
    repository.plant("good");
    repository.commit("now");
    fs::write(repository.folder.path().join("plan.toml"), "[[cases]]\nworkload = \"double\"\n").unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["--suite", "plan.toml", "--impl", "good"], "--implementation belongs to workloads"),
        (&["--suite", "plan.toml,double"], "give one plan file"),
        (&["--suite", "double", "--threads", "5000"], "`threads` is over 1024"),
        (&["--output", "no/such/folder/gate.md"], "its folder is missing"),
        (&["--output", "gate.html"], ".md or .json"),
    ];
    for (words, part) in cases {
        let ran = repository.bare_gate(&[&["--baseline", "now"], words].concat());
        assert_eq!(ran.code, Some(4), "{words:?}: {}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(part) && !ran.stderr.contains("building"), "{words:?}: {}", ran.stderr);
    }
}

#[test]
fn what_git_sets_for_a_hook_names_no_other_commit() {
    let [here, other] = [Repository::new(), Repository::new()];
    for (repository, tag) in [(&here, "here"), (&other, "other")] {
        repository.plant("good");
        repository.commit(tag);
    }
    let store = here.bench.store();
    let words = ["--store", store.to_str().unwrap(), "run", "double", "--impl", "good", "--device", "host"];
    let mut command = here.here(&[&words[..], &["--threads", "1", "--replicates", "1", "--blocks", "2"]].concat());
    let of_other = |path: &str| other.folder.path().join(path);
    command
        .env("GIT_DIR", of_other(".git"))
        .env("GIT_WORK_TREE", of_other(""))
        .env("GIT_INDEX_FILE", of_other(".git/index"));
    let ran = ran(command);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let head = git("git", here.folder.path()).args(["rev-parse", "HEAD"]).output().unwrap();
    let recorded = here.bench.sql("select git_commit from runs");
    assert_eq!(recorded[0]["git_commit"].as_str(), Some(String::from_utf8(head.stdout).unwrap().trim()));
}

#[test]
fn a_plan_file_is_quickened_and_its_devices_are_replaced() {
    let repository = Repository::new();
    repository.plant("good");
    repository.commit("now");
    let plan = "devices = [\"nowhere\"]\nthreads = 1\nsampling = { blocks = 21 }\n\
                [[cases]]\nworkload = \"double\"\nparams = { length = 64 }\nimplementations = [\"good\"]\n";
    fs::write(repository.folder.path().join("plan.toml"), plan).unwrap();
    let ran = repository.bare_gate(&["--baseline", "now", "--suite", "plan.toml", "--device", "host", "--quick"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let text = repository.bench.sql("select plan from runs")[0]["plan"].as_str().unwrap().to_owned();
    let plan: toml::Table = text.parse().unwrap();
    assert_eq!(plan["devices"].as_array().unwrap()[..], [toml::Value::from("host")], "{text}");
    assert_eq!(plan["sampling"]["blocks"].as_integer(), Some(20), "{text}");
}

#[test]
fn beside_a_recorded_run_nothing_is_compiled_that_stands_built() {
    let repository = Repository::new();
    repository.plant("good");
    repository.commit("now");
    let words = ["run", "double", "--impl", "good", "--device", "host", "--threads", "1", "--replicates", "6"];
    repository.bench.ok(&[&words[..], &["--blocks", "10", "--tag", "recorded"]].concat());
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--release"]).current_dir(repository.folder.path()).env_remove("CARGO_TARGET_DIR");
    assert!(build.status().unwrap().success());
    repository.commit("locked");
    // The reports of the first gate are changes to the work tree.
    let candidates: [&[&str]; 2] = [&["--candidate", "HEAD"], &[]];
    for candidate in candidates {
        let ran = repository.bare_gate(&[&["--baseline", "recorded"], candidate].concat());
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("building the worker"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("Compiling"), "{}", ran.stderr);
    }
    repository.plant("half-speed");
    let ran = repository.bare_gate(&["--baseline", "recorded"]);
    assert!(ran.stderr.contains("Compiling"), "what has changed is compiled: {}", ran.stderr);
}

#[test]
fn a_recorded_run_is_a_sequential_baseline() {
    let repository = Repository::new();
    repository.plant("good");
    repository.commit("now");
    let words = ["run", "double", "--impl", "good", "--device", "host", "--threads", "1", "--replicates", "6"];
    repository.bench.ok(&[&words[..], &["--blocks", "10", "--tag", "recorded"]].concat());
    repository.plant("half-speed");
    let refused = repository.gate(&["--baseline", "recorded"]);
    assert_eq!(refused.code, Some(4), "{}", refused.stdout);
    let options = "leave out --suite, --quick, --implementation, --device, --threads";
    assert!(refused.stderr.contains(options) && !refused.stderr.contains("building"), "{}", refused.stderr);
    let ran = repository.bare_gate(&["--baseline", "recorded"]);
    let report = repository.report();
    let found = &report["comparisons"][0];
    // Whatever has changed between the two runs counts as a difference, so that it fails nobody, twice the work or not.
    assert_eq!((report["sequential"].as_bool(), ran.code), (Some(true), Some(0)), "{report:#}");
    assert_eq!((&found["verdict"], &found["reason"]), (&"undecided".into(), &"sequential".into()), "{report:#}");
    assert!(found["first"]["ratio"].as_f64().unwrap() > 0.0, "{report:#}");
    assert_eq!((&found["flagged"], &found["measured_twice"]), (&false.into(), &false.into()), "{report:#}");
    assert!(ran.stdout.contains("sequential") && ran.stdout.contains("judges nothing"), "{}", ran.stdout);
    let ran = repository.bare_gate(&["--baseline", "recorded", "--fail-on", "undecided"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(Path::new(&repository.bench.store()).is_dir());
}

#[test]
fn builds_on_both_sides_of_a_change_of_protocols_are_compared() {
    let repository = Repository::new();
    repository.plant_worker("old-worker", "");
    repository.commit("before");
    repository.plant("good");
    let ran = repository.gate(&["--baseline", "before"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let report = repository.report();
    assert!(report["not_comparable"].is_null(), "{report:#}");
    let ratio = report["comparisons"][0]["first"]["ratio"].as_f64().unwrap();
    assert!(ratio > 1.0, "the old one has more to do: {ratio}");
    let versions = repository.bench.sql("select count(*) as n from outcomes where trial is not null and status = 'ok'");
    assert!(versions[0]["n"].as_i64() >= Some(10), "{versions:?}");
}

#[test]
fn an_old_worker_measures_by_itself() {
    let bench = Bench::old();
    bench.ok(&["run", "double", "--set", "length=64,128", "--replicates", "1", "--blocks", "4", "--device", "host"]);
    let rows = bench.sql(
        "select case_name, implementation, count(*) as n, sum(case when valid then 1 else 0 end) as valid \
         from results group by 1, 2 order by 1",
    );
    let text = |row: &Value| format!("{} {} {} {}", row["case_name"], row["implementation"], row["n"], row["valid"]);
    assert_eq!(rows.iter().map(text).collect::<Vec<_>>(), ["\"n128\" \"good\" 4 4", "\"n64\" \"good\" 4 4"]);
    let none = bench.sql("select * from measures where name = 'reference_ns'");
    assert!(none.is_empty(), "it has its own answers: {none:?}");
    let known = bench.sql("select value, provenance from measures where name = 'visible_scores'");
    let known: Vec<_> = known.iter().map(|row| (row["value"].as_f64(), row["provenance"].as_str())).collect();
    assert_eq!(known, [(Some(0.5), Some("modelled")); 2], "what it knows beside times, by its own word for it");
}

#[test]
fn an_old_worker_knows_no_loops() {
    let bench = Bench::old();
    bench.run(&["run", "greedy-decoding", "--quick", "--replicates", "1", "--blocks", "2", "--device", "host"]);
    let ends = bench.sql("select distinct status, stop_reason from outcomes where trial is not null");
    let reason = ends[0]["stop_reason"].as_str().unwrap();
    assert_eq!((ends.len(), &ends[0]["status"]), (1, &"unsupported".into()), "{ends:?}");
    assert!(reason.contains("protocol 2, which knows no steps of a loop"), "{reason}");
}
