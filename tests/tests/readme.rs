//! Every command and every block of README.md runs, in the order in which a reader meets them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use benchbook_tests::{Bench, Block, blocks, cell, commands, environment, program};
use tempfile::TempDir;

/// Commands that are not run here, and who runs them.
const ELSEWHERE: [(&str, &str); 9] = [
    ("cargo xtask demo", "a person, on a new machine: it takes most of an hour"),
    ("cargo xtask test", "CI: it runs this test"),
    ("cargo xtask lab", "a person: it opens a browser, what it opens is tried in notebook_cli.rs"),
    ("benchbook notebook run notebooks", "notebooks.rs"),
    ("benchbook list devices --python", "python_engines.rs: it needs a Python"),
    ("benchbook run attention --quick --python", "python_engines.rs: it needs a Python with torch"),
    ("benchbook run datasets/engines.toml", "python_engines.rs: it needs a Python with torch"),
    ("benchbook worker check", "foreign.rs: it needs a Python with numpy"),
    ("benchbook run matmul --quick --worker", "foreign.rs: it needs a Python with numpy"),
];

/// Commands whose answer depends on the machine, and the codes that they may end with.
const CODES: [(&str, &[i32]); 2] = [("benchbook doctor", &[0, 4]), ("benchbook gate", &[0, 1])];

/// The program with less to do: measurements as printed, on one device, with few blocks, in little time.
const SHORTER: &str = r#"#!/bin/sh
case "$*" in
    "run "*--time*) exec "$PROGRAM" "$@" --device flex --blocks 5 ;;
    *--half-width*) exec "$PROGRAM" "$@" --device flex --blocks 5 --most-replicates 8 --time 8s ;;
    "run "*) exec "$PROGRAM" "$@" --device flex --blocks 5 --time 8s ;;
    "gate "*) exec "$PROGRAM" "$@" --device flex --implementation naive,fused --time 15s ;;
    calibrate) exec "$PROGRAM" "$@" --time 4s ;;
    *) exec "$PROGRAM" "$@" ;;
esac
"#;

/// What a reader has: a repository with two revisions of a worker, the committed stores, and the program on the path.
struct Scratch {
    bench: Bench,
    cache: TempDir,
}

impl Scratch {
    fn new() -> Self {
        let scratch = Self { bench: Bench::new(), cache: TempDir::new().unwrap() };
        scratch.write("bin/benchbook", SHORTER);
        fs::set_permissions(scratch.at("bin/benchbook"), fs::Permissions::from_mode(0o755)).unwrap();
        scratch.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"worker\"]\n");
        let package = "[package]\nname = \"benchbook-worker\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        scratch.write("worker/Cargo.toml", package);
        let worker = program("benchbook-worker");
        let main = format!(
            "use std::os::unix::process::CommandExt;\nfn main() {{\n    let words = std::env::args().skip(1);\n    \
             panic!(\"{{}}\", std::process::Command::new({worker:?}).args(words).exec());\n}}\n"
        );
        scratch.write("worker/src/main.rs", &main);
        scratch.write(".gitignore", "/*\n!/worker\n!/Cargo.toml\n!/.gitignore\ntarget\n");
        let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
        let git = "git -c user.name=test -c user.email=test@example.org -c commit.gpgsign=false";
        let stores = ["demo", "matrix"].map(|store| format!("'{}/{store}'", datasets.display())).join(" ");
        scratch.ok(&format!("mkdir datasets && cp -r {stores} datasets"));
        scratch.ok(&format!("git init --quiet && git add . && {git} commit --quiet -m before"));
        scratch.write("worker/src/main.rs", &format!("{main}// Another revision.\n"));
        scratch.ok(&format!("git add . && {git} commit --quiet -m after"));
        scratch
    }

    fn at(&self, name: &str) -> PathBuf {
        self.bench.folder().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs a line in the scratch folder; gives what it printed.
    fn ok(&self, line: &str) -> String {
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(self.bench.folder()).stdin(Stdio::null());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.at("bin").display())).env("PROGRAM", program("benchbook"));
        command.env("BENCHBOOK_WORKER", program("benchbook-worker")).env("BENCHBOOK_GATE_CACHE", self.cache.path());
        command.env("BENCHBOOK_KEEP_DISTURBED", "1").env_remove("BENCHBOOK_STORE").env_remove("CARGO_TARGET_DIR");
        let output = command.output().unwrap();
        let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let fine = CODES.iter().find(|(start, _)| line.starts_with(start)).map_or(&[0][..], |(_, codes)| *codes);
        assert!(output.status.code().is_some_and(|code| fine.contains(&code)), "{line}\n{shown}\n{said}");
        shown.into_owned()
    }

    /// Runs a block of Python that prints the cases of the committed store.
    fn python(&self, text: &str) {
        let Some(python) = environment() else { return };
        let mut command = Command::new(&python);
        command.args(["-c", text]).current_dir(self.bench.folder()).env("PYTHONIOENCODING", "utf-8");
        let output = command.output().unwrap();
        let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && shown.contains("128³"), "{text}\n{shown}\n{said}");
    }

    /// Runs lines of Rust as the cells of a notebook.
    fn cells(&self, text: &str) {
        if environment().is_none() {
            return;
        }
        fs::create_dir_all(self.at("notebooks")).unwrap();
        self.bench.notebook("notebooks/readme.ipynb", text.lines().map(cell).collect());
        let words = ["--executed", "executed", "--html", "pages", "--check"];
        self.bench.ok(&[&["notebook", "run", "notebooks/readme.ipynb"][..], &words].concat());
    }
}

