//! Messages as an Arrow IPC stream: one batch of one row a message, samples in typed columns.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::Serialize;

use super::bounded::Bounded;
use super::message::{Reply, Request};
use crate::disturbance::Disturbance;
use crate::executor::Sampled;
use crate::{Error, Result};

/// Version of the protocol on these streams.
pub(crate) const PROTOCOL: u32 = 2;

/// Key of the protocol's version in the stream's metadata.
pub(crate) const PROTOCOL_KEY: &str = "benchbook.protocol";

/// The columns of a sample; null in every other message. `disturbed` counts from 1 in [`Disturbance::ALL`].
const SAMPLE_COLUMNS: [&str; 7] =
    ["iterations", "elapsed_ns", "started_ns", "cpu_user_ns", "cpu_system_ns", "disturbed", "rested"];

fn schema() -> SchemaRef {
    let mut fields = vec![Field::new("body", DataType::Utf8, true)];
    fields.extend(SAMPLE_COLUMNS.map(|name| Field::new(name, DataType::Int64, true)));
    let metadata = HashMap::from([(PROTOCOL_KEY.to_owned(), PROTOCOL.to_string())]);
    Arc::new(Schema::new(fields).with_metadata(metadata))
}

fn message_error(error: impl std::fmt::Display) -> Error {
    Error::Message(error.to_string())
}

/// A message that can stand on the wire.
pub trait Wire {
    /// The text of the message, unless it is a sample.
    fn body(&self) -> Result<Option<String>>;
    /// The message as a sample, if it is one.
    fn sample(&self) -> Option<Sampled>;
}

fn to_json(message: &impl Serialize) -> Result<Option<String>> {
    serde_json::to_string(message).map(Some).map_err(message_error)
}

fn from_json(body: Option<&str>) -> Result<Reply> {
    serde_json::from_str(body.ok_or_else(|| Error::Message("it is empty".into()))?).map_err(message_error)
}

impl Wire for Request {
    fn body(&self) -> Result<Option<String>> {
        to_json(self)
    }

    fn sample(&self) -> Option<Sampled> {
        None
    }
}

impl Wire for Reply {
    fn body(&self) -> Result<Option<String>> {
        if matches!(self, Self::Sampled(_)) { Ok(None) } else { to_json(self) }
    }

    fn sample(&self) -> Option<Sampled> {
        if let Self::Sampled(sample) = self { Some(sample.clone()) } else { None }
    }
}

/// Writes messages to a pipe.
pub struct Sender<W: Write>(StreamWriter<W>);

