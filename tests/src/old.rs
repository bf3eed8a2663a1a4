//! A worker of protocol 2, as builds were before there were frames: it checks, warms up and times by itself.
//!
//! It writes that protocol on its own, so that the reader in `benchbook-measure` cannot drift with the writer.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::{Error, Result, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use benchbook_measure::clock::now_ns;
use serde_json::{Value, json};

/// The columns of a sample, null in every other message.
const COLUMNS: [&str; 7] =
    ["iterations", "elapsed_ns", "started_ns", "cpu_user_ns", "cpu_system_ns", "disturbed", "rested"];

/// Calls of a sample, and the numbers that each adds up: more work than the kernel `good` of today has.
const CALLS: i64 = 500;
const NUMBERS: u64 = 5_000;

/// Answers what comes through stdin until that closes.
///
/// # Errors
/// A closed pipe, or what is no message of the protocol.
pub fn serve_old() -> Result<()> {
    let mut fields = vec![Field::new("body", DataType::Utf8, true)];
    fields.extend(COLUMNS.map(|name| Field::new(name, DataType::Int64, true)));
    let metadata = HashMap::from([("benchbook.protocol".to_owned(), "2".to_owned())]);
    let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
    let mut writer = StreamWriter::try_new(std::io::stdout().lock(), &schema).map_err(Error::other)?;
    let mut say = |body: Option<Value>, sample: Option<[i64; 7]>| {
        let body = StringArray::from(vec![body.map(|body| body.to_string())]);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(body)];
        let column = |place: usize| Arc::new(Int64Array::from(vec![sample.map(|sample| sample[place])])) as ArrayRef;
        columns.extend((0..COLUMNS.len()).map(column));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(Error::other)?;
        writer.write(&batch).map_err(Error::other)?;
        writer.get_mut().flush()
    };
    let pid = std::process::id();
    let hello = json!({"protocol": 2, "version": "0.0.9", "pid": pid, "profile": "release", "debug_assertions": false});
    say(Some(json!({ "hello": hello })), None)?;
    let reader = StreamReader::try_new(std::io::stdin().lock(), None).map_err(Error::other)?;
    for batch in reader {
        let batch = batch.map_err(Error::other)?;
        let body: Value = serde_json::from_str(batch.column(0).as_string::<i32>().value(0))?;
        if body.get("sample").is_some() {
            say(None, Some(sample()))?;
        } else {
            say(Some(answer(&body)), None)?;
        }
    }
    Ok(())
}

/// Calls that are timed.
fn sample() -> [i64; 7] {
    let started_ns = now_ns();
    for _ in 0..CALLS {
        black_box((0..black_box(NUMBERS)).fold(0_u64, |sum, number| black_box(sum + number)));
    }
    [CALLS, now_ns() - started_ns, started_ns, 0, 0, 0, 1]
}

/// The answer to everything else.
fn answer(body: &Value) -> Value {
    // One output, so that no list stands around its check.
    let check = json!({"max_abs_error": 0.0, "max_scaled_error": 0.0, "rows_checked": 1});
    if body == "describe" {
        let params = json!([{"name": "length", "default": {"int": 256}, "doc": "elements"}]);
        let workload = json!({"name": "double", "about": "twice", "presets": ["quick", "default"], "params": params});
        let good = json!({
            "name": "good", "workload": "double", "about": "of old", "devices": ["host"], "engines": [["test", "1"]],
            "catalogue": [],
        });
        // A loop, which was a workload of its own kind only later.
        let looped = json!({
            "name": "good", "workload": "greedy-decoding", "about": "of old", "devices": ["host"],
            "engines": [["test", "1"]], "catalogue": [],
        });
        let device = json!({"name": "host", "engine": "test", "engine_version": "1", "unavailable": null});
        return json!({"description": {
            "workloads": [workload], "implementations": [good, looped], "devices": [device], "build": [], "thread_pools": [],
        }});
    }
    if let Some(asked) = body.get("resolve") {
        let cases = asked["combinations"].as_array().into_iter().flatten().map(|params| {
            let length = params["length"]["int"].as_i64().unwrap_or(256);
            json!({"workload": "double", "name": format!("n{length}"), "params": {"length": {"int": length}}})
        });
        return json!({"cases": cases.collect::<Vec<Value>>()});
    }
    if body.get("prepare").is_some() {
        return json!({"prepared": {
            "check": check, "tolerance": 1e-6, "flops": 256.0, "bytes": 2048.0, "iterations": CALLS,
            "warmup_iterations": 1, "settled": null, "prepare_ns": 1, "copies": 1,
            "figures": [{"name": "visible_scores", "value": 0.5, "unit": "share", "measured": false}],
        }});
    }
    if body.get("finish").is_some() {
        return json!({"finished": {"check": check}});
    }
    json!({"failed": {"message": format!("nobody knows how to {body}")}})
}
