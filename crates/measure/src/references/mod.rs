//! The right answers, computed once in a run and shared by all its variants and replicates.

mod cache;
mod standing;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use benchbook_core::message::{AnswerInfo, Ask, Facts, Others, Say, Writable};
use benchbook_core::{
    Answer, Array, Case, Check, DType, Inputs, Params, Posed, Reference, Registry, Rough, Rounding, Variant,
};

use crate::caught::Caught;
use crate::frame::Arrays;
use crate::link::{Link, unexpected};
use crate::waiting::{Gone, Interruption, wait};
use crate::{Error, Result, clock, steps};
use cache::Cache;

/// Answers that are held in memory at most, in bytes; the oldest goes first.
const MOST_HELD_BYTES: usize = 256 << 20;

/// Bytes of an answer that is asked of who owns the workload at most: more could not be held beside others.
const MOST_OWNED_BYTES: u64 = MOST_HELD_BYTES as u64;

/// How long an answer takes at least that is kept between runs, in nanoseconds.
const KEPT_FROM_NS: i64 = 50_000_000;

/// Answers that all executors of a run share.
pub type Shared = Rc<RefCell<References>>;

/// The right answers, by workload, parameters and seed.
///
/// The problems that a program links it solves itself. Those of others are asked of the worker that owns them.
pub struct References {
    problems: Registry,
    /// Digest of the code of these problems.
    code: String,
    cache: Option<Cache>,
    kept_from_ns: i64,
    interruption: Interruption,
    held: VecDeque<(String, Rc<Reference>)>,
    facts: HashMap<String, Known>,
}

/// What is known of a case beside its answers.
struct Known {
    facts: Facts,
    /// Of its inputs, where this program makes them.
    here: Option<Here>,
}

/// What is known of inputs that this program makes.
struct Here {
    /// What may be overwritten of them.
    rows: Vec<Writable>,
    digest: String,
}

/// A case, as what is known of it depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Name of the workload.
    pub workload: &'a str,
    /// Every parameter of it.
    pub params: &'a Params,
    /// What is computed in, which the answer does not depend on.
    pub dtype: DType,
    /// Seed of the inputs.
    pub seed: u64,
    /// Build and device of the worker that is asked: workloads of one name in two workers need not be the same.
    pub of: (Option<&'a str>, &'a str),
    /// Whether that worker makes other inputs than this program, so that it alone knows the answer.
    pub otherwise: bool,
}

impl References {
    /// Answers to `problems`, whose code has the digest `code`; what took long is kept in the user's cache under it. Once
    /// `interrupted` is set, none is waited for long.
    pub fn new(problems: Registry, code: &str, interrupted: &Arc<AtomicBool>) -> Self {
        let cache = if code.is_empty() { None } else { Cache::of_user() };
        Self {
            problems,
            code: code.to_owned(),
            cache,
            kept_from_ns: KEPT_FROM_NS,
            interruption: Interruption::of(interrupted),
            held: VecDeque::new(),
            facts: HashMap::new(),
        }
    }

    /// Of a program that links no problem.
    pub fn none() -> Self {
        Self::new(Registry::default(), "", &Arc::default())
    }

    /// The same for all executors of a run.
    pub fn shared(self) -> Shared {
        Rc::new(RefCell::new(self))
    }

    /// The problems that the program links.
    pub fn problems(&self) -> &Registry {
        &self.problems
    }

