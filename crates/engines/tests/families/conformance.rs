//! One test for every implementation: right on the ugly cases of its problem, in every dtype and on every device that it
//! takes, also on inputs that are overwritten.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use benchbook_core::{
    Array, Case, DType, Implementation, Inputs, Params, Posed, Reference, Registry, Setting, StepsOf, Subject, Support,
    Workload,
};

use crate::common::{SEED, registry, setting};

/// Workers that are processes need a worker program: the end-to-end tests run them.
const ELSEWHERE: [&str; 10] = [
    "ring-processes",
    "zigzag-processes",
    "fused-process",
    "two-workers",
    "two-workers-int8",
    "two-workers-int8-plain",
    "two-workers-top-k",
    "two-workers-top-k-plain",
    "two-workers-power-sgd",
    "two-workers-power-sgd-plain",
];

/// Those of libraries that not every machine has, which take no case where they are not here.
const OF_LIBRARIES: [&str; 2] = ["mimalloc", "jemalloc"];

/// Those of instructions that not every processor has.
const OF_INSTRUCTIONS: [&str; 4] = ["chains-avx2", "chains-avx512", "avx512-bf16", "amx"];

/// Inputs of a case: as they are drawn, or with rows of one of them overwritten.
struct Variation {
    overwritten: Option<String>,
    inputs: Inputs,
}

/// The inputs that everybody gets, and for each of real numbers the same with its first and last row overwritten, for each of
/// token ids with all of them.
fn variations(drawn: Inputs, tokens: &[(&str, usize)]) -> Vec<Variation> {
    let of = |name: String| Variation { inputs: overwritten(&drawn, &name), overwritten: Some(name) };
    let ids = |(name, below): &(&str, usize)| Variation {
        inputs: mirrored(&drawn, name, *below),
        overwritten: Some((*name).to_owned()),
    };
    let others: Vec<Variation> = drawn.real().into_iter().map(of).chain(tokens.iter().map(ids)).collect();
    [Variation { overwritten: None, inputs: drawn }].into_iter().chain(others).collect()
}

/// The first and the last row of an input in each other's place, with their signs changed.
fn overwritten(inputs: &Inputs, name: &str) -> Inputs {
    let array = inputs.get(name);
    let negated = |row: usize| -> Vec<f32> { row_of(array, row).iter().map(|number| -number).collect() };
    let (first, last) = (negated(0), negated(array.rows() - 1));
    let mut changed = array.clone();
    changed.write(0, &last);
    changed.write(array.rows() - 1, &first);
    let mut inputs = inputs.clone();
    inputs.insert(name, changed);
    inputs
}

/// Each token in the place of the one that is as far from the end as it is from the beginning.
fn mirrored(inputs: &Inputs, name: &str, below: usize) -> Inputs {
    let array = inputs.get(name);
    let others: Vec<i32> = array.of::<i32>().iter().map(|id| below as i32 - 1 - id).collect();
    let mut changed = inputs.clone();
    changed.insert(name, Array::new(array.shape().to_vec(), &others));
    changed
}

fn row_of(array: &Array, row: usize) -> &[f32] {
    &array.of::<f32>()[row * array.width()..][..array.width()]
}

/// Overwrites the first and the last row of an input by those of `array`, or all token ids; `false` where it cannot be
/// overwritten.
fn write_ends(subject: &mut dyn Subject, name: &str, array: &Array) -> Result<bool, String> {
    if array.dtype() != DType::F32 {
        let ids: Vec<f32> = array.to_f64().iter().map(|id| *id as f32).collect();
        return subject.write(name, 0, &ids).map_err(|error| error.to_string());
    }
    let mut write = |row: usize| subject.write(name, row, row_of(array, row)).map_err(|error| error.to_string());
    Ok(write(0)? && write(array.rows() - 1)?)
}

