//! Rules on the text of the sources; and every piece of unsafe code says why it is right.

use crate::code::code_only;
use crate::sources::{Source, is_test, none, own, sources};

/// The longest file; most have 100 to 300 lines.
const LINES: usize = 500;

/// Reads time elsewhere than in `measure::clock`: the file or folder, and why it may.
const MAY_READ_TIME: [(&str, &str); 11] = [
    ("crates/measure/src/clock.rs", "this is the clock"),
    ("crates/xtask/", "tells how long set-up takes"),
    ("crates/bench/", "times whole processes, and ends when its minutes are over"),
    ("crates/journal/src/run.rs", "dates a run; measures nothing"),
    ("crates/journal/src/writer.rs", "writes the journal out each second"),
    ("crates/record/src/place.rs", "trusts a checksum only of a file that has not changed for a while"),
    ("crates/record/src/repair.rs", "leaves alone a folder that is still being made"),
    ("tests/rivals/", "programs of other tools, with clocks of their own"),
    ("crates/jupyter/front/src/message.rs", "dates messages; measures nothing"),
    ("crates/jupyter/front/src/executor.rs", "tells how long a cell took; measures nothing"),
    ("crates/jupyter/src/run/notebooks.rs", "tells how long a notebook took; measures nothing"),
];

/// Writes to the terminal: the file or folder, and why it may.
const MAY_PRINT: [(&str, &str); 5] = [
    ("crates/xtask/", "speaks to a person"),
    ("crates/bench/", "speaks to a person"),
    ("crates/measure/src/serve.rs", "the last words of the program benchbook-worker"),
    ("crates/jupyter/program/", "says what no client can be told, and its last words"),
    ("tests/", "tests print why they skip, programs of the benchmark print numbers"),
];

/// The program's own way to its standard streams: all else goes through it.
const MAY_HOLD_STREAMS: [(&str, &str); 2] = [
    ("crates/cli/src/people.rs", "holds back what a terminal would obey"),
    ("crates/cli/src/output.rs", "gives programs every byte"),
];
const STREAMS: [&str; 2] = ["stdout()", "stderr()"];

/// Makes verdicts, or adjusts p-values: the file or folder, and why it may. All else reads the views of verdicts.
const MAY_JUDGE: [(&str, &str); 7] = [
    ("crates/stats/", "this is the judge"),
    ("crates/query/src/functions/", "hands it to SQL"),
    ("crates/query/src/verdicts/judged.sql", "asks it, for the views"),
    ("crates/query/src/calibration.rs", "counts how often equal programs are called different"),
    ("queries/sequential.sql", "asks it of two runs, which no view pairs"),
    ("queries/matrix.sql", "adjusts what a view says once more, over many runs"),
    ("queries/health.sql", "adjusts what is no verdict: whether trials drift"),
];
const JUDGING: [&str; 7] = [
    "paired_verdict",
    "sequential_verdict",
    "suite_verdict",
    "paired_summary",
    "unpaired_summary",
    "benjamini_hochberg",
    "q_value(",
];

/// What reads time, and what writes to the terminal.
const TIME: [&str; 5] = ["Instant::now", "SystemTime::now", "clock_gettime", "Utc::now", "Local::now"];
const PRINT: [&str; 5] = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];

fn allowed(path: &str, list: &[(&str, &str)]) -> bool {
    list.iter().any(|(place, _)| path.starts_with(place))
}

/// The lines of `code` with one of `words`, as `path:line: word`.
fn lines_with(path: &str, code: &str, words: &[&str]) -> Vec<String> {
    let hits = |(number, line): (usize, &str)| {
        let word = words.iter().find(|word| stands(line, word))?;
        Some(format!("{path}:{}: {word}", number + 1))
    };
    code.lines().enumerate().filter_map(hits).collect()
}

/// Whether the word stands in the line and is not the end of a longer one.
fn stands(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let before = |at: usize| line[..at].chars().next_back();
    line.match_indices(word).any(|(at, _)| !(word.starts_with(letter) && before(at).is_some_and(letter)))
}

fn time(path: &str, code: &str) -> Vec<String> {
    // Tests wait with a deadline; what they assert of a time comes from a record.
    if is_test(path) || allowed(path, &MAY_READ_TIME) {
        return Vec::new();
    }
    lines_with(path, code, &TIME)
}

fn printing(path: &str, code: &str) -> Vec<String> {
    // A build script speaks to cargo, a test says why it skips.
    if path.ends_with("/build.rs") || is_test(path) || allowed(path, &MAY_PRINT) {
        return Vec::new();
    }
    lines_with(path, code, &PRINT)
}

fn streams(path: &str, code: &str) -> Vec<String> {
    if !path.starts_with("crates/cli/src/") || allowed(path, &MAY_HOLD_STREAMS) {
        return Vec::new();
    }
    // To ask whether somebody looks writes nothing.
    let asked = STREAMS.iter().fold(code.to_owned(), |code, word| code.replace(&format!("{word}.is_terminal()"), ""));
    lines_with(path, &asked, &STREAMS)
}

