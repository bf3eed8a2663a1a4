//! An examination under way: the worker, and what is tried with it.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use benchbook_core::message::{Ask, Facts, MemoryFrom, Others, Say, Writable};
use benchbook_core::{Array, CacheRegime, Case, Check, DType, Inputs, Reference, Rounding, StepsOf, Variant, counted};

use crate::driver::{approximation_of, as_known, asked, named, question};
use crate::executor::Trial;
use crate::frame::Arrays;
use crate::link::{Link, unexpected};
use crate::process::Pipe;
use crate::references::{Question, Shared};
use crate::run::beside::Foreign;
use crate::{Error, Result};

/// Seed of the inputs; those that take their place are of its complement.
pub const SEED: u64 = 11;

/// Copies of the inputs, of which one may be forgotten.
const COPIES: usize = 2;

/// How a trial is measured: more briefly than in a quick run.
const MIN_SAMPLE_NS: u64 = 1_000_000;
const WARMUP_NS: u64 = 20_000_000;

/// What comes of a step.
pub type Step<T = ()> = std::result::Result<T, Stop>;

/// Why a step is not right.
pub enum Stop {
    /// The worker does something else.
    Wrong(String),
    /// What goes before is wrong already.
    NotReached,
    /// The examination is to end.
    Ended(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Interrupted => Self::Ended(Error::Interrupted),
            Error::WorkerLost { reason, .. } | Error::Foreign { reason, .. } => Self::Wrong(reason),
            other => Self::Wrong(other.to_string()),
        }
    }
}

/// A fault in words.
pub fn wrong<T>(text: impl Into<String>) -> Step<T> {
    Err(Stop::Wrong(text.into()))
}

/// An examination under way.
pub struct Walk {
    pub worker: Foreign,
    pub workload: Option<String>,
    pub references: Shared,
    pub threads: usize,
    pub timeout: Duration,
    pub interrupted: Arc<AtomicBool>,
    pub pipe: Option<Pipe>,
    pub trials: i64,
    /// The implementation that is examined.
    pub chosen: Option<Chosen>,
    /// The case and the dtype of the trials, once it has taken one.
    pub taken: Option<(Case, DType)>,
}

/// An implementation on a device, and cases for it.
#[derive(Clone)]
pub struct Chosen {
    pub implementation: String,
    pub device: String,
    /// The folder of shared libraries that the worker names for it.
    pub libraries: Option<PathBuf>,
    pub sent: bool,
    pub approximates: bool,
    pub cases: Vec<Case>,
}

/// A trial that is prepared.
pub struct Ready {
    pub trial: Trial,
    pub outputs: Arrays,
    pub writable: Vec<Writable>,
    pub processes: Vec<u32>,
    pub memory: Option<MemoryFrom>,
}