/// Makes a loop a step at a time: it ends within the steps of its case, and makes the tokens that this wants.
fn stepped(subject: &mut dyn Subject, of: &StepsOf) -> Result<(), String> {
    let looped = subject.looped().ok_or("it is no loop")?;
    let (mut values, mut tokens) = (vec![0.0; of.values.len()], 0);
    looped.begin();
    for _ in 0..of.most {
        let made = looped.step(&mut values).map_err(|error| error.to_string())?;
        tokens += made.tokens;
        if !made.more {
            let right = of.tokens.is_none_or(|wanted| wanted == tokens);
            return if right { Ok(()) } else { Err(format!("its loop makes {tokens} tokens, not {:?}", of.tokens)) };
        }
    }
    Err(format!("its loop goes on after {} steps", of.most))
}

/// What is wrong with outputs that may be off by so many times what their problem allows; nothing where nothing is.
fn near(posed: &dyn Posed, right: &Reference, outputs: &[Array], dtype: DType, times: f64) -> Result<(), String> {
    if outputs.len() != right.answers.len() {
        return Err(format!("it gives {} outputs, not {}", outputs.len(), right.answers.len()));
    }
    for (answer, output) in right.answers.iter().zip(outputs) {
        if output.shape() != answer.shape {
            return Err(format!("`{}` has shape {:?}, not {:?}", answer.name, output.shape(), answer.shape));
        }
    }
    for found in right.compare_within(outputs, &posed.tolerances(dtype)) {
        let (error, allowed) = (found.max_scaled_error, times * found.allowed(posed.tolerance(dtype)));
        if error.is_nan() || error > allowed {
            let name = found.output.unwrap_or_default();
            return Err(format!("`{name}` is off by {error:e}, allowed are {allowed:e}"));
        }
    }
    Ok(())
}

/// A case in which implementations are examined.
struct Task {
    case: Case,
    posed: Box<dyn Posed>,
    variations: Vec<Variation>,
    /// What is right on each of the variations.
    rights: Vec<Reference>,
}

impl Task {
    fn of(workload: &dyn Workload, given: &Params) -> benchbook_core::Result<Self> {
        let case = workload.case(given.clone())?;
        let posed = workload.pose(&case.params)?;
        let variations = variations(posed.inputs(SEED), &posed.tokens());
        let rights = variations.iter().map(|one| posed.reference(&one.inputs, SEED)).collect();
        Ok(Self { case, posed, variations, rights })
    }

    /// What an implementation must give on each of the variations.
    fn rights(&self, implementation: &dyn Implementation) -> Vec<Reference> {
        let of = |(one, right): (&Variation, &Reference)| {
            let approximation = implementation.approximation(&self.case.params, &one.inputs, SEED);
            approximation.unwrap_or_else(|| right.clone())
        };
        self.variations.iter().zip(&self.rights).map(of).collect()
    }

    /// Whether an implementation takes the case, and what is wrong with it then.
    fn examine(
        &self,
        implementation: &dyn Implementation,
        setting: &Setting,
        rights: &[Reference],
    ) -> Result<bool, String> {
        match implementation.supports(&setting.device, setting.dtype, &self.case.params) {
            Support::No(reason) if reason.trim().is_empty() => Err("it refuses without a reason".into()),
            Support::No(_) => Ok(false),
            Support::Yes => catch_unwind(AssertUnwindSafe(|| self.run(implementation, setting, rights)))
                .unwrap_or_else(|panic| Err(format!("it panics: {}", said(panic.as_ref()))))
                .map(|()| true),
        }
    }

