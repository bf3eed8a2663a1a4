//! The Jupyter kernel as its clients meet it, and what it says of bad input. Each answer is a test; those of one kernel
//! are asked for together.

use std::process::Command;
use std::sync::OnceLock;

use benchbook_report::charts::Browser;
use benchbook_tests::{Bench, cell, environment, on_small_disk, program, python_with, script};
use serde_json::{Value, json};

/// What a scenario has seen, once for all tests that look at it; nothing where there is no kernel.
fn once(seen: &'static OnceLock<Option<Value>>, name: &str, scenario: &[&str]) -> Option<&'static Value> {
    let ask = || {
        let python = environment()?;
        let bench = Bench::new();
        Some(script(&python, name, &[scenario, &[bench.folder().to_str().expect("UTF-8")]].concat()))
    };
    seen.get_or_init(ask).as_ref()
}

/// Odd cells in one kernel.
fn cells() -> Option<&'static Value> {
    static SEEN: OnceLock<Option<Value>> = OnceLock::new();
    once(&SEEN, "bad_input.py", &["cells"])
}

/// Three ways in which the process of the cells ends.
fn ended() -> Option<&'static Value> {
    static SEEN: OnceLock<Option<Value>> = OnceLock::new();
    once(&SEEN, "bad_input.py", &["ended"])
}

/// A library that goes while a kernel uses it.
fn vanished() -> Option<&'static Value> {
    static SEEN: OnceLock<Option<Value>> = OnceLock::new();
    once(&SEEN, "bad_input.py", &["vanished"])
}

/// Many clients of one kernel.
fn crowd() -> Option<&'static Value> {
    static SEEN: OnceLock<Option<Value>> = OnceLock::new();
    once(&SEEN, "crowd.py", &[])
}

fn text<'a>(cell: &'a Value, part: &str) -> &'a str {
    cell[part].as_str().unwrap_or_default()
}

/// A cell that went well.
fn well(cell: &Value) -> &Value {
    assert_eq!(cell["status"], "ok", "{cell}");
    cell
}

/// A cell that failed in this way, and says these parts.
fn failed(cell: &Value, name: &str, parts: &[&str]) {
    assert_eq!((&cell["status"], &cell["ename"]), (&json!("error"), &json!(name)), "{cell}");
    for part in parts {
        assert!(text(cell, "evalue").contains(part), "`{part}` is not said: {cell}");
    }
}

#[test]
fn a_cell_of_nothing_does_nothing() {
    // The test before it by name has those cells run meanwhile, and would be waited for.
    ended();
    let Some(seen) = cells() else { return };
    assert_eq!(well(&seen["empty"])["kinds"], json!(["execute_input"]));
    // It takes no number from the next one.
    assert_eq!(seen["empty"]["execution_count"], seen["nul"]["execution_count"]);
}

#[test]
fn a_nul_is_no_rust_and_may_be_printed() {
    let Some(seen) = cells() else { return };
    assert_eq!(seen["nul"]["status"], "error", "{seen}");
    assert_eq!(text(well(&seen["printed_nul"]), "out"), "a\0b");
}

#[test]
fn an_unclosed_brace_is_said() {
    let Some(seen) = cells() else { return };
    let said = text(&seen["open"], "evalue");
    assert!(seen["open"]["status"] == "error" && (said.contains("brace") || said.contains("delimiter")), "{said}");
}

#[test]
fn an_error_that_ends_a_cell_is_told_once_and_variables_stay() {
    let Some(seen) = cells() else { return };
    failed(&seen["errs"], "error", &["No such file"]);
    assert_eq!(text(&seen["errs"], "err"), "");
    assert_eq!(text(well(&seen["after"]), "out"), "7\n");
}

#[test]
fn what_a_cell_complains_of_is_no_failure() {
    let Some(seen) = cells() else { return };
    assert_eq!(text(well(&seen["usual"]), "err"), "7\n");
}

#[test]
fn output_comes_as_it_is_and_in_its_order() {
    let Some(seen) = cells() else { return };
    assert_eq!(text(well(&seen["bar"]), "out"), "50 %\r100 %");
    let expected = ["execute_input", "stream", "display_data", "stream", "update_display_data"];
    assert_eq!(well(&seen["middle"])["kinds"], json!(expected), "{}", seen["middle"]);
}

