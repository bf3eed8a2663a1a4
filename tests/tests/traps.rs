//! burn's known traps, planted as implementations: the correctness check must catch each.

use std::time::Duration;

use benchbook_core::{CacheRegime, DType, Inputs, Params, Registry, Result, Row, Setting, Subject, Value, Variant};
use benchbook_engines::flex::attention::AttentionInputs;
use benchbook_engines::flex::tensor::Target;
use benchbook_engines::flex::{self, TensorSubject, open};
use benchbook_measure::{Executor, Host, InProcess, Prepared, References, Trial};
use benchbook_workloads::attention::{Attention, AttentionParams};
use burn::tensor::Tensor;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;

/// burn's attention with a mistake that someone who ports a kernel makes.
type Trap = fn(&'static str, &Setting, &AttentionParams, &Inputs) -> Result<Box<dyn Subject>>;

/// No mistake: shows that the others fail for theirs alone.
const RIGHT: Trap =
    |name, setting, params, inputs| flex::prepare(name, setting, params, inputs, AttentionInputs::upload, right);

/// The mask means *keep*, as torch has it.
const INVERTED_MASK: Trap =
    |name, setting, params, inputs| flex::prepare(name, setting, params, inputs, AttentionInputs::upload, inverted);

/// Causality aligned to the top left, as torch has it.
const TOP_LEFT_CAUSAL: Trap =
    |name, setting, params, inputs| flex::prepare(name, setting, params, inputs, AttentionInputs::upload, top_left);

/// The result computed on another device than asked for.
const OTHER_DEVICE: Trap = |name, setting, params, inputs| {
    let copies = vec![AttentionInputs::upload(&Target::of(setting)?, params, inputs)?];
    let elsewhere = open(if setting.device == "flex" { "libtorch" } else { "flex" })?;
    Ok(Box::new(TensorSubject::new(name, &setting.device, elsewhere, copies, right)))
};

fn right(inputs: &AttentionInputs) -> Result<[Tensor<4>; 1]> {
    let AttentionInputs { query, key, value, mask, causal } = inputs;
    let options = AttentionModuleOptions { is_causal: *causal, ..Default::default() };
    Ok([attention(query.clone(), key.clone(), value.clone(), mask.clone(), None, options)])
}

fn inverted(inputs: &AttentionInputs) -> Result<[Tensor<4>; 1]> {
    let AttentionInputs { query, key, value, mask, .. } = inputs;
    let mask = mask.clone().map(|mask| mask.bool_not());
    Ok([attention(query.clone(), key.clone(), value.clone(), mask, None, AttentionModuleOptions::default())])
}

fn top_left(inputs: &AttentionInputs) -> Result<[Tensor<4>; 1]> {
    let AttentionInputs { query, key, value, .. } = inputs;
    let seq_q = query.dims()[2];
    // With alignment to the top left, the first seq_q keys are all that any query sees.
    let (key, value) = (key.clone().narrow(2, 0, seq_q), value.clone().narrow(2, 0, seq_q));
    let options = AttentionModuleOptions { is_causal: true, ..Default::default() };
    Ok([attention(query.clone(), key, value, None, None, options)])
}

/// What the worker says of a planted kernel on a case.
fn prepare(trap: Trap, device: &str, params: &[(&str, Value)]) -> benchbook_measure::Result<Prepared> {
    let mut registry = Registry::default();
    let engine = |_: &str| ("burn".to_owned(), "0".to_owned());
    let planted = Row::<Attention>::new("planted", "a trap", &["flex", "libtorch"], &DType::FLOATS, engine, trap);
    registry.workload(Attention).implementation(planted);
    let params = params.iter().fold(Params::default(), |params, (name, value)| params.with(name, value.clone()));
    let case = registry.case("attention", params).unwrap();
    let variant =
        Variant { implementation: "planted".into(), device: device.into(), dtype: DType::F32, threads: 1, build: None };
    let (cache, sent, approximates) = (CacheRegime::Hot, false, false);
    let trial =
        Trial { trial: 0, case, variant, cache, input_seed: 3, min_sample_ns: 1, warmup_ns: 0, sent, approximates };
    let here = InProcess::new(Host::new(registry, |_| None, Vec::new(), Vec::new));
    here.executor(&References::none().shared()).prepare(&trial, Duration::MAX)
}

fn scaled_error(trap: Trap, device: &str, params: &[(&str, Value)]) -> (f64, f64) {
    let prepared = prepare(trap, device, params).unwrap();
    (prepared.check[0].max_scaled_error, prepared.tolerance)
}

const MASKED: [(&str, Value); 2] = [("seq_q", Value::Int(40)), ("masked", Value::Bool(true))];
const LONGER: [(&str, Value); 3] =
    [("seq_q", Value::Int(24)), ("seq_kv", Value::Int(40)), ("causal", Value::Bool(true))];

#[test]
fn an_inverted_mask_is_wrong() {
    let (error, tolerance) = scaled_error(RIGHT, "flex", &MASKED);
    assert!(error <= tolerance, "{error}");
    let (error, tolerance) = scaled_error(INVERTED_MASK, "flex", &MASKED);
    assert!(error > 1_000.0 * tolerance, "{error}");
}

#[test]
fn causality_aligned_to_the_top_left_is_wrong() {
    let (error, tolerance) = scaled_error(RIGHT, "flex", &LONGER);
    assert!(error <= tolerance, "{error}");
    let (error, tolerance) = scaled_error(TOP_LEFT_CAUSAL, "flex", &LONGER);
    assert!(error > 1_000.0 * tolerance, "{error}");
}

#[cfg(feature = "libtorch")]
#[test]
fn burns_own_traps_on_libtorch_are_caught() {
    let square = [("seq_q", Value::Int(40)), ("causal", Value::Bool(true))];
    let (error, tolerance) = scaled_error(RIGHT, "libtorch", &square);
    assert!(error <= tolerance, "without a trap it is right: {error}");
    for params in [&MASKED[..], &LONGER] {
        let (error, tolerance) = scaled_error(RIGHT, "libtorch", params);
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
        let posed = registry.find_workload("attention").unwrap().pose(&case.params).unwrap();
        let inputs = posed.inputs(1);
        let setting = Setting { device: "libtorch".into(), dtype: DType::F32, threads: 1, copies: 2 };
        let mut subject = sdpa.prepare(&setting, &case.params, &inputs).unwrap();
        subject.run(3);
        let error = posed.reference(&inputs, 1).compare(&subject.outputs().unwrap())[0].max_scaled_error;
        assert!(error <= 1e-5, "{}: {error}", case.name);
    }
}

#[cfg(feature = "libtorch")]
#[test]
fn a_result_on_another_device_is_an_error() {
    for device in ["flex", "libtorch"] {
        match prepare(OTHER_DEVICE, device, &[("seq_q", Value::Int(8))]) {
            Err(benchbook_measure::Error::Failed(message)) => assert!(message.contains("lies on"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}
