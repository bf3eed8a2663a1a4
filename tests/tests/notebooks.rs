//! The committed notebooks, run headless on the real kernel and looked at in a browser.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use benchbook_report::charts::Browser;
use benchbook_tests::{Bench, environment, look, program, repository};
use serde_json::Value;

fn notebooks() -> Vec<PathBuf> {
    let files = fs::read_dir(repository().join("notebooks")).expect("the notebooks");
    let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    paths.retain(|path| path.extension() == Some(OsStr::new("ipynb")));
    paths.sort();
    paths
}

/// Copies a folder's files, and those of the folders in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Where pictures are kept for people to look at.
fn pictures() -> PathBuf {
    let folder = program("benchbook").parent().expect("a folder").join("screenshots");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn notebooks_are_committed_without_outputs_and_short() {
    let paths = notebooks();
    assert!(!paths.is_empty(), "the notebooks are found");
    for path in paths {
        let notebook: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let cells = notebook["cells"].as_array().unwrap();
        assert!(cells.len() < 40, "{} has {} cells", path.display(), cells.len());
        assert_eq!(notebook["metadata"]["kernelspec"]["name"], "benchbook", "{}", path.display());
        for cell in cells.iter().filter(|cell| cell["cell_type"] == "code") {
            assert!(cell["outputs"].as_array().unwrap().is_empty(), "{} has outputs", path.display());
            assert!(cell["execution_count"].is_null(), "{} has been run", path.display());
        }
    }
}

#[test]
fn notebooks_show_cases_in_the_order_of_the_plan() {
    let by_name = |line: &&str| line.rsplit_once("order by").is_some_and(|(_, keys)| keys.contains("case_name"));
    for path in notebooks() {
        let text = fs::read_to_string(&path).unwrap();
        let sorted: Vec<&str> = text.lines().filter(by_name).collect();
        assert!(sorted.is_empty(), "{} sorts cases as text: {sorted:?}", path.display());
    }
}

/// Asks the cell that measures under a tag, in whichever notebook it stands, for these names.
#[track_caller]
fn measured_under(tag: &str, names: &[&str]) {
    let cells = |path: PathBuf| -> Vec<String> {
        let notebook: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let cells = notebook["cells"].as_array().unwrap();
        cells.iter().map(|cell| cell["source"].to_string().replace('\\', "")).collect()
    };
    let tagged = format!(".tag(\"{tag}\")");
    let found = notebooks().into_iter().flat_map(cells).find(|cell| cell.contains(&tagged));
    let cell = found.unwrap_or_else(|| panic!("no cell measures under the tag {tag}"));
    for name in names {
        assert!(cell.contains(&format!("\"{name}\"")), "{tag} has no {name}");
    }
}

#[test]
fn every_mixer_has_its_growth_and_its_memory_beside_attention() {
    let names = ["selective-scan", "state-space-duality", "retention", "rwkv-4", "rwkv-6", "rwkv-7", "attention"];
    measured_under("mixer-lengths", &names);
    measured_under("mixer-memory", &names);
}

#[test]
fn every_technique_of_decoding_is_measured() {
    measured_under("decoding-tokens", &["kv-cache", "kv-cache-bf16", "kv-cache-int8", "kv-cache-int4"]);
    measured_under("decoding-prompt", &["chunked", "chunked-int4"]);
    measured_under("decoding-guesses", &["target-alone", "prompt-lookup", "draft-model"]);
    measured_under("decoding-beginnings", &["prefix-anew", "prefix-reuse"]);
    measured_under("decoding-caches", &["masked", "evicting", "bits"]);
    measured_under("decoding-many", &["static", "continuous", "adaptive"]);
}

#[test]
fn the_load_of_experts_and_the_roofs_of_formats_are_drawn() {
    let cells = |path: PathBuf| -> Vec<Value> {
        let notebook: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        notebook["cells"].as_array().unwrap().clone()
    };
    let cells: Vec<Value> = notebooks().into_iter().flat_map(cells).collect();
    for drawn in ["router.load(", "charts::roofline("] {
        let cell = cells.iter().find(|cell| cell["source"].to_string().contains(drawn));
        let shows = cell.map(|cell| &cell["metadata"]["benchbook"]["shows"][0]);
        assert_eq!(shows.and_then(Value::as_str), Some("figure"), "{drawn}");
    }
}

/// What the cells of a notebook declare to show, of one kind.
fn declared(path: &Path, kind: &str) -> u64 {
    let notebook: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let shows = |cell: &Value| {
        let shows = cell["metadata"]["benchbook"]["shows"].as_array().cloned().unwrap_or_default();
        shows.iter().filter(|one| *one == kind).count() as u64
    };
    notebook["cells"].as_array().unwrap().iter().map(shows).sum()
}

/// A machine that has done a part of the experiments.
const ELSEWHERE: &str = "4 x Other (family 1 model 2) with AVX2";

/// The experiments, and some of them on another machine too.
fn with_another_machine(experiments: &str) -> String {
    let mut lines = experiments.lines();
    let column = lines.next().unwrap().split(',').position(|name| name == "machine").unwrap();
    let elsewhere = |line: &str| {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells[column] = ELSEWHERE;
        cells.join(",") + "\n"
    };
    experiments.to_owned() + &lines.take(300).map(elsewhere).collect::<String>()
}

/// Types that the kernel finds by itself, and a reader as well.
const FOUND: [&str; 6] = ["Answer", "Lab", "MatrixPlan", "Plan", "Run", "String"];

/// The notebook that stock evcxr runs, as the benchmark names it.
fn of_stock() -> String {
    let text = fs::read_to_string(repository().join("crates/bench/src/notebook.rs")).expect("the benchmark");
    let rest = text.split_once("const PLAIN: &str = \"").expect("a name").1;
    rest.split('"').next().expect("its end").to_owned()
}

#[test]
fn cells_write_no_type_that_is_found_and_for_stock_evcxr_no_sql() {
    let of_stock = of_stock();
    let is_typed =
        |line: &str| line.starts_with("let ") && FOUND.iter().any(|kind| line.contains(&format!(": {kind} = ")));
    let mut kinds = [0; 2];
    for path in notebooks() {
        let notebook: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let is_stock = path.ends_with(&of_stock);
        kinds[usize::from(is_stock)] += 1;
        for cell in notebook["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code") {
            let lines: Vec<&str> = cell["source"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let is_rust = !lines.first().is_some_and(|line| line.starts_with(['%', '!', '?']));
            let typed = lines.iter().find(|line| is_typed(line));
            assert!(if is_stock { is_rust } else { typed.is_none() }, "{}: {lines:?}", path.display());
        }
    }
    assert!(kinds[0] > 1 && kinds[1] == 1, "{of_stock} is one of them");
}

#[test]
fn all_notebooks_run_headless_and_their_charts_are_drawn_offline() {
    let Some(python) = environment() else { return };
    let bench = Bench::new();
    for folder in ["notebooks", "datasets", "queries", "crates/engines/python"] {
        copy(&repository().join(folder), &bench.folder().join(folder));
    }
    let experiments = "datasets/trust.csv";
    let text = fs::read_to_string(repository().join(experiments)).expect("the experiments");
    fs::write(bench.folder().join(experiments), with_another_machine(&text)).expect("the experiments");
    let files: Vec<String> =
        notebooks().iter().map(|path| format!("notebooks/{}", path.file_name().unwrap().to_str().unwrap())).collect();
    let mut words = vec!["notebook", "run"];
    words.extend(files.iter().map(String::as_str));
    // What is measured here says nothing, so two at a time may disturb each other.
    words.extend(["--quick", "--check", "--jobs", "2", "--html", "pages", "--executed", "executed"]);
    let ran = bench.run(&words);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let proof = fs::read_to_string(bench.folder().join("pages/06_can_i_trust_it.html")).unwrap();
    assert!(proof.contains(ELSEWHERE) && proof.contains(" of 200 done"), "each machine has goals of its own");

    let browser = match Browser::find() {
        Ok(browser) => browser,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "CI must have a browser: {error}");
            eprintln!("skipped: {error}");
            return;
        }
    };
    let browser = browser.program().to_str().unwrap();
    let looked = |path: &PathBuf| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let page = bench.folder().join(format!("pages/{stem}.html"));
        let html = fs::read_to_string(&page).unwrap();
        assert!(!html.contains("cdnjs") && !html.contains("cdn.jsdelivr"), "{stem} names a CDN");
        let picture = pictures().join(format!("{stem}.png"));
        let seen = look(&python, &["page", browser, page.to_str().unwrap(), picture.to_str().unwrap()]);
        let count = |name: &str| seen[name].as_u64().unwrap();
        assert!(count("figures") >= declared(path, "figure"), "{stem}: {seen}");
        assert_eq!((count("drawn"), count("visible")), (count("figures"), count("figures")), "{stem}: {seen}");
        assert!(count("tables") >= declared(path, "table"), "{stem}: {seen}");
        assert_eq!(seen["requests"].as_array().unwrap().len(), 0, "{stem}: {seen}");
        assert!(picture.is_file(), "{stem} has no picture");
    };
    let (paths, looked) = (notebooks(), &looked);
    // A browser of its own for each page, two at a time.
    thread::scope(|scope| {
        for half in paths.chunks(paths.len().div_ceil(2)) {
            scope.spawn(move || half.iter().for_each(looked));
        }
    });
}

