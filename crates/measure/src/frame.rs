//! Frames: a header in JSON and arrays as raw bytes, on the pipes between controller and worker.
//!
//! ARCHITECTURE.md describes them under *The wire*. Neither side trusts the other: lengths are bounded, and memory grows with
//! what has come, not with what was claimed.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use benchbook_core::message::PROTOCOL;
use benchbook_core::{Array, DType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// What every frame begins with; the last character is the version.
const MAGIC: &[u8; 4] = b"bbw3";

/// Bytes of a header at most: the cases of a large sweep take some millions.
const MOST_HEADER_BYTES: u64 = 16 << 20;

/// Bytes of all arrays of a frame at most, whatever was asked.
const MOST_BODY_BYTES: u64 = 64 << 30;

/// Arrays that lie in a file begin at multiples of this, so that they can be mapped.
pub(crate) const ALIGNMENT: u64 = 64;

/// Arrays by their names, in order.
pub type Arrays = Vec<(String, Array)>;

/// What has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The header, without what describes the arrays.
    pub header: Map<String, Value>,
    /// The arrays.
    pub arrays: Arrays,
}

/// An array as the header describes it.
#[derive(Debug, Serialize, Deserialize)]
struct Described {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    /// The file that holds its bytes, where the body does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// Where in that file they begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
}

impl Frame {
    /// The message of the header, and the arrays.
    ///
    /// # Errors
    /// There is no such message, or one of its fields is missing or of another type.
    pub fn message<M: DeserializeOwned>(self) -> Result<(M, Arrays)> {
        let message = serde_json::from_value(Value::Object(self.header)).map_err(unreadable)?;
        Ok((message, self.arrays))
    }
}

/// Writes a frame; where a file is named, that holds the arrays already.
///
/// # Errors
/// The pipe is closed, or the message is larger than a header may be.
pub fn write(
    to: &mut impl Write,
    message: &impl Serialize,
    arrays: &[(&str, &Array)],
    file: Option<&Path>,
) -> Result<()> {
    let mut header = serde_json::to_value(message).map_err(unreadable)?;
    if let (Some(header), false) = (header.as_object_mut(), arrays.is_empty()) {
        let describe = |((name, array), at): (&(&str, &Array), u64)| Described {
            name: (*name).to_owned(),
            dtype: array.dtype(),
            shape: array.shape().to_vec(),
            file: file.map(Path::to_owned),
            at: file.map(|_| at),
        };
        let described: Vec<Described> = arrays.iter().zip(places(arrays)).map(describe).collect();
        header.insert("arrays".to_owned(), serde_json::to_value(described).map_err(unreadable)?);
    }
    let header = serde_json::to_vec(&header).map_err(unreadable)?;
    let header_bytes = bounded("header", header.len() as u64, MOST_HEADER_BYTES)?;
    let in_body: &[(&str, &Array)] = if file.is_some() { &[] } else { arrays };
    let body_bytes: u64 = in_body.iter().map(|(_, array)| array.bytes().len() as u64).sum();
    let lengths = ((header_bytes as u32).to_le_bytes(), bounded("body", body_bytes, MOST_BODY_BYTES)?.to_le_bytes());
    let mut parts = vec![&MAGIC[..], &lengths.0[..], &lengths.1[..], header.as_slice()];
    parts.extend(in_body.iter().map(|(_, array)| array.bytes()));
    let written = parts.into_iter().try_for_each(|part| to.write_all(part)).and_then(|()| to.flush());
    written.map_err(|source| Error::Io { what: "writing a message", source })
}

/// Arrays as they are written.
pub(crate) fn parts(arrays: &[(String, Array)]) -> Vec<(&str, &Array)> {
    arrays.iter().map(|(name, array)| (name.as_str(), array)).collect()
}

/// Where each of these arrays begins in a file that holds them.
pub(crate) fn places(arrays: &[(&str, &Array)]) -> impl Iterator<Item = u64> {
    arrays.iter().scan(0, |next, (_, array)| {
        let at = *next;
        *next = (at + array.bytes().len() as u64).next_multiple_of(ALIGNMENT);
        Some(at)
    })
}