fn silenced(path: &str, code: &str) -> Vec<String> {
    let squeezed: String = code.lines().map(|line| line.split_whitespace().collect::<String>() + "\n").collect();
    lines_with(path, &squeezed, &["#[allow(", "#![allow(", ",allow(", "#[ignore"])
}

/// A value between the marks of an SQL literal, where a quotation mark in it would end the literal.
fn pasted(path: &str, text: &str) -> Vec<String> {
    let asks = ["query", "report", "cli", "benchbook"].map(|name| format!("crates/{name}/"));
    if is_test(path) || !asks.iter().any(|folder| path.starts_with(folder)) {
        return Vec::new();
    }
    lines_with(path, text, &["= '{", "('{", "distinct \\\"{"])
}

fn judging(path: &str, text: &str) -> Vec<String> {
    if is_test(path) || allowed(path, &MAY_JUDGE) { Vec::new() } else { lines_with(path, text, &JUDGING) }
}

fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > LINES { vec![format!("{path} has {lines} lines, more than {LINES}")] } else { Vec::new() }
}

/// Every breach of one rule in the files under `crates` and `tests`.
fn breaches(rule: fn(&str, &str) -> Vec<String>) -> Vec<String> {
    let all = sources(&["crates", "tests"], &["rs"]);
    all.iter().flat_map(|Source { path, text }| rule(path, &code_only(text))).collect()
}

#[test]
fn git_is_started_in_one_place() {
    // The name of a program is a string, which `code_only` would blank.
    let starts = |one: &Source| lines_with(&one.path, &one.text, &["Command::new(\"git\")"]);
    none(&sources(&["crates", "tests"], &["rs"]).iter().flat_map(starts).collect::<Vec<_>>());
    assert_eq!(lines_with("a.rs", "Command::new(\u{22}git\u{22})", &["Command::new(\"git\")"]).len(), 1);
}

/// Starts, watches or ends a process by itself, outside of tests: the end of `process` would be missing there.
fn processes(path: &str, code: &str) -> Vec<String> {
    let code = own(code);
    if is_test(path) || path.starts_with("tests/") || path.starts_with("crates/process/") {
        return Vec::new();
    }
    lines_with(
        path,
        code,
        &[".spawn()", ".try_wait()", ".wait_with_output()", ".pre_exec(", "process_group(", "killpg("],
    )
}

#[test]
fn processes_are_started_and_ended_in_one_place() {
    none(&breaches(processes));
    let planted = "let child = command.spawn()?;\n\n#[cfg(test)]\nmod tests {\n    let child = command.spawn()?;\n}\n";
    assert_eq!(processes("crates/report/src/picture.rs", planted), ["crates/report/src/picture.rs:1: .spawn()"]);
}

#[test]
fn time_is_read_in_one_place() {
    none(&breaches(time));
}

#[test]
fn libraries_do_not_print() {
    none(&breaches(printing));
}

#[test]
fn the_program_speaks_in_one_place() {
    none(&breaches(streams));
    let cli = "crates/cli/src/commands/run.rs";
    for planted in ["let mut out = std::io::stdout().lock();", "writeln!(io::stderr(), \"x\")"] {
        assert_eq!(streams(cli, planted).len(), 1, "{planted}");
    }
    assert!(streams(cli, "if std::io::stderr().is_terminal() {").is_empty());
}

#[test]
fn nothing_is_silenced_or_ignored() {
    none(&breaches(silenced));
}

#[test]
fn files_are_short() {
    let all = sources(&["crates", "tests", "queries"], &["rs", "py", "sql"]);
    none(&all.iter().flat_map(|source| length(&source.path, &source.text)).collect::<Vec<_>>());
}

#[test]
fn text_in_sql_is_quoted() {
    let all = sources(&["crates"], &["rs"]);
    none(&all.iter().flat_map(|source| pasted(&source.path, &source.text)).collect::<Vec<_>>());
    for text in ["format!(\"where run_id = '{run_id}'\")", "\"x IN ('{a}')\"", r#""count(distinct \"{name}\")""#] {
        assert_eq!(pasted("crates/report/src/comparison/gaps.rs", text).len(), 1, "{text}");
    }
}

#[test]
fn verdicts_are_made_in_one_place() {
    let all = sources(&["crates", "queries"], &["rs", "sql"]);
    none(&all.iter().flat_map(|source| judging(&source.path, own(&source.text))).collect::<Vec<_>>());
    let needs = |place: &str| {
        let judges = |one: &Source| one.path.starts_with(place) && !lines_with("", &one.text, &JUDGING).is_empty();
        all.iter().any(judges)
    };
    assert!(MAY_JUDGE.iter().all(|(place, _)| needs(place)), "an exception is needed no more");
    let planted = "SELECT q_value(p) OVER () AS q FROM pairs";
    assert_eq!(judging("queries/planted.sql", planted), ["queries/planted.sql:1: q_value("]);
}