#[test]
fn a_cell_tells_how_long_it_took() {
    let Some(seen) = cells() else { return };
    let timed = well(&seen["timed"]);
    assert!(text(timed, "out").contains("Wall time: ") && text(timed, "shown") == "42", "{timed}");
}

#[test]
fn a_person_is_asked_by_a_cell() {
    let Some(seen) = cells() else { return };
    assert_eq!(text(well(&seen["asks"]), "out"), "hello Ada\n");
    assert_eq!(text(&seen["asks"], "asked").trim_end(), "who:");
}

#[test]
fn a_cell_of_a_megabyte_runs() {
    let Some(seen) = cells() else { return };
    assert_eq!(text(well(&seen["long"]), "shown"), "1048576");
    assert!(text(well(&seen["long_sql"]), "shown").contains("1048576"), "{}", seen["long_sql"]);
}

#[test]
fn a_hundred_megabytes_of_output_are_cut() {
    let Some(seen) = cells() else { return };
    let flood = well(&seen["flood"]);
    let printed = flood["out"].as_u64().expect("a number");
    assert!((30 << 20..=32 << 20).contains(&printed), "{printed}");
    assert!(text(flood, "err").contains("more than 32 MiB"), "{flood}");
}

#[test]
fn of_a_value_and_a_message_of_a_hundred_megabytes_the_size_is_said() {
    let Some(seen) = cells() else { return };
    assert!(text(well(&seen["large"]), "shown").starts_with("left out: this takes 95 MiB"), "it is shown");
    failed(&seen["large_panic"], "panic", &["95 MiB more are left out"]);
}

#[test]
fn an_endless_loop_is_ended_and_variables_stay() {
    let Some(seen) = cells() else { return };
    failed(&seen["looks"], "interrupted", &["interrupted"]);
    assert_eq!(text(well(&seen["after"]), "out"), "7\n");
}

#[test]
fn code_that_does_not_look_is_ended_by_the_second_interrupt() {
    let Some(seen) = ended() else { return };
    failed(&seen["deaf"], "ended", &["`kept`", "`lab`", "signal: 9"]);
    assert!(text(&seen["deaf"], "err").contains("Interrupt once more"), "{}", seen["deaf"]);
    assert_eq!(text(well(&seen["after_deaf"]), "shown"), "42");
}

#[test]
fn code_that_ends_its_process_is_named_and_the_kernel_lives() {
    let Some(seen) = ended() else { return };
    failed(&seen["aborted"], "ended", &["signal: 6"]);
    assert!(text(well(&seen["after_abort"]), "shown").contains("1 row"), "{}", seen["after_abort"]);
}

#[test]
fn a_process_that_is_killed_while_it_answers_is_replaced() {
    let Some(seen) = ended() else { return };
    failed(&seen["killed"], "ended", &["signal: 9"]);
    assert!(text(well(&seen["sql_after"]), "shown").contains("1 row"), "{}", seen["sql_after"]);
    failed(&seen["rust_after"], "ended", &["`kept`"]);
    assert_eq!(text(well(&seen["then"]), "shown"), "42");
}

#[test]
fn a_library_that_vanishes_is_missed_by_rust_and_not_by_sql() {
    let Some(seen) = vanished() else { return };
    well(&seen["before"]);
    failed(&seen["rust"], "benchbook", &["is gone", "cargo xtask lab"]);
    assert!(text(well(&seen["sql"]), "shown").contains("1 row"), "{}", seen["sql"]);
}

#[test]
fn another_compiler_is_refused_in_every_cell() {
    let Some(python) = environment() else { return };
    let bench = Bench::new();
    let seen = script(&python, "bad_input.py", &["compiler", bench.folder().to_str().unwrap()]);
    for cell in [&seen["rust"], &seen["sql"]] {
        failed(cell, "benchbook", &["rustc 0.0.0 of tomorrow", "cargo xtask lab"]);
    }
    assert_eq!(text(well(&seen["shell"]), "out"), "ok\n");
}

#[test]
fn two_kernels_share_a_folder_and_its_store() {
    let Some(python) = environment() else { return };
    let bench = Bench::new();
    let seen = script(&python, "bad_input.py", &["two", bench.folder().to_str().unwrap()]);
    for cell in seen["ran"].as_array().expect("both") {
        let kinds = well(cell)["kinds"].as_array().expect("kinds");
        // The bar of the run, and what becomes of it.
        assert!(["display_data", "update_display_data"].iter().all(|kind| kinds.contains(&json!(kind))), "{cell}");
    }
    assert!(text(well(&seen["runs"]), "shown").contains('2'), "{seen}");
}

