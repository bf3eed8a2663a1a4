//! Worker programs, as a run needs them: one worker to ask, and fresh ones to measure.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::Variant;
use benchbook_core::message::Description;

use super::beside::{Foreign, Joined};
use crate::Result;
use crate::driver::Driver;
use crate::executor::{Executor, Offers, Spawn};
use crate::in_process::InProcess;
use crate::process::{Fresh, Hello, ProcessWorker, worker_program};
use crate::references::Shared;

/// The worker program, what it offers, and one live worker to ask further.
pub struct Offer {
    /// Where the program lies.
    pub program: PathBuf,
    /// What it says of its build.
    pub hello: Hello,
    /// What it offers.
    pub known: Description,
    /// A worker to ask.
    pub asked: ProcessWorker,
    /// Workers of other programs, which offer a part of what is known.
    pub beside: Vec<Joined>,
}

impl Offer {
    /// The same beside workers of other programs; once `interrupted` is set, these are not waited for long.
    ///
    /// # Errors
    /// [`crate::Error::Foreign`] for one that cannot be had.
    pub fn beside(mut self, workers: &[Foreign], threads: usize, interrupted: &Arc<AtomicBool>) -> Result<Self> {
        for worker in workers {
            self.beside.push(worker.join(&mut self.known, threads, interrupted)?);
        }
        Ok(self)
    }
}

/// Starts a worker and asks what it offers; once `interrupted` is set, it is not waited for long.
///
/// # Errors
/// There is no worker program, or it does not answer.
pub fn offer(threads: usize, interrupted: &Arc<AtomicBool>) -> Result<Offer> {
    offer_of(worker_program()?, threads, interrupted)
}

/// Starts a worker of this program and asks what it offers; once `interrupted` is set, it is not waited for long.
///
/// # Errors
/// It cannot be started, is no worker, or speaks another version of the protocol.
pub fn offer_of(program: PathBuf, threads: usize, interrupted: &Arc<AtomicBool>) -> Result<Offer> {
    let mut asked = ProcessWorker::spawn(&program, threads, interrupted)?;
    let known = asked.describe()?;
    Ok(Offer { program, hello: asked.hello().clone(), known, asked, beside: Vec::new() })
}

/// Starts fresh workers.
pub struct Programs {
    /// Whose workers run the variants of no build.
    pub program: PathBuf,
    /// Whose workers run those of a build, by its label.
    pub builds: Vec<(String, PathBuf)>,
    /// Workers of other programs, each with the devices whose variants it runs.
    pub beside: Vec<(Foreign, Vec<String>)>,
    /// Once it is set, nobody waits long for a worker any more.
    pub interrupted: Arc<AtomicBool>,
    /// The right answers.
    pub references: Shared,
}

impl Programs {
    fn of(&self, variant: &Variant) -> &Path {
        let of_build = |(label, _): &&(String, PathBuf)| Some(label) == variant.build.as_ref();
        self.builds.iter().find(of_build).map_or(self.program.as_path(), |(_, program)| program.as_path())
    }

    /// Starts the worker of a variant.
    fn begin(&self, variant: &Variant) -> Result<Fresh> {
        match self.foreign(variant) {
            Some(worker) => worker.begin(variant.threads, &self.interrupted),
            None => Fresh::start(vec![self.of(variant).into()], variant.threads, &self.interrupted),
        }
    }

    /// Measures a variant by the worker that was started for it, once that has greeted.
    fn executor(&self, variant: &Variant, fresh: Fresh) -> Result<Box<dyn Executor>> {
        match self.foreign(variant) {
            Some(worker) => Ok(Box::new(Driver::new(Box::new(worker.greeted(fresh)?), &self.references))),
            None => Ok(fresh.worker()?.executor(&self.references)),
        }
    }

    /// The worker of another program that has the device of a variant.
    fn foreign(&self, variant: &Variant) -> Option<&Foreign> {
        self.beside.iter().find(|(_, devices)| devices.contains(&variant.device)).map(|(worker, _)| worker)
    }
}

impl Spawn for Programs {
    fn spawn(&mut self, variants: &[Variant]) -> Vec<Result<Box<dyn Executor>>> {
        // All start before the first greeting is waited for.
        let started: Vec<Result<Fresh>> = variants.iter().map(|variant| self.begin(variant)).collect();
        let started = variants.iter().zip(started);
        started.map(|(variant, fresh)| self.executor(variant, fresh?)).collect()
    }
}

/// Measures everything in this process.
pub struct Here {
    /// The kernels.
    pub here: InProcess,
    /// The right answers.
    pub references: Shared,
}

impl Spawn for Here {
    fn spawn(&mut self, variants: &[Variant]) -> Vec<Result<Box<dyn Executor>>> {
        let here = |_: &Variant| -> Result<Box<dyn Executor>> { Ok(Box::new(self.here.executor(&self.references))) };
        variants.iter().map(here).collect()
    }
}

/// Threads when nobody names a number: every core this process may use.
pub fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use benchbook_core::DType;

    use std::fs;

    use benchbook_core::message::{PROTOCOL, Say};

    use super::*;
    use crate::frame;
    use crate::references::References;

    #[test]
    fn all_workers_start_before_the_first_greeting_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (version, profile) = ("1".to_owned(), "release".to_owned());
        let hello = Say::Hello { protocol: PROTOCOL, version, pid: 1, profile, debug_assertions: false };
        let mut greeting = Vec::new();
        frame::write(&mut greeting, &hello, &[], None).unwrap();
        fs::write(folder.path().join("hello"), greeting).unwrap();
        // Each greets once the other one has started.
        let worker = |name: &str, other: &str| {
            let waits = format!("touch {name}; until test -e {other}; do sleep 0.01; done; cat hello; exec cat");
            let command = format!("sh -c 'cd \"{}\"; {waits}'", folder.path().display());
            (Foreign { name: name.into(), command }, vec![name.to_owned()])
        };
        let mut programs = Programs {
            program: "none".into(),
            builds: Vec::new(),
            beside: vec![worker("a", "b"), worker("b", "a")],
            interrupted: Arc::default(),
            references: References::none().shared(),
        };
        let variants = ["a", "b"].map(|device| {
            let (implementation, device) = ("i".into(), device.into());
            Variant { implementation, device, dtype: DType::F32, threads: 1, build: None }
        });
        let started = programs.spawn(&variants);
        assert!(started.len() == 2 && started.iter().all(Result::is_ok));
    }

    #[test]
    fn a_build_has_its_own_program_and_a_device_may_have_its_own_worker() {
        let foreign = Foreign { name: "other".into(), command: "other --fast".into() };
        let programs = Programs {
            program: "all".into(),
            builds: vec![("old".into(), "of-old".into()), ("new".into(), "of-new".into())],
            beside: vec![(foreign.clone(), vec!["abacus".into()])],
            interrupted: Arc::default(),
            references: References::none().shared(),
        };
        let of = |build: Option<&str>| {
            let (implementation, device, build) = ("i".into(), "d".into(), build.map(str::to_owned));
            programs.of(&Variant { implementation, device, dtype: DType::F32, threads: 1, build }).to_owned()
        };
        let found = [None, Some("new"), Some("old"), Some("other")].map(of);
        assert_eq!(found, ["all", "of-new", "of-old", "all"].map(PathBuf::from));
        let on = |device: &str| {
            let (implementation, device) = ("i".into(), device.into());
            programs.foreign(&Variant { implementation, device, dtype: DType::F32, threads: 1, build: None })
        };
        assert_eq!([on("abacus"), on("d")], [Some(&foreign), None]);
    }
}