/// Reads frames from a pipe.
pub struct Reader<R> {
    pipe: R,
    /// Bytes of all arrays of the next frame at most.
    most_body_bytes: Arc<AtomicU64>,
}

impl<R: Read> Reader<R> {
    /// A reader of what comes through a pipe.
    pub fn new(pipe: R) -> Self {
        Self::bounded(pipe, &Arc::new(AtomicU64::new(MOST_BODY_BYTES)))
    }

    /// The same of frames whose arrays have so many bytes at most, which changes with what is asked.
    pub(crate) fn bounded(pipe: R, most_body_bytes: &Arc<AtomicU64>) -> Self {
        Self { pipe, most_body_bytes: Arc::clone(most_body_bytes) }
    }

    /// The next frame; nothing where the pipe is closed instead.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a frame of another version, [`Error::Message`] for what is none: nothing after it can be read.
    pub fn receive(&mut self) -> Result<Option<Frame>> {
        let magic = self.some(MAGIC.len() as u64)?;
        match magic.as_slice() {
            [] => return Ok(None),
            [b'b', b'b', b'w', version @ b'0'..=b'9'] if magic != MAGIC => {
                return Err(Error::Protocol { worker: u32::from(version - b'0'), ours: PROTOCOL });
            }
            other if other != MAGIC => {
                let words = format!("it begins with {:?} and not with `bbw3`", String::from_utf8_lossy(other));
                return Err(Error::Message(words));
            }
            _ => {}
        }
        let header_bytes = bounded("header", u32::from_le_bytes(self.number()?).into(), MOST_HEADER_BYTES)?;
        let most_body_bytes = self.most_body_bytes.load(Ordering::Relaxed).min(MOST_BODY_BYTES);
        let body_bytes = bounded("body", u64::from_le_bytes(self.number()?), most_body_bytes)?;
        let mut header: Map<String, Value> = serde_json::from_slice(&self.bytes(header_bytes)?).map_err(unreadable)?;
        let described: Vec<Described> =
            header.remove("arrays").map_or(Ok(Vec::new()), serde_json::from_value).map_err(unreadable)?;
        let sizes = described.iter().map(Described::bytes).collect::<Result<Vec<u64>>>()?;
        let total = sizes.iter().fold(0_u64, |total, size| total.saturating_add(*size));
        if total != body_bytes {
            let words = format!("its arrays take {total} bytes, and its body has {body_bytes}");
            return Err(Error::Message(words));
        }
        let mut arrays = Arrays::new();
        for (Described { name, dtype, shape, .. }, size) in described.into_iter().zip(sizes) {
            arrays.push((name, Array::from_bytes(dtype, shape, &self.bytes(size)?).map_err(unreadable)?));
        }
        Ok(Some(Frame { header, arrays }))
    }

    /// So many bytes, or as many as come before the pipe is closed.
    fn some(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.pipe.by_ref().take(count).read_to_end(&mut bytes);
        read.map_err(|source| Error::Io { what: "reading a message", source })?;
        Ok(bytes)
    }

    /// So many bytes.
    fn bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        let bytes = self.some(count)?;
        if (bytes.len() as u64) < count { Err(Error::Message("it ends within a frame".into())) } else { Ok(bytes) }
    }

    /// The bytes of a number.
    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.bytes(N as u64)?.try_into().map_err(|_| Error::Message("it ends within a frame".into()))
    }
}

impl Described {
    /// Bytes that it has in the body.
    fn bytes(&self) -> Result<u64> {
        let Self { name, dtype, shape, file, .. } = self;
        if file.is_some() {
            return Err(Error::Message(format!("it names a file for `{name}`, which a controller alone may do")));
        }
        let bytes = Array::bytes_of(*dtype, shape).map(|bytes| bytes as u64);
        bytes.ok_or_else(|| Error::Message(format!("the shape {shape:?} of `{name}` is beyond any memory")))
    }
}