impl Walk {
    /// Does something with the worker, which is started where there is none; one that is lost is forgotten.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut Pipe, Duration) -> Result<T>) -> Result<T> {
        let pipe = match self.pipe.take() {
            Some(pipe) => pipe,
            None => self.worker.start(self.threads, None, &self.interrupted)?,
        };
        let done = work(self.pipe.insert(pipe), self.timeout);
        if matches!(done, Err(Error::WorkerLost { .. } | Error::Protocol { .. })) {
            self.pipe = None;
        }
        done
    }

    /// Asks something that needs no arrays.
    pub fn ask(&mut self, ask: &Ask) -> Result<(Say, Arrays)> {
        self.with(|pipe, timeout| pipe.ask(ask, &[], timeout))
    }

    /// Prepares a trial of a case.
    pub fn prepare(&mut self, case: &Case, dtype: DType) -> Result<Ready> {
        let Some(trial) = self.trial(case, dtype) else {
            return Err(Error::Failed("it has no implementation".into()));
        };
        let inputs = self.sent(&trial, SEED)?;
        let ask = Ask::Prepare(Box::new(asked(&trial, COPIES)));
        match self.with(|pipe, timeout| pipe.ask(&ask, &named(inputs.as_ref()), timeout))? {
            (Say::Prepared { writable, processes, memory, .. }, outputs) => {
                Ok(Ready { trial, outputs, writable, processes, memory })
            }
            (other, _) => Err(unexpected(other)),
        }
    }

    /// A trial with a number of its own.
    pub fn trial(&mut self, case: &Case, dtype: DType) -> Option<Trial> {
        let Chosen { implementation, device, sent, approximates, .. } = self.chosen.clone()?;
        self.trials += 1;
        Some(Trial {
            trial: self.trials,
            case: case.clone(),
            variant: Variant { implementation, device, dtype, threads: self.threads, build: None },
            cache: CacheRegime::Hot,
            input_seed: SEED,
            min_sample_ns: MIN_SAMPLE_NS,
            warmup_ns: WARMUP_NS,
            sent,
            approximates,
        })
    }

    /// The inputs of a seed, where they are sent.
    pub fn sent(&self, trial: &Trial, seed: u64) -> Result<Option<Inputs>> {
        let inputs = || self.references.borrow().inputs(&Question { seed, ..question(trial) }, None, self.timeout);
        trial.sent.then(inputs).transpose()
    }

    /// What is known of the case of a trial.
    fn facts(&mut self, trial: &Trial) -> Result<Facts> {
        let shared = Rc::clone(&self.references);
        self.with(|pipe, timeout| shared.borrow_mut().facts(&question(trial), pipe, timeout))
    }

    /// The right answer to a trial, with the inputs of another seed where these take their place, and what is known of its case.
    pub fn right(&mut self, trial: &Trial, others: Option<&Others>) -> Result<(Right, Facts)> {
        let seed = others.map_or(SEED, |others| others.seed);
        let told = if trial.approximates { Some(self.approximation(trial, seed, others)?) } else { None };
        let facts = self.facts(trial)?;
        let shared = Rc::clone(&self.references);
        let (exact, _) =
            self.with(|pipe, timeout| shared.borrow_mut().answer(&question(trial), others, pipe, timeout))?;
        let right = match told {
            Some((Say::Answers { answers }, numbers)) if !trial.sent => {
                Right::Known(approximation_of(&exact, answers, numbers)?)
            }
            Some((Say::StandsFor { rounding }, numbers)) if trial.sent => Right::Beside(numbers, rounding),
            // What else it answers is examined by itself.
            _ => Right::Known(exact),
        };
        Ok((right, facts))
    }

    /// What it says that it approximates, where those of other inputs that it was not sent yet take their place.
    fn approximation(&mut self, trial: &Trial, seed: u64, others: Option<&Others>) -> Result<(Say, Arrays)> {
        let inputs = if others.is_some() { self.sent(trial, seed)? } else { None };
        let mut arrays = named(inputs.as_ref());
        arrays.retain(|(name, _)| others.is_some_and(|others| others.inputs.iter().any(|one| one == name)));
        let ask = Ask::Approximation { trial: trial.trial, seed };
        self.with(|pipe, timeout| pipe.ask(&ask, &arrays, timeout))
    }

    /// What is right beside outputs that may have gone another way than this at a tie, and what they are allowed.
    pub fn followed(
        &self,
        trial: &Trial,
        others: Option<&Others>,
        (right, facts): (Right, Facts),
        outputs: &[(String, Array)],
    ) -> Result<(Rc<Reference>, Facts)> {
        let outputs: Vec<Array> = outputs.iter().map(|(_, output)| output.clone()).collect();
        let references = self.references.borrow();
        let right = match right {
            Right::Known(right) => right,
            Right::Beside(numbers, rounding) => {
                let of = (numbers, rounding);
                let rough = references.standing_for(&question(trial), others, of, &outputs, self.timeout)?;
                let tolerance = facts.tolerance.max(rough.allowed);
                return Ok((Rc::new(rough.reference), Facts { tolerance, ..facts }));
            }
        };
        if trial.approximates || right.first_tie().is_none() {
            return Ok((right, facts));
        }
        let followed = references.follow(&question(trial), others, &outputs, self.timeout)?;
        Ok((followed.map_or(right, Rc::new), facts))
    }

    /// What the case of a trial says of its loop, if it is one.
    pub fn loop_of(&mut self, trial: &Trial) -> Result<Option<StepsOf>> {
        Ok(self.facts(trial)?.task.steps().cloned())
    }

    /// What it says that it can overwrite, as far as that can be.
    pub fn writable(&mut self, trial: &Trial, told: Vec<Writable>) -> Result<Vec<Writable>> {
        let input_bytes = self.facts(trial)?.input_bytes;
        as_known(told, self.references.borrow().rows(&question(trial)), input_bytes)
    }

    /// A trial to try things with.
    pub fn ready(&mut self) -> Step<Ready> {
        let Some((case, dtype)) = self.taken.clone() else { return Err(Stop::NotReached) };
        // That it cannot prepare was told before.
        self.prepare(&case, dtype).map_err(|error| match Stop::from(error) {
            Stop::Wrong(_) => Stop::NotReached,
            other => other,
        })
    }
}

/// What is right of a trial, as far as it is known before its outputs are.
pub enum Right {
    /// The answer.
    Known(Rc<Reference>),
    /// That of a case with these numbers in the place of inputs, which may be rounded on the way.
    Beside(Arrays, Option<Rounding>),
}

/// What is wrong with outputs beside their right answer, by what the facts of the case allow.
pub fn fault(outputs: &[(String, Array)], right: &Reference, dtype: DType, facts: &Facts) -> Option<String> {
    if outputs.len() != right.answers.len() {
        let (given, wanted) = (counted(outputs.len(), "output"), right.answers.len());
        return Some(format!("it gives {given}, and {wanted} is the right number"));
    }
    let of_form = outputs.iter().zip(&right.answers).find_map(|((name, output), answer)| {
        let (own, shape) = (&answer.name, output.shape());
        if !name.is_empty() && own != name {
            return Some(format!("it calls its output {name:?}, whose name is `{own}`"));
        }
        if shape != answer.shape {
            return Some(format!("its `{own}` has the shape {shape:?}, and {:?} is right", answer.shape));
        }
        if answer.check == Check::Near && output.dtype() != dtype {
            return Some(format!("its `{own}` is {}, and {dtype} was asked for", output.dtype()));
        }
        let finite = output.to_f64().iter().all(|value| value.is_finite());
        (!finite).then(|| format!("its `{own}` holds an infinity or a NaN"))
    });
    of_form.or_else(|| {
        let arrays: Vec<Array> = outputs.iter().map(|(_, output)| output.clone()).collect();
        let compared = right.compare_within(&arrays, &facts.tolerances);
        let off = compared.into_iter().find(|one| !one.passes(facts.tolerance))?;
        let (allowed, error) = (off.allowed(facts.tolerance), off.max_scaled_error);
        let name = off.output.unwrap_or_default();
        Some(format!("its `{name}` is off by {error:.1e} of its scale, and {allowed:.0e} passes"))
    })
}

/// An answer in a word or two.
pub fn told(say: &Say) -> String {
    if let Say::Failed { message } = say {
        return format!("`failed` ({message})");
    }
    let header = serde_json::to_value(say).unwrap_or_default();
    format!("`{}`", header["say"].as_str().unwrap_or_default())
}