impl<W: Write> Sender<W> {
    /// Opens the stream; the other side can read its version at once.
    ///
    /// # Errors
    /// The pipe is closed.
    pub fn new(pipe: W) -> Result<Self> {
        let mut writer = StreamWriter::try_new(pipe, &schema()).map_err(message_error)?;
        writer.flush().map_err(message_error)?;
        Ok(Self(writer))
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The pipe is closed.
    pub fn send(&mut self, message: &impl Wire) -> Result<()> {
        let numbers = message.sample().map(|s| {
            let place = |disturbed| Disturbance::ALL.iter().position(|known| *known == disturbed);
            let disturbed = s.disturbed.and_then(place).map_or(0, |place| place as i64 + 1);
            let rested = i64::from(s.rested);
            [s.iterations, s.elapsed_ns, s.started_ns, s.cpu_user_ns, s.cpu_system_ns, disturbed, rested]
        });
        let mut columns: Vec<Arc<dyn Array>> = vec![Arc::new(StringArray::from(vec![message.body()?]))];
        columns.extend(
            (0..SAMPLE_COLUMNS.len())
                .map(|i| Arc::new(Int64Array::from(vec![numbers.map(|numbers| numbers[i])])) as Arc<dyn Array>),
        );
        let batch = RecordBatch::try_new(schema(), columns).map_err(message_error)?;
        self.0.write(&batch).map_err(message_error)?;
        self.0.flush().map_err(message_error)
    }
}

impl Sender<Vec<u8>> {
    /// The bytes of what was sent since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }
}

/// What arrow reads; a panic of its is no end of ours.
fn caught<T>(read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T> {
    let read = benchbook_journal::caught(read);
    read.map_err(|panic| Error::Message(format!("arrow panicked at it: {panic}")))?.map_err(message_error)
}

/// Reads messages from a pipe.
pub struct Receiver<R: Read>(StreamReader<Bounded<R>>);

impl<R: Read> Receiver<R> {
    /// Waits for the stream to open and checks its version.
    ///
    /// # Errors
    /// The pipe is closed, what comes is not a stream of messages, or of another version.
    pub fn new(pipe: R) -> Result<Self> {
        let reader = caught(|| StreamReader::try_new(Bounded::new(pipe), None))?;
        let version = reader.schema().metadata().get(PROTOCOL_KEY).and_then(|text| text.parse().ok()).unwrap_or(0);
        if version != PROTOCOL {
            return Err(Error::Protocol { worker: version, ours: benchbook_core::message::PROTOCOL });
        }
        Ok(Self(reader))
    }

    /// The next message, or nothing at the end of the stream.
    ///
    /// # Errors
    /// What comes is not a message.
    pub fn receive(&mut self) -> Result<Option<Reply>> {
        let Some(batch) = caught(|| self.0.next().transpose())? else { return Ok(None) };
        let bodies = batch.column(0).as_string::<i32>();
        let body = bodies.is_valid(0).then(|| bodies.value(0));
        let number = |i: usize| {
            // Workers of older builds have fewer columns.
            let column = batch.columns().get(i + 1)?.as_primitive::<Int64Type>();
            column.is_valid(0).then(|| column.value(0))
        };
        let sample = (|| {
            Some(Sampled {
                iterations: number(0)?,
                elapsed_ns: number(1)?,
                started_ns: number(2)?,
                cpu_user_ns: number(3)?,
                cpu_system_ns: number(4)?,
                disturbed: usize::try_from(number(5)?.wrapping_sub(1))
                    .ok()
                    .and_then(|place| Disturbance::ALL.get(place))
                    .copied(),
                rested: number(6) != Some(0),
                steps: None,
            })
        })();
        sample.map_or_else(|| from_json(body), |sample| Ok(Reply::Sampled(sample))).map(Some)
    }
}

/// A sample, for tests.
#[cfg(test)]
pub(super) const SAMPLE: Sampled = Sampled {
    iterations: 3,
    elapsed_ns: 4,
    started_ns: 5,
    cpu_user_ns: 6,
    cpu_system_ns: 7,
    disturbed: None,
    rested: false,
    steps: None,
};

#[cfg(test)]
mod tests {
    use benchbook_core::Comparison;

    use super::*;

    #[test]
    fn messages_survive_the_wire() {
        let disturbed = Disturbance::ALL.map(|one| Reply::Sampled(Sampled { disturbed: Some(one), ..SAMPLE }));
        let mut replies = vec![Reply::Sampled(SAMPLE), Reply::Failed { message: "a \"quoted\" Ω".into() }];
        replies.extend(disturbed);
        let mut bytes = Vec::new();
        let mut sender = Sender::new(&mut bytes).unwrap();
        replies.iter().for_each(|reply| sender.send(reply).unwrap());
        drop(sender);
        let mut receiver = Receiver::new(bytes.as_slice()).unwrap();
        for reply in replies {
            assert_eq!(receiver.receive().unwrap(), Some(reply));
        }
        assert_eq!(receiver.receive().unwrap(), None);
    }

    #[test]
    fn a_check_of_one_output_is_said_as_workers_say_it_that_know_no_other() {
        let told = r#"{"finished":{"check":{"max_abs_error":0.5,"max_scaled_error":null,"rows_checked":3}}}"#;
        let (max_abs_error, max_scaled_error) = (0.5, f64::INFINITY);
        let one = Comparison { output: None, max_abs_error, max_scaled_error, rows_checked: 3, tolerance: None };
        let reply = Reply::Finished { check: vec![one.clone()] };
        assert_eq!(reply.body().unwrap().as_deref(), Some(told));
        assert_eq!(from_json(Some(told)).unwrap(), reply);
        let named = |name: &str| Comparison { output: Some(name.into()), ..one.clone() };
        let several = Reply::Finished { check: vec![named("query_grad"), named("key_grad")] };
        let body = several.body().unwrap().unwrap();
        assert!(body.starts_with(r#"{"finished":{"check":[{"output":"query_grad","#), "{body}");
        assert_eq!(from_json(Some(&body)).unwrap(), several);
    }

    #[test]
    fn noise_and_a_cut_stream_are_errors_not_panics() {
        assert!(Receiver::new(b"hello, I print to stdout\n".as_slice()).is_err());
        let mut bytes = Vec::new();
        Sender::new(&mut bytes).unwrap().send(&Reply::Failed { message: "x".into() }).unwrap();
        for length in 0..bytes.len() {
            if let Ok(mut receiver) = Receiver::new(&bytes[..length]) {
                assert!(!matches!(receiver.receive(), Ok(Some(_))), "cut at {length}");
            }
        }
    }
}
