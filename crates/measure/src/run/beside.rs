//! Workers of other programs, in any language, beside the worker program of a run.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::message::{Description, WorkloadInfo};
use benchbook_core::{Params, RESERVED};

use crate::executor::{Cases, Offers};
use crate::process::{Fresh, Pipe};
use crate::supervised::Launch;
use crate::waiting::Interruption;
use crate::{Error, Result};

/// A worker of another program, which speaks the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// What people call it.
    pub name: String,
    /// The command that starts it, as one writes it in a shell; the words that every worker gets from its controller follow.
    pub command: String,
}

/// A worker of another program that has said what it offers, and can be asked further.
pub struct Joined {
    foreign: Foreign,
    devices: Vec<String>,
    workloads: Vec<String>,
    asked: Pipe,
}

impl Foreign {
    /// One that these words start, whatever stands in them.
    pub fn of_words<W: AsRef<OsStr>>(name: &str, words: impl IntoIterator<Item = W>) -> Self {
        let quoted = |word: W| format!("'{}'", word.as_ref().to_string_lossy().replace('\'', "'\\''"));
        Self { name: name.to_owned(), command: words.into_iter().map(quoted).collect::<Vec<_>>().join(" ") }
    }

    /// Starts it, with the shared libraries in a folder before all others, and waits for its greeting; once `interrupted` is
    /// set, it is not waited for long.
    ///
    /// # Errors
    /// [`Error::Foreign`] with what it did instead, or [`Error::Interrupted`].
    pub fn start(&self, threads: usize, libraries: Option<&Path>, interrupted: &Arc<AtomicBool>) -> Result<Pipe> {
        self.greeted(self.begin(threads, libraries, &Interruption::of(interrupted))?)
    }

    /// Starts it, with the shared libraries in a folder before all others.
    ///
    /// # Errors
    /// [`Error::Foreign`] where there is no shell.
    pub(crate) fn begin(&self, threads: usize, libraries: Option<&Path>, interruption: &Interruption) -> Result<Fresh> {
        // In the place of the shell, so that a worker is the child of its controller.
        let line = format!("exec {} \"$@\"", self.command);
        let words = ["sh", "-c", line.as_str(), "sh"].map(OsString::from).into();
        let launch = Launch { words, threads, libraries: libraries.map(Path::to_owned) };
        Fresh::start(launch, interruption).map_err(|error| self.cannot(error))
    }

    /// The way to one that was started, once it has greeted.
    ///
    /// # Errors
    /// As of [`Foreign::start`].
    pub(crate) fn greeted(&self, fresh: Fresh) -> Result<Pipe> {
        fresh.pipe().map_err(|error| self.cannot(error))
    }

    /// Starts it, and adds what it offers to what is `known`.
    ///
    /// # Errors
    /// As of [`Foreign::start`], and where it has a device or a workload of a name that another worker has, or a parameter of
    /// the name of a column.
    pub fn join(&self, known: &mut Description, threads: usize, interrupted: &Arc<AtomicBool>) -> Result<Joined> {
        let mut asked = self.start(threads, None, interrupted)?;
        let Description { workloads, implementations, devices, build, thread_pools } =
            asked.describe().map_err(|error| self.cannot(error))?;
        if let Some(words) = named_as_a_column(&workloads) {
            return Err(self.wrong(words));
        }
        let joined = Joined {
            foreign: self.clone(),
            devices: devices.iter().map(|device| device.name.clone()).collect(),
            workloads: workloads.iter().map(|workload| workload.name.clone()).collect(),
            asked,
        };
        let (devices_of_others, workloads_of_others) = (&known.devices, &known.workloads);
        let is_device = |name: &&String| devices_of_others.iter().any(|device| device.name == **name);
        if let Some(name) = joined.devices.iter().find(is_device) {
            return Err(self.wrong(format!("another worker has a device `{name}` too: call it by a name of its own")));
        }
        let is_workload = |name: &&String| workloads_of_others.iter().any(|workload| workload.name == **name);
        if let Some(name) = joined.workloads.iter().find(is_workload) {
            let words = "another worker owns a workload";
            return Err(self.wrong(format!("{words} `{name}`: an implementation may solve it without owning it")));
        }
        known.workloads.extend(workloads);
        known.implementations.extend(implementations);
        known.devices.extend(devices);
        known.build.extend(build);
        known.thread_pools.extend(thread_pools);
        Ok(joined)
    }

    /// Why it cannot be had, in words of its own.
    fn cannot(&self, error: Error) -> Error {
        match error {
            Error::Interrupted => Error::Interrupted,
            Error::WorkerLost { reason, .. } => self.wrong(reason),
            Error::NotAWorker { reason, .. } => self.wrong(format!("it did not greet as a worker: {reason}")),
            Error::Protocol { worker, ours } => {
                self.wrong(format!("it speaks version {worker} of the wire, and this program version {ours}"))
            }
            other => self.wrong(other.to_string()),
        }
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Foreign { name: self.name.clone(), command: self.command.clone(), reason }
    }
}

/// What is wrong with the first parameter that has the name of a column of `results`, in a sentence about who declares it.
pub(crate) fn named_as_a_column(workloads: &[WorkloadInfo]) -> Option<String> {
    workloads.iter().find_map(|WorkloadInfo { name: workload, params, .. }| {
        let name = params.iter().map(|param| param.name.as_str()).find(|name| RESERVED.contains(name))?;
        Some(format!("its workload `{workload}` has a parameter `{name}`, and a column of `results` has that name"))
    })
}

impl Joined {
    /// The worker, and the devices that are its own.
    pub fn place(&self) -> (Foreign, Vec<String>) {
        (self.foreign.clone(), self.devices.clone())
    }
}

/// Asks about a workload who owns it.
pub struct Owners<'a> {
    /// Who owns what nobody else does.
    pub program: &'a mut dyn Offers,
    /// Who owns some.
    pub beside: &'a mut [Joined],
}

impl Offers for Owners<'_> {
    fn describe(&mut self) -> Result<Description> {
        self.program.describe()
    }

    fn resolve(&mut self, workload: &str, preset: Option<&str>, combinations: &[Params]) -> Result<Cases> {
        let owner = self.beside.iter_mut().find(|joined| joined.workloads.iter().any(|owned| owned == workload));
        match owner {
            Some(joined) => joined.asked.resolve(workload, preset, combinations),
            None => self.program.resolve(workload, preset, combinations),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_of_the_shell_whatever_stands_in_it() {
        let Foreign { name, command } = Foreign::of_words("odd", ["printf", "%s|", "/a b/it's/$HOME", ""]);
        let said = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        assert_eq!((name.as_str(), said.stdout.as_slice()), ("odd", b"/a b/it's/$HOME||".as_slice()));
    }
}
