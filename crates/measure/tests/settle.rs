//! A process is settled on a device before anything runs there, and the trial tells what ran.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use benchbook_core::{
    Array, CacheRegime, DType, Inputs, Params, Preset, Problem, Reference, Registry, Result, Row, Subject, Variant,
    Work,
};
use benchbook_measure::{Error, Executor, Host, InProcess, Prepared, References, Trial};

/// What happened, in order.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn seen(what: &str) {
    SEEN.lock().unwrap().push(what.to_owned());
}

struct One;

benchbook_core::parameters! {
    /// Parameters of [`One`].
    struct OneParams {
        /// the number
        number: usize = 1;
    }
}

impl Problem for One {
    const NAME: &'static str = "one";
    const ABOUT: &'static str = "the number one";
    type Params = OneParams;

    fn presets() -> Vec<Preset> {
        Vec::new()
    }

    fn ugly() -> Vec<OneParams> {
        vec![OneParams::default()]
    }

    fn label(_params: &OneParams) -> String {
        "one".into()
    }

    fn inputs(_params: &OneParams, _seed: u64) -> Inputs {
        Inputs::default()
    }

    fn reference(params: &OneParams, _inputs: &Inputs, _seed: u64) -> Reference {
        Reference::of(vec![1], vec![0], vec![params.number as f64])
    }

    fn work(_params: &OneParams, _dtype: DType) -> Work {
        Work { flops: 1.0, bytes: 0.0 }
    }

    fn tolerance(_params: &OneParams, _dtype: DType) -> f64 {
        0.0
    }
}

const PLAIN: Row<One> = Row::<One>::new(
    "plain",
    "for this test",
    &["here", "there"],
    &[DType::F32],
    |_| ("engine".into(), "1.2".into()),
    |_, setting, _, _| {
        seen(&format!("prepared on {}", setting.device));
        Ok(Box::new(Output))
    },
);

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

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(vec![1], &[1.0_f32])])
    }
}

fn settle(device: &str) -> std::result::Result<Option<String>, String> {
    seen(&format!("settled on {device}"));
    if device == "here" { Ok(Some("fast path".into())) } else { Err("another device was first".into()) }
}

fn prepare(device: &str, host: fn(Host) -> Host) -> benchbook_measure::Result<Prepared> {
    let mut registry = Registry::default();
    registry.workload(One).implementation(PLAIN);
    let case = registry.case("one", Params::default()).unwrap();
    let variant =
        Variant { implementation: "plain".into(), device: device.into(), dtype: DType::F32, threads: 1, build: None };
    let (cache, sent, approximates) = (CacheRegime::Hot, false, false);
    let trial =
        Trial { trial: 0, case, variant, cache, input_seed: 1, min_sample_ns: 1, warmup_ns: 0, sent, approximates };
    let here = InProcess::new(host(Host::new(registry, |_| None, Vec::new(), Vec::new)));
    here.executor(&References::none().shared()).prepare(&trial, Duration::MAX)
}

/// The version of the engine that a trial on `here` tells.
fn version(host: fn(Host) -> Host) -> Option<String> {
    prepare("here", host).unwrap().engine_version
}

#[test]
fn a_device_is_settled_first_and_the_trial_tells_what_ran() {
    assert_eq!(version(|host| host).as_deref(), Some("1.2"));
    SEEN.lock().unwrap().clear();
    assert_eq!(version(|host| host.with_settle(settle)).as_deref(), Some("1.2 fast path"));
    match prepare("there", |host| host.with_settle(settle)) {
        Err(Error::Failed(message)) => assert_eq!(message, "another device was first"),
        other => panic!("{other:?}"),
    }
    let order = ["settled on here", "prepared on here", "settled on there"];
    assert_eq!(*SEEN.lock().unwrap(), order, "nothing is prepared on a device that is not settled");
}
