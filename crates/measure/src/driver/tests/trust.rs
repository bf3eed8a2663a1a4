//! What a worker is believed, and how long it is waited for.

use super::*;

#[test]
fn an_output_is_judged_by_the_tolerance_that_it_has_of_its_own() {
    /// Outputs one part in 100,000 too large, ten times what the problem lets pass, and a tolerance of an output's own.
    fn larger(say: Say, arrays: Arrays, [relative, absolute]: [f64; 2], output: &'static str) -> (Say, Arrays) {
        let larger = |(name, array): (String, Array)| {
            let numbers: Vec<f32> = array.of::<f32>().iter().map(|number| number * 1.000_01).collect();
            (name, Array::new(array.shape().to_vec(), &numbers))
        };
        match say {
            Say::Posed(facts) => {
                let tolerances = vec![Tolerance { output: output.into(), relative, absolute }];
                (Say::Posed(Facts { tolerances, ..facts }), arrays)
            }
            Say::Prepared { .. } => (say, arrays.into_iter().map(larger).collect()),
            other => (other, arrays),
        }
    }
    let cases: [(Change, bool); 4] = [
        (|_, say, arrays| larger(say, arrays, [1e-4, 0.0], "output"), true),
        (|_, say, arrays| larger(say, arrays, [1e-6, 1e-3], "output"), true),
        (|_, say, arrays| larger(say, arrays, [1e-6, 1e-9], "output"), false),
        (|_, say, arrays| larger(say, arrays, [1e-4, 1e-3], "another"), false),
    ];
    for (place, (change, right)) in cases.into_iter().enumerate() {
        let (mut driver, _) = tapped(&References::none().shared(), change);
        let prepared = driver.prepare(&trial(0, "right"), LONG).unwrap();
        assert_eq!(passes(&prepared.check, prepared.tolerance), right, "{place}: {prepared:?}");
        assert_eq!(prepared.check[0].tolerance.is_some(), place < 3, "{prepared:?}");
    }
}

#[test]
fn a_worker_sets_its_own_standard_only_where_it_said_so_and_of_the_same_form() {
    // Whatever is asked of it, it calls what it has given right.
    let references = || linked(registry());
    let (mut driver, heard) = tapped(&references(), |_, say, arrays| match say {
        Say::None => {
            let (name, shape, rows) = ("output".to_owned(), SHAPE.to_vec(), vec![0]);
            let answers = vec![AnswerInfo { name: name.clone(), shape, rows, check: Check::Near }];
            (Say::Answers { answers }, vec![(name, Array::new(vec![3], &[0.0_f64; 3]))])
        }
        Say::Prepared { .. } => (say, vec![(String::new(), Array::new(SHAPE.to_vec(), &[0.0_f32; 12]))]),
        other => (other, arrays),
    });
    let prepared = driver.prepare(&trial(0, "right"), LONG).unwrap();
    assert!(!passes(&prepared.check, prepared.tolerance), "{prepared:?}");
    assert!(!words(&heard).contains(&"approximation".to_owned()));
    let lies: [(Change, &str); 4] = [
        (
            |_, mut say, arrays| {
                if let Say::Answers { answers } = &mut say {
                    answers[0].shape = vec![12];
                }
                (say, arrays)
            },
            "has other outputs",
        ),
        (
            |_, mut say, arrays| {
                if let Say::Answers { answers } = &mut say {
                    answers[0].check = Check::Greedy { gaps: vec![0.0; 4], least: 1.0 };
                }
                (say, arrays)
            },
            "is checked in another way",
        ),
        (
            |_, say, _| match say {
                Say::Answers { .. } => (Say::Answers { answers: Vec::new() }, Arrays::new()),
                other => (other, Arrays::new()),
            },
            "has other outputs",
        ),
        (
            |_, say, arrays| {
                let nan = |(name, array): (String, Array)| (name, Array::new(array.shape().to_vec(), &[f32::NAN; 12]));
                let is_prepared = matches!(say, Say::Prepared { .. });
                (say, if is_prepared { arrays.into_iter().map(nan).collect() } else { arrays })
            },
            "infinitely far",
        ),
    ];
    for (change, part) in lies {
        let (mut driver, heard) = tapped(&references(), change);
        let failed = driver.prepare(&trial(0, "approximates"), LONG);
        assert!(matches!(&failed, Err(Error::Failed(words)) if words.contains(part)), "{part}: {failed:?}");
        assert_eq!(words(&heard).last().map(String::as_str), Some("drop"));
    }
}