/// Exceptions for what no longer happens there.
fn stale(exceptions: &[(&str, &str)], words: &[&str], all: &[Source]) -> Vec<String> {
    let needs = |place: &str, source: &Source| {
        source.path.starts_with(place) && !lines_with("", &code_only(&source.text), words).is_empty()
    };
    let unneeded = exceptions.iter().filter(|(place, _)| !all.iter().any(|source| needs(place, source)));
    unneeded.map(|(place, why)| format!("{place} needs no exception any more ({why})")).collect()
}

#[test]
fn every_exception_is_needed() {
    let all = sources(&["crates", "tests"], &["rs"]);
    none(
        &[
            stale(&MAY_READ_TIME, &TIME, &all),
            stale(&MAY_PRINT, &PRINT, &all),
            stale(&MAY_HOLD_STREAMS, &STREAMS, &all),
        ]
        .concat(),
    );
    assert_eq!(stale(&[("crates/no/such.rs", "never")], &TIME, &all).len(), 1);
}

#[test]
fn a_notebook_keeps_memory_as_a_worker_does() {
    let all = sources(&["crates"], &["rs"]);
    let settings = |path: &str| {
        let source = all.iter().find(|source| source.path == path).expect(path);
        source.text.split('"').find(|part| part.starts_with("glibc.malloc.")).expect("settings of glibc")
    };
    assert_eq!(settings("crates/measure/src/allocator.rs"), settings("crates/jupyter/src/kernelspec.rs"));
}

#[test]
fn planted_breaches_are_found() {
    let library = "crates/stats/src/mean.rs";
    let planted: [(fn(&str, &str) -> Vec<String>, &str); 12] = [
        (time, "let started = std::time::Instant::now();"),
        (time, "let t = SystemTime::now();"),
        (time, "clock_gettime(ClockId::CLOCK_MONOTONIC)"),
        (printing, "println!(\"{x}\");"),
        (printing, "let y = dbg!(x);"),
        (printing, "std::eprint!(\"a\")"),
        (silenced, "#[allow(dead_code)] fn f() {}"),
        (silenced, "#![allow(missing_docs)]"),
        (silenced, "#[cfg_attr(test, allow(unused))]"),
        (silenced, "#[ignore = \"slow\"] fn t() {}"),
        (silenced, "# [ allow ( dead_code ) ]"),
        (length, &"x\n".repeat(LINES + 1)),
    ];
    for (rule, text) in planted {
        let code = if text.lines().count() > 1 { text.to_owned() } else { code_only(text) };
        assert_eq!(rule(library, &code).len(), 1, "{text}");
    }
}

#[test]
fn what_is_allowed_is_no_breach() {
    assert!(time("crates/measure/src/clock.rs", "Instant::now()").is_empty());
    assert!(time("crates/stats/src/mean.rs", "MyInstant::nowhere()").is_empty());
    assert!(printing("crates/xtask/src/main.rs", "println!()").is_empty());
    assert!(printing("crates/stats/src/mean.rs", "pretty_print!(x)").is_empty());
    assert!(silenced("crates/stats/src/mean.rs", "#[expect(dead_code, reason = \"\")]").is_empty());
    assert!(length("a.rs", &"x\n".repeat(LINES)).is_empty());
}

/// Lines that open an unsafe block or implementation and have no argument in the comment right above.
fn without_argument(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let opens = |code: &str| code.contains("unsafe {") || code.contains("unsafe impl ");
    let argued = |number: usize| {
        let mut above =
            lines[..number].iter().rev().take_while(|line| line.starts_with("//") || line.starts_with("#["));
        above.any(|line| line.starts_with("// SAFETY:"))
    };
    let code = code_only(text);
    let opening = code.lines().enumerate().filter(|(number, line)| opens(line) && !argued(*number));
    opening.map(|(number, _)| format!("{path}:{}: unsafe without `// SAFETY:`", number + 1)).collect()
}

#[test]
fn every_unsafe_block_has_an_argument_of_its_own() {
    let all = sources(&["crates", "tests"], &["rs"]);
    none(&all.iter().flat_map(|Source { path, text }| without_argument(path, text)).collect::<Vec<_>>());
}

#[test]
fn a_planted_block_without_an_argument_is_found() {
    let argued =
        "// SAFETY: it is there.\n#[inline]\nunsafe impl A for B {}\n// SAFETY: so is this.\nlet a = unsafe { b() };\n";
    assert_eq!(without_argument("a.rs", argued), Vec::<String>::new());
    let shared =
        format!("{argued}let c = unsafe {{ d() }};\nlet e = \"unsafe {{\"; // unsafe {{\nunsafe fn f() {{}}\n");
    assert_eq!(without_argument("a.rs", &shared), ["a.rs:6: unsafe without `// SAFETY:`"]);
}
