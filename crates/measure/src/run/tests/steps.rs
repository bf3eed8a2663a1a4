//! Samples that are loops become rows of their steps.

use super::mock::{Call, Mock, Reply, cells, plan, sampled, seen};
use crate::executor::Sampled;
use crate::steps::Steps;

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