    /// The right answer to a case with the inputs of its seed, but for the `others`; and the time that it took now, in
    /// nanoseconds: 0 where it was known.
    ///
    /// # Errors
    /// [`Error::Failed`] where nobody knows it, or it panics; [`Error::Interrupted`]; the owner is lost.
    pub fn answer(
        &mut self,
        question: &Question<'_>,
        others: Option<&Others>,
        owner: &mut dyn Link,
        timeout: Duration,
    ) -> Result<(Rc<Reference>, i64)> {
        let posed = self.posed(question)?;
        let key = question.key(others, posed.is_none());
        if let Some(known) = self.known(&key) {
            return Ok((known, 0));
        }
        let started_ns = clock::now_ns();
        let reference = match posed {
            Some(posed) => self.computed(posed, question, others.cloned(), key.clone(), timeout)?,
            None => {
                let (workload, params) = (question.workload.to_owned(), question.params.clone());
                owner.expect(MOST_OWNED_BYTES);
                let ask = Ask::Reference { workload, params, seed: question.seed, others: others.cloned() };
                match owner.ask(&ask, &[], timeout)? {
                    (Say::Answers { answers }, numbers) => heard(answers, numbers)?,
                    (other, _) => return Err(unexpected(other)),
                }
            }
        };
        let reference = Rc::new(reference);
        self.hold(key, &reference);
        Ok((reference, clock::now_ns() - started_ns))
    }

    /// The right answer beside these outputs, where they may have gone another way than the reference at a tie
    /// ([`benchbook_core::Problem::follow`]); nothing where that cannot be, and of a problem that this program does not link.
    ///
    /// # Errors
    /// As of [`References::answer`].
    pub fn follow(
        &self,
        question: &Question<'_>,
        others: Option<&Others>,
        outputs: &[Array],
        timeout: Duration,
    ) -> Result<Option<Reference>> {
        let Some(posed) = self.posed(question)? else { return Ok(None) };
        let (seed, others, outputs) = (question.seed, others.cloned(), outputs.to_vec());
        self.wait_for(timeout, move || posed.follow(&inputs_of(posed.as_ref(), seed, others.as_ref()), &outputs))
    }

    /// What is right beside these outputs of a case that is computed with these numbers in the place of the inputs of their names,
    /// where products may be rounded on the way. The numbers are near enough to be called an approximation.
    ///
    /// # Errors
    /// [`Error::Failed`] where they are not, where this program does not know the workload, or where that does not say what such a
    /// rounding explains; as of [`References::answer`].
    pub fn standing_for(
        &self,
        question: &Question<'_>,
        others: Option<&Others>,
        (numbers, rounding): (Arrays, Option<Rounding>),
        outputs: &[Array],
        timeout: Duration,
    ) -> Result<Rough> {
        let Some(posed) = self.posed(question)? else {
            let words =
                format!("it approximates `{}`, and this program does not know that workload", question.workload);
            return Err(Error::Failed(words));
        };
        let (seed, others, outputs) = (question.seed, others.cloned(), outputs.to_vec());
        let workload = question.workload.to_owned();
        let answered = self.wait_for(timeout, move || {
            let inputs = standing::with(&inputs_of(posed.as_ref(), seed, others.as_ref()), numbers)?;
            let Some(rounding) = rounding else { return Ok(Rough::exact(posed.reference(&inputs, seed))) };
            standing::check(rounding)?;
            posed.rounded(&inputs, &outputs, seed, rounding).ok_or_else(|| {
                format!(
                    "its worker rounds on the way, and `{workload}` does not say what that explains of these outputs"
                )
            })
        })?;
        answered.map_err(Error::Failed)
    }

    /// Whether a case of a problem that this program links is a loop.
    pub fn is_loop(&self, case: &Case) -> bool {
        let posed = self.problems.find_workload(&case.workload).and_then(|workload| workload.pose(&case.params));
        posed.is_ok_and(|posed| posed.task().steps().is_some())
    }

    /// What is known of a case beside its answers.
    ///
    /// # Errors
    /// As of [`References::answer`].
    pub fn facts(&mut self, question: &Question<'_>, owner: &mut dyn Link, timeout: Duration) -> Result<Facts> {
        let posed = self.posed(question)?;
        let key = question.key_of_facts(posed.is_none());
        if let Some(known) = self.facts.get(&key) {
            return Ok(known.facts.clone());
        }
        let Question { workload, params, dtype, seed, .. } = *question;
        let known = match posed {
            Some(posed) => self.wait_for(timeout, move || {
                let inputs = posed.inputs(seed);
                Known::of(posed.as_ref(), &inputs, dtype, digest_of(&inputs))
            })?,
            None => {
                let ask = Ask::Pose { workload: workload.to_owned(), params: params.clone(), dtype, seed };
                match owner.ask(&ask, &[], timeout)? {
                    (Say::Posed(facts), _) => Known { facts: believed(facts)?, here: None },
                    (other, _) => return Err(unexpected(other)),
                }
            }
        };
        let facts = known.facts.clone();
        self.facts.insert(key, known);
        Ok(facts)
    }