fn bounded(what: &str, bytes: u64, most: u64) -> Result<u64> {
    if bytes <= most {
        return Ok(bytes);
    }
    Err(Error::Message(format!("its {what} claims {bytes} bytes, {most} are the most")))
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Message(error.to_string())
}

#[cfg(test)]
mod tests {
    use benchbook_core::message::{Ask, Place, Prepare, Ran, Say, Writable};
    use benchbook_core::{Metric, Params, StepsOf, Task};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The bytes of a frame.
    fn frame(message: &impl Serialize, arrays: &[(&str, &Array)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, message, arrays, None).unwrap();
        bytes
    }

    /// The same of a header that may say anything of its arrays.
    fn claiming(header: &Value, body: &[u8]) -> Vec<u8> {
        let header = header.to_string().into_bytes();
        let lengths = [&(header.len() as u32).to_le_bytes()[..], &(body.len() as u64).to_le_bytes()].concat();
        [&MAGIC[..], &lengths, &header, body].concat()
    }

    fn first(bytes: &[u8]) -> Result<Option<Frame>> {
        Reader::new(bytes).receive()
    }

    fn refusal(bytes: &[u8]) -> String {
        first(bytes).unwrap_err().to_string()
    }

    /// A stream of frames of every kind of content.
    fn stream() -> Vec<u8> {
        let (row, flags) = (Array::new(vec![3], &[0.5_f32, -1.0, f32::NAN]), Array::flags(vec![2], [true, false]));
        let run = Ask::Run {
            trial: 7,
            iterations: 3,
            before: 1,
            write: Some(Place { input: "x".into(), row: 2 }),
            steps: Some(4),
        };
        let prepared = Say::Prepared {
            engine_version: Some("1.2".into()),
            metrics: vec![Metric::measured("share", f64::INFINITY, "share")],
            writable: vec![Writable { input: "x".into(), rows: 2, width: 3, scale: 0.25, below: Some(9) }],
            processes: vec![5],
            memory: None,
            peak_added_bytes: Some(64),
            inputs: Some("digest".into()),
        };
        [frame(&run, &[("values", &row)]), frame(&prepared, &[("", &flags), ("more", &row)]), frame(&Say::None, &[])]
            .concat()
    }

    #[test]
    fn messages_and_arrays_arrive_as_they_were_sent() {
        let table = Array::new(vec![2, 2], &[1_i64, -2, 3, i64::MIN]);
        let packed = Array::from_bytes(DType::I4lo, vec![2, 3], &[1, 2, 3, 4]).unwrap();
        let empty = Array::new::<f32>(vec![0, 5], &[]);
        let prepare = Prepare {
            trial: -1,
            workload: "w".into(),
            case: "a \"quoted\" Ω".into(),
            params: Params::default().with("m", 5_i64.into()).with("share", 0.25_f64.into()).with("word", "x".into()),
            implementation: "i".into(),
            device: "d".into(),
            dtype: DType::Bf16,
            threads: 2,
            copies: 3,
            seed: u64::MAX,
        };
        let ran = Ran {
            iterations: 1 << 33,
            started_ns: -5,
            elapsed_ns: i64::MAX,
            system_ns: Some(1),
            waited_ns: Some(u64::MAX),
            cpu_after: Some(7),
            ..Ran::default()
        };
        let mut bytes = frame(
            &Ask::Prepare(Box::new(prepare.clone())),
            &[("table", &table), ("packed", &packed), ("empty", &empty)],
        );
        bytes.extend(frame(&Say::Ran(ran), &[]));
        let mut reader = Reader::new(bytes.as_slice());
        let (ask, arrays) = reader.receive().unwrap().unwrap().message::<Ask>().unwrap();
        assert_eq!(ask, Ask::Prepare(Box::new(prepare)));
        let named = [("table", table), ("packed", packed), ("empty", empty)];
        assert_eq!(arrays, named.map(|(name, array)| (name.to_owned(), array)));
        assert_eq!(reader.receive().unwrap().unwrap().message::<Say>().unwrap(), (Say::Ran(ran), Vec::new()));
        assert_eq!(reader.receive().unwrap(), None);
    }

