//! The page about what people bring themselves: every block of it runs as it stands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use benchbook_tests::{Bench, Block, blocks, cell, commands, environment, program, python_with, repository};

/// Where the page lies, and the files that it shows.
const FOLDER: &str = "crates/engines/python/examples";

/// The program with less to do: few blocks in one process on one thread.
const SHORTER: &str = "#!/bin/sh
case \"$1\" in
    run) exec \"$PROGRAM\" \"$@\" --replicates 1 --blocks 2 --threads 1 ;;
    *) exec \"$PROGRAM\" \"$@\" ;;
esac
";

/// The example that speaks the wire by itself: what it needs of Python, and its lines at most.
const SPEAKER: &str = "copy_worker.py";
const STANDARD: [&str; 7] = ["itertools", "json", "math", "os", "struct", "sys", "time"];
const MOST_LINES: usize = 100;

fn page() -> String {
    fs::read_to_string(repository().join(FOLDER).join("README.md")).expect("the page")
}

/// The blocks in this language.
fn in_language(page: &str, language: &str) -> Vec<String> {
    blocks(page).0.into_iter().filter(|block| block.language == language).map(|block| block.text).collect()
}

#[test]
fn the_page_shows_its_files_as_they_are() {
    let page = page();
    let shown = in_language(&page, "python");
    let files = ["my_engine.py", "my_module.py", SPEAKER];
    assert_eq!(shown.len(), files.len());
    for (text, name) in shown.iter().zip(files) {
        let file = fs::read_to_string(repository().join(FOLDER).join(name)).unwrap();
        assert_eq!(*text, file, "{name} is another one than on the page");
        assert!(page.contains(&format!("[`{name}`]({name})")), "{name} is linked");
    }
    for Block { language, .. } in blocks(&page).0 {
        assert!(["python", "rust", "sh"].contains(&language), "nothing runs a block of `{language}`");
    }
}

#[test]
fn the_wire_takes_a_hundred_lines_and_the_standard_library() {
    let text = fs::read_to_string(repository().join(FOLDER).join(SPEAKER)).unwrap();
    assert!(text.lines().count() <= MOST_LINES, "{} lines", text.lines().count());
    let imports = text.lines().filter_map(|line| line.strip_prefix("import ").or_else(|| line.strip_prefix("from ")));
    assert_eq!(imports.collect::<Vec<&str>>(), STANDARD);
}

#[test]
fn the_cells_of_the_page_run() {
    if environment().is_none() {
        return;
    }
    let (bench, page) = (Bench::new(), page());
    fs::create_dir_all(bench.folder().join("notebooks")).unwrap();
    let cells: Vec<_> = in_language(&page, "rust").iter().flat_map(|text| text.split("\n\n").map(cell)).collect();
    assert!(cells.len() > 2, "{cells:?}");
    bench.notebook("notebooks/own.ipynb", cells);
    let words = ["notebook", "run", "notebooks/own.ipynb", "--executed", "executed", "--html", "pages", "--check"];
    bench.ok(&words);
    let rows = bench.sql(
        "select distinct o.status from outcomes o join trials t on t.run_id = o.run_id and t.trial = o.trial \
         where t.implementation = 'late-scale'",
    );
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["status"], "ok", "{rows:?}");
}

#[test]
fn the_commands_of_the_page_measure_what_they_name() {
    let Some(python) = python_with("torch, numpy") else { return };
    let (bench, page) = (Bench::new(), page());
    // A reader has installed the package, stands in the repository, and has both programs on the path.
    let tools = bench.folder().join("bin");
    fs::create_dir_all(&tools).unwrap();
    let package = repository().join("crates/engines/python");
    let start = format!("#!/bin/sh\nPYTHONPATH='{}' exec '{}' -B \"$@\"\n", package.display(), python.display());
    for (name, text) in [("benchbook", SHORTER), ("python", start.as_str())] {
        fs::write(tools.join(name), text).unwrap();
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let lines: Vec<String> = in_language(&page, "sh").iter().flat_map(|text| commands(text)).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in &lines {
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(repository()).stdin(Stdio::null()).env("PATH", &path);
        command.env("PROGRAM", program("benchbook")).env("BENCHBOOK_WORKER", program("benchbook-worker"));
        command.env("BENCHBOOK_STORE", bench.store()).env("BENCHBOOK_KEEP_DISTURBED", "1");
        command.env("XDG_CACHE_HOME", bench.folder().join("cache"));
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{line}\n{}", said.concat());
    }
    let rows = bench.sql(
        "select distinct t.device, o.status, o.stop_reason from outcomes o \
         join trials t on t.run_id = o.run_id and t.trial = o.trial order by 1",
    );
    let told: Vec<String> = rows.iter().map(|row| format!("{} {}", row["device"], row["status"])).collect();
    let right = ["blocks", "bytes", "flex", "mine"].map(|device| format!("\"{device}\" \"ok\""));
    assert_eq!(told, right, "{rows:?}");
}
