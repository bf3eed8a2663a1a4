//! A process is settled on a device before anything runs there, and the trial tells what ran.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use benchbook_core::message::{Reply, Request, Trial};
use benchbook_core::{
    CacheRegime, DType, HostArray, Implementation, Inputs, ParamSpec, Params, Preset, Reference, Registry, Result,
    Setting, Subject, Variant, Work, Workload,
};
use benchbook_measure::{Executor, Host, InProcess};

/// What happened, in order.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn seen(what: &str) {
    SEEN.lock().unwrap().push(what.to_owned());
}

struct One;

impl Workload for One {
    fn name(&self) -> &'static str {
        "one"
    }

    fn about(&self) -> &'static str {
        "the number one"
    }

    fn params(&self) -> Vec<ParamSpec> {
        Vec::new()
    }

    fn presets(&self) -> Vec<Preset> {
        Vec::new()
    }

    fn check(&self, _params: &Params) -> Result<()> {
        Ok(())
    }

    fn case_name(&self, _params: &Params) -> String {
        "one".into()
    }

    fn inputs(&self, _params: &Params, _seed: u64) -> Inputs {
        Inputs::default()
    }

    fn reference(&self, _params: &Params, _inputs: &Inputs, _seed: u64) -> Reference {
        Reference { shape: vec![1], rows: vec![0], values: vec![1.0] }
    }

    fn work(&self, _params: &Params, _dtype: DType) -> Work {
        Work { flops: 1.0, bytes: 0.0 }
    }

    fn tolerance(&self, _params: &Params, _dtype: DType) -> f64 {
        0.0
    }
}

struct Plain;

impl Implementation for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn workload(&self) -> &'static str {
        "one"
    }

    fn about(&self) -> &'static str {
        "for this test"
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["here", "there"]
    }

    fn engine(&self, _device: &str) -> (String, String) {
        ("engine".into(), "1.2".into())
    }

    fn prepare(&self, setting: &Setting, _params: &Params, _inputs: &Inputs) -> Result<Box<dyn Subject>> {
        seen(&format!("prepared on {}", setting.device));
        Ok(Box::new(Output))
    }
}

struct Output;

impl Subject for Output {
    fn run(&mut self, iterations: u64) {
        for call in 0..iterations {
            black_box(call);
        }
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn output(&mut self) -> Result<HostArray> {
        Ok(HostArray::new(vec![1], vec![1.0]))
    }
}

fn settle(device: &str) -> std::result::Result<Option<String>, String> {
    seen(&format!("settled on {device}"));
    if device == "here" { Ok(Some("fast path".into())) } else { Err("another device was first".into()) }
}

fn prepare(device: &str, host: fn(Host) -> Host) -> Reply {
    let mut registry = Registry::default();
    registry.workload(One).implementation(Plain);
    let case = registry.case("one", Params::default()).unwrap();
    let variant =
        Variant { implementation: "plain".into(), device: device.into(), dtype: DType::F32, threads: 1, build: None };
    let trial =
        Trial { trial: 0, case, variant, cache: CacheRegime::Hot, input_seed: 1, min_sample_ns: 1, warmup_ns: 0 };
    let mut here = InProcess::new(host(Host::new(registry, |_| None, Vec::new(), Vec::new)));
    here.request(Request::Prepare(Box::new(trial)), Duration::MAX).unwrap()
}

/// The version of the engine that a trial on `here` tells.
fn version(host: fn(Host) -> Host) -> Option<String> {
    match prepare("here", host) {
        Reply::Prepared(prepared) => prepared.engine_version,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_is_settled_first_and_the_trial_tells_what_ran() {
    assert_eq!(version(|host| host).as_deref(), Some("1.2"));
    SEEN.lock().unwrap().clear();
    assert_eq!(version(|host| host.with_settle(settle)).as_deref(), Some("1.2 fast path"));
    match prepare("there", |host| host.with_settle(settle)) {
        Reply::Failed { message } => assert_eq!(message, "another device was first"),
        other => panic!("{other:?}"),
    }
    let order = ["settled on here", "prepared on here", "settled on there"];
    assert_eq!(*SEEN.lock().unwrap(), order, "nothing is prepared on a device that is not settled");
}