    fn run(&self, implementation: &dyn Implementation, setting: &Setting, rights: &[Reference]) -> Result<(), String> {
        let text = |error: benchbook_core::Error| error.to_string();
        let drawn = &self.variations[0].inputs;
        // How other engines round between operations in 16 bits depends on the processor: here they are known from one.
        let rounds = setting.dtype.bytes() == 2 && implementation.engine(&setting.device).0 != "benchbook-simd";
        let times = if rounds { 2.0 } else { 1.0 };
        let mut subject = implementation.prepare(setting, &self.case.params, drawn).map_err(text)?;
        if subject.outputs().is_ok() {
            return Err("it has outputs before the first call".into());
        }
        let task = self.posed.task();
        if task.steps().is_some() != subject.looped().is_some() {
            return Err(format!("it is no implementation of {task:?}"));
        }
        for (Variation { overwritten, inputs }, right) in self.variations.iter().zip(rights) {
            if let Some(name) = overwritten
                && !write_ends(subject.as_mut(), name, inputs.get(name))?
            {
                continue;
            }
            if let Some(of) = task.steps() {
                stepped(subject.as_mut(), of)?;
            }
            // An odd number: the last call is on one of the two copies, and next time on the other.
            subject.run(3);
            subject.sync().map_err(text)?;
            let outputs = subject.outputs().map_err(text)?;
            // Where it has gone the other way at a tie, what follows is right beside its own tokens, but for an approximation.
            let follows = right.first_tie().filter(|_| !implementation.approximates());
            let followed = follows.and_then(|_| self.posed.follow(inputs, &outputs));
            let right = followed.as_ref().unwrap_or(right);
            let found = near(self.posed.as_ref(), right, &outputs, setting.dtype, times);
            if let Some(name) = overwritten {
                found.map_err(|wrong| format!("with rows of `{name}` overwritten, {wrong}"))?;
                write_ends(subject.as_mut(), name, drawn.get(name))?;
            } else {
                found?;
            }
        }
        Ok(())
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// The devices of an implementation that this machine has, in every dtype.
fn settings(implementation: &dyn Implementation) -> Vec<Setting> {
    let here = implementation.devices().into_iter().filter(|device| benchbook_engines::probe(device).is_none());
    here.flat_map(|device| DType::ALL.map(|dtype| setting(device, dtype))).collect()
}

/// What is wrong with the implementations of a workload in these cases, a line each that names implementation, dtype, device
/// and case.
pub fn breaches(registry: &Registry, workload: &dyn Workload, cases: &[Params]) -> Vec<String> {
    let (name, mut found) = (workload.name(), Vec::new());
    let mut tasks = Vec::new();
    for given in cases {
        match Task::of(workload, given) {
            Ok(task) => tasks.push(task),
            Err(error) => found.push(format!("{name} has no case {given}: {error}")),
        }
    }
    let implementations = registry.implementations().filter(|one| one.workload() == name);
    for implementation in implementations.filter(|one| !ELSEWHERE.contains(&one.name())) {
        let (settings, mut taken) = (settings(implementation), 0);
        for task in &tasks {
            let rights = task.rights(implementation);
            for setting in &settings {
                match task.examine(implementation, setting, &rights) {
                    Ok(takes) => taken += usize::from(takes),
                    Err(wrong) => {
                        let Setting { device, dtype, .. } = setting;
                        let place = format!("{name} {} in {dtype} on {device}", implementation.name());
                        found.push(format!("{place}, {}: {wrong}", task.case.name));
                        taken += 1;
                    }
                }
            }
        }
        let may_lack = [&OF_LIBRARIES[..], &OF_INSTRUCTIONS].concat().contains(&implementation.name());
        if taken == 0 && !settings.is_empty() && !may_lack {
            found.push(format!("{name} {} takes no case at all", implementation.name()));
        }
    }
    found
}

/// Panics with what is wrong with the implementations of a workload in these cases.
pub fn all_right(workload: &dyn Workload, cases: &[Params]) {
    let found = breaches(&registry(), workload, cases);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_implementation_is_right_on_every_ugly_case() {
    let registry = registry();
    let of = |workload: &dyn Workload| {
        let cases = workload.ugly();
        assert!(!cases.is_empty(), "{} has no ugly case", workload.name());
        breaches(&registry, workload, &cases)
    };
    // The longest test of its program, whose others are done long before: two threads take a workload after the other.
    let (workloads, next): (Vec<&dyn Workload>, _) = (registry.workloads().collect(), AtomicUsize::new(0));
    let some = || {
        let taken = std::iter::from_fn(|| workloads.get(next.fetch_add(1, Ordering::Relaxed)));
        taken.flat_map(|workload| of(*workload)).collect::<Vec<String>>()
    };
    let found: Vec<String> = thread::scope(|scope| {
        let asked: Vec<_> = (0..2).map(|_| scope.spawn(some)).collect();
        asked.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{} are wrong:\n{}", found.len(), found.join("\n"));
}
