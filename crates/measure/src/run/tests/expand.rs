//! What a plan means where not all that it names exists.

use benchbook_core::message::{Description, DeviceInfo, ImplementationInfo, InputsFrom, WorkloadInfo};
use benchbook_core::{Case, CaseSpec, Params, Plan, Registry, Value};

use crate::executor::{Cases, Offers};
use crate::run::expand::{Expanded, expand};
use crate::{Result, known_work};

/// Knows one case of every workload, and that one other is impossible where parameters are given.
pub(super) struct Resolver;

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
pub(super) fn known() -> Description {
    let implementation = |(workload, name, device): (&str, &str, &str)| ImplementationInfo {
        name: name.into(),
        workload: workload.into(),
        about: String::new(),
        devices: vec![device.into()],
        engines: Vec::new(),
        catalogue: Vec::new(),
        inputs: InputsFrom::Made,
        approximates: false,
    };
    let device = |name: &str| DeviceInfo {
        name: name.into(),
        engine: String::new(),
        engine_version: String::new(),
        unavailable: None,
        libraries: None,
    };
    let workload =
        |name: &str| WorkloadInfo { name: name.into(), about: String::new(), presets: Vec::new(), params: Vec::new() };
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

pub(super) fn plan(workloads: &[&str], implementations: &[&str]) -> Plan {
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