#[test]
fn a_live_page_runs_the_first_notebook_and_draws_its_charts() {
    let Some(python) = environment() else { return };
    let Ok(browser) = Browser::find() else {
        assert!(std::env::var_os("CI").is_none(), "CI must have a browser");
        eprintln!("skipped: no browser");
        return;
    };
    let bench = Bench::new();
    copy(&repository().join("notebooks"), &bench.folder().join("notebooks"));
    let original = notebooks().remove(0);
    let live = bench.folder().join("notebooks").join(original.file_name().unwrap());
    // The same cells with the quick parameters, as a person would set them.
    let text = fs::read_to_string(&live).unwrap();
    assert!(text.contains("let quick: bool = false;"), "the first notebook has the parameter `quick`");
    fs::write(&live, text.replace("let quick: bool = false;", "let quick: bool = true;")).unwrap();
    let picture = pictures().join("live.png");
    let words = ["lab", browser.program().to_str().unwrap(), python.to_str().unwrap(), live.to_str().unwrap()];
    let seen = look(&python, &[&words[..], &[picture.to_str().unwrap(), "--run"]].concat());
    assert!(seen["drawn"].as_u64().unwrap() >= declared(&original, "figure"), "{seen}");
    assert_eq!(seen["requests"].as_array().unwrap().len(), 0, "{seen}");
}
