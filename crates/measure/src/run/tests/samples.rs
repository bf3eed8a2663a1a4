//! What becomes of samples: of blocks that the machine has disturbed, and of loops, which become rows of their steps.

use benchbook_journal::Status;

use super::mock::{Call, Mock, Reply, Seen, cells, plan, sampled, seen};
use crate::Error;
use crate::disturbance::Disturbance;
use crate::executor::Sampled;
use crate::steps::Steps;

/// Ten blocks of these implementations, the samples disturbed that `is_disturbed` says.
fn disturbed(keep: bool, implementations: &[&str], is_disturbed: fn(&Call) -> bool) -> Seen {
    let mut plan = plan(1, 10);
    plan.sampling.keep_disturbed = keep;
    let script = move |_: &Mock, call: &Call, reply: Reply| {
        let disturbed = is_disturbed(call).then_some(Disturbance::Preempted);
        Ok(sampled(reply, |sample| Sampled { disturbed, ..sample }))
    };
    seen(&plan, &cells(&["a"], implementations), script)
}

/// Samples that may be used, and those that are called disturbed.
fn counts(seen: &Seen) -> (usize, usize) {
    let valid = seen.samples.iter().filter(|sample| sample.valid).count();
    let marked = seen.samples.iter().filter(|sample| sample.invalid_reason.as_deref() == Some("preempted")).count();
    (valid, marked)
}

#[test]
fn a_disturbed_block_is_replaced() {
    let seen = disturbed(false, &["x"], |call| call.sample < 3);
    assert_eq!((seen.summary.blocks, counts(&seen)), (13, (10, 3)));
    assert_eq!(seen.ends("a", "x"), [(Status::Ok, "blocks")]);
    let words = "3 of 13 samples were disturbed by the machine and left out (preempted 3), in w a: measure on";
    assert!(seen.heard.notes.iter().any(|note| note.starts_with(words)), "{:?}", seen.heard.notes);
}

#[test]
fn a_block_in_which_one_variant_is_disturbed_is_replaced_for_all() {
    let seen = disturbed(false, &["x", "y"], |call| call.implementation == "x" && call.sample == 4);
    assert_eq!((seen.taken("a", "x"), seen.taken("a", "y")), (vec![11], vec![11]));
    assert_eq!(counts(&seen), (21, 1));
}

#[test]
fn where_disturbed_samples_are_kept_nothing_is_replaced() {
    let seen = disturbed(true, &["x"], |call| call.sample < 3);
    assert_eq!((seen.summary.blocks, counts(&seen)), (10, (10, 3)));
    assert_eq!(seen.ends("a", "x"), [(Status::Ok, "blocks")]);
}

#[test]
fn no_more_than_twice_the_blocks_are_taken() {
    // One of the two is disturbed in each block, so that each has half of its samples.
    let seen = disturbed(false, &["x", "y"], |call| call.sample % 2 == usize::from(call.implementation == "y"));
    assert_eq!((seen.summary.blocks, counts(&seen)), (20, (20, 20)));
    for implementation in ["x", "y"] {
        assert_eq!(seen.ends("a", implementation), [(Status::Ok, "disturbed")]);
    }
}

#[test]
fn a_trial_with_more_disturbed_samples_than_others_is_invalid() {
    let seen = disturbed(false, &["x"], |call| call.sample % 3 > 0);
    let words = "13 of 20 samples of x/d/f32/1t were disturbed by the machine: the trial is invalid, measure on a \
                 quieter one";
    assert_eq!(seen.ends("a", "x"), [(Status::Invalid, words)]);
    assert_eq!((seen.summary.ended.invalid, seen.summary.measured_nothing()), (1, true));
    assert!(seen.events.iter().any(|event| event.kind == "invalid" && event.message == words));
    assert!(seen.heard.notes.iter().any(|note| note.contains("1 trial lost more than half")), "{:?}", seen.heard.notes);
}

#[test]
fn the_steps_of_a_loop_that_failed_are_kept_and_nothing_is_made_of_them() {
    let failed = |started_ns: i64| {
        let steps = Steps {
            started_ns: vec![started_ns, started_ns + 600],
            elapsed_ns: vec![500, 400],
            tokens: None,
            values: vec![("loss".into(), "nats".into(), vec![4.0, 9.0])],
        };
        Error::Broken { message: "diverged: the loss of step 3 of 4 is NaN".into(), steps: Box::new(steps) }
    };
    // One fails before it is timed, the other in its second sample.
    let script = move |_: &Mock, call: &Call, reply: Reply| {
        let fails_at = match &reply {
            Reply::Prepared(_) if call.implementation == "x" => Some(5_000_000_000),
            Reply::Sampled(sample) if call.implementation == "y" && call.sample == 1 => Some(sample.started_ns),
            _ => None,
        };
        fails_at.map_or(Ok(reply), |started_ns| Err(failed(started_ns)))
    };
    let seen = seen(&plan(1, 3), &cells(&["a"], &["x", "y"]), script);
    let words = "diverged: the loss of step 3 of 4 is NaN";
    for (implementation, taken) in [("x", 1), ("y", 2)] {
        assert_eq!(seen.ends("a", implementation), [(Status::Failed, words)]);
        assert_eq!(seen.taken("a", implementation), [taken]);
    }
    let lost = seen.samples.iter().filter(|sample| sample.invalid_reason.as_deref() == Some("loop_failed"));
    assert_eq!(lost.map(|sample| sample.valid).collect::<Vec<_>>(), [false, false]);
    let losses: Vec<(i64, f64)> = seen.step_values.iter().map(|row| (row.step, row.value)).collect();
    assert_eq!(losses, [(0, 4.0), (1, 9.0), (0, 4.0), (1, 9.0)]);
    assert_eq!(seen.steps.len(), 4);
}

#[test]
fn the_steps_of_a_sample_stand_on_the_clock_of_the_run() {
    let script = |_: &Mock, _: &Call, reply: Reply| {
        Ok(sampled(reply, |sample| {
            let steps = Steps {
                started_ns: vec![sample.started_ns, sample.started_ns + 600],
                elapsed_ns: vec![500, 400],
                tokens: Some(vec![1, 2]),
                values: vec![("loss".into(), "nats".into(), vec![0.5, 0.25])],
            };
            Sampled { steps: Some(steps), ..sample }
        }))
    };
    let seen = seen(&plan(1, 2), &cells(&["a"], &["x"]), script);
    let steps = &seen.steps;
    assert_eq!(steps.len(), 4, "two of each sample");
    let samples: Vec<i64> = steps.iter().map(|row| row.sample).collect();
    assert_eq!(samples, [0, 0, 1, 1]);
    assert_eq!(steps.iter().map(|row| row.tokens).collect::<Vec<_>>(), [Some(1), Some(2), Some(1), Some(2)]);
    // The mock's first sample begins with its run.
    assert_eq!((steps[0].started_ns, steps[1].started_ns, steps[1].elapsed_ns, steps[1].step), (0, 600, 400, 1));
    let values = &seen.step_values;
    assert_eq!((values.len(), values[0].value, values[0].unit.as_str()), (4, 0.5, "nats"));
    assert_eq!((values[1].step, values[1].name.as_str(), values[1].value), (1, "loss", 0.25));
}
