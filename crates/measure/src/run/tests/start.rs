//! What a run is started with stands in its record.

use std::path::Path;

use benchbook_core::Plan;
use benchbook_journal::{EventRow, LocalStore, RunRow, Table, as_journal, rows_in};

use super::expand::{Resolver, known, plan};
use super::mock::{Heard, Mocks, sampled};
use crate::clock;
use crate::executor::Sampled;
use crate::process::Hello;
use crate::references::References;
use crate::run::start::{Crew, Ready, Start};

/// A plan of two blocks whose sweep has an impossible case, measured by executors that go by the system's clock.
fn ready(plan: Plan) -> Ready {
    let spawn = Mocks::new(|_, _, reply| {
        let ran = clock::time(&mut |_| std::thread::yield_now(), 1);
        Ok(sampled(reply, |sample| Sampled { elapsed_ns: ran.elapsed_ns, started_ns: ran.started_ns, ..sample }))
    });
    let references = References::none().shared();
    let crew = Crew { hello: Hello::of_this_process(), known: known(), threads: 3, spawn: Box::new(spawn), references };
    Start::new(plan, as_journal).command("asked for in words").ready(&mut Resolver, crew).unwrap()
}

fn sweep() -> Plan {
    plan(&["matmul"], &[]).param("size", [0, 1]).replicates(1).blocks(2).tag("t")
}

/// The row of the run in a folder.
fn recorded(folder: &Path) -> RunRow {
    rows_in(folder, Table::Runs).unwrap().remove(0)
}

#[test]
fn a_run_is_recorded_with_its_plan_its_words_and_what_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    let mut ready = ready(sweep());
    let left_out = "matmul with size=0 is left out: too small";
    assert_eq!(ready.left_out, [left_out]);
    let mut heard = Heard::default();
    let summary = ready.run(&store, &mut heard).unwrap();
    assert_eq!((summary.ended.ok, summary.samples), (1, 2));
    let row = recorded(&summary.folder);
    assert_eq!((row.command.as_deref(), row.threads), (Some("asked for in words"), Some(3)));
    assert_eq!(Plan::from_toml(row.plan.as_deref().unwrap()).unwrap(), sweep());
    let events: Vec<EventRow> = rows_in(&summary.folder, Table::Events).unwrap();
    assert!(events.iter().any(|event| event.kind == "left_out" && event.message == left_out), "{events:?}");
    assert!(heard.notes.iter().any(|note| note == left_out), "{:?}", heard.notes);
}

#[test]
fn what_is_ready_is_measured_again_as_it_then_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    let mut ready = ready(sweep());
    let first = ready.run(&store, &mut Heard::default()).unwrap();
    ready.plan.tags = vec!["again".into()];
    ready.left_out = (0..13).map(|number| format!("number {number} is left out")).collect();
    let mut heard = Heard::default();
    let second = ready.run(&store, &mut heard).unwrap();
    assert_ne!(first.run_id, second.run_id);
    assert_eq!(recorded(&second.folder).tags, ["again"]);
    let told: Vec<&String> = heard.notes.iter().filter(|note| note.ends_with("left out")).collect();
    assert_eq!(told.len(), 10, "a sweep may leave out thousands");
    assert!(heard.notes.iter().any(|note| note == "3 more are left out: see `events`"), "{:?}", heard.notes);
    let events: Vec<EventRow> = rows_in(&second.folder, Table::Events).unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == "left_out").count(), 13);
}
