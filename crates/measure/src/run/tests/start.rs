//! What a plan means where not all that it names exists, and what a run is started with stands in its record.

use std::path::Path;

use benchbook_core::message::{Description, DeviceInfo, ImplementationInfo, InputsFrom, WorkloadInfo};
use benchbook_core::{Case, CaseSpec, KnobInfo, Params, Plan, Registry, Value};
use benchbook_journal::{EventRow, LocalStore, RunRow, Table, as_journal, rows_in};

use super::mock::{Heard, Mocks, sampled};
use crate::executor::{Cases, Offers, Sampled};
use crate::process::Hello;
use crate::references::References;
use crate::run::expand::{Expanded, expand};
use crate::run::start::{Crew, Ready, Start};
use crate::{Result, clock, known_work};

/// Knows one case of every workload, and that one other is impossible where parameters are given.
struct Resolver;

impl Offers for Resolver {
    fn describe(&mut self) -> Result<Description> {
        Ok(known())
    }

    fn resolve(&mut self, workload: &str, _preset: Option<&str>, combinations: &[Params]) -> Result<Cases> {
        let cases = vec![Case { workload: workload.into(), name: "c".into(), params: Params::default() }];
        if combinations == [Params::default()] {
            return Ok(Cases { cases, impossible: Vec::new() });
        }
        let impossible = vec![(Params::default().with("size", Value::Int(0)), "too small".into())];
        Ok(Cases { cases, impossible })
    }
}

/// What it is said to offer.
fn known() -> Description {
    let implementation = |(workload, name, device): (&str, &str, &str)| ImplementationInfo {
        name: name.into(),
        workload: workload.into(),
        about: String::new(),
        devices: vec![device.into()],
        engines: Vec::new(),
        catalogue: Vec::new(),
        inputs: InputsFrom::Made,
        approximates: false,
        on_request: false,
        knobs: Vec::new(),
    };
    let device = |name: &str| DeviceInfo {
        name: name.into(),
        engine: String::new(),
        engine_version: String::new(),
        unavailable: None,
        libraries: None,
    };
    let workload = |name: &str| WorkloadInfo {
        name: name.into(),
        about: String::new(),
        presets: Vec::new(),
        params: Vec::new(),
        seeds: 7,
    };
    Description {
        workloads: ["attention", "matmul"].map(workload).into(),
        implementations: [("attention", "naive", "a"), ("attention", "fused", "a"), ("matmul", "blocked", "b")]
            .map(implementation)
            .into(),
        devices: ["a", "b"].map(device).into(),
        build: Vec::new(),
        thread_pools: Vec::new(),
    }
}

fn expanded(plan: &Plan) -> Result<Expanded> {
    expand(plan, 1, &known(), &Registry::default(), &mut Resolver)
}

fn plan(workloads: &[&str], implementations: &[&str]) -> Plan {
    let spec = |workload: &&str| CaseSpec {
        workload: (*workload).into(),
        preset: None,
        params: [].into(),
        implementations: implementations.iter().map(|name| (*name).into()).collect(),
    };
    Plan::of("expand", workloads.iter().map(spec).collect())
}

/// The implementations that are measured, and what is left out.
fn meant(plan: &Plan) -> (Vec<String>, Vec<String>) {
    let Expanded { cells, left_out } = expanded(plan).unwrap();
    let variants = cells.into_iter().flat_map(|cell| cell.variants);
    (variants.map(|variant| variant.implementation).collect(), left_out)
}

#[test]
fn a_name_may_be_that_of_one_workload_of_several() {
    let (measured, left_out) = meant(&plan(&["attention", "matmul"], &["fused"]));
    assert_eq!((measured, left_out), (vec!["fused".into()], vec!["matmul has no implementation `fused`".into()]));
    let both = meant(&plan(&["attention", "matmul"], &["fused", "blocked"]));
    assert_eq!((both.0, both.1.len()), (vec!["fused".into(), "blocked".into()], 2));
    let error = expanded(&plan(&["attention", "matmul"], &["fusd"])).unwrap_err().to_string();
    assert!(error.contains("did you mean `fused`"), "{error}");
    let error = expanded(&plan(&["matmul"], &["fused"])).unwrap_err().to_string();
    assert!(error.contains("unknown implementation `fused`"), "{error}");
}

#[test]
fn a_workload_that_does_not_run_on_a_device_leaves_the_others() {
    let (measured, left_out) = meant(&plan(&["attention", "matmul"], &[]).devices(["b"]));
    assert_eq!(measured, ["blocked"]);
    assert_eq!(left_out, ["no implementation of attention runs on b"]);
    let error = expanded(&plan(&["attention"], &["naive"]).devices(["b"])).unwrap_err().to_string();
    assert!(error.contains("naive of attention does not run on b"), "{error}");
}

