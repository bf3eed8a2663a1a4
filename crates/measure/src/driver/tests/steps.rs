//! Trials whose samples are loops: what is recorded of their steps, and what is not believed of them.

use benchbook_core::{Loop, Looping, Step, StepsOf, Task};

use super::*;

/// Steps of the loop.
const STEPS: usize = 3;

/// The ids that are given, each followed by those after it; where the first token is a tie, 7 is as right as 1.
struct After;

benchbook_core::parameters! {
    /// Parameters of [`After`].
    struct AfterParams {
        /// whether the first token is a tie
        tie: bool = false;
    }
}

/// The tokens after an id, each one more than the one before.
fn after(first: i64) -> Vec<i64> {
    (1..=STEPS as i64).map(|step| first + step).collect()
}

fn answer(first: i64, tie: bool) -> Reference {
    let mut reference = Reference::of(vec![STEPS, 1], (0..STEPS).collect(), Vec::new());
    let gaps = (0..STEPS).map(|step| if tie && step == 0 { 0.0 } else { 1.0 }).collect();
    reference.answers[0].values = after(first).into_iter().map(|token| token as f64).collect();
    reference.answers[0].check = Check::Greedy { gaps, least: 0.5 };
    reference
}

impl Problem for After {
    const NAME: &'static str = "after";
    const ABOUT: &'static str = "the ids that follow";
    type Params = AfterParams;

    fn presets() -> Vec<Preset> {
        vec![Preset { name: "quick", cases: vec![Params::default()] }]
    }

    fn ugly() -> Vec<AfterParams> {
        vec![AfterParams::default()]
    }

    fn label(params: &AfterParams) -> String {
        params.tie.to_string()
    }

    fn task(_params: &AfterParams) -> Task {
        let values = vec![("left".to_owned(), "count".to_owned())];
        Task::Steps(StepsOf { most: STEPS, tokens: Some(STEPS as i64), values })
    }

    fn inputs(_params: &AfterParams, seed: u64) -> Inputs {
        Inputs::from([("first", Array::new(vec![1], &[(seed % 100) as i32]))])
    }

    fn tokens(_params: &AfterParams) -> Vec<(&'static str, usize)> {
        vec![("first", 100)]
    }

    fn reference(params: &AfterParams, inputs: &Inputs, _seed: u64) -> Reference {
        answer(inputs.get("first").of::<i32>()[0].into(), params.tie)
    }

    fn follow(params: &AfterParams, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        let (first, taken) = (inputs.get("first").of::<i32>()[0], outputs.first()?.of::<i64>()[0]);
        // The other way begins a thousand later.
        assert_eq!(taken, i64::from(first) + 1001, "who has gone the same way needs no other answer");
        Some(answer(i64::from(first) + 1000, params.tie))
    }

    fn work(_params: &AfterParams, _dtype: DType) -> Counts {
        Counts { flops: 3.0, bytes: 12.0 }
    }

    fn tolerance(_params: &AfterParams, _dtype: DType) -> f64 {
        1e-6
    }
}

/// A way to solve it, named after what is special of it.
struct Following {
    name: &'static str,
    first: i64,
    made: Vec<i64>,
    /// Steps of all loops.
    steps: u64,
}

impl Loop for Following {
    fn begin(&mut self) {
        self.made.clear();
    }

    fn step(&mut self, values: &mut [f64]) -> benchbook_core::Result<Step> {
        let last = *self.made.last().unwrap_or(&self.first);
        self.steps += 1;
        // Of a trial, from its first loop on or from a later one.
        if self.made.len() == 2 && (self.name == "breaks" || self.name == "breaks-late" && self.steps > 100) {
            let reason = "diverged at step 3".into();
            return Err(CoreError::Implementation { implementation: self.name.into(), device: "cpu".into(), reason });
        }
        let strays = self.made.is_empty() && self.name == "other-way";
        self.made.push(last + if strays { 1001 } else { 1 });
        values[0] = STEPS as f64 - self.made.len() as f64;
        Ok(Step { tokens: 1, more: self.made.len() < STEPS || self.name == "endless" })
    }