    /// What may be overwritten of the inputs of a case, where this program makes them and the facts of the case are known.
    pub fn rows(&self, question: &Question<'_>) -> Option<&[Writable]> {
        self.here(question).map(|here| here.rows.as_slice())
    }

    /// Digest of the inputs of a case, where this program makes them and the facts of the case are known.
    pub fn digest(&self, question: &Question<'_>) -> Option<&str> {
        self.here(question).map(|here| here.digest.as_str())
    }

    fn here(&self, question: &Question<'_>) -> Option<&Here> {
        self.facts.get(&question.key_of_facts(question.otherwise))?.here.as_ref()
    }

    /// The inputs of a case, for a worker that cannot make them: all, or those of these names, and others perhaps besides.
    ///
    /// # Errors
    /// [`Error::Failed`] where this program does not know the workload either; [`Error::Interrupted`].
    pub fn inputs(&self, question: &Question<'_>, names: Option<&[String]>, timeout: Duration) -> Result<Inputs> {
        let (seed, names) = (question.seed, names.map(<[String]>::to_vec));
        match self.posed(question)? {
            Some(posed) => self.wait_for(timeout, move || {
                names.map_or_else(|| posed.inputs(seed), |names| posed.some_inputs(seed, &names))
            }),
            None => Err(Error::Failed(format!(
                "its worker wants the inputs of `{}` to be sent, and this program does not know that workload",
                question.workload
            ))),
        }
    }

    /// The case, where this program links its problem.
    fn posed(&self, question: &Question<'_>) -> Result<Option<Box<dyn Posed>>> {
        match self.problems.find_workload(question.workload) {
            Ok(workload) if !question.otherwise => {
                // Another problem of the same name would be checked by whoever solves it.
                workload.pose(question.params).map(Some).map_err(|error| Error::Failed(error.to_string()))
            }
            _ => Ok(None),
        }
    }

    fn computed(
        &mut self,
        posed: Box<dyn Posed>,
        question: &Question<'_>,
        others: Option<Others>,
        key: String,
        timeout: Duration,
    ) -> Result<Reference> {
        let (cache, code, kept_from_ns) = (self.cache.clone(), self.code.clone(), self.kept_from_ns);
        let (dtype, seed) = (question.dtype, question.seed);
        let (reference, known) = self.wait_for(timeout, move || {
            let inputs = inputs_of(posed.as_ref(), seed, others.as_ref());
            let digest = digest_of(&inputs);
            let kept = cache.map(|cache| cache.entry(&code, &key, &digest));
            // What is known of a case is that of the inputs of its own seed.
            let known = others.is_none().then(|| Known::of(posed.as_ref(), &inputs, dtype, digest));
            if let Some(reference) = kept.as_ref().and_then(cache::Entry::read) {
                return (reference, known);
            }
            let started_ns = clock::now_ns();
            let reference = posed.reference(&inputs, seed);
            if let Some(kept) = kept.filter(|_| clock::now_ns() - started_ns >= kept_from_ns) {
                // Where it cannot be kept, it is computed again.
                let _ = kept.write(&reference);
            }
            (reference, known)
        })?;
        if let Some(known) = known {
            self.facts.insert(question.key_of_facts(false), known);
        }
        Ok(reference)
    }

