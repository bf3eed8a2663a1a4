//! What travels between a subject and its two workers: numbers, in the byte order of the machine that all run on.

use std::io::{self, Read, Write};

use benchbook_workloads::training::Gpt2TrainingParams;

use super::exchange::Scheme;
use crate::flex::training::gpt2::Layout;
use crate::ring::wire::{read_floats, read_number, read_size, write_floats, write_numbers};

const JOIN: u64 = 1;
const BEGIN: u64 = 2;
const STEP: u64 = 3;
const WRITE: u64 = 4;

/// The first word of a worker that is ready; a program that does not begin with it is none, or of another version.
const READY: u64 = 0x0001_6e69_6172_7462;
const DONE: u64 = 1;
const FAILED: u64 = 2;

/// The longest text that is taken from the other end.
const TEXT: usize = 1 << 16;

/// What a worker begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// Sizes of its part: the batch is its own.
    pub params: Gpt2TrainingParams,
    /// What it sends of its gradient.
    pub scheme: Scheme,
    /// The first, which listens, or the second, which connects.
    pub worker: usize,
    /// Threads that it may have at work.
    pub threads: usize,
    /// What the two know each other by.
    pub token: u64,
    /// The weights, one tensor after another.
    pub weights: Vec<f32>,
    /// `[steps, batch, seq + 1]`
    pub ids: Vec<f32>,
}

impl Setup {
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let Gpt2TrainingParams { layers, heads, width, vocabulary, batch, seq, steps, rate } = self.params;
        write_numbers(to, &[layers, heads, width, vocabulary, batch, seq, steps].map(|size| size as u64))?;
        let scheme = Scheme::ALL.iter().position(|scheme| *scheme == self.scheme).unwrap_or_default();
        write_numbers(to, &[rate.to_bits(), scheme as u64, self.worker as u64, self.threads as u64, self.token])?;
        write_floats(to, &self.weights)?;
        write_floats(to, &self.ids)?;
        to.flush()
    }

    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut sizes = [0; 7];
        for size in &mut sizes {
            *size = read_size(from)?;
        }
        let [layers, heads, width, vocabulary, batch, seq, steps] = sizes;
        let rate = f64::from_bits(read_number(from)?);
        let params = Gpt2TrainingParams { layers, heads, width, vocabulary, batch, seq, steps, rate };
        let scheme = Scheme::ALL.get(read_size(from)?).copied().ok_or_else(|| wrong("there is no such scheme"))?;
        let (worker, threads, token) = (read_size(from)?, read_size(from)?, read_number(from)?);
        let mut weights = Vec::with_capacity(Layout::of(&params).numbers());
        read_floats(from, &mut weights)?;
        let mut ids = Vec::with_capacity(steps * batch * (seq + 1));
        read_floats(from, &mut ids)?;
        Ok(Self { params, scheme, worker, threads, token, weights, ids })
    }
}

/// What the subject asks of a worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Find the other, which listens there.
    Join(u16),
    /// Go back to before the first step.
    Begin,
    /// Make a step.
    Step,
    /// Overwrite texts, `first` and what follows.
    Write { first: usize, values: Vec<f32> },
}

impl Order {
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Join(port) => write_numbers(to, &[JOIN, u64::from(*port)])?,
            Self::Begin => write_numbers(to, &[BEGIN])?,
            Self::Step => write_numbers(to, &[STEP])?,
            Self::Write { first, values } => {
                write_numbers(to, &[WRITE, *first as u64])?;
                write_floats(to, values)?;
            }
        }
        to.flush()
    }

    /// Reads one, with at most `most` numbers.
    pub fn read(from: &mut impl Read, most: usize) -> io::Result<Self> {
        match read_number(from)? {
            JOIN => u16::try_from(read_number(from)?).map(Self::Join).map_err(|_| wrong("there is no such port")),
            BEGIN => Ok(Self::Begin),
            STEP => Ok(Self::Step),
            WRITE => {
                let (first, mut values) = (read_size(from)?, Vec::with_capacity(most));
                read_floats(from, &mut values)?;
                Ok(Self::Write { first, values })
            }
            other => Err(wrong(&format!("{other} is no order"))),
        }
    }
}

