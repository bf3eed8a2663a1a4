//! Workers of protocol 2, which check and time by themselves: builds that a gate compares with those of today.

mod bounded;
mod message;
mod wire;

use std::time::Duration;

use benchbook_core::Params;
use benchbook_core::message::Description;
use benchbook_journal::Isolation;

pub(crate) use self::message::{Reply, Request, one_or_many};
use self::wire::Sender;
pub(crate) use self::wire::{PROTOCOL, Receiver};
use crate::executor::{Cases, Executor, Finished, LOOKUP_TIMEOUT, Offers, Prepared, Sampled, Trial};
use crate::link::refused;
use crate::process::Hello;
use crate::references::Shared;
use crate::supervised::{Process, Said};
use crate::{Error, Result};

/// What an Arrow IPC stream begins with, and no frame does.
pub(crate) const FIRST_BYTES: [u8; 4] = [0xff; 4];

/// A worker process of protocol 2.
pub(crate) struct OldWorker {
    process: Process,
    sender: Sender<Vec<u8>>,
    /// The problems of this program, some of which are loops.
    problems: Option<Shared>,
}

impl OldWorker {
    /// A worker whose first words are these.
    ///
    /// # Errors
    /// They are no greeting.
    pub fn greeted(mut process: Process, reply: Reply) -> Result<(Self, Hello)> {
        match reply {
            Reply::Hello { version, profile, debug_assertions, .. } => {
                let worker = Self { process, sender: Sender::new(Vec::new())?, problems: None };
                Ok((worker, Hello { version, profile, debug_assertions }))
            }
            other => Err(process.lost(&format!("it greeted with {other:?}"), false)),
        }
    }

    /// The same in a program that knows these problems.
    pub fn beside(self, problems: &Shared) -> Self {
        Self { problems: Some(Shared::clone(problems)), ..self }
    }

    fn request(&mut self, request: &Request, timeout: Duration) -> Result<Reply> {
        self.sender.send(request)?;
        self.process.send(self.sender.take())?;
        match self.process.receive(timeout)? {
            Said::Old(reply) => Ok(reply),
            Said::Frame(_) => Err(self.process.lost("it changed its protocol", false)),
        }
    }
}

/// What a reply means that is not the one to what was asked.
fn unexpected(reply: Reply) -> Error {
    match reply {
        Reply::Unsupported { reason } => Error::Unsupported(reason),
        Reply::Failed { message } => Error::Failed(message),
        other => Error::Unexpected(format!("{other:?}")),
    }
}

impl Executor for OldWorker {
    fn prepare(&mut self, trial: &Trial, timeout: Duration) -> Result<Prepared> {
        if self.problems.as_ref().is_some_and(|problems| problems.borrow().is_loop(&trial.case)) {
            return Err(Error::Unsupported("its worker speaks protocol 2, which knows no steps of a loop".into()));
        }
        match self.request(&Request::Prepare(Box::new(trial.clone())), timeout)? {
            Reply::Prepared(prepared) => Ok(prepared),
            other => Err(unexpected(other)),
        }
    }

    fn sample(&mut self, trial: i64, timeout: Duration) -> Result<Sampled> {
        match self.request(&Request::Sample { trial }, timeout)? {
            Reply::Sampled(sampled) => Ok(sampled),
            other => Err(unexpected(other)),
        }
    }

    fn rest(&mut self) -> bool {
        // It waits itself before it answers, and tells.
        true
    }

    fn finish(&mut self, trial: i64, timeout: Duration) -> Result<Finished> {
        match self.request(&Request::Finish { trial }, timeout)? {
            Reply::Finished { check } => Ok(Finished { check, reference_ns: None, metrics: Vec::new() }),
            other => Err(unexpected(other)),
        }
    }

    fn memory(&mut self, trial: &Trial, timeout: Duration) -> Result<Option<u64>> {
        let mut process = self.process.keeping_nothing()?;
        let Said::Old(hello) = process.receive(timeout)? else {
            return Err(process.lost("it changed its protocol", false));
        };
        let (mut alone, _) = Self::greeted(process, hello)?;
        match alone.request(&Request::Memory(Box::new(trial.clone())), timeout)? {
            Reply::Memory { peak_added_bytes } => Ok(peak_added_bytes),
            other => Err(unexpected(other)),
        }
    }

    fn let_go(&mut self) {
        self.process.let_go();
    }

    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    fn pid(&self) -> Option<u32> {
        Some(self.process.id())
    }
}

impl Offers for OldWorker {
    fn describe(&mut self) -> Result<Description> {
        match self.request(&Request::Describe, LOOKUP_TIMEOUT)? {
            Reply::Description(description) => Ok(*description),
            other => Err(refused(unexpected(other))),
        }
    }

    fn resolve(&mut self, workload: &str, preset: Option<&str>, combinations: &[Params]) -> Result<Cases> {
        let request = Request::Resolve {
            workload: workload.to_owned(),
            preset: preset.map(str::to_owned),
            combinations: combinations.to_vec(),
        };
        match self.request(&request, LOOKUP_TIMEOUT)? {
            Reply::Cases(cases) => Ok(Cases { cases, impossible: Vec::new() }),
            Reply::PossibleCases { cases, impossible } => Ok(Cases { cases, impossible }),
            other => Err(refused(unexpected(other))),
        }
    }
}
