//! How trials and runs end, in which words, and what follows from it.

use benchbook_core::{Comparison, Metric};
use benchbook_journal::{EventRow, Status};

use super::mock::{Asked, Call, Mock, Reply, Seen, cells, finished, plan, sampled, seen, usual};
use crate::executor::{Finished, Prepared, Sampled};
use crate::{Error, Result};

/// A check that fails: the tolerance is 1.
const WRONG: Comparison =
    Comparison { output: None, max_abs_error: 2.0, max_scaled_error: 2.0, rows_checked: 1, tolerance: None };

/// One replicate of three blocks of `x` and `y` on one case, by a script of `x`; `y` goes well.
fn beside(script: fn(&Mock, &Call, Reply) -> Result<Reply>) -> Seen {
    let only_x = move |mock: &Mock, call: &Call, reply| {
        if call.implementation == "x" { script(mock, call, reply) } else { Ok(reply) }
    };
    let seen = seen(&plan(1, 3), &cells(&["a"], &["x", "y"]), only_x);
    assert_eq!((seen.taken("a", "y"), seen.ends("a", "y")), (vec![3], vec![(Status::Ok, "blocks")]), "whatever x does");
    assert_eq!(seen.end(None), (Status::Ok, "complete"));
    seen
}

fn lost(hung: bool) -> Error {
    Error::WorkerLost { worker: "mock".into(), reason: "no answer".into(), hung }
}

#[test]
fn all_goes_well() {
    let seen = seen(&plan(2, 3), &cells(&["a", "b"], &["x", "y"]), usual);
    for (case, implementation) in [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")] {
        assert_eq!(seen.ends(case, implementation), [(Status::Ok, "blocks"); 2]);
        assert_eq!(seen.taken(case, implementation), [3, 3]);
        assert_eq!(seen.asked(Asked::Finish, case, implementation), 2, "each is checked after timing");
    }
    assert_eq!((seen.summary.ended.ok, seen.summary.trials, seen.summary.blocks), (8, 8, 12));
    // A process for each variant in each replicate, whatever the number of cases.
    for started in &seen.spawned {
        assert!(started.len() == 2 && started.iter().any(|one| one == "x") && started.iter().any(|one| one == "y"));
    }
    assert_eq!(seen.spawned.len(), 2, "side by side");
}

#[test]
fn who_is_wrong_before_timing_is_not_timed() {
    let seen = beside(|_, _, reply| {
        Ok(match reply {
            Reply::Prepared(prepared) => Reply::Prepared(Prepared { check: vec![WRONG], ..prepared }),
            other => other,
        })
    });
    let words = "x/d/f32/1t is wrong: scaled error 2.000e0, allowed 1e0";
    assert_eq!((seen.ends("a", "x"), seen.taken("a", "x")), (vec![(Status::Wrong, words)], vec![0]));
    assert!(seen.heard.notes.iter().any(|note| note == words), "{:?}", seen.heard.notes);
    assert_eq!(seen.summary.ended.wrong, 1);
}

#[test]
fn an_output_is_judged_by_its_own_tolerance() {
    let seen = beside(|_, _, reply| {
        let right = Comparison { output: Some("output".into()), max_scaled_error: 0.9, ..WRONG };
        let small = Comparison { output: Some("state".into()), max_scaled_error: 0.5, tolerance: Some(0.1), ..WRONG };
        Ok(match reply {
            Reply::Prepared(prepared) => Reply::Prepared(Prepared { check: vec![right, small], ..prepared }),
            other => other,
        })
    });
    // The larger error passes, by what all outputs are allowed.
    let words = "x/d/f32/1t is wrong: scaled error of `state` 5.000e-1, allowed 1e-1";
    assert_eq!((seen.ends("a", "x"), seen.taken("a", "x")), (vec![(Status::Wrong, words)], vec![0]));
}

#[test]
fn who_is_wrong_after_timing_is_wrong() {
    let seen = beside(|_, call, reply| {
        let wrong = Finished { check: vec![WRONG], ..finished() };
        Ok(if call.asked == Asked::Finish { Reply::Finished(wrong) } else { reply })
    });
    let words = "x/d/f32/1t is wrong: scaled error 2.000e0, allowed 1e0";
    assert_eq!((seen.ends("a", "x"), seen.taken("a", "x")), (vec![(Status::Wrong, words)], vec![3]));
}