    #[test]
    fn what_another_language_leaves_out_or_adds_is_no_matter() {
        let said = |header: Value| first(&claiming(&header, &[])).unwrap().unwrap().message::<Say>().unwrap().0;
        let hello = said(json!({"say": "hello", "protocol": 3, "version": "1", "pid": 9, "mood": "good"}));
        let (version, profile) = ("1".into(), "release".into());
        assert_eq!(hello, Say::Hello { protocol: 3, version, pid: 9, profile, debug_assertions: false });
        let ran = said(json!({"say": "ran", "elapsed_ns": 4, "started_ns": 3, "iterations": 2}));
        let wanted = Ran { iterations: 2, started_ns: 3, elapsed_ns: 4, ..Ran::default() };
        assert_eq!(ran, Say::Ran(wanted));
        let posed = |task: Value| {
            let work = json!({"flops": 1.0, "bytes": 2.0});
            let mut header = json!({"say": "posed", "work": work, "tolerance": 0.5, "input_bytes": 3});
            header["task"] = task;
            if header["task"].is_null() {
                header.as_object_mut().unwrap().remove("task");
            }
            let Say::Posed(facts) = said(header) else { panic!("it is posed") };
            facts.task
        };
        assert_eq!([posed(Value::Null), posed(json!("call"))], [Task::Call, Task::Call]);
        let values = vec![("loss".to_owned(), "nats".to_owned())];
        let steps = json!({"steps": {"most": 9, "values": [["loss", "nats"]]}});
        assert_eq!(posed(steps), Task::Steps(StepsOf { most: 9, tokens: None, values }));
        let figures = json!([{"name": "x", "value": 1.0, "unit": "count", "measured": true}]);
        let Say::Prepared { metrics, .. } = said(json!({"say": "prepared", "figures": figures})) else {
            panic!("it is prepared");
        };
        assert_eq!(metrics, [Metric::measured("x", 1.0, "count")], "as earlier workers call them");
        let unknown = first(&claiming(&json!({"say": "sing"}), &[])).unwrap().unwrap().message::<Say>();
        assert!(unknown.unwrap_err().to_string().contains("unknown variant `sing`"));
        let missing = first(&claiming(&json!({"say": "ran"}), &[])).unwrap().unwrap().message::<Say>();
        assert!(missing.unwrap_err().to_string().contains("missing field `iterations`"));
    }

    #[test]
    fn a_file_holds_arrays_where_their_descriptions_say() {
        let (a, b) = (Array::new(vec![3], &[1_u8, 2, 3]), Array::new(vec![1], &[2.0_f64]));
        let arrays = [("a", &a), ("b", &b)];
        assert_eq!(places(&arrays).collect::<Vec<u64>>(), [0, ALIGNMENT]);
        let mut bytes = Vec::new();
        write(&mut bytes, &Ask::Describe, &arrays, Some(Path::new("/dev/shm/x"))).unwrap();
        let header: Value = serde_json::from_slice(&bytes[16..]).unwrap();
        assert_eq!(
            header["arrays"][1],
            json!({"name": "b", "dtype": "f64", "shape": [1], "file": "/dev/shm/x", "at": 64})
        );
        assert_eq!(bytes[8..16], [0; 8], "there is no body");
        assert!(refusal(&bytes).contains("names a file for `a`"), "nobody reads files for a worker");
    }

