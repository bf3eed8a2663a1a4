//! Cells on the real kernel: what is shared, what fails and how, and what is left behind.

use std::fs;

use benchbook_tests::{Bench, Ran, cell, environment, script, showing};
use serde_json::Value;

fn run(bench: &Bench, name: &str, cells: Vec<Value>, more: &[&str]) -> Ran {
    bench.notebook(name, cells);
    bench.run(&[&["notebook", "run", name, "--executed", "executed", "--html", "pages"], more].concat())
}

fn ok(bench: &Bench, name: &str, cells: Vec<Value>) -> Vec<String> {
    let ran = run(bench, name, cells, &["--check"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    bench.outputs(&format!("executed/{name}"))
}

/// Processes whose environment names a notebook's job in this folder.
fn left_behind(bench: &Bench) -> Vec<String> {
    let folder = bench.folder().to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ours = |path: &std::path::PathBuf| {
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        let directory = fs::read_link(path.join("cwd")).unwrap_or_default();
        directory.starts_with(folder) && String::from_utf8_lossy(&environment).contains("BENCHBOOK_NOTEBOOK_JOB")
    };
    let name = |path: std::path::PathBuf| fs::read_to_string(path.join("cmdline")).unwrap_or_default();
    processes.filter(ours).map(name).filter(|line| !line.is_empty()).collect()
}

#[test]
fn cells_share_threads_pools_and_the_store() {
    if environment().is_none() {
        return;
    }
    let bench = Bench::new();
    let threads = "fn threads_called(name: &str) -> Vec<u32> {\n\
        let named = |task: &std::fs::DirEntry| std::fs::read_to_string(task.path().join(\"comm\")).unwrap_or_default().starts_with(name);\n\
        let tasks = std::fs::read_dir(\"/proc/self/task\").unwrap().flatten().filter(named);\n\
        let mut ids: Vec<u32> = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect();\n\
        ids.sort();\nids\n}";
    let measure = "let here: Run = lab.run_here(&Plan::quick(\"matmul\").param(\"m\", [32]).implementations([\"burn\"]).devices([\"flex\"]).blocks(3))?;";
    let ask = "lab.sql(\"select implementation, count(*) as n from results group by 1\")?";
    let outputs = ok(
        &bench,
        "shared.ipynb",
        vec![
            cell("let lab: Lab = Lab::open(\"results\")?;"),
            cell(threads),
            cell(measure),
            showing("table", ask),
            cell(
                "let tokio: Vec<u32> = threads_called(\"tokio\");\nlet pool: Vec<u32> = threads_called(\"benchbook-cells\");\n\
                let script: usize = charts::plotly_js().as_ptr() as usize;",
            ),
            cell(&measure.replace("let here", "let again")),
            showing("table", ask),
            // The first threads of a runtime are its workers; those that come later wait for files and go again.
            cell(
                "let workers = std::thread::available_parallelism()?.get();\n\
                assert!(tokio.len() >= workers && threads_called(\"tokio\").starts_with(&tokio[..workers]), \"one tokio runtime\");",
            ),
            cell("assert_eq!(threads_called(\"benchbook-cells\"), pool, \"one rayon pool\");"),
            cell("assert_eq!(charts::plotly_js().as_ptr() as usize, script, \"one copy of a static\");"),
            cell("let other: Lab = Lab::open(\"results/.\")?;\nother.sql(\"select count(*) as runs from runs\")?"),
        ],
    );
    assert!(outputs[3].contains("burn"), "{outputs:?}");
    assert!(outputs[10].contains('2'), "{outputs:?}");
    assert!(left_behind(&bench).is_empty());
}

#[test]
fn cells_of_sql_and_of_rust_hand_each_other_names() {
    if environment().is_none() {
        return;
    }
    let bench = Bench::new();
    let outputs = ok(
        &bench,
        "sql.ipynb",
        vec![
            cell("let lab: Lab = Lab::open(\"results\")?;\nlet limit: u32 = 3;\nprint!(\"no end\");"),
            cell("%%sql small <<\nselect value as v, value * 1000 as time_ns from range(0, 9) where value < $limit"),
            cell("%sql --chart line v time_ns select * from small"),
            cell(
                "let rows: usize = small.rows();\nlet mut limit: u32 = limit + 2;\nprintln!(\"{rows} rows of Rust\");",
            ),
            cell("%%sql\nselect count(*) as n, max(v) as most from small where v < $limit"),
            cell("%vars"),
            cell("?rows"),
        ],
    );
    assert_eq!(outputs[0], "no end");
    assert!(outputs[1].contains("3 rows"), "{outputs:?}");
    assert!(outputs[2].contains("time_ns by v"), "{outputs:?}");
    assert_eq!(outputs[3], "3 rows of Rust\n");
    assert!(outputs[4].contains("1 row"), "{outputs:?}");
    let listed =
        |name: &str, worth: &str| outputs[5].lines().any(|line| line.starts_with(name) && line.ends_with(worth));
    assert!(listed("limit  u32 ", " 5") && listed("small  ", " 3 rows, 2 columns"), "{outputs:?}");
    assert_eq!(outputs[6], "rows: usize = 3");
}

#[test]
fn variables_of_the_library_need_no_types_and_values_are_shown_as_they_are() {
    if environment().is_none() {
        return;
    }
    let bench = Bench::new();
    let outputs = ok(
        &bench,
        "types.ipynb",
        vec![
            // evcxr checks what it has kept of this where it cannot tell a type.
            cell("let store: &str = \"results\";"),
            cell("let lab = Lab::open(store)?;\nlet plan = Plan::quick(\"matmul\");"),
            cell("let answer = lab.sql(\"select 1 as one\")?;\nlet mut batches = answer.batches.clone();"),
            showing("table", "batches.clear();\nanswer"),
            // What a block or a branch is worth stands on another line than the variable.
            cell(
                "let other = {\n    let name = \"matmul\";\n    Plan::quick(name)\n};\n\
                let one = if other.cases.is_empty() {\n    plan.clone()\n} else {\n    other.clone()\n};\n\
                let names = {\n    let parts = vec![\"a\".to_owned(), \"b\".to_owned()];\n    parts.join(\", \")\n};\n\
                let said = format!(\"{names}; {}\", one.cases.len());",
            ),
            cell("one.cases == other.cases && said.starts_with(&names)"),
            cell("6 * 7"),
            cell("println!(\"said\")"),
            cell("struct Own;\nimpl Own {\n    fn evcxr_display(&self) {\n        println!(\"my own\");\n    }\n}"),
            cell("Own"),
        ],
    );
    assert!(outputs[3].contains("1 row"), "{outputs:?}");
    assert_eq!(outputs[5..8], ["true".to_owned(), "42".to_owned(), "said\n".to_owned()]);
    assert_eq!(outputs[9], "my own\n");
}

#[test]
fn a_crate_of_ones_own_is_used_as_by_evcxr() {
    if environment().is_none() {
        return;
    }
    let bench = Bench::new();
    let package = bench.folder().join("small");
    fs::create_dir_all(package.join("src")).unwrap();
    let manifest = "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::write(package.join("src/lib.rs"), "pub fn twice(x: i32) -> i32 {\n    2 * x\n}\n").unwrap();
    let depend = format!(":dep small = {{ path = \"{}\" }}\nuse small::twice;", package.display());
    let outputs = ok(&bench, "dep.ipynb", vec![cell(&depend), cell("println!(\"{}\", twice(21));")]);
    assert_eq!(outputs[1], "42\n");
}

#[test]
fn failures_are_one_readable_message_and_the_other_notebooks_run() {
    if environment().is_none() {
        return;
    }
    let bench = Bench::new();
    let lab = "let lab: Lab = Lab::open(\"results\")?;";
    let within =
        "macro_rules! own {\n    ($value:expr) => {\n        $value\n    };\n}\nown!(std::fs::read(\"/no/such\")?)";
    let cases: [(&str, &str, &[&str]); 5] = [
        ("query.ipynb", "lab.sql(\"select tme_ns from results\")?", &["tme_ns", "time_ns"]),
        ("within.ipynb", within, &["No such file"]),
        ("panic.ipynb", "let v: Vec<i32> = vec![];\nprintln!(\"{}\", v[3]);", &["panicked", "the len is 0"]),
        ("compile.ipynb", "let x: i32 = \"text\";", &["mismatched types"]),
        ("closure.ipynb", "let twice = |x: i32| 2 * x;", &["closure", "Box"]),
    ];
    let mut words = vec!["notebook", "run", "good.ipynb", "--executed", "executed"];
    let own = "{\n    let read = |text: &str| -> std::result::Result<u8, std::num::ParseIntError> { Ok(text.parse::<u8>()?) };\n    \
        println!(\"{}\", read(\"x\").is_err());\n}";
    bench.notebook("good.ipynb", vec![cell(lab), showing("table", "lab.sql(\"select 1 as one\")?"), cell(own)]);
    for (name, wrong, _) in cases {
        bench.notebook(name, vec![cell(lab), cell(wrong), cell("println!(\"after\");")]);
        words.push(name);
    }
    let ran = bench.run(&words);
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.stdout, ran.stderr);
    for (name, wrong, parts) in cases {
        for part in parts.iter().chain([&name]) {
            assert!(ran.stderr.contains(part), "{name}: `{part}` is not said\n{}", ran.stderr);
        }
        let source = wrong.lines().last().unwrap();
        assert!(ran.stderr.contains(source), "{name}: the source is not shown\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("stack backtrace") && !ran.stderr.contains("rust_begin_unwind"), "{}", ran.stderr);
    let good = bench.outputs("executed/good.ipynb");
    assert!(good[1].contains("1 row") && good[2].contains("true"), "the good one has run: {good:?}");
    assert!(left_behind(&bench).is_empty());
}

#[test]
fn an_interrupt_ends_a_run_and_a_question_and_keeps_variables() {
    let Some(python) = environment() else { return };
    let bench = Bench::new();
    let said = script(&python, "interrupt.py", &[bench.folder().to_str().unwrap()]);
    let text = |name: &str| said[name].as_str().unwrap();
    assert!(text("ended").contains("interrupted"), "{said}");
    assert!(text("question").contains("interrupted before there was an answer"), "{said}");
    assert!(text("early").contains("interrupted"), "{said}");
    // The variables are there, that of the run too, with what it has measured.
    let after: Vec<&str> = text("after").split_whitespace().collect();
    assert!(matches!(after[..], ["7", "true", blocks] if blocks != "0"), "{said}");
}

#[test]
fn a_cell_without_end_is_ended_and_its_run_is_kept() {
    if environment().is_none() {
        return;
    }
    let bench = Bench::new();
    let endless = "let run: Run = lab.run(&Plan::quick(\"matmul\").param(\"m\", [32]).devices([\"flex\"]).blocks(100000000).replicates(1))?;";
    let ran = run(
        &bench,
        "endless.ipynb",
        vec![cell("let lab: Lab = Lab::open(\"results\")?;"), cell(endless)],
        &["--timeout", "30s"],
    );
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("30"), "the limit is named: {}", ran.stderr);
    assert_eq!(left_behind(&bench), Vec::<String>::new(), "workers end with their notebook");
    let states = bench.ok(&["store", "ls"]);
    assert!(states.contains("interrupted"), "{states}");
    let outputs = ok(&bench, "next.ipynb", vec![cell("let lab: Lab = Lab::open(\"results\")?;")]);
    assert!(outputs[0].contains("was interrupted after") && outputs[0].contains("block"), "{outputs:?}");
}

#[test]
fn a_kernel_of_ones_own_is_checked_and_its_name_is_no_markup() {
    if environment().is_none() {
        return;
    }
    let bench = Bench::new();
    let plan = "lab.run_here(&Plan::quick(\"matmul\").param(\"m\", [32]).devices([\"flex\"]).blocks(5))?";
    let outputs = ok(
        &bench,
        "own.ipynb",
        vec![
            cell("let mut lab: Lab = Lab::open(\"results\")?;"),
            cell(
                "lab.add(matmul::custom(\"<script>alert(1)</script>\", |a: &Tensor<2>, b: &Tensor<2>| a.clone().matmul(b.clone())));",
            ),
            cell(
                "lab.add(matmul::custom(\"wrong\", |a: &Tensor<2>, b: &Tensor<2>| a.clone().matmul(b.clone()).mul_scalar(1.01)));",
            ),
            cell("lab.add(matmul::custom(\"panics\", |_a: &Tensor<2>, _b: &Tensor<2>| panic!(\"on purpose\")));"),
            showing("summary", plan),
            showing("table", "lab.compare(\"latest\", \"burn\")?"),
            showing(
                "table",
                "lab.sql(\"select implementation, isolation, count(*) filter (where valid) as valid from results group by 1, 2 order by 1\")?",
            ),
            showing(
                "table",
                "lab.sql(\"select t.implementation, o.status, o.stop_reason from outcomes o join trials t using (run_id, trial) order by 1\")?",
            ),
            showing("figure", "lab.speedup(\"latest\", \"burn\")?"),
        ],
    );
    assert!(outputs[5].contains("alert(1)"), "{}", outputs[5]);
    let of_wrong: Vec<&str> = outputs[5].lines().filter(|line| line.contains("wrong/")).collect();
    assert!(of_wrong.iter().all(|line| !line.contains('×')), "a wrong kernel has no speedup: {}", outputs[5]);
    assert!(of_wrong.iter().any(|line| line.contains("is missing")), "and is not left out in silence: {}", outputs[5]);
    assert!(outputs[6].contains("in_process"), "{}", outputs[6]);
    assert!(outputs[7].contains("on purpose"), "a panic of a kernel is a failed trial: {}", outputs[7]);
    let html = fs::read_to_string(bench.folder().join("pages/own.html")).unwrap();
    assert!(!html.contains("<script>alert(1)"), "a name became markup");
    assert!(html.contains("&lt;script&gt;alert(1)"), "the name is shown as it is");
    assert!(html.contains("within one process"), "what the interval is over stands on the page, however wide the text");
}

#[test]
fn a_kernel_without_its_snapshot_refuses_with_a_message() {
    let Some(python) = environment() else { return };
    let bench = Bench::new();
    let spec = python.parent().unwrap().parent().unwrap().join("share/jupyter/kernels/benchbook");
    let broken = bench.folder().join("jupyter/kernels/broken");
    fs::create_dir_all(&broken).unwrap();
    for file in fs::read_dir(&spec).unwrap().flatten() {
        fs::copy(file.path(), broken.join(file.file_name())).unwrap();
    }
    let text = fs::read_to_string(broken.join("kernel.json")).unwrap();
    let mut kernel: Value = serde_json::from_str(&text).unwrap();
    kernel["env"]["BENCHBOOK_SNAPSHOT"] = bench.folder().join("gone").to_str().unwrap().into();
    fs::write(broken.join("kernel.json"), kernel.to_string()).unwrap();
    bench.notebook("any.ipynb", vec![cell("println!(\"1\");")]);
    let mut command = bench.command(&["notebook", "run", "any.ipynb", "--kernel", "broken"]);
    let output = command.env("JUPYTER_PATH", bench.folder().join("jupyter")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("gone") && said.contains("cargo xtask lab"), "{said}");
    assert!(left_behind(&bench).is_empty());
}

#[test]
fn a_kernel_answers_though_peers_come_and_go() {
    let Some(python) = environment() else { return };
    let bench = Bench::new();
    let said = script(&python, "peers.py", &[bench.folder().to_str().unwrap()]);
    assert_eq!(said["answered"], said["peers"], "{said}");
    assert!(said["peers"].as_u64().unwrap() > 0);
}
