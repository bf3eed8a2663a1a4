//! `benchbook notebook run`, end to end, with the Python kernel of the project's environment in place of ours: what is tried
//! here is the running of notebooks, which is the same for every kernel.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use benchbook_tests::{Bench, Ran, python_with};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// Time between two looks, so that looking takes no core from what is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Turns the injected Rust line into Python, so that the values really arrive.
const READS_RUST: &str = "\
import re
def python(lines):
    turn = lambda line: re.sub(r'^let (?:mut )?(\\w+): [^=]+ = (.*);$', r'\\1 = \\2', line.rstrip())
    return [turn(line).replace('true', 'True').replace('false', 'False') + '\\n' for line in lines]
get_ipython().input_transformers_cleanup.append(python)";

/// Says whose it is, in a session of its own, and stays.
const STAYS: &str = "\
import subprocess
subprocess.Popen(['sleep', '600'], start_new_session=True)
subprocess.Popen(['sleep', '600'])";

/// A folder with notebooks, and the Python that runs them.
struct Desk {
    bench: Bench,
    python: PathBuf,
}

/// A desk with the project's Python; without it the test is skipped, but not in CI.
fn desk() -> Option<Desk> {
    Some(Desk { bench: Bench::new(), python: python_with("ipykernel, nbclient, nbconvert")? })
}

fn code(source: &str) -> Value {
    json!({ "cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": source })
}

fn tagged(tag: &str, source: &str) -> Value {
    let mut cell = code(source);
    cell["metadata"]["tags"] = json!([tag]);
    cell
}

fn showing(what: &[&str], html: &str) -> Value {
    let mut cell = code(&format!("from IPython.display import HTML\nHTML({html:?})"));
    cell["metadata"]["benchbook"] = json!({ "shows": what });
    cell
}

/// A parameters cell that is a text for Python and declarations for the program.
fn parameters() -> [Value; 2] {
    let declared = "\"\"\"\nlet quick: bool = false;\nlet mut seed: u64 = 7;\nlet device = \"flex\";\n\"\"\";";
    [code(READS_RUST), tagged("parameters", declared)]
}

impl Desk {
    fn notebook(&self, name: &str, mut cells: Vec<Value>) -> &Self {
        for (number, cell) in cells.iter_mut().enumerate() {
            cell["id"] = format!("cell-{number}").into();
        }
        let notebook = json!({ "cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5 });
        self.file(name, &notebook.to_string())
    }

    fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("writable");
        fs::write(path, text).expect("writable");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.folder().join(name)
    }

    /// `benchbook notebook run` on the Python kernel, with a sign that all its processes inherit.
    fn command(&self, sign: &str, words: &[&str]) -> Command {
        let kernel: &[&str] = if words.contains(&"--kernel") { &[] } else { &["--kernel", "python3"] };
        let mut command = self.bench.command(&[&["notebook", "run"], words, kernel].concat());
        command.env("BENCHBOOK_PYTHON", &self.python).env("BENCHBOOK_TEST_SIGN", sign);
        command.env("IPYTHONDIR", self.path("ipython")).env_remove("JUPYTER_PATH");
        command
    }

    /// Runs it to its end, after which nothing of it may be left.
    fn run(&self, words: &[&str]) -> Ran {
        let sign = self.sign();
        let output = self.command(&sign, words).output().expect("benchbook starts");
        let left = signed(&sign);
        assert!(left.is_empty(), "left running: {left:?}");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    fn passes(&self, words: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(0), "{words:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    fn fails(&self, words: &[&str], parts: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(4), "{words:?}\n{}\n{}", ran.stdout, ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "{words:?} does not say `{part}`:\n{}", ran.stderr);
        }
        // Python's own has a colon, the one of a cell has none.
        let of_ours = ["panicked at", "Traceback (most recent call last):"];
        assert!(!of_ours.iter().any(|words| ran.stderr.contains(words)), "{}", ran.stderr);
        ran
    }

    /// A word that no other test has.
    fn sign(&self) -> String {
        self.bench.folder().file_name().expect("a name").to_string_lossy().into_owned()
    }

    /// The texts that an executed copy's code cells wrote.
    fn written(&self, copy: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(copy)).expect("an executed copy");
        let notebook: Value = serde_json::from_str(&text).expect("JSON");
        let cells = notebook["cells"].as_array().expect("cells").clone();
        let outputs = |cell: &Value| cell["outputs"].as_array().cloned().unwrap_or_default();
        let text = |output: &Value| match &output["text"] {
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<String>(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        cells.iter().map(|cell| outputs(cell).iter().map(text).collect()).collect()
    }
}

/// Command lines of live processes with this sign in their environment.
fn signed(sign: &str) -> Vec<String> {
    let entry = format!("BENCHBOOK_TEST_SIGN={sign}");
    let processes = fs::read_dir("/proc").expect("Linux").flatten().map(|entry| entry.path());
    let has = |folder: &PathBuf| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
    };
    let line = |folder: PathBuf| fs::read_to_string(folder.join("cmdline")).unwrap_or_default().replace('\0', " ");
    processes.filter(has).map(line).collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} did not happen within 60 s");
        std::thread::sleep(LOOK);
    }
}

