//! burn's known traps, planted as implementations: the correctness check must catch each.

use std::time::Duration;

use benchbook_core::message::{Reply, Request, Trial};
use benchbook_core::{
    CacheRegime, DType, HostArray, Implementation, Inputs, Params, Registry, Result, Setting, Subject, Support, Value,
    Variant,
};
use benchbook_engines::flex::attention::AttentionInputs;
use benchbook_engines::flex::{TensorSubject, open};
use benchbook_measure::{Executor, Host, InProcess};
use burn::tensor::Tensor;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;

/// burn's attention with a mistake that someone who ports a kernel makes.
#[derive(Clone, Copy)]
enum Trap {
    /// None: shows that the others fail for their mistake alone.
    Right,
    /// The mask means *keep*, as torch has it.
    InvertedMask,
    /// Causality aligned to the top left, as torch has it.
    TopLeftCausal,
    /// The result computed on another device than asked for.
    OtherDevice,
}

struct Planted(Trap);

impl Implementation for Planted {
    fn name(&self) -> &'static str {
        "planted"
    }

    fn workload(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "a trap"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &[]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex", "libtorch"]
    }

    fn supports(&self, _device: &str, _dtype: DType, _params: &Params) -> Support {
        Support::Yes
    }

    fn engine(&self, _device: &str) -> (String, String) {
        ("burn".into(), "0".into())
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = AttentionInputs::upload(setting, &device, params, inputs);
        let call = match self.0 {
            Trap::Right => right,
            Trap::InvertedMask => inverted,
            Trap::TopLeftCausal => top_left,
            Trap::OtherDevice => {
                let elsewhere = open(if setting.device == "flex" { "libtorch" } else { "flex" })?;
                return Ok(Box::new(TensorSubject::new("planted", &setting.device, elsewhere, copies, right)));
            }
        };
        Ok(Box::new(TensorSubject::new("planted", &setting.device, device, copies, call)))
    }
}

fn right(inputs: &AttentionInputs) -> Tensor<4> {
    let AttentionInputs { query, key, value, mask, causal } = inputs;
    let options = AttentionModuleOptions { is_causal: *causal, ..Default::default() };
    attention(query.clone(), key.clone(), value.clone(), mask.clone(), None, options)
}

fn inverted(inputs: &AttentionInputs) -> Tensor<4> {
    let AttentionInputs { query, key, value, mask, .. } = inputs;
    let mask = mask.clone().map(|mask| mask.bool_not());
    attention(query.clone(), key.clone(), value.clone(), mask, None, AttentionModuleOptions::default())
}

fn top_left(inputs: &AttentionInputs) -> Tensor<4> {
    let AttentionInputs { query, key, value, .. } = inputs;
    let seq_q = query.dims()[2];
    // With alignment to the top left, the first seq_q keys are all that any query sees.
    let (key, value) = (key.clone().narrow(2, 0, seq_q), value.clone().narrow(2, 0, seq_q));
    let options = AttentionModuleOptions { is_causal: true, ..Default::default() };
    attention(query.clone(), key, value, None, None, options)
}

/// What the worker says of a planted kernel on a case.
fn prepare(trap: Trap, device: &str, params: &[(&str, Value)]) -> Reply {
    let mut registry = Registry::default();
    registry.workload(benchbook_workloads::attention::Attention).implementation(Planted(trap));
    let params = params.iter().fold(Params::default(), |params, (name, value)| params.with(name, value.clone()));
    let case = registry.case("attention", params).unwrap();
    let variant =
        Variant { implementation: "planted".into(), device: device.into(), dtype: DType::F32, threads: 1, build: None };
    let trial =
        Trial { trial: 0, case, variant, cache: CacheRegime::Hot, input_seed: 3, min_sample_ns: 1, warmup_ns: 0 };
    let mut here = InProcess::new(Host::new(registry, |_| None, Vec::new(), Vec::new));
    here.request(Request::Prepare(Box::new(trial)), Duration::MAX).unwrap()
}