/// How much of its input is left by a worker that computes with fewer bits.
const LEFT: f32 = 0.75;

/// The same array with each number so many times as large, beside `term`.
fn scaled(array: &Array, by: f32, term: f32) -> Array {
    let numbers: Vec<f32> = array.of::<f32>().iter().map(|number| by * (number - term) + term).collect();
    Array::new(array.shape().to_vec(), &numbers)
}

/// The input `x` of a seed, of which so much is left.
fn standing(seed: u64, by: f32) -> (Say, Arrays) {
    let inputs = Twice::inputs(&TwiceParams { term: 5 }, seed);
    (Say::StandsFor { rounding: None }, vec![("x".to_owned(), scaled(inputs.get("x"), by, 0.0))])
}

/// A trial whose inputs are sent, and which says that it approximates.
fn approximate() -> Trial {
    Trial { sent: true, approximates: true, ..trial(0, "right") }
}

#[test]
fn what_stands_for_inputs_is_checked_by_an_answer_of_ours() {
    // A worker that computes with three quarters of its input, and says so.
    let (mut driver, heard) = tapped(&linked(registry()), |ask, say, arrays| match (ask, say) {
        (Ask::Approximation { seed, .. }, _) => standing(*seed, LEFT),
        (Ask::Prepare(_) | Ask::Finish { .. }, say) => {
            (say, arrays.into_iter().map(|(name, array)| (name, scaled(&array, LEFT, 5.0))).collect())
        }
        (_, say) => (say, arrays),
    });
    let prepared = driver.prepare(&approximate(), LONG).unwrap();
    assert!(passes(&prepared.check, prepared.tolerance), "the kernel is right: {prepared:?}");
    let lost = metric(&prepared, "relative_error").unwrap();
    // A quarter of 2x is missing beside about 5, where x has the deviation 0.25: 0.025, of twelve numbers, whose root mean square
    // is within 0.3 and 2 times that but for one draw in ten thousand (χ² of twelve below 1.1 or above 48).
    assert!((0.0075..0.05).contains(&lost), "what the format loses: {lost}");
    // No mean is above the root of the mean square, and twelve numbers near 5 have much the same of both.
    let mean = metric(&prepared, "mean_error").unwrap();
    assert!(lost / 4.0 < mean && mean < 1.1 * lost, "beside the exact answer: {mean} {lost}");
    driver.sample(0, LONG).unwrap();
    let finished = driver.finish(0, LONG).unwrap();
    assert!(passes(&finished.check, prepared.tolerance), "on other inputs too: {finished:?}");
    let sent =
        heard.borrow().iter().filter(|(ask, _)| matches!(ask, Ask::Approximation { .. })).cloned().collect::<Vec<_>>();
    let [(_, first), (last, others)] = &sent[..] else { panic!("{sent:?}") };
    assert!(first.is_empty() && *others == ["x"], "the second time with the other inputs: {sent:?}");
    assert!(matches!(last, Ask::Approximation { seed, .. } if *seed == !7), "{last:?}");
}