#[test]
fn good_notebooks_pass_and_leave_pages_and_copies() {
    let Some(desk) = desk() else { return };
    desk.notebook("one.ipynb", vec![code("print('hello')"), code("1 + 1")]);
    desk.notebook("deep/two.ipynb", vec![code("import os\nprint(os.path.basename(os.getcwd()))")]);
    desk.file("out/one.html", "an older page");
    let ran = desk.passes(&["one.ipynb", "deep/two.ipynb", "one.ipynb", "--html", "out", "--executed", "copies"]);
    for part in ["one.ipynb: cell 1 of 2", "one.ipynb: cell 2 of 2", "1 + 1", "deep/two.ipynb: passed, 1 cell"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    for part in ["passed", "2 of 2", "out/one.html", "copies/two.ipynb", "2 rows"] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert_eq!(desk.written("copies/one.ipynb"), ["hello\n", ""]);
    assert_eq!(desk.written("copies/two.ipynb"), ["deep\n"], "a notebook runs in its own folder");
    assert!(fs::read_to_string(desk.path("out/one.html")).expect("a page").contains("hello"));
    let source = fs::read_to_string(desk.path("one.ipynb")).expect("the notebook");
    assert!(!source.contains("hello\\n"), "the notebook itself keeps no output");
}

#[test]
fn a_byte_order_mark_hides_no_notebook() {
    let Some(desk) = desk() else { return };
    desk.notebook("marked.ipynb", vec![code("print('read')")]);
    let text = fs::read_to_string(desk.path("marked.ipynb")).expect("the notebook");
    desk.file("marked.ipynb", &format!("\u{feff}{text}"));
    desk.passes(&["marked.ipynb", "--executed", "copies"]);
    assert_eq!(desk.written("copies/marked.ipynb"), ["read\n"]);
}

#[test]
fn a_page_begins_with_date_machine_and_contents() {
    let Some(desk) = desk() else { return };
    let prose = "# Title\n\n## First part\n\n## `Second` part\n";
    let prose = json!({ "cell_type": "markdown", "metadata": {}, "source": prose });
    desk.notebook("parts.ipynb", vec![prose, code("1")]).passes(&["parts.ipynb", "--html", "out"]);
    let page = fs::read_to_string(desk.path("out/parts.html")).expect("a page");
    let (begin, _) = page.split_once("<h1").expect("the title");
    let (_, begin) = begin.split_once("<main>").expect("the page");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").expect("Linux");
    for part in [" CPUs · Linux ", kernel.trim(), ">First part</a>", ">Second part</a>"] {
        assert!(begin.contains(part), "{part}: {begin}");
    }
    let links: Vec<&str> = begin.split("<a href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links.len(), 2);
    assert!(links.iter().all(|id| page.contains(&format!("<h2 id=\"{id}\""))), "{links:?}");
}

#[test]
fn a_failed_cell_is_shown_with_its_source_and_the_others_still_run() {
    let Some(desk) = desk() else { return };
    let failing = "x = 1\nraise ValueError('so it goes')";
    desk.notebook("a.ipynb", vec![code("print('before')"), code(failing), code("print('after')")]);
    desk.notebook("b.ipynb", vec![code("2")]);
    desk.file("c.ipynb", "{\"cells\": [").file("d.ipynb", "{\"nbformat\": 3}");
    let words = ["a.ipynb", "b.ipynb", "c.ipynb", "d.ipynb", "absent.ipynb", "out.d", "--html", "out"];
    fs::create_dir(desk.path("out.d")).expect("writable");
    let ran = desk.fails(
        &words,
        &[
            "a.ipynb: failed, an error in cell 2 of 3, In [2]",
            "     2 | raise ValueError('so it goes')",
            "ValueError: so it goes",
            "b.ipynb: passed",
            "c.ipynb: failed, it cannot be run\n    no notebook that can be run: it is not JSON",
            "format 3",
            "absent.ipynb: No such file",
        ],
    );
    assert!(!ran.stderr.contains('\u{1b}'), "no colours in a log");
    assert!(ran.stdout.contains("1 of 3") && ran.stdout.contains("6 rows"), "{}", ran.stdout);
    assert!(fs::read_to_string(desk.path("out/a.html")).expect("a page also of a failure").contains("so it goes"));
    let ran = desk.run(&["a.ipynb", "b.ipynb", "--format", "json"]);
    let rows: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        (&rows[0]["failure"], &rows[0]["failed_cell"], &rows[0]["cells"]),
        (&json!("error"), &json!(2), &json!(3))
    );
    assert_eq!(
        (&rows[1]["result"], &rows[1]["failure"], &rows[1]["cells_done"]),
        (&json!("passed"), &json!(null), &json!(1))
    );
}

#[test]
fn an_endless_cell_and_endless_output_are_ended() {
    let Some(desk) = desk() else { return };
    desk.notebook("loops.ipynb", vec![code(STAYS), code("while True: pass")]);
    desk.notebook("sleeps.ipynb", vec![code("import time\ntime.sleep(10000)")]);
    desk.notebook("writes.ipynb", vec![code("for i in range(100_000): print('x' * 1000)")]);
    desk.notebook("good.ipynb", vec![code("3")]);
    let files = ["loops.ipynb", "sleeps.ipynb", "writes.ipynb", "good.ipynb"];
    let words = [&files[..], &["--jobs", "2", "--timeout", "5s", "--max-output", "2MB"]].concat();
    let ran = desk.fails(
        &words,
        &[
            "loops.ipynb: failed, out of time in cell 2 of 2",
            "did not end within 5 s",
            "sleeps.ipynb: failed, out of time",
            "writes.ipynb: failed, too much output in cell 1 of 1",
            "good.ipynb: passed",
        ],
    );
    assert!(ran.stderr.len() < 20_000, "the report is short: {}", ran.stderr.len());
}

#[test]
fn a_kernel_that_dies_and_one_that_is_absent() {
    let Some(desk) = desk() else { return };
    desk.notebook("dies.ipynb", vec![code(STAYS), code("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")]);
    // The process that runs the notebook is the kernel's parent.
    desk.notebook("orphan.ipynb", vec![code(STAYS), code("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)")]);
    desk.notebook("good.ipynb", vec![code("3")]);
    let dies = ["dies.ipynb: failed, the kernel died in cell 2 of 2", "orphan.ipynb: failed, the runner failed"];
    desk.fails(&["dies.ipynb", "orphan.ipynb", "good.ipynb"], &[&dies[..], &["good.ipynb: passed"]].concat());
    desk.fails(&["good.ipynb", "--kernel", "no-such-kernel"], &["no-such-kernel", "benchbook kernel install"]);
}

#[test]
fn parameters_arrive_and_wrong_ones_are_explained() {
    let Some(desk) = desk() else { return };
    let [reads, declared] = parameters();
    desk.notebook("p.ipynb", vec![reads, declared, code("print(quick, seed, device)")]);
    desk.notebook("plain.ipynb", vec![code("print('plain')")]);
    let given = ["--param", "seed=11", "--param", "device=a \"b\" \\ c", "--executed", "out"];
    desk.passes(&[&["p.ipynb", "--quick"], &given[..]].concat());
    assert_eq!(desk.written("out/p.ipynb").last().expect("cells"), "True 11 a \"b\" \\ c\n");
    desk.passes(&["plain.ipynb", "--quick"]);
    desk.fails(&["p.ipynb", "--param", "sed=11"], &["no parameter `sed`, did you mean `seed`?", "quick, seed, device"]);
    desk.fails(&["p.ipynb", "--param", "seed=-1"], &["`seed` is `u64`", "cell 2, line 3", "whole number"]);
    desk.fails(
        &["plain.ipynb", "p.ipynb", "--param", "seed=1", "--param", "device=x", "--quick"],
        &["plain.ipynb: failed", "no cell with the tag `parameters`", "p.ipynb: passed"],
    );
}

#[test]
fn a_check_fails_where_less_is_shown_than_declared() {
    let Some(desk) = desk() else { return };
    let table = "<div class=\"benchbook-table\"><table></table></div>";
    desk.notebook("kept.ipynb", vec![showing(&["table", "table"], &table.repeat(2)), code("1")]);
    desk.notebook("broken.ipynb", vec![code("1"), showing(&["figure", "table"], table)]);
    desk.passes(&["kept.ipynb", "--check"]);
    desk.passes(&["broken.ipynb"]);
    let told = ["broken.ipynb: failed, it does not show what it declares", "cell 2: it declares 1 figure and shows 0"];
    desk.fails(&["kept.ipynb", "broken.ipynb", "--check"], &[&told[..], &["kept.ipynb: passed"]].concat());
}

#[test]
fn several_run_at_once_and_names_do_not_collide() {
    let Some(desk) = desk() else { return };
    // Each waits for the other: alone, neither would come to its end.
    let meets = |own: &str, other: &str| {
        code(&format!(
            "import pathlib, time\npathlib.Path('../{own}').touch()\nwhile not pathlib.Path('../{other}').exists(): time.sleep(0.05)"
        ))
    };
    desk.notebook("a/same name <script>.ipynb", vec![meets("one", "two"), code("print('text of a')")]);
    desk.notebook("b/same name <script>.ipynb", vec![meets("two", "one"), code("print('text of b')")]);
    let files = ["a/same name <script>.ipynb", "b/same name <script>.ipynb"];
    let ran = desk.passes(&[&files[..], &["--jobs", "2", "--html", "out"]].concat());
    assert!(ran.stderr.contains("disturb each other's measurements"), "{}", ran.stderr);
    for (name, text, other) in [("a", "text of a", "text of b"), ("b", "text of b", "text of a")] {
        let page = fs::read_to_string(desk.path(&format!("out/{name}-same name <script>.html"))).expect("a page");
        assert!(page.contains(text) && !page.contains(other), "{name}");
        assert!(!page.contains("<script>.ipynb") && !page.contains("name <script>"), "names are escaped");
    }
    desk.fails(&["a/same name <script>.ipynb", "--executed", "a"], &["would overwrite", "--executed"]);
}

#[test]
fn ctrl_c_and_a_kill_leave_nothing_behind() {
    let Some(desk) = desk() else { return };
    desk.notebook("loops.ipynb", vec![code(STAYS), code("while True: pass")]);
    desk.notebook("next.ipynb", vec![code("3")]);
    let start = |sign: &str| -> Child {
        let child = desk.command(sign, &["loops.ipynb", "next.ipynb"]).spawn().expect("benchbook starts");
        // Both that stay are there: the loop is next.
        wait_until("the cell", || signed(sign).iter().filter(|line| line.starts_with("sleep")).count() == 2);
        child
    };
    let end = |child: &Child, signal| kill(Pid::from_raw(child.id().cast_signed()), signal).expect("it lives");

    let interrupted = start("interrupted");
    end(&interrupted, Signal::SIGINT);
    let output = interrupted.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(4));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("loops.ipynb: failed, interrupted") && told.contains("next.ipynb: failed, interrupted"),
        "{told}"
    );
    assert_eq!(signed("interrupted"), Vec::<String>::new());

    let mut killed = start("killed");
    end(&killed, Signal::SIGKILL);
    killed.wait().expect("it ends");
    // Nobody is left to look for what moved into a session of its own, but the kernel and all of its session go.
    wait_until("the kernel's end", || signed("killed").iter().all(|line| line.starts_with("sleep")));
    for line in fs::read_dir("/proc").expect("Linux").flatten() {
        let environment = fs::read(line.path().join("environ")).unwrap_or_default();
        let id = line.file_name().to_str().and_then(|name| name.parse().ok());
        if let (Some(id), true) = (id, String::from_utf8_lossy(&environment).contains("BENCHBOOK_TEST_SIGN=killed")) {
            kill(Pid::from_raw(id), Signal::SIGKILL).expect("it sleeps");
        }
    }
}