#[test]
fn a_full_disk_is_said_and_the_next_cell_has_room() {
    let Some(python) = environment() else { return };
    let bench = Bench::new();
    let place = bench.folder().join("small");
    std::fs::create_dir(&place).unwrap();
    let mut full = Command::new(&python);
    full.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/bad_input.py")).arg("full").arg(&place);
    let Some(output) = on_small_disk(&place, "256m", &full) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).expect("a line of JSON");
    assert!(seen["full"]["status"] == "error" && text(&seen["full"], "evalue").contains("No space left"), "{seen}");
    well(&seen["sql"]);
    assert_eq!(text(well(&seen["after"]), "shown"), "8");
}

#[test]
fn a_variable_is_explained_with_its_value_as_long_as_no_cell_runs() {
    let Some(seen) = crowd() else { return };
    let first = |number: usize| seen["told"][number].as_str().and_then(|told| told.lines().next());
    let expected = ["kept: u32 = 7", "kept: u32", "kept: u32 = 8"].map(Some);
    assert_eq!([first(0), first(1), first(2)], expected, "{seen}");
}

#[test]
fn words_of_the_library_are_known_from_its_sources_which_sleep_beside_a_cell() {
    let Some(seen) = crowd() else { return };
    assert_eq!(seen["words"], json!(["open", "Plot", "RecordBatch", "Tensor"]), "{seen}");
    assert_eq!(seen["slept"], json!(true), "{seen}");
}

#[test]
fn forty_clients_come_and_go_while_a_cell_runs() {
    let Some(seen) = crowd() else { return };
    assert_eq!((&seen["answered"], &seen["clients"]), (&json!(40), &json!(40)), "{seen}");
    failed(&seen["ended"], "interrupted", &[]);
    assert_eq!(text(well(&seen["after"]), "out"), "7\n");
}

#[test]
fn jupyters_own_tests_of_kernels_pass() {
    if environment().is_none() {
        return;
    }
    let Some(python) = python_with("jupyter_kernel_test") else { return };
    let bench = Bench::new();
    let seen = script(&python, "conformance.py", &[bench.folder().to_str().unwrap()]);
    assert_eq!(seen["failed"], json!({}), "{seen}");
    // A pager shows a page of text over a terminal; the kernel has no use for it.
    assert_eq!(seen["skipped"].as_object().expect("names").keys().collect::<Vec<_>>(), ["test_pager"]);
    assert!(seen["ran"].as_u64().expect("a number") >= 13, "{seen}");
}

#[test]
fn a_person_works_in_jupyterlab() {
    let Some(python) = environment() else { return };
    let Ok(browser) = Browser::find() else {
        assert!(std::env::var_os("CI").is_none(), "CI must have a browser");
        eprintln!("skipped: no browser");
        return;
    };
    let bench = Bench::new();
    // `work.py` knows them by their places, and types into the second.
    let cells = [
        "let lab = Lab::open(\"results\")?;\nlet kept: u32 = 7;",
        "%%sql",
        "println!(\"begun\");\nloop { std::hint::black_box(1); };",
        "println!(\"{kept}\");",
    ];
    let notebook = bench.notebook("work.ipynb", cells.map(cell).to_vec());
    let pictures = program("benchbook").with_file_name("screenshots");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let picture = pictures.join("work.png");
    let words = [browser.program(), python.as_path(), notebook.as_path(), picture.as_path()];
    let seen = script(&python, "work.py", &words.map(|word| word.to_str().expect("UTF-8")));
    assert_eq!(text(&seen, "typed"), "%%sql\nselect count(*) as n from runs");
    assert!(text(&seen, "sql").contains("1 row"), "{seen}");
    assert!(text(&seen, "interrupted").contains("interrupted"), "{seen}");
    assert_eq!(text(&seen, "kept").trim(), "7");
    assert!(text(&seen, "restarted").contains("kept"), "the variable went with the restart: {seen}");
    assert_eq!(seen["counts"], json!([1, 2, 3, 4]), "{seen}");
    assert!(seen["all"][3].as_str().is_some_and(|said| said.trim() == "7"), "{seen}");
    assert_eq!(seen["exported"], true, "{seen}");
}