    /// Works on another thread, so that Ctrl-C is heard meanwhile; a panic is a failure, and so is what takes too long.
    fn wait_for<T: Send + 'static>(&self, timeout: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _caught = Caught::begin();
        let (send, done) = mpsc::channel();
        std::thread::spawn(move || drop(send.send(benchbook_journal::caught(work))));
        match wait(&done, timeout, &self.interruption) {
            Ok(Ok(what)) => Ok(what),
            Ok(Err(panic)) => Err(Error::Failed(format!("the reference panicked: {panic}"))),
            Err(Gone::Interrupted) => Err(Error::Interrupted),
            Err(Gone::Late) => {
                let seconds = timeout.as_secs_f64();
                Err(Error::Failed(format!("the right answer was not known after {seconds:.1} s, all that was left")))
            }
            Err(Gone::Closed) => Err(Error::Failed("the reference ended without an answer".into())),
        }
    }

    /// An answer that is held under this name.
    pub(crate) fn known(&self, key: &str) -> Option<Rc<Reference>> {
        self.held.iter().find(|(held, _)| *held == key).map(|(_, known)| Rc::clone(known))
    }

    /// Holds an answer under a name, in the place of the oldest where there is no room.
    pub(crate) fn hold(&mut self, key: String, reference: &Rc<Reference>) {
        self.held.push_back((key, Rc::clone(reference)));
        let size = |(_, reference): &(String, Rc<Reference>)| size_of(reference);
        let mut total: usize = self.held.iter().map(size).sum();
        while total > MOST_HELD_BYTES
            && self.held.len() > 1
            && let Some(oldest) = self.held.pop_front()
        {
            total -= size(&oldest);
        }
    }
}

impl Question<'_> {
    /// Names an answer; where it is asked of a worker, it is that worker's own.
    fn key(&self, others: Option<&Others>, is_asked: bool) -> String {
        let of = is_asked.then_some(self.of);
        format!("{} {:?} {} {others:?} {of:?}", self.workload, self.params, self.seed)
    }

    /// Names what is right of an approximation, which its variant alone knows.
    pub(crate) fn key_of_approximation(&self, variant: &Variant, others: Option<&Others>) -> String {
        format!("{variant:?} {}", self.key(others, true))
    }

    fn key_of_facts(&self, is_asked: bool) -> String {
        format!("{} {}", self.dtype, self.key(None, is_asked))
    }
}

impl Known {
    fn of(posed: &dyn Posed, inputs: &Inputs, dtype: DType, digest: String) -> Self {
        let here = Here { rows: rows_of(posed, inputs), digest };
        Self { facts: facts_of(posed, inputs, dtype), here: Some(here) }
    }
}

/// What a worker says of a case, where it can be.
fn believed(facts: Facts) -> Result<Facts> {
    if let Some(words) = facts.task.steps().and_then(steps::impossible) {
        return Err(Error::Failed(words));
    }
    let own = facts.tolerances.iter().flat_map(|own| [own.relative, own.absolute]);
    let strange = std::iter::once(facts.tolerance).chain(own).find(|error| !(error.is_finite() && *error >= 0.0));
    match strange {
        None => Ok(facts),
        Some(error) => {
            Err(Error::Failed(format!("its worker lets an error of {error} pass, and that is no tolerance")))
        }
    }
}

/// Bytes of an answer's numbers, about.
fn size_of(reference: &Reference) -> usize {
    let more = |check: &Check| match check {
        Check::Near | Check::Exact => 0,
        Check::Greedy { gaps: more, .. } | Check::Draws { control: more, .. } | Check::Rounded { spread: more } => {
            more.len()
        }
    };
    reference.answers.iter().map(|one| 8 * (one.values.len() + one.rows.len() + more(&one.check))).sum()
}

/// The inputs of a seed, but for those of another.
pub(crate) fn inputs_of(posed: &dyn Posed, seed: u64, others: Option<&Others>) -> Inputs {
    let inputs = posed.inputs(seed);
    if let Some(others) = others { with_others(posed, inputs, others) } else { inputs }
}

/// The same inputs, but for those of another seed.
pub(crate) fn with_others(posed: &dyn Posed, mut inputs: Inputs, others: &Others) -> Inputs {
    let mut of_others = posed.some_inputs(others.seed, &others.inputs);
    for name in &others.inputs {
        if let Some(array) = of_others.remove(name) {
            inputs.insert(name, array);
        }
    }
    inputs
}