#[test]
fn what_stands_for_inputs_is_no_excuse() {
    let lies: [(Change, &str); 4] = [
        (|_, _, _| standing(7, 0.4), "which is no approximation"),
        (|_, _, _| (Say::StandsFor { rounding: None }, Arrays::new()), "tells none"),
        (
            |_, _, _| (Say::StandsFor { rounding: None }, vec![("table".to_owned(), Array::new(vec![1], &[4_i32]))]),
            "no input of real numbers",
        ),
        (
            |_, _, _| (Say::StandsFor { rounding: None }, vec![("x".to_owned(), Array::new(vec![1], &[4.0_f32]))]),
            "the shape [1]",
        ),
    ];
    for (lie, part) in lies {
        let mut driver = asked_by(registry(), &linked(registry()), move |worker, ask, arrays, timeout| {
            let (say, arrays) = worker.ask(ask, arrays, timeout)?;
            Ok(if matches!(ask, Ask::Approximation { .. }) { lie(ask, say, arrays) } else { (say, arrays) })
        });
        let failed = driver.prepare(&approximate(), LONG);
        assert!(matches!(&failed, Err(Error::Failed(words)) if words.contains(part)), "{part}: {failed:?}");
    }
    // Whose numbers are near enough, and whose outputs are others: the kernel is wrong.
    let (mut driver, _) = tapped(&linked(registry()), |ask, say, arrays| match ask {
        Ask::Approximation { seed, .. } => standing(*seed, LEFT),
        _ => (say, arrays),
    });
    let prepared = driver.prepare(&approximate(), LONG).unwrap();
    assert!(!passes(&prepared.check, prepared.tolerance), "{prepared:?}");
}

/// A worker that says that it rounds to so many bits on the way, and whose outputs are off by so many thousandths.
fn rounds<const BITS: u32, const OFF: u32>(ask: &Ask, say: Say, arrays: Arrays) -> (Say, Arrays) {
    let off = |(name, array): (String, Array)| {
        let numbers: Vec<f32> = array.of::<f32>().iter().map(|number| number + OFF as f32 / 1000.0).collect();
        (name, Array::new(array.shape().to_vec(), &numbers))
    };
    match (ask, say) {
        (Ask::Approximation { seed, .. }, _) => {
            (Say::StandsFor { rounding: Some(Rounding { bits: BITS, group: 0 }) }, standing(*seed, 1.0).1)
        }
        (Ask::Prepare(_) | Ask::Finish { .. }, say) => (say, arrays.into_iter().map(off).collect()),
        (_, say) => (say, arrays),
    }
}

#[test]
fn what_is_rounded_on_the_way_explains_as_much_as_such_a_rounding_moves() {
    // Outputs are about 5 to 6.5, and x, of the deviation 0.25, has its largest of twelve between 0.3 and 0.8. Steps of a seventh of
    // that move the outputs by some hundredths, those of a 127th by 0.006 at most; twice as much is explained.
    let cases: [(Change, bool); 3] = [(rounds::<4, 20>, true), (rounds::<8, 20>, false), (rounds::<4, 500>, false)];
    for (place, (change, right)) in cases.into_iter().enumerate() {
        let (mut driver, _) = tapped(&linked(registry()), change);
        let prepared = driver.prepare(&approximate(), LONG).unwrap();
        assert_eq!(passes(&prepared.check, prepared.tolerance), right, "{place}: {prepared:?}");
        if right {
            driver.sample(0, LONG).unwrap();
            let finished = driver.finish(0, LONG).unwrap();
            assert!(passes(&finished.check, prepared.tolerance), "on other inputs too: {finished:?}");
        }
    }
    let lies: [(Change, &str); 2] = [
        (rounds::<2, 0>, "it rounds to 2 bits: 3 to 16 can be"),
        (rounds::<5, 0>, "`twice` does not say what that explains"),
    ];
    for (change, part) in lies {
        let (mut driver, _) = tapped(&linked(registry()), change);
        let failed = driver.prepare(&approximate(), LONG);
        assert!(matches!(&failed, Err(Error::Failed(words)) if words.contains(part)), "{part}: {failed:?}");
    }
}