/// What a worker answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It is there, and listens on this port, where it does; or it has done what tells nothing.
    Ready(u16),
    /// It has made a step: its own loss, the norm of the gradient of all weights, those of the tensors, and of the layers.
    Done(Vec<f64>),
    /// It cannot go on, and ends: for a reason of its own, or because the other is gone.
    Failed { why: String, elsewhere: bool },
}

impl Reply {
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Ready(port) => write_numbers(to, &[READY, u64::from(*port)])?,
            Self::Done(numbers) => {
                write_numbers(to, &[DONE, numbers.len() as u64])?;
                numbers.iter().try_for_each(|number| write_numbers(to, &[number.to_bits()]))?;
            }
            Self::Failed { why, elsewhere } => {
                let text = &why.as_bytes()[..why.len().min(TEXT)];
                write_numbers(to, &[FAILED, u64::from(*elsewhere), text.len() as u64])?;
                to.write_all(text)?;
            }
        }
        to.flush()
    }

    /// Reads one, with at most `most` numbers.
    pub fn read(from: &mut impl Read, most: usize) -> io::Result<Self> {
        match read_number(from)? {
            READY => u16::try_from(read_number(from)?).map(Self::Ready).map_err(|_| wrong("there is no such port")),
            DONE => {
                let count = read_size(from)?;
                if count > most {
                    return Err(wrong(&format!("{count} numbers where {most} are the most")));
                }
                (0..count).map(|_| read_number(from).map(f64::from_bits)).collect::<io::Result<_>>().map(Self::Done)
            }
            FAILED => {
                let elsewhere = read_number(from)? != 0;
                let mut text = vec![0; read_size(from)?.min(TEXT)];
                from.read_exact(&mut text)?;
                Ok(Self::Failed { why: String::from_utf8_lossy(&text).into_owned(), elsewhere })
            }
            _ => Err(wrong("it speaks another language, and is no worker of this version")),
        }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_arrives_as_it_was_sent() {
        let params = Gpt2TrainingParams { layers: 1, heads: 1, width: 2, vocabulary: 3, ..Default::default() };
        let params = Gpt2TrainingParams { batch: 1, seq: 1, steps: 2, rate: 0.003, ..params };
        let (weights, ids) = (vec![0.5; Layout::of(&params).numbers()], vec![1.0, 2.0, 0.0, 1.0]);
        let setup = Setup { params, scheme: Scheme::TopK, worker: 1, threads: 2, token: u64::MAX, weights, ids };
        let mut bytes = Vec::new();
        setup.write(&mut bytes).unwrap();
        assert_eq!(Setup::read(&mut &bytes[..]).unwrap(), setup);
        for end in [0, 8, bytes.len() - 1] {
            assert!(Setup::read(&mut &bytes[..end]).is_err(), "cut off at {end}");
        }
        let written = Order::Write { first: 3, values: vec![0.0, 255.0] };
        for order in [Order::Join(7), Order::Begin, Order::Step, written] {
            let mut bytes = Vec::new();
            order.write(&mut bytes).unwrap();
            assert_eq!(Order::read(&mut &bytes[..], 2).unwrap(), order);
        }
        let failed = Reply::Failed { why: "não".into(), elsewhere: true };
        for reply in [Reply::Ready(9), Reply::Done(vec![1.5, -0.0, f64::INFINITY]), failed] {
            let mut bytes = Vec::new();
            reply.write(&mut bytes).unwrap();
            assert_eq!(Reply::read(&mut &bytes[..], 3).unwrap(), reply);
        }
    }

    #[test]
    fn what_is_too_long_or_another_language_is_an_error() {
        let mut bytes = Vec::new();
        Reply::Done(vec![0.0; 4]).write(&mut bytes).unwrap();
        assert!(Reply::read(&mut &bytes[..], 3).unwrap_err().to_string().contains("3 are the most"));
        assert!(Reply::read(&mut &b"Usage: sleep"[..], 3).unwrap_err().to_string().contains("another language"));
        assert!(Order::read(&mut &b"GET / HTTP/1.1"[..], 3).is_err());
    }
}