#[test]
fn what_a_trial_says_of_itself_at_its_end_is_a_measure_of_it() {
    let seen = beside(|_, call, reply| {
        let told = Finished { metrics: vec![Metric::measured("sm_clock_hz", 1.5e9, "Hz")], ..finished() };
        Ok(if call.asked == Asked::Finish { Reply::Finished(told) } else { reply })
    });
    let told = seen.measures.iter().filter(|one| one.name == "sm_clock_hz").map(|one| (one.trial, one.value));
    let of_x = seen.trials.iter().filter(|one| one.implementation == "x").map(|one| (one.trial, 1.5e9));
    assert_eq!(told.collect::<Vec<_>>(), of_x.collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_done_is_unsupported_in_its_own_words() {
    let seen = beside(|_, _, _| Err(Error::Unsupported("no masks".into())));
    assert_eq!((seen.ends("a", "x"), seen.taken("a", "x")), (vec![(Status::Unsupported, "no masks")], vec![0]));
    assert!(!seen.heard.notes.iter().any(|note| note.contains("no masks")), "it is no failure: {:?}", seen.heard.notes);
}

#[test]
fn who_fails_goes_and_the_others_go_on() {
    let seen = beside(|_, call, reply| {
        let fails = call.asked == Asked::Sample && call.sample == 1;
        if fails { Err(Error::Failed("it broke".into())) } else { Ok(reply) }
    });
    assert_eq!((seen.ends("a", "x"), seen.taken("a", "x")), (vec![(Status::Failed, "it broke")], vec![1]));
    assert_eq!(seen.asked(Asked::Finish, "a", "x"), 0);
    let told = |event: &EventRow| event.kind == "trial_failed" && event.message == "x/d/f32/1t: it broke";
    assert!(seen.events.iter().any(told), "{:?}", seen.events);
}

#[test]
fn who_answers_something_else_has_failed() {
    let seen = beside(|_, _, _| Ok(Reply::Finished(Finished { check: vec![WRONG], ..finished() })));
    let ends = seen.ends("a", "x");
    assert!(ends.len() == 1 && ends[0].0 == Status::Failed && ends[0].1.starts_with("unexpected reply"), "{ends:?}");
}

#[test]
fn who_has_hung_on_a_case_is_given_up_there_and_nowhere_else() {
    let script = |_: &Mock, call: &Call, reply: Reply| {
        let hangs = call.implementation == "x" && call.case == "hangs";
        if hangs { Err(lost(true)) } else { Ok(reply) }
    };
    let seen = seen(&plan(3, 2), &cells(&["hangs", "b"], &["x", "y"]), script);
    let given_up = (Status::Failed, "it hung on this case before in this run, so it was not tried again");
    let hung = (Status::Failed, "the worker mock was lost: no answer");
    assert_eq!(seen.ends("hangs", "x"), [hung, given_up, given_up]);
    assert_eq!(seen.asked(Asked::Prepare, "hangs", "x"), 1);
    for (case, implementation) in [("hangs", "y"), ("b", "x"), ("b", "y")] {
        assert_eq!(seen.ends(case, implementation), [(Status::Ok, "blocks"); 3]);
    }
}

#[test]
fn a_worker_that_is_lost_is_replaced_and_its_case_tried_again() {
    let script = |mock: &Mock, call: &Call, reply: Reply| {
        let is_first = mock.asked("x") == 1;
        if call.implementation == "x" && is_first { Err(lost(false)) } else { Ok(reply) }
    };
    let seen = seen(&plan(2, 2), &cells(&["a", "b"], &["x", "y"]), script);
    assert_eq!((seen.summary.ended.ok, seen.summary.ended.failed), (7, 1));
    let started = |name: &str| seen.spawned.iter().flatten().filter(|one| *one == name).count();
    assert_eq!((started("x"), started("y")), (3, 2), "one more, within the first replicate");
}

#[test]
fn an_interrupt_ends_the_run_after_the_block_under_way() {
    let script = |mock: &Mock, call: &Call, reply: Reply| {
        if call.sample == 4 {
            mock.interrupt();
        }
        Ok(reply)
    };
    let seen = seen(&plan(2, 10), &cells(&["a", "b"], &["x", "y"]), script);
    let case = seen.trials[0].case_name.as_str();
    for implementation in ["x", "y"] {
        assert_eq!(seen.ends(case, implementation), [(Status::Interrupted, "interrupted")]);
        assert_eq!((seen.taken(case, implementation), seen.asked(Asked::Finish, case, implementation)), (vec![5], 1));
    }
    assert_eq!((seen.trials.len(), seen.summary.blocks, seen.summary.interrupted), (2, 5, true));
    assert_eq!(seen.end(None), (Status::Interrupted, "interrupted"));
}

#[test]
fn an_interrupt_while_variants_are_set_up_leaves_the_others_out() {
    let script = |mock: &Mock, _: &Call, reply: Reply| {
        mock.interrupt();
        Ok(reply)
    };
    let seen = seen(&plan(1, 10), &cells(&["a"], &["x", "y"]), script);
    assert_eq!((seen.trials.len(), seen.samples.len()), (1, 0));
    assert_eq!(seen.end(Some(seen.trials[0].trial)), (Status::Interrupted, "interrupted"));
    assert_eq!(seen.end(None), (Status::Interrupted, "interrupted"));
}

#[test]
fn a_worker_that_goes_with_an_interrupt_has_not_failed() {
    let script = |mock: &Mock, call: &Call, reply: Reply| {
        if call.asked != Asked::Sample {
            return Ok(reply);
        }
        mock.interrupt();
        Err(Error::Interrupted)
    };
    let seen = seen(&plan(1, 10), &cells(&["a"], &["x", "y"]), script);
    for implementation in ["x", "y"] {
        assert_eq!(seen.ends("a", implementation), [(Status::Interrupted, "interrupted")]);
    }
    assert_eq!((seen.summary.ended.interrupted, seen.summary.interrupted), (2, true));
}

#[test]
fn an_interrupt_after_the_last_trial_has_ended_nothing() {
    let script = |mock: &Mock, call: &Call, reply: Reply| {
        if call.asked == Asked::Finish {
            mock.interrupt();
        }
        Ok(reply)
    };
    let seen = seen(&plan(1, 2), &cells(&["a"], &["x"]), script);
    assert_eq!((seen.end(None), seen.summary.interrupted), ((Status::Ok, "complete"), false));
}

#[test]
fn a_sample_that_the_clock_of_the_run_belies_fails_its_trial() {
    let lies: [fn(Sampled) -> Sampled; 5] = [
        |sample| Sampled { elapsed_ns: i64::MAX, ..sample },
        |sample| Sampled { elapsed_ns: sample.elapsed_ns + 1, ..sample },
        |sample| Sampled { started_ns: sample.started_ns - 1, ..sample },
        |sample| Sampled { started_ns: i64::MIN, ..sample },
        |sample| Sampled { iterations: 0, ..sample },
    ];
    for (place, lie) in lies.into_iter().enumerate() {
        let script = move |_: &Mock, _: &Call, reply: Reply| Ok(sampled(reply, lie));
        let seen = seen(&plan(2, 3), &cells(&["a"], &["x"]), script);
        assert_eq!((seen.summary.ended.failed, seen.summary.samples), (2, 0), "lie {place}");
        assert!(seen.ends("a", "x").iter().all(|(_, words)| words.contains("told of a sample")), "lie {place}");
    }
}

#[test]
fn the_time_spent_on_right_answers_stands_once_however_a_trial_ends() {
    let script = |_: &Mock, call: &Call, reply: Reply| match (call.implementation.as_str(), reply) {
        ("wrong", Reply::Prepared(prepared)) => Ok(Reply::Prepared(Prepared { check: vec![WRONG], ..prepared })),
        ("fails", Reply::Sampled(_)) => Err(Error::Failed("it broke".into())),
        ("old", Reply::Prepared(prepared)) => Ok(Reply::Prepared(Prepared { reference_ns: None, ..prepared })),
        (_, other) => Ok(other),
    };
    let seen = seen(&plan(1, 3), &cells(&["a"], &["right", "wrong", "fails", "old"]), script);
    let times = |implementation: &str| {
        let trial = seen.trials.iter().find(|one| one.implementation == implementation).unwrap().trial;
        let of_trial = seen.measures.iter().filter(|one| one.trial == trial && one.name == "reference_ns");
        of_trial.map(|one| one.value).collect::<Vec<f64>>()
    };
    assert_eq!(["right", "wrong", "fails", "old"].map(times), [vec![5.0], vec![2.0], vec![2.0], vec![]]);
}