#[test]
fn who_is_sent_its_inputs_tells_no_answer_and_who_makes_them_stands_for_nothing() {
    let answers: Change = |ask, say, arrays| match ask {
        Ask::Approximation { .. } => {
            let (name, shape, rows) = ("output".to_owned(), SHAPE.to_vec(), (0..SHAPE[0]).collect());
            let answers = vec![AnswerInfo { name: name.clone(), shape, rows, check: Check::Near }];
            (Say::Answers { answers }, vec![(name, Array::new(vec![12], &[5.0_f64; 12]))])
        }
        _ => (say, arrays),
    };
    let stands: Change = |ask, say, arrays| match ask {
        Ask::Approximation { seed, .. } => standing(*seed, 1.0),
        _ => (say, arrays),
    };
    for (change, sent) in [(answers, true), (stands, false)] {
        let (mut driver, _) = tapped(&linked(registry()), change);
        let failed = driver.prepare(&Trial { sent, ..approximate() }, LONG);
        assert!(matches!(&failed, Err(Error::Unexpected(_))), "{sent}: {failed:?}");
    }
}

#[test]
fn what_is_right_of_an_approximation_is_asked_once_for_replicates_with_the_same_inputs() {
    let references = linked(registry());
    let asked = |trial: &Trial| {
        let (mut driver, heard) = tapped(&references, unchanged);
        let prepared = driver.prepare(trial, LONG).unwrap();
        let finished = driver.finish(trial.trial, LONG).unwrap();
        assert!(passes(&prepared.check, prepared.tolerance) && passes(&finished.check, prepared.tolerance));
        heard.borrow().iter().filter(|(ask, _)| matches!(ask, Ask::Approximation { .. })).count()
    };
    let first = trial(0, "approximates");
    assert_eq!([asked(&first), asked(&Trial { trial: 4, ..first.clone() })], [2, 0]);
    assert_eq!(asked(&Trial { input_seed: 8, ..first.clone() }), 2, "other inputs");
    let variant = Variant { threads: 2, ..first.variant.clone() };
    assert_eq!(asked(&Trial { variant, ..first }), 2, "another variant may round in another way");
}

#[test]
fn the_first_call_that_is_timed_sees_what_was_written() {
    let mut worker = worker(registry());
    worker.ask(&Ask::Prepare(Box::new(asked(&trial(0, "remembers"), 1))), &[], LONG).unwrap();
    let (row, write) = (Array::new(vec![3], &[1.0_f32, 2.0, 3.0]), Some(Place { input: "x".into(), row: 1 }));
    let (said, _) = worker
        .ask(&Ask::Run { trial: 0, iterations: 1, before: 1, write, steps: None }, &[("values", &row)], LONG)
        .unwrap();
    let Say::Ran(ran) = said else { panic!("{said:?}") };
    assert!(ran.elapsed_ns >= 50_000, "it works that long where it does not remember: {ran:?}");
}

#[test]
fn all_questions_of_a_step_share_its_time() {
    let given = Rc::<RefCell<Vec<Duration>>>::default();
    let noted = Rc::clone(&given);
    let mut driver = asked_by(registry(), &References::none().shared(), move |worker, ask, arrays, timeout| {
        noted.borrow_mut().push(timeout);
        worker.ask(ask, arrays, timeout)
    });
    let steps: [fn(&mut Driver); 3] = [
        |driver| {
            driver.prepare(&trial(0, "right"), LONG).unwrap();
        },
        |driver| {
            driver.sample(0, LONG).unwrap();
        },
        |driver| {
            driver.finish(0, LONG).unwrap();
        },
    ];
    let mut firsts = Vec::new();
    for step in steps {
        step(&mut driver);
        let given = given.take();
        assert!(given[0] <= LONG && given.windows(2).all(|pair| pair[1] < pair[0]), "{given:?}");
        firsts.push(given[0]);
    }
    assert!(firsts.iter().all(|first| *first > LONG / 2), "each has its own: {firsts:?}");
}

#[test]
fn the_first_reason_is_told_where_a_worker_is_lost_at_the_end() {
    let asking = |worker: &mut InProcess, ask: &Ask, arrays: &[(&str, &Array)], timeout| match ask {
        Ask::Drop { .. } => Err(Error::WorkerLost { worker: "pid 1".into(), reason: "it ended".into(), hung: false }),
        other => worker.ask(other, arrays, timeout),
    };
    let mut driver = asked_by(registry(), &References::none().shared(), asking);
    let lost = driver.prepare(&trial(0, "absent"), LONG);
    let told = |reason: &str| reason.contains("it is not installed; and then it ended");
    assert!(matches!(&lost, Err(Error::WorkerLost { reason, .. }) if told(reason)), "{lost:?}");
}

