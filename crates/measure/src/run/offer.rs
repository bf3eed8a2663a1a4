//! Worker programs, as a run needs them: one worker to ask, and fresh ones to measure.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::Variant;
use benchbook_core::message::{Description, DeviceInfo};

use super::beside::{Foreign, Joined};
use crate::driver::Driver;
use crate::executor::{Executor, Offers, Spawn};
use crate::link::InProcess;
use crate::process::{Fresh, Hello, ProcessWorker, worker_program};
use crate::references::Shared;
use crate::supervised::Launch;
use crate::waiting::Interruption;
use crate::{Result, worker_env};

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

/// A program whose workers run the variants of one build.
#[derive(Debug, Clone)]
pub struct Build {
    /// Label of the build.
    pub label: String,
    /// Where the program lies.
    pub program: PathBuf,
    /// What it says of its devices.
    pub devices: Vec<DeviceInfo>,
}

impl Offer {
    /// Its program as that of the build with this label.
    pub fn build(&self, label: &str) -> Build {
        Build { label: label.to_owned(), program: self.program.clone(), devices: self.known.devices.clone() }
    }

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
    // It says what each device needs, and so it has everything.
    let mut asked = ProcessWorker::spawn(&program, threads, None, interrupted)?;
    let known = asked.describe()?;
    Ok(Offer { program, hello: asked.hello().clone(), known, asked, beside: Vec::new() })
}

/// Starts fresh workers.
pub struct Programs {
    /// Whose workers run the variants of no build.
    pub program: PathBuf,
    /// What these workers and those of other programs say of their devices.
    pub devices: Vec<DeviceInfo>,
    /// Whose workers run those of a build.
    pub builds: Vec<Build>,
    /// Workers of other programs, each with the devices whose variants it runs.
    pub beside: Vec<(Foreign, Vec<String>)>,
    /// Once the run is interrupted, nobody waits long for a worker any more: for all of them together as for one.
    pub(crate) interruption: Interruption,
    /// The right answers.
    pub references: Shared,
}

impl Programs {
    /// The program that runs a variant, and the libraries that its process finds before all others.
    fn of(&self, variant: &Variant) -> (&Path, Option<&Path>) {
        let build = self.builds.iter().find(|build| Some(&build.label) == variant.build.as_ref());
        let (program, devices) = build.map_or((&self.program, &self.devices), |build| (&build.program, &build.devices));
        (program.as_path(), worker_env::libraries_of(devices, &variant.device))
    }

    /// Starts the worker of a variant.
    fn begin(&self, variant: &Variant) -> Result<Fresh> {
        let (program, libraries) = self.of(variant);
        if let Some(worker) = self.foreign(variant) {
            return worker.begin(variant.threads, libraries, &self.interruption);
        }
        let (words, libraries) = (vec![program.into()], libraries.map(Path::to_owned));
        Fresh::start(Launch { words, threads: variant.threads, libraries }, &self.interruption)
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
            devices: Vec::new(),
            builds: Vec::new(),
            beside: vec![worker("a", "b"), worker("b", "a")],
            interruption: Interruption::default(),
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
        let device = |libraries: Option<&str>| DeviceInfo {
            name: "d".into(),
            engine: String::new(),
            engine_version: String::new(),
            unavailable: None,
            libraries: libraries.map(str::to_owned),
        };
        let build = |label: &str, libraries: Option<&str>| Build {
            label: label.into(),
            program: format!("of-{label}").into(),
            devices: vec![device(libraries)],
        };
        let programs = Programs {
            program: "all".into(),
            devices: vec![device(Some("/of-all"))],
            builds: vec![build("old", None), build("new", Some("/of-new"))],
            beside: vec![(foreign.clone(), vec!["abacus".into()])],
            interruption: Interruption::default(),
            references: References::none().shared(),
        };
        let of = |build: Option<&str>| {
            let (implementation, device, build) = ("i".into(), "d".into(), build.map(str::to_owned));
            let variant = Variant { implementation, device, dtype: DType::F32, threads: 1, build };
            let (program, libraries) = programs.of(&variant);
            (program.to_owned(), libraries.map(Path::to_owned))
        };
        let found = [None, Some("new"), Some("old"), Some("other")].map(of);
        let is = |program: &str, libraries: Option<&str>| (PathBuf::from(program), libraries.map(PathBuf::from));
        let all = is("all", Some("/of-all"));
        assert_eq!(found, [all.clone(), is("of-new", Some("/of-new")), is("of-old", None), all]);
        let on = |device: &str| {
            let (implementation, device) = ("i".into(), device.into());
            programs.foreign(&Variant { implementation, device, dtype: DType::F32, threads: 1, build: None })
        };
        assert_eq!([on("abacus"), on("d")], [Some(&foreign), None]);
    }
}