#[test]
fn without_python_and_with_bad_options_nothing_is_run() {
    let bench = Bench::new();
    let run = |words: &[&str]| {
        let mut command = bench.command(&[&["notebook", "run"], words].concat());
        for name in ["BENCHBOOK_PYTHON", "BENCHBOOK_VENV", "VIRTUAL_ENV", "CONDA_PREFIX"] {
            command.env_remove(name);
        }
        let output = command.output().expect("benchbook starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let cases: [(&[&str], &str); 7] = [
        (&["x.ipynb"], "cargo xtask setup"),
        (&[], "FILE"),
        (&["x.ipynb", "--jobs", "0"], "--jobs"),
        (&["x.ipynb", "--timeout", "0s"], "--timeout"),
        (&["x.ipynb", "--timeout", "soon"], "write 30s"),
        (&["x.ipynb", "--max-output", "much"], "write a size"),
        (&["x.ipynb", "--param", "seed"], "NAME=VALUE"),
    ];
    for (words, part) in cases {
        let (code, told) = run(words);
        assert!(code == Some(4) && told.contains(part), "{words:?}: {code:?} {told}");
    }
}

#[test]
fn sql_in_another_kernel_is_explained() {
    let Some(desk) = desk() else { return };
    let magic = "from IPython.core.magic import register_cell_magic\n\
        @register_cell_magic\ndef sql(line, cell):\n    raise ValueError('of another kernel')";
    desk.notebook("sql.ipynb", vec![code(magic), code("%%sql\nselect 1")]);
    desk.fails(&["sql.ipynb"], &["need the kernel Rust (benchbook)", "of another kernel"]);
}

#[test]
fn the_kernels_doctor_and_install_say_what_is_missing() {
    let bench = Bench::new();
    let empty = bench.folder().join("empty");
    fs::create_dir(&empty).expect("writable");
    let run = |words: &[&str]| {
        let mut command = bench.command(words);
        command.env("PATH", &empty).env("HOME", &empty).env("BENCHBOOK_VENV", &empty);
        for name in ["BENCHBOOK_PYTHON", "CONDA_PREFIX", "JUPYTER_PATH", "JUPYTER_DATA_DIR", "XDG_DATA_HOME"] {
            command.env_remove(name);
        }
        let output = command.output().expect("benchbook starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, told, _) = run(&["kernel", "doctor", "--snapshot", "empty"]);
    assert_eq!(code, Some(4), "{told}");
    for part in [
        "problem  snapshot: ",
        "cargo xtask lab",
        "problem  toolchain: ",
        "problem  linker: ",
        "problem  python: ",
        "cargo xtask setup",
        "benchbook kernel install",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (code, told, _) = run(&["kernel", "doctor", "--snapshot", "empty", "--format", "json"]);
    assert_eq!(code, Some(4));
    let rows: Value = serde_json::from_str(&told).expect("JSON");
    assert!(rows.as_array().is_some_and(|rows| rows.len() == 5), "{rows}");
    let (code, _, told) = run(&["kernel", "install", "--snapshot", "empty"]);
    assert!(code == Some(4) && told.contains("no snapshot") && told.contains("cargo xtask lab"), "{told}");
}