#[test]
fn a_worker_has_no_processes_but_those_that_it_has_started() {
    let worker = worker(registry());
    let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let (this, above) = (std::process::id(), std::os::unix::process::parent_id());
    let named = vec![1, child.id(), this, above, child.id(), u32::MAX];
    assert_eq!(own_processes(&worker, named), [child.id()]);
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(own_processes(&worker, (2..=1_000_000).collect()).len() <= MOST_PROCESSES);
}

#[test]
fn a_row_of_another_form_than_the_inputs_have_is_not_written() {
    let references = linked(registry());
    let (mut driver, heard) = tapped(&references, |_, mut say, arrays| {
        if let Say::Prepared { writable, .. } = &mut say {
            writable[0].width = 2;
        }
        (say, arrays)
    });
    let failed = driver.prepare(&trial(0, "right"), LONG);
    assert!(matches!(&failed, Err(Error::Failed(words)) if words.contains("4 rows of 2 numbers")), "{failed:?}");
    assert!(!words(&heard).contains(&"run".to_owned()));
}

#[test]
fn a_processor_time_that_is_read_from_outside_is_marked_as_coarse() {
    for (change, coarse) in [
        (unchanged as Change, None),
        (
            |_, say, arrays| match say {
                Say::Ran(ran) => (Say::Ran(Ran { cpu_ns: None, system_ns: None, ..ran }), arrays),
                other => (other, arrays),
            },
            Some(1.0),
        ),
    ] {
        let (mut driver, _) = tapped(&References::none().shared(), change);
        let prepared = driver.prepare(&trial(0, "right"), LONG).unwrap();
        assert_eq!(metric(&prepared, "coarse_cpu_time"), coarse);
    }
}

#[test]
fn a_build_that_makes_other_inputs_is_checked_by_its_own_answers() {
    let other: Change = |_, mut say, arrays| {
        if let Say::Prepared { inputs, .. } = &mut say {
            *inputs = Some("another".to_owned());
        }
        (say, arrays)
    };
    let references = || linked(registry());
    let (mut driver, heard) = tapped(&references(), other);
    let mut of_build = trial(0, "right");
    of_build.variant.build = Some("old".into());
    driver.prepare(&of_build, LONG).unwrap();
    driver.finish(0, LONG).unwrap();
    let asked = ["prepare", "reference", "pose", "run", "allocations", "run", "reference", "finish"];
    assert_eq!(words(&heard), asked);
    let (mut driver, _) = tapped(&references(), other);
    let failed = driver.prepare(&trial(0, "right"), LONG);
    assert!(matches!(&failed, Err(Error::Failed(words)) if words.contains("other inputs")), "{failed:?}");
}

#[test]
fn executors_of_one_process_see_the_same_load() {
    let worker = worker(registry());
    let references = References::none().shared();
    let (one, other) = (worker.executor(&references), worker.clone().executor(&references));
    assert!(Rc::ptr_eq(&one.load, &other.load));
    assert!(!Rc::ptr_eq(&one.load, &Driver::new(Box::new(worker), &references).load));
}

#[test]
fn an_answer_that_holds_nothing_passes_nothing() {
    let (mut driver, _) = tapped(&References::none().shared(), |_, say, arrays| match say {
        Say::Answers { .. } => {
            let (name, shape, rows) = ("output".to_owned(), SHAPE.to_vec(), vec![usize::MAX]);
            let answers = vec![AnswerInfo { name: name.clone(), shape, rows, check: Check::Near }];
            (Say::Answers { answers }, vec![(name, Array::new(vec![3], &[f64::NAN; 3]))])
        }
        other => (other, arrays),
    });
    let prepared = driver.prepare(&trial(0, "right"), LONG).unwrap();
    assert_eq!(prepared.check[0].max_scaled_error, f64::INFINITY);
}