    fn outputs(&mut self) -> benchbook_core::Result<Vec<Array>> {
        Ok(vec![Array::new(vec![self.made.len(), 1], &self.made)])
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> benchbook_core::Result<bool> {
        if input == "first" && self.name != "keeps-first" {
            self.first = values[0] as i64;
        }
        Ok(input == "first")
    }
}

fn loops() -> Registry {
    let mut registry = Registry::default();
    registry.workload(After);
    for name in ["right", "other-way", "endless", "keeps-first", "breaks", "breaks-late"] {
        let engine = |_: &str| ("engine".to_owned(), "1".to_owned());
        registry.implementation(Row::<After>::new(
            name,
            "for tests",
            &["cpu"],
            &[DType::F32],
            engine,
            |name, setting, params, inputs| {
                let task = After::task(params);
                let first = inputs.get("first").of::<i32>()[0].into();
                let looped = Following { name, first, made: Vec::new(), steps: 0 };
                Ok(Box::new(Looping::new(name, setting, task.steps().unwrap(), looped)))
            },
        ));
    }
    registry
}

fn looping(change: Change) -> (Driver, Heard) {
    tapped_of(loops(), &linked(loops()), change)
}

fn of(implementation: &str, tie: bool) -> Trial {
    let params = Params::default().with("tie", tie.into());
    let case = Case { workload: "after".into(), name: tie.to_string(), params };
    Trial { case, min_sample_ns: 1_000_000, ..trial(0, implementation) }
}

#[test]
fn a_sample_is_one_loop_and_brings_its_steps() {
    let (mut driver, heard) = looping(unchanged);
    let prepared = driver.prepare(&of("right", false), LONG).unwrap();
    assert!(passes(&prepared.check, prepared.tolerance), "{prepared:?}");
    assert_eq!((prepared.iterations, metric(&prepared, "inputs_change")), (1, Some(1.0)));
    assert_eq!(metric(&prepared, "first_tie"), None);
    heard.take();
    let sampled = driver.sample(0, LONG).unwrap();
    let steps = sampled.steps.unwrap();
    assert_eq!((sampled.iterations, steps.started_ns.len()), (1, STEPS));
    assert_eq!(steps.tokens, Some(vec![1; STEPS]));
    assert_eq!(steps.values, [("left".to_owned(), "count".to_owned(), vec![2.0, 1.0, 0.0])]);
    let end_ns = sampled.started_ns + sampled.elapsed_ns;
    assert_eq!((steps.started_ns[0], steps.started_ns[2] + steps.elapsed_ns[2]), (sampled.started_ns, end_ns));
    let asked = heard.take();
    let last = asked.last().map(|(ask, _)| ask.clone());
    let write = Some(Place { input: "first".into(), row: 0 });
    assert_eq!(last, Some(Ask::Run { trial: 0, iterations: 1, before: 1, write, steps: Some(STEPS) }));
    let finished = driver.finish(0, LONG).unwrap();
    assert!(passes(&finished.check, prepared.tolerance), "the ids that it was not timed on: {finished:?}");
}

#[test]
fn what_cannot_be_of_steps_fails_its_trial() {
    /// Changes the steps of a loop that was run.
    fn steps(ask: &Ask, mut arrays: Arrays, change: impl FnOnce(&mut Arrays)) -> Arrays {
        if matches!(ask, Ask::Run { .. }) {
            change(&mut arrays);
        }
        arrays
    }
    let lies: [(Change, &str); 7] = [
        (
            |ask, say, arrays| {
                let longer = |arrays: &mut Arrays| arrays[0].1 = Array::new(vec![4], &[1_i64; 4]);
                (say, steps(ask, arrays, longer))
            },
            "tells of 4 steps",
        ),
        (
            |ask, say, arrays| {
                let early = |arrays: &mut Arrays| arrays[0].1.of_mut::<i64>()[0] -= 1;
                (say, steps(ask, arrays, early))
            },
            "began before its loop",
        ),
        (
            |ask, say, arrays| {
                let late = |arrays: &mut Arrays| arrays[1].1.of_mut::<i64>()[2] += 1;
                (say, steps(ask, arrays, late))
            },
            "does not lie in its loop",
        ),
        (
            |ask, say, arrays| {
                let turned = |arrays: &mut Arrays| arrays[0].1.of_mut::<i64>().swap(1, 2);
                (say, steps(ask, arrays, turned))
            },
            "a step ",
        ),
        (
            |ask, say, arrays| {
                let fewer = |arrays: &mut Arrays| arrays[2].1.of_mut::<i64>()[1] = 0;
                (say, steps(ask, arrays, fewer))
            },
            "of 2 tokens, and the case wants 3",
        ),
        (|ask, say, arrays| (say, steps(ask, arrays, Vec::clear)), "of no step"),
        (
            |ask, say, arrays| {
                let named = |arrays: &mut Arrays| arrays[3].0 = "lost".into();
                (say, steps(ask, arrays, named))
            },
            "`lost`",
        ),
    ];
    for (change, part) in lies {
        let (mut driver, heard) = looping(change);
        let error = driver.prepare(&of("right", false), LONG).unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{part}: {error:?}");
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert_eq!(words(&heard).last().map(String::as_str), Some("drop"), "{part}");
    }
}

#[test]
fn a_loop_that_does_not_end_fails_and_another_goes_on() {
    let (mut driver, _) = looping(unchanged);
    let error = driver.prepare(&of("endless", false), LONG).unwrap_err();
    assert!(error.to_string().contains("more than 3 steps"), "{error:?}");
    driver.prepare(&of("right", false), LONG).unwrap();
    driver.sample(0, LONG).unwrap();
}

/// What a loop that has failed told of its two steps.
fn told(error: Error) -> Vec<f64> {
    let Error::Broken { message, steps } = error else { panic!("{error:?}") };
    assert!(message.contains("diverged at step 3"), "{message}");
    assert_eq!((steps.started_ns.len(), steps.tokens.as_deref()), (2, Some(&[1, 1][..])));
    steps.values.into_iter().next().unwrap().2
}

#[test]
fn a_loop_that_fails_tells_its_steps_until_then() {
    let (mut driver, _) = looping(unchanged);
    assert_eq!(told(driver.prepare(&of("breaks", false), LONG).unwrap_err()), [2.0, 1.0]);
    // One that fails later, when it is timed or before.
    driver.prepare(&of("breaks-late", false), LONG).unwrap();
    let error = (0..100).find_map(|_| driver.sample(0, LONG).err()).unwrap();
    assert_eq!(told(error), [2.0, 1.0]);
    driver.prepare(&of("right", false), LONG).unwrap();
    let (mut lying, _) = looping(|ask, say, mut arrays| {
        if matches!(ask, Ask::Prepare(_)) && !arrays.is_empty() {
            arrays[0].1.of_mut::<i64>()[1] = 0;
        }
        (say, arrays)
    });
    let error = lying.prepare(&of("breaks", false), LONG).unwrap_err();
    assert!(matches!(&error, Error::Failed(words) if words.contains("diverged")), "steps that cannot be: {error:?}");
}

#[test]
fn a_loop_that_goes_on_with_its_first_tokens_is_wrong() {
    let (mut driver, _) = looping(unchanged);
    let prepared = driver.prepare(&of("keeps-first", false), LONG).unwrap();
    assert!(passes(&prepared.check, prepared.tolerance), "it begins as it should: {prepared:?}");
    driver.sample(0, LONG).unwrap();
    let finished = driver.finish(0, LONG).unwrap();
    assert!(!passes(&finished.check, prepared.tolerance), "{finished:?}");
}

#[test]
fn a_loop_is_not_measured_cold() {
    let (mut driver, _) = looping(unchanged);
    let refused = driver.prepare(&Trial { cache: CacheRegime::Cold, ..of("right", false) }, LONG);
    assert!(matches!(&refused, Err(Error::Unsupported(words)) if words.contains("measure it hot")), "{refused:?}");
}

#[test]
fn after_a_tie_the_tokens_of_the_other_way_are_right() {
    for (implementation, tie, right) in
        [("right", true, true), ("other-way", true, true), ("right", false, true), ("other-way", false, false)]
    {
        let (mut driver, _) = looping(unchanged);
        let prepared = driver.prepare(&of(implementation, tie), LONG).unwrap();
        let place = format!("{implementation}, tie: {tie}");
        assert_eq!(passes(&prepared.check, prepared.tolerance), right, "{place}: {prepared:?}");
        assert_eq!(metric(&prepared, "first_tie"), tie.then_some(0.0), "{place}");
        if right {
            let finished = driver.finish(0, LONG).unwrap();
            assert!(passes(&finished.check, prepared.tolerance), "{place}: {finished:?}");
        }
    }
}
