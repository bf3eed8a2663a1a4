//! A worker of another program that speaks the wire by hand, and says where it is asked for a trial what no worker says.

use std::fs;
use std::io::{Read, Result, Write, copy, sink, stdin, stdout};

use serde_json::{Value, json};

use crate::hostile::frame;

/// The first word of a program that is such a worker; the next one is the name of its way, of its implementation of `matmul`
/// and of its device.
pub const SPEAKS: &str = "speaks";

/// Ways of such a worker, each with a part of what is said of it; the last two give outputs that are wrong.
pub const WAYS: [(&str, &str); 16] = [
    ("half-a-header", "it ends within a frame"),
    ("no-json", "expected value at line 1"),
    ("no-frame", "it begins with \"prep\" and not with `bbw3`"),
    ("body-of-2-to-the-63", "its body claims 9223372036854775808 bytes"),
    ("header-of-4-gib", "its header claims 4294967295 bytes"),
    ("more-than-its-arrays", "its arrays take 0 bytes, and its body has 4"),
    ("less-than-its-body", "its arrays take 960 bytes, and its body has 1024"),
    ("does-not-multiply-out", "beyond any memory"),
    ("below-zero", "invalid value: integer `-16`"),
    ("other-message", "unexpected reply Dropped"),
    ("unknown-message", "unknown variant `thinking`"),
    ("later-of-tomorrow", "it speaks version 4 of the wire, and this program version 3"),
    ("more-than-right", "its body claims 1073741824 bytes"),
    ("speaks-anew", "the worker speaks protocol 4, this program 3"),
    ("nan", "inf"),
    ("flat", "inf"),
];

/// The way of a worker that speaks another version from the beginning.
pub const OF_TOMORROW: &str = "of-tomorrow";

/// A message with this body, which it claims to have so many bytes.
fn with_body(header: &Value, claimed: u64, body: &[u8]) -> Vec<u8> {
    let text = header.to_string();
    frame(b"bbw3", text.len() as u32, claimed, &[text.as_bytes(), body].concat())
}

/// A message without arrays.
fn said(header: &Value) -> Vec<u8> {
    with_body(header, 0, &[])
}

/// The header of the next question; nothing once the controller is gone.
fn question(input: &mut impl Read) -> Result<Option<Value>> {
    let mut magic = [0; 4];
    if input.read_exact(&mut magic).is_err() {
        return Ok(None);
    }
    let (mut header_bytes, mut body_bytes) = ([0; 4], [0; 8]);
    input.read_exact(&mut header_bytes)?;
    input.read_exact(&mut body_bytes)?;
    let mut header = Vec::new();
    input.by_ref().take(u32::from_le_bytes(header_bytes).into()).read_to_end(&mut header)?;
    copy(&mut input.by_ref().take(u64::from_le_bytes(body_bytes)), &mut sink())?;
    Ok(Some(serde_json::from_slice(&header)?))
}

/// That a trial is prepared, with an output that is said to have this shape.
fn of_shape(shape: &Value) -> Value {
    json!({ "say": "prepared", "arrays": [{ "name": "output", "dtype": "f32", "shape": shape }] })
}

/// The same, with 256 numbers as that output.
fn prepared(shape: &Value, number: f32) -> Vec<u8> {
    let body = number.to_le_bytes().repeat(256);
    with_body(&of_shape(shape), body.len() as u64, &body)
}

/// What is said where a trial of 16³ is asked for.
fn nonsense(way: &str) -> Vec<u8> {
    match way {
        "half-a-header" => frame(b"bbw3", 100, 0, b"{\"say\": "),
        "no-json" => frame(b"bbw3", 13, 0, b"say: prepared"),
        "no-frame" => b"preparing the trial\n".to_vec(),
        "body-of-2-to-the-63" => frame(b"bbw3", 19, 1 << 63, b"{\"say\": \"prepared\"}"),
        "header-of-4-gib" => frame(b"bbw3", u32::MAX, 0, b"{}"),
        "more-than-its-arrays" => frame(b"bbw3", 15, 4, b"{\"say\": \"none\"}1234"),
        "less-than-its-body" => prepared(&json!([16, 15]), 1.0),
        "does-not-multiply-out" => prepared(&json!([1_u64 << 40, 1_u64 << 40, 16]), 1.0),
        "below-zero" => prepared(&json!([-16, -16]), 1.0),
        "other-message" => said(&json!({ "say": "dropped" })),
        "unknown-message" => said(&json!({ "say": "thinking" })),
        "more-than-right" => with_body(&of_shape(&json!([1 << 14, 1 << 14])), 1 << 30, &[]),
        "speaks-anew" => frame(b"bbw4", 2, 0, b"{}"),
        "nan" => prepared(&json!([16, 16]), f32::NAN),
        "flat" => prepared(&json!([256]), 1.0),
        other => panic!("no worker speaks like `{other}`"),
    }
}

/// Speaks the wire until the controller is gone, or half of something is said.
///
/// # Errors
/// A pipe is closed, or the working directory cannot be written to.
///
/// # Panics
/// If there is no such way.
pub fn speak(way: &str) -> Result<()> {
    let (mut input, mut out) = (stdin().lock(), stdout().lock());
    // The first process of a run is there to be asked.
    let asked_before = format!("asked-{way}");
    let later = fs::exists(&asked_before)?;
    fs::write(&asked_before, "")?;
    let version = if way == OF_TOMORROW || (later && way == "later-of-tomorrow") { 4 } else { 3 };
    let pid = std::process::id();
    out.write_all(&said(&json!({ "say": "hello", "protocol": version, "version": "1", "pid": pid })))?;
    out.flush()?;
    while let Some(asked) = question(&mut input)? {
        let is_of_trial = asked["ask"] == "prepare";
        let answer = match asked["ask"].as_str() {
            Some("describe") => said(&description(way)),
            Some("prepare") => nonsense(way),
            Some("approximation") => said(&json!({ "say": "none" })),
            Some("drop") => said(&json!({ "say": "dropped" })),
            _ => said(&json!({ "say": "failed", "message": "it knows nothing else" })),
        };
        out.write_all(&answer)?;
        out.flush()?;
        if is_of_trial && way == "half-a-header" {
            break;
        }
    }
    Ok(())
}

fn description(way: &str) -> Value {
    json!({
        "say": "description",
        "implementations": [
            { "name": way, "workload": "matmul", "devices": [way], "engines": [["test", "1"]], "inputs": "sent" },
        ],
        "devices": [{ "name": way, "engine": "test", "engine_version": "1", "unavailable": null }],
    })
}
