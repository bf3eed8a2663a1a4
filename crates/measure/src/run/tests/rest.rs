//! Who is waited for before a clock starts, and for how long; and who has more threads at work than it was given.

use benchbook_core::Metric;

use super::mock::{Asked, Call, Mock, Reply, Seen, cells, plan, seen};
use crate::executor::{Prepared, THREADS_AT_WORK};
use crate::{Error, Result};

const MS: i64 = 1_000_000;

/// How long each process works on after a sample, and how long it takes to get ready for the next one.
const WORKS_ON_NS: i64 = 3 * MS;
const DRAW_NS: i64 = MS;

const BLOCKS: usize = 20;

/// Blocks of three variants, of which each works on after its samples for so long as is said of it.
fn works_on(after: fn(&str) -> i64) -> Seen {
    let script = move |mock: &Mock, call: &Call, reply: Reply| -> Result<Reply> {
        mock.draws_for(DRAW_NS);
        if call.asked == Asked::Sample {
            // The script is asked when the sample has been taken.
            mock.works_on(&call.implementation, after(&call.implementation));
        }
        Ok(reply)
    };
    seen(&plan(1, BLOCKS as u64), &cells(&["a"], &["x", "y", "z"]), script)
}

/// Trials of which it is recorded that their processes go on working.
fn restless(seen: &Seen) -> Vec<&str> {
    let trials = seen.events.iter().filter(|event| event.kind == "not_at_rest").filter_map(|event| event.trial);
    let name = |trial: i64| seen.trials.iter().find(|one| one.trial == trial).unwrap().implementation.as_str();
    trials.map(name).collect()
}

#[test]
fn what_is_done_after_an_answer_is_a_part_of_the_wait_for_rest() {
    let seen = works_on(|_| WORKS_ON_NS);
    let samples = 3 * BLOCKS as i64;
    assert_eq!(seen.summary.samples as i64, samples);
    assert_eq!(seen.beside_work, 0, "all are at rest when a clock starts");
    // Nothing is drawn after the last one.
    assert_eq!(seen.waited_ns, (samples - 1) * (WORKS_ON_NS - DRAW_NS) + WORKS_ON_NS);
    assert!(restless(&seen).is_empty());
}

#[test]
fn who_rests_before_the_next_one_is_ready_is_not_waited_for() {
    let seen = works_on(|_| DRAW_NS);
    assert_eq!((seen.beside_work, seen.waited_ns), (0, DRAW_NS), "but for the last one");
}

#[test]
fn who_works_after_the_preparation_is_waited_for_before_the_next_preparation() {
    let script = |mock: &Mock, call: &Call, reply: Reply| {
        if call.asked == Asked::Prepare {
            mock.works_on(&call.implementation, WORKS_ON_NS);
        }
        Ok(reply)
    };
    let seen = seen(&plan(1, 2), &cells(&["a"], &["x", "y", "z"]), script);
    assert_eq!((seen.beside_work, seen.waited_ns), (0, 3 * WORKS_ON_NS));
}

#[test]
fn who_works_on_after_it_has_failed_is_waited_for_too() {
    for failing in [Asked::Prepare, Asked::Sample] {
        let script = move |mock: &Mock, call: &Call, reply: Reply| {
            if call.asked == failing && call.implementation == "x" {
                mock.works_on("x", WORKS_ON_NS);
                return Err(Error::Failed("it cannot".into()));
            }
            Ok(reply)
        };
        let seen = seen(&plan(1, 2), &cells(&["a"], &["x", "y", "z"]), script);
        assert_eq!((seen.beside_work, seen.waited_ns), (0, WORKS_ON_NS), "{failing:?}");
    }
}

#[test]
fn who_works_on_after_its_last_check_is_waited_for_before_the_next_case() {
    let script = |mock: &Mock, call: &Call, reply: Reply| {
        if call.asked == Asked::Finish {
            mock.works_on(&call.implementation, WORKS_ON_NS);
        }
        Ok(reply)
    };
    assert_eq!(seen(&plan(1, 2), &cells(&["a", "b"], &["x", "y"]), script).beside_work, 0);
}

#[test]
fn who_never_rests_is_given_up_and_named_once() {
    let seen = works_on(|implementation| if implementation == "y" { i64::MAX } else { 0 });
    assert_eq!(restless(&seen), ["y"]);
    assert_eq!(seen.taken("a", "y"), [BLOCKS], "its samples count");
    let told = |note: &&String| note.starts_with("y/d/f32/1t: its process does not come to rest");
    assert_eq!(seen.heard.notes.iter().filter(told).count(), 1, "{:?}", seen.heard.notes);
}

#[test]
fn who_has_more_threads_at_work_than_were_given_is_named() {
    let script = |_: &Mock, call: &Call, reply: Reply| match reply {
        Reply::Prepared(prepared) if call.implementation == "y" => {
            let metrics = vec![Metric::measured(THREADS_AT_WORK, 2.96, "count")];
            Ok(Reply::Prepared(Prepared { metrics, ..prepared }))
        }
        other => Ok(other),
    };
    let seen = seen(&plan(2, 2), &cells(&["a"], &["x", "y"]), script);
    let told = seen.events.iter().filter(|event| event.kind == "more_threads");
    let told: Vec<(bool, &str)> = told.map(|event| (event.trial.is_some(), event.message.as_str())).collect();
    let of_trial = (true, "y/d/f32/1t: 3.0 of its threads work at a time, and it was given 1");
    let of_run =
        "y/d/f32/1t: it has more threads at work than were given: no ratio to what keeps to its number is fair";
    assert_eq!(told, [of_trial, of_trial, (false, of_run)]);
    assert!(seen.heard.notes.iter().any(|note| note == of_run), "{:?}", seen.heard.notes);
    assert_eq!(seen.measures.iter().filter(|measure| measure.name == THREADS_AT_WORK).count(), 2);
    assert_eq!(seen.taken("a", "y"), [2, 2], "its samples count");
}