/// What a problem knows of its case.
pub(crate) fn facts_of(posed: &dyn Posed, inputs: &Inputs, dtype: DType) -> Facts {
    Facts {
        work: posed.work(dtype),
        tolerance: posed.tolerance(dtype),
        tolerances: posed.tolerances(dtype),
        input_bytes: inputs.bytes(dtype.bytes()),
        task: posed.task(),
        metrics: posed.metrics(inputs),
    }
}

/// A digest of inputs: of their names, their form and every byte.
pub(crate) fn digest_of(inputs: &Inputs) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, array) in inputs.iter() {
        let form = format!("{} {:?}", array.dtype(), array.shape());
        add(&mut hasher, &[name.as_bytes(), form.as_bytes(), array.bytes()]);
    }
    hasher.finalize().to_hex().to_string()
}

/// Adds parts to a digest, each behind its length, which keeps neighbours apart.
fn add(hasher: &mut blake3::Hasher, parts: &[&[u8]]) {
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
}

/// The inputs any row of which may be overwritten: those of real numbers, and those of token ids.
pub(crate) fn rows_of(posed: &dyn Posed, inputs: &Inputs) -> Vec<Writable> {
    let one = |(input, below): (String, Option<usize>)| {
        let array = inputs.get(&input);
        let (rows, width) = (array.rows(), array.width());
        let scale = if below.is_none() { scale_of(array.of()) } else { 1.0 };
        (!array.is_empty()).then_some(Writable { input, rows, width, scale, below })
    };
    let real = inputs.real().into_iter().map(|name| (name, None));
    let tokens = posed.tokens().into_iter().map(|(name, below)| (name.to_owned(), Some(below)));
    real.chain(tokens).filter_map(one).collect()
}

/// The numbers of an input as they are written: whole ones below 2²⁴ lose nothing.
pub(crate) fn numbers(array: &Array) -> Cow<'_, [f32]> {
    match array.dtype() {
        DType::F32 => Cow::Borrowed(array.of()),
        _ => Cow::Owned(array.to_f64().into_iter().map(|number| number as f32).collect()),
    }
}

/// The root of the mean square of numbers; 1 where that is nothing to multiply by.
fn scale_of(numbers: &[f32]) -> f64 {
    let squares: f64 = numbers.iter().map(|number| f64::from(*number).powi(2)).sum();
    let scale = (squares / numbers.len().max(1) as f64).sqrt();
    if scale.is_normal() { scale } else { 1.0 }
}

/// An answer as it travels: what is said of it, and its numbers.
pub(crate) fn told(reference: &Reference) -> (Vec<AnswerInfo>, Arrays) {
    let one = |answer: &Answer| {
        let Answer { name, shape, rows, values, check } = answer;
        let info =
            AnswerInfo { name: name.to_string(), shape: shape.clone(), rows: rows.clone(), check: check.clone() };
        (info, (name.to_string(), Array::new(vec![values.len()], values)))
    };
    reference.answers.iter().map(one).unzip()
}

/// An answer that has come.
pub(crate) fn heard(answers: Vec<AnswerInfo>, numbers: Arrays) -> Result<Reference> {
    if answers.len() != numbers.len() {
        let words = format!("{} answers have {} arrays of numbers", answers.len(), numbers.len());
        return Err(Error::Failed(words));
    }
    let one = |(info, (name, array)): (AnswerInfo, (String, Array))| {
        if info.name != name || array.dtype() != DType::F64 {
            let words = format!("the numbers of the answer `{}` are `{name}` in {}", info.name, array.dtype());
            return Err(Error::Failed(words));
        }
        let AnswerInfo { name, shape, rows, check } = info;
        Ok(Answer { name: name.into(), shape, rows, values: array.of().to_vec(), check })
    };
    let answers = answers.into_iter().zip(numbers).map(one).collect::<Result<_>>()?;
    Ok(Reference { answers })
}

#[cfg(test)]
mod tests;
