//! Decoding over a cache of few bits: what it loses, what it holds, and what it is kept out of.

use benchbook_core::{DType, Implementation, Support, Value, Workload};
use benchbook_engines::flex::attention::{FUSED, coded};
use benchbook_workloads::attention::Attention;

use crate::common::{SEED, case, setting};

/// The bytes of a head's keys and values of so many bits in the case below, 320 keys of whole tiles, and of its scales.
fn bytes(bits: usize) -> usize {
    2 * 320 * 64 * bits / 8 + 10 * 64 * 4 + 300 * 4
}

#[test]
fn what_is_lost_is_what_rounding_loses() {
    let sizes = [("heads", 4), ("kv_heads", 2), ("seq_q", 1), ("seq_kv", 300), ("head_dim", 64)];
    let (params, setting) = (case(&Attention, &sizes), setting("flex", DType::F32));
    let posed = Attention.pose(&params).unwrap();
    let (inputs, tolerance) = (posed.inputs(SEED), posed.tolerance(DType::F32));
    let exact = posed.reference(&inputs, SEED);
    let mut whole = FUSED.prepare(&setting, &params, &inputs).unwrap();
    whole.run(1);
    let whole = whole.outputs().unwrap();
    for row in coded::ROWS {
        // By simulation, as attention to normal numbers that share scales as they do here.
        let (lost, bits) = if row.name.starts_with("int8") { (0.0076, 8) } else { (0.143, 4) };
        let mut subject = row.prepare(&setting, &params, &inputs).unwrap();
        subject.run(1);
        subject.sync().unwrap();
        let outputs = subject.outputs().unwrap();
        let found = exact.distance(&outputs);
        assert!((0.75 * lost..1.25 * lost).contains(&found), "{}: {found}, not about {lost}", row.name);
        let right = row.approximation(&params, &inputs, SEED).unwrap();
        let off = |outputs| right.compare(outputs)[0].max_scaled_error;
        assert!(off(&outputs[..]) <= tolerance && off(&whole[..]) > 100.0 * tolerance, "{}", row.name);
        let metrics = subject.metrics();
        let told: Vec<(&str, f64)> = metrics.iter().map(|metric| (metric.name.as_str(), metric.value)).collect();
        let held = 2.0 * bytes(bits) as f64;
        // Beside the cache four queries of 64 numbers, and as many results.
        assert_eq!(told, [("cache_bytes", held), ("own_bytes", held + 2.0 * 4.0 * 64.0 * 4.0)], "{}", row.name);
        let mut write = |name: &str| subject.write(name, 0, &[1.0; 64]).unwrap();
        assert_eq!([write("query"), write("key"), write("value")], [true, false, false], "{}", row.name);
    }
}

#[test]
fn what_is_no_decoding_is_refused() {
    let reason = |name: &str, sizes: &[(&str, i64)], masked: bool| {
        let params = case(&Attention, sizes).with("masked", Value::Bool(masked));
        let row = coded::ROWS.into_iter().find(|row| row.name == name).unwrap();
        match row.supports("flex", DType::F32, &params) {
            Support::Yes => String::new(),
            Support::No(reason) => reason,
        }
    };
    let decoding = [("seq_q", 1), ("seq_kv", 10), ("head_dim", 12)];
    assert_eq!(reason("int4-cache", &decoding, false), "");
    assert!(reason("int4-cache", &decoding, true).contains("no mask"));
    assert!(reason("int8-cache", &[("seq_q", 2), ("seq_kv", 10)], false).contains("one query"));
    assert!(reason("int4-cache-hadamard", &decoding, false).contains("a power of two, not 12"));
}