/// Fails where a line of the page stands in no line of what a command printed, however wide its columns are.
fn stands_in(text: &str, shown: &str) {
    for line in text.lines() {
        let frame = |c: char| c.is_whitespace() || "│┌┐└┘─╞╡═".contains(c);
        let words: Vec<&str> = line.split(frame).filter(|word| !word.is_empty()).collect();
        let found = shown.lines().any(|shown| words.iter().all(|word| shown.contains(word)));
        assert!(found, "README.md shows what the command before does not print: {line}\n{shown}");
    }
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap()
}

#[test]
fn every_command_and_block_runs_in_order() {
    let (page, scratch) = (readme(), Scratch::new());
    let mut shown = String::new();
    let mut left_out = Vec::new();
    for Block { language, text } in blocks(&page).0 {
        match language {
            "sh" => {
                for command in commands(&text) {
                    match ELSEWHERE.iter().find(|(start, _)| command.starts_with(start)) {
                        Some((start, _)) => left_out.push(*start),
                        None => shown = scratch.ok(&command),
                    }
                }
            }
            "text" => stands_in(&text, &shown),
            "python" => scratch.python(&text),
            "rust" => scratch.cells(&text),
            other => panic!("README.md has a block of `{other}`, which nothing runs"),
        }
    }
    assert_eq!(left_out, ELSEWHERE.map(|(start, _)| start), "each exception is needed");
}

#[test]
fn every_command_within_a_sentence_exists() {
    let (page, scratch) = (readme(), Scratch::new());
    let (_, prose) = blocks(&page);
    let spans: Vec<&str> = prose.split('`').skip(1).step_by(2).filter(|span| span.starts_with("benchbook ")).collect();
    assert!(spans.len() > 5, "{spans:?}");
    for span in spans {
        scratch.ok(&format!("{span} --help"));
    }
}

#[test]
fn blocks_and_commands_are_taken_apart() {
    let (found, prose) = blocks("a\n```sh\nb \"c\n  d\" # e\n\nf\n```\ng `h`\n```text\n i\n```\n");
    assert_eq!(prose, "a\ng `h`\n");
    assert_eq!(found.iter().map(|block| block.language).collect::<Vec<_>>(), ["sh", "text"]);
    assert_eq!(commands(&found[0].text), ["b \"c\n  d\" # e", "f"]);
    stands_in(&found[1].text, "x i y\n");
}