#[test]
fn replicates_take_as_many_seeds_in_turn_as_the_owner_of_a_workload_says() {
    let Expanded { cells, .. } = expanded(&plan(&["attention", "matmul"], &[])).unwrap();
    assert_eq!(cells.iter().map(|cell| cell.seeds).collect::<Vec<_>>(), [7, 7]);
    let text = r#"{"name": "w", "about": "", "presets": [], "params": []}"#;
    assert_eq!(serde_json::from_str::<WorkloadInfo>(text).unwrap().seeds, 3, "it says nothing of them");
}

#[test]
fn what_is_measured_on_request_waits_for_its_name() {
    let mut known = known();
    known.implementations[1].on_request = true;
    let measured = |names: &[&str]| {
        let plan = plan(&["attention"], names);
        let Expanded { cells, left_out } = expand(&plan, 1, &known, &Registry::default(), &mut Resolver).unwrap();
        let variants = cells.into_iter().flat_map(|cell| cell.variants);
        (variants.map(|variant| variant.implementation).collect::<Vec<_>>(), left_out.len())
    };
    assert_eq!(measured(&[]), (vec!["naive".to_owned()], 0));
    assert_eq!(measured(&["fused"]), (vec!["fused".to_owned()], 0));
    assert_eq!(measured(&["fused", "naive"]), (vec!["naive".to_owned(), "fused".to_owned()], 0));
}

#[test]
fn values_of_knobs_stand_in_the_name_of_a_variant() {
    let mut known = known();
    let knob = |name: &str| KnobInfo { name: name.into(), about: String::new(), values: vec![1, 2, 4], usual: 2 };
    known.implementations[2].knobs = ["depth", "panels"].map(knob).into();
    let measured = |names: &[&str]| {
        let plan = plan(&["attention", "matmul"], names);
        let expanded = expand(&plan, 1, &known, &Registry::default(), &mut Resolver);
        expanded.map(|Expanded { cells, .. }| {
            let variants = cells.into_iter().flat_map(|cell| cell.variants);
            variants.map(|variant| variant.implementation).collect::<Vec<_>>()
        })
    };
    let names = ["blocked:depth=1:panels=4", "blocked", "blocked:depth=1:panels=4"];
    assert_eq!(measured(&names).unwrap(), names[..2], "each once");
    for (name, part) in [("blocked:depth=3", "depth may be 1, 2, 4"), ("blocked:dept=1", "did you mean `depth`")] {
        let error = measured(&[name]).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
    assert!(measured(&["fused:depth=1"]).unwrap_err().to_string().contains("unknown knob `depth`"));
}

#[test]
fn what_is_impossible_is_named_beside_what_is_measured() {
    let (measured, left_out) = meant(&plan(&["matmul"], &[]).param("size", [0, 1]));
    assert_eq!(measured, ["blocked"]);
    assert_eq!(left_out, ["matmul with size=0 is left out: too small"]);
}

#[test]
fn a_workload_that_the_worker_does_not_own_is_one_that_this_program_links() {
    let mut known = known();
    known
        .implementations
        .push(ImplementationInfo { workload: "known-gemm".into(), ..known.implementations[0].clone() });
    let expanded = |name: &str| {
        let plan = plan(&[name], &["naive"]).param("m", [3, 5, 0]);
        expand(&plan, 1, &known, &known_work::registry(), &mut Resolver)
    };
    let Expanded { cells, left_out } = expanded("known-gemm").unwrap();
    assert_eq!(cells.iter().map(|cell| cell.case.name.as_str()).collect::<Vec<_>>(), ["3³", "5³"]);
    assert!(left_out.len() == 1 && left_out[0].starts_with("known-gemm with m=0"), "{left_out:?}");
    let error = expanded("known-gem").unwrap_err().to_string();
    assert!(error.contains("did you mean `known-gemm`"), "{error}");
    // It is linked, and nobody solves it.
    let error = expanded("known-steps").unwrap_err().to_string();
    assert!(error.contains("unknown workload `known-steps`"), "{error}");
}

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
    let note = "the loop goes up, since there is room";
    ready.notes.push(("feedback".into(), note.into()));
    let mut heard = Heard::default();
    let summary = ready.run(&store, &mut heard).unwrap();
    assert_eq!((summary.ended.ok, summary.samples), (1, 2));
    let row = recorded(&summary.folder);
    assert_eq!((row.command.as_deref(), row.threads), (Some("asked for in words"), Some(3)));
    assert_eq!(Plan::from_toml(row.plan.as_deref().unwrap()).unwrap(), sweep());
    let events: Vec<EventRow> = rows_in(&summary.folder, Table::Events).unwrap();
    assert!(events.iter().any(|event| event.kind == "left_out" && event.message == left_out), "{events:?}");
    assert!(heard.notes.iter().any(|note| note == left_out), "{:?}", heard.notes);
    assert!(events.iter().any(|event| event.kind == "feedback" && event.message == note), "{events:?}");
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
