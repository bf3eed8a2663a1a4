//! Workers that misbehave before they measure anything: on the wire, on stderr, and with processes of their own.

use std::collections::HashMap;
use std::fs;
use std::io::{Result, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::StreamWriter;

/// The variable that says how a worker misbehaves.
pub const HOSTILE: &str = "BENCHBOOK_TEST_WORKER";

/// The way of a worker that answers its first question and reads no more.
pub const STOPS_READING: &str = "stops-reading";

/// Bytes on stderr without an end of line, in writes of a mebibyte.
const CHATTER_MIB: usize = 2_560;

/// The file in the folder of a worker that holds the number of what it has started.
pub const CHILD: &str = "child";

/// Longer than anybody waits.
const LONG: Duration = Duration::from_secs(120);

/// Misbehaves in the way that is named, and ends.
///
/// # Errors
/// A pipe is closed.
///
/// # Panics
/// If there is no way of that name.
pub fn misbehave(way: &str) -> Result<()> {
    let (mut out, mut stderr) = (std::io::stdout().lock(), std::io::stderr().lock());
    match way {
        "is-silent" => sleep(LONG),
        "claims-length" => say_and_stay(&mut out, &[[0xff; 4], i32::MAX.to_le_bytes()].concat())?,
        "claims-body" => say_and_stay(&mut out, &frame(b"bbw3", 2, 1 << 63, b"{}"))?,
        "ends-in-header" => out.write_all(&frame(b"bbw3", 100, 0, b"{\"say\": "))?,
        "is-of-tomorrow" => say_and_stay(&mut out, &frame(b"bbw4", 2, 0, b"{}"))?,
        "greets-of-tomorrow" => {
            let header = br#"{"say": "hello", "protocol": 4, "mood": "new"}"#;
            say_and_stay(&mut out, &frame(b"bbw3", header.len() as u32, 0, header))?;
        }
        "has-other-columns" => say_and_stay(&mut out, &other_columns())?,
        "chatters" => {
            let mebibyte = vec![b'x'; 1 << 20];
            for _ in 0..CHATTER_MIB {
                stderr.write_all(&mebibyte)?;
            }
        }
        "leaves-child" => {
            writeln!(stderr, "child {}", start_child()?)?;
        }
        "leaves-group" => {
            fs::write(CHILD, start_outside_group()?)?;
            sleep(LONG);
        }
        "tells-variables" => {
            let mut names: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            let told = ["GLIBC_TUNABLES", "OMP_", "MKL_", "KMP_", "GOMP_", "RAYON_", "CANDLE_"];
            names.retain(|name| told.iter().any(|start| name.starts_with(start)));
            names.sort();
            writeln!(stderr, "{}", names.join(" "))?;
        }
        other => panic!("no worker misbehaves like `{other}`"),
    }
    Ok(())
}

/// Says this, and then nothing for longer than anybody waits.
fn say_and_stay(out: &mut impl Write, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes)?;
    out.flush()?;
    sleep(LONG);
    Ok(())
}

/// A frame that claims these lengths.
pub(crate) fn frame(magic: &[u8; 4], header_bytes: u32, body_bytes: u64, rest: &[u8]) -> Vec<u8> {
    [&magic[..], &header_bytes.to_le_bytes(), &body_bytes.to_le_bytes(), rest].concat()
}

/// A process that lives longer than anybody waits; its number.
fn start_child() -> Result<u32> {
    let mut child = Command::new("sleep");
    child.arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(child.spawn()?.id())
}

/// A process in a session of its own whose parent has ended, which lives longer than anybody waits; its number as a line.
fn start_outside_group() -> Result<Vec<u8>> {
    let mut setsid = Command::new("setsid");
    setsid.args(["--fork", "sh", "-c", "echo $$; exec >/dev/null 2>&1; sleep 600; exit"]).stdin(Stdio::null());
    Ok(setsid.output()?.stdout)
}

/// Keeps whoever serves in this process from reading any further, and starts a child, whose number then stands in the
/// file [`CHILD`]; the thread pools that a worker names in its first answer.
///
/// # Panics
/// If the child cannot be started or the file not be written.
pub fn stop_reading() -> Vec<(String, usize)> {
    let locked = std::thread::spawn(|| std::mem::forget(std::io::stdin().lock()));
    locked.join().expect("nobody reads meanwhile");
    let child = start_child().expect("a program of every system");
    fs::write(CHILD, format!("{child}\n")).expect("a folder of its own");
    Vec::new()
}

/// A stream of protocol 2 whose text is a number.
fn other_columns() -> Vec<u8> {
    let metadata = HashMap::from([("benchbook.protocol".to_owned(), "2".to_owned())]);
    let schema = Arc::new(Schema::new(vec![Field::new("body", DataType::Int64, true)]).with_metadata(metadata));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(vec![7]))]);
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &schema).expect("memory can be written");
    writer.write(&batch.expect("it fits its columns")).expect("memory can be written");
    drop(writer);
    bytes
}