    #[test]
    fn no_claim_is_believed() {
        let whole = frame(&Say::None, &[]);
        let with = |at: usize, number: &[u8]| {
            let mut bytes = whole.clone();
            bytes[at..at + number.len()].copy_from_slice(number);
            refusal(&bytes)
        };
        assert!(with(4, &u32::MAX.to_le_bytes()).contains("header claims 4294967295 bytes, 16777216 are the most"));
        assert!(with(8, &(1_u64 << 63).to_le_bytes()).contains("body claims 9223372036854775808 bytes"));
        assert!(with(8, &5_u64.to_le_bytes()).contains("its arrays take 0 bytes, and its body has 5"));
        assert!(with(0, b"bbw4").contains("the worker speaks protocol 4, this program 3"));
        assert!(with(0, b"I am").contains("begins with \"I am\""));
        let array = |shape: Value, dtype: &str| {
            let header = json!({"say": "finished", "arrays": [{"name": "x", "dtype": dtype, "shape": shape}]});
            refusal(&claiming(&header, &[0, 1, 2, 3]))
        };
        assert!(array(json!([1_u64 << 63, 2]), "f32").contains("beyond any memory"));
        assert!(array(json!([u64::MAX, u64::MAX, 0]), "f32").contains("beyond any memory"));
        assert!(array(json!([3]), "f32").contains("its arrays take 12 bytes, and its body has 4"));
        assert!(array(json!([4]), "bool").contains("no bool array of shape [4]"));
        assert!(array(json!([-1]), "f32").contains("invalid value"));
        assert!(array(json!([1.5]), "f32").contains("invalid type"));
        assert!(array(json!([1]), "f33").contains("unknown variant `f33`"));
        assert!(refusal(&claiming(&json!([1]), &[])).contains("expected a map"));
    }

    #[test]
    fn a_frame_brings_no_more_than_was_asked_for() {
        let bytes = frame(&Say::Dropped, &[("", &Array::new(vec![2], &[1_i32, 2]))]);
        let twice = [bytes.clone(), bytes].concat();
        let most = Arc::new(AtomicU64::new(8));
        let mut reader = Reader::bounded(twice.as_slice(), &most);
        assert!(reader.receive().is_ok_and(|frame| frame.is_some()));
        most.store(7, Ordering::Relaxed);
        assert!(reader.receive().unwrap_err().to_string().contains("its body claims 8 bytes, 7 are the most"));
    }

    #[test]
    fn a_stream_that_ends_early_is_an_error_and_no_frame() {
        let bytes = frame(&Say::Dropped, &[("", &Array::new(vec![2], &[1_i32, 2]))]);
        assert_eq!(first(&[]).unwrap(), None);
        for length in 1..bytes.len() {
            assert!(first(&bytes[..length]).is_err(), "cut at {length}");
        }
        let nan = first(&frame(&Say::Dropped, &[("", &Array::new(vec![1], &[f32::NAN]))])).unwrap().unwrap();
        assert!(nan.arrays[0].1.of::<f32>()[0].is_nan(), "numbers are the matter of who checks them");
    }

    /// What lengths should not be.
    const ODD: [u64; 6] = [0, 1, 0xffff_ffff, 1 << 40, 1 << 63, u64::MAX];

    /// Changes a stream somewhere.
    fn change(bytes: &mut Vec<u8>, at: usize, how: u8, value: u8) {
        let number = ODD[usize::from(value) % ODD.len()].to_le_bytes();
        match how {
            0 => bytes[at] = value,
            1 => bytes[at] ^= 1 << (value % 8),
            2 => drop(bytes.drain(at..(at + usize::from(value)).min(bytes.len()))),
            3 => bytes.insert(at, value),
            _ => bytes[at..].iter_mut().zip(number).for_each(|(byte, other)| *byte = other),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_damaged_is_a_message_or_an_error_and_nothing_worse(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..5_u8, any::<u8>()), 1..5)
        ) {
            let mut bytes = stream();
            for (at, how, value) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    change(&mut bytes, at, how, value);
                }
            }
            let mut reader = Reader::new(bytes.as_slice());
            while let Ok(Some(frame)) = reader.receive() {
                let both = (frame.clone().message::<Ask>(), frame.message::<Say>());
                prop_assert!(both.0.is_err() || both.1.is_err(), "a message is of one side");
            }
        }
    }
}
