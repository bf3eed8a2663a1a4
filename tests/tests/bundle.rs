//! The portable bundle: laid out in a bare folder it measures PyTorch there, and our store takes its run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use benchbook_tests::{Bench, program, python_with, repository};
use xtask::bundle::{PROGRAMS, lay_out, needed};

const PLAN: &str = r#"
suite = "portable"
replicates = 1
threads = 1
devices = ["torch", "flex"]

[sampling]
blocks = 2
warmup_ns = 1_000_000

[[cases]]
workload = "matmul"
params = { m = 64 }
implementations = ["eager", "tiled"]
"#;

/// The bundle of the programs that are built, in a folder of its own, with a plan.
fn laid_out(folder: &Path) -> PathBuf {
    let programs = PROGRAMS.map(|(package, _)| program(package));
    // The worker that is built for the tests has libtorch.
    let glibc = needed(&programs[..1]).unwrap();
    let bare = folder.join("a bare machine");
    lay_out(&repository(), &programs, glibc, &bare).unwrap();
    let readme = fs::read_to_string(bare.join("README.md")).unwrap();
    assert!(readme.contains(&format!("with glibc {glibc} or newer")) && !readme.contains('{'), "{readme}");
    fs::write(bare.join("plan.toml"), PLAN).unwrap();
    bare
}

/// How `./benchbook` ends with these words, in the environment of a machine that has nothing, and no GPU.
fn benchbook(bare: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(bare.join("benchbook"));
    command.args(words).current_dir(bare).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", bare);
    command.env("CUDA_VISIBLE_DEVICES", "").env("BENCHBOOK_KEEP_DISTURBED", "1").stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_bare_folder_measures_pytorch_and_our_store_takes_the_run() {
    let Some(python) = python_with("torch") else { return };
    let bench = Bench::new();
    let bare = laid_out(bench.folder());
    let output = benchbook(&bare, &["run", "plan.toml", &format!("--python={}", python.display())]);
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && shown.contains("2 trials (2 ok)"), "{shown}\n{said}");
    assert!(shown.contains("benchbook store merge results"), "{shown}");

    let store = bare.join("results");
    let merge = ["store", "merge", store.to_str().unwrap()];
    assert_eq!(bench.ok(&merge), "1 runs copied, 0 were here already\n");
    let trials = bench.sql(
        "select t.variant, o.status from trials t join outcomes o on o.run_id = t.run_id and o.trial = t.trial order by 1",
    );
    let told = trials.iter().map(|row| format!("{} {}", row["variant"], row["status"]).replace('"', ""));
    assert_eq!(told.collect::<Vec<_>>(), ["eager/torch/f32/1t ok", "tiled/flex/f32/1t ok"]);
    let checks = bench.sql("select passed, count(*) as n from checks group by 1");
    assert!(checks.len() == 1 && checks[0]["passed"] == true && checks[0]["n"] == 4, "before and after: {checks:?}");
    assert!(bench.ok(&["store", "repair", "--format", "json"]).contains("turned the journal into Parquet"));
    assert_eq!(bench.ok(&merge), "0 runs copied, 1 were here already\n", "its journal has the rows of our Parquet");
}

#[test]
fn what_a_bare_machine_lacks_is_said() {
    let bench = Bench::new();
    let bare = laid_out(bench.folder());
    let lacks = |words: &[&str], part: &str| {
        let output = benchbook(&bare, words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(4) && said.contains(part), "{words:?} does not say `{part}`:\n{said}");
        assert!(!bare.join("results").exists(), "{words:?} leaves no store behind");
    };
    lacks(&["run", "plan.toml", "--python", "/no/such/python"], "/no/such/python");
    if let Some(python) = python_with("numpy") {
        let named = format!("--python={}", python.display());
        lacks(&["run", "plan.toml", "--device", "cuda", &named], "device `torch-cuda` was asked for and is not here: ");
        lacks(&["run", "plan.toml", "--device", "abacus", &named], "unknown device `abacus`");
    }
    lacks(&["run", "no-plan.toml"], "no-plan.toml: ");
    lacks(&["run"], "give a plan");
    fs::remove_file(bare.join("benchbook-worker")).unwrap();
    lacks(&["run", "plan.toml"], "no worker program at");
    assert!(String::from_utf8_lossy(&benchbook(&bare, &["--help"]).stdout).contains("--device cuda"));
}

/// The names of the files in a folder that end so.
fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(ending)).collect()
}

#[test]
fn the_folder_holds_all_that_it_takes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    // What an earlier layout has left goes.
    fs::create_dir_all(folder.path().join("a bare machine/left")).unwrap();
    let bare = laid_out(folder.path());
    let all = ["LICENSE", "README.md", "benchbook", "benchbook-worker", "plan.toml", "plans", "python"];
    assert_eq!(names(&bare, ""), BTreeSet::from(all.map(str::to_owned)));
    for (ours, theirs, ending) in [
        ("crates/bundle/plans", "plans", ""),
        ("crates/engines/python/benchbook_worker", "python/benchbook_worker", ".py"),
    ] {
        let found = names(&bare.join(theirs), "");
        assert!(found.len() > 3 && found == names(&repository().join(ours), ending), "{theirs}: {found:?}");
    }
    let python = ["__main__.py", "benchbook_worker"].map(str::to_owned);
    assert_eq!(names(&bare.join("python"), ""), BTreeSet::from(python));
}