fn scaled_error(trap: Trap, device: &str, params: &[(&str, Value)]) -> (f64, f64) {
    match prepare(trap, device, params) {
        Reply::Prepared(prepared) => (prepared.check.max_scaled_error, prepared.tolerance),
        other => panic!("{other:?}"),
    }
}

const MASKED: [(&str, Value); 2] = [("seq_q", Value::Int(40)), ("masked", Value::Bool(true))];
const LONGER: [(&str, Value); 3] =
    [("seq_q", Value::Int(24)), ("seq_kv", Value::Int(40)), ("causal", Value::Bool(true))];

#[test]
fn an_inverted_mask_is_wrong() {
    let (error, tolerance) = scaled_error(Trap::Right, "flex", &MASKED);
    assert!(error <= tolerance, "{error}");
    let (error, tolerance) = scaled_error(Trap::InvertedMask, "flex", &MASKED);
    assert!(error > 1_000.0 * tolerance, "{error}");
}

#[test]
fn causality_aligned_to_the_top_left_is_wrong() {
    let (error, tolerance) = scaled_error(Trap::Right, "flex", &LONGER);
    assert!(error <= tolerance, "{error}");
    let (error, tolerance) = scaled_error(Trap::TopLeftCausal, "flex", &LONGER);
    assert!(error > 1_000.0 * tolerance, "{error}");
}

#[cfg(feature = "libtorch")]
#[test]
fn burns_own_traps_on_libtorch_are_caught() {
    let square = [("seq_q", Value::Int(40)), ("causal", Value::Bool(true))];
    let (error, tolerance) = scaled_error(Trap::Right, "libtorch", &square);
    assert!(error <= tolerance, "without a trap it is right: {error}");
    for params in [&MASKED[..], &LONGER] {
        let (error, tolerance) = scaled_error(Trap::Right, "libtorch", params);
        assert!(error > 1_000.0 * tolerance, "burn-tch 0.22.1 mended {params:?}? scaled error {error}");
    }
}

#[cfg(feature = "libtorch")]
#[test]
fn torch_sdpa_is_right_on_every_kind_of_case() {
    let mut registry = Registry::default();
    benchbook_workloads::register(&mut registry);
    benchbook_engines::register(&mut registry);
    let sdpa = registry.find_implementation("attention", "torch-sdpa").unwrap();
    let grouped = [("kv_heads", Value::Int(2)), ("seq_q", Value::Int(33))];
    let both = [
        ("seq_q", Value::Int(20)),
        ("seq_kv", Value::Int(30)),
        ("causal", Value::Bool(true)),
        ("masked", Value::Bool(true)),
    ];
    for params in [&MASKED[..], &LONGER, &grouped, &both, &[("causal", Value::Bool(true))]] {
        let params = params.iter().fold(Params::default(), |params, (name, value)| params.with(name, value.clone()));
        let case = registry.case("attention", params).unwrap();
        let workload = registry.find_workload("attention").unwrap();
        let inputs = workload.inputs(&case.params, 1);
        let setting = Setting { device: "libtorch".into(), dtype: DType::F32, threads: 1, copies: 2 };
        let mut subject = sdpa.prepare(&setting, &case.params, &inputs).unwrap();
        subject.run(3);
        let output: HostArray = subject.output().unwrap();
        let error = workload.reference(&case.params, &inputs, 1).compare(&output).max_scaled_error;
        assert!(error <= 1e-5, "{}: {error}", case.name);
    }
}

#[cfg(feature = "libtorch")]
#[test]
fn a_result_on_another_device_is_an_error() {
    for device in ["flex", "libtorch"] {
        match prepare(Trap::OtherDevice, device, &[("seq_q", Value::Int(8))]) {
            Reply::Failed { message } => assert!(message.contains("lies on"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}
