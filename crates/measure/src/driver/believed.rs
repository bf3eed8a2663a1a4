//! What a worker is believed: times that can be true, outputs and right answers that belong to each other.

use std::mem::discriminant;
use std::ops::RangeInclusive;
use std::rc::Rc;

use benchbook_core::message::{AnswerInfo, Ran};
use benchbook_core::{Answer, Array, Check, Reference};

use crate::disturbance::TICK_NS;
use crate::frame::Arrays;
use crate::references::heard;
use crate::{Error, Result};

/// Believes a worker that calls began and took as long as it says, where both lie between the moments at which it was asked
/// and had answered, in nanoseconds.
///
/// # Errors
/// [`Error::Failed`] where they cannot have.
pub(crate) fn believed(iterations: i64, started_ns: i64, elapsed_ns: i64, between: &RangeInclusive<i64>) -> Result<()> {
    let (asked_ns, answered_ns) = (*between.start(), *between.end());
    if between.contains(&started_ns) && (1..=answered_ns - started_ns).contains(&elapsed_ns) && iterations >= 1 {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "its worker told of a sample of {elapsed_ns} ns in {iterations} calls, begun {:.3} ms after it was asked for; the \
         answer came after {:.3} ms",
        (started_ns as f64 - asked_ns as f64) / 1e6,
        (answered_ns - asked_ns) as f64 / 1e6
    )))
}

/// Believes a worker that its threads had so much processor time: on each of the machine's processors the time that went by,
/// and a tick, since their clocks are read a little before and after.
///
/// # Errors
/// [`Error::Failed`] where they cannot have.
pub(crate) fn believed_processor_time(ran: &Ran, processors: i64) -> Result<()> {
    let Some(cpu_ns) = ran.cpu_ns else { return Ok(()) };
    let most_ns = ran.elapsed_ns.saturating_add(TICK_NS.cast_signed()).saturating_mul(processors);
    let system_ns = ran.system_ns.unwrap_or(0);
    if (0..=most_ns).contains(&cpu_ns) && (0..=cpu_ns).contains(&system_ns) {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "its worker told of {cpu_ns} ns of processor time, {system_ns} ns of them the system's, in a sample of {} ns on \
         {processors} processors",
        ran.elapsed_ns
    )))
}

/// Bytes that outputs may have beside those that are right.
const SLACK_BYTES: u64 = 1 << 20;

/// What an approximation gives where it is right, as its worker tells it: it has the form of what is `exact`, so that only
/// the numbers are its own, and what its roundings excuse of numbers that need not be the same.
///
/// # Errors
/// [`Error::Failed`] where it has not.
pub fn approximation_of(exact: &Reference, answers: Vec<AnswerInfo>, numbers: Arrays) -> Result<Rc<Reference>> {
    let told = heard(answers, numbers)?;
    let is_alike = |(one, other): (&Answer, &Answer)| {
        let rounded =
            matches!((&one.check, &other.check), (Check::Rounded { .. }, Check::Near)) && one.excuses_little();
        let checked = rounded || discriminant(&one.check) == discriminant(&other.check);
        one.name == other.name && one.shape == other.shape && checked
    };
    if told.answers.len() == exact.answers.len() && told.answers.iter().zip(&exact.answers).all(is_alike) {
        return Ok(Rc::new(told));
    }
    Err(Error::Failed("its worker approximates something that has other outputs, or is checked in another way".into()))
}

/// Bytes of outputs and of answers at most where this is the right one: twice as many numbers in eight bytes each, so that
/// outputs of another shape are wrong and not the end of their worker.
pub fn most_bytes(reference: &Reference) -> u64 {
    let numbers = |answer: &Answer| answer.shape.iter().fold(1_u64, |all, axis| all.saturating_mul(*axis as u64));
    let all = reference.answers.iter().map(numbers).fold(0, u64::saturating_add);
    all.saturating_mul(16).saturating_add(SLACK_BYTES)
}

/// Bytes of numbers in `f32` at most that stand for inputs of so many bytes, whatever these are computed in.
pub fn most_bytes_of_inputs(bytes: usize) -> u64 {
    (bytes as u64).saturating_mul(4).saturating_add(SLACK_BYTES)
}

/// Outputs, which stand in the order of their answers and have the names of these, if any.
pub fn in_order(reference: &Reference, outputs: Arrays) -> Result<Vec<Array>> {
    for ((name, _), answer) in outputs.iter().zip(&reference.answers) {
        if !name.is_empty() && answer.name != *name {
            let words = format!("its worker calls an output `{name}` whose answer is called `{}`", answer.name);
            return Err(Error::Failed(words));
        }
    }
    Ok(outputs.into_iter().map(|(_, output)| output).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_lies_between_the_question_and_the_answer() {
        let told = |(started_ns, elapsed_ns, iterations)| believed(iterations, started_ns, elapsed_ns, &(100..=200));
        for right in [(100, 100, 1), (150, 50, 3), (199, 1, 1)] {
            assert!(told(right).is_ok(), "{right:?}");
        }
        for wrong in [
            (99, 1, 1),
            (201, 0, 1),
            (150, 0, 1),
            (150, -1, 1),
            (150, 51, 1),
            (150, i64::MAX, 1),
            (i64::MIN, 1, 1),
            (150, 1, 0),
        ] {
            let error = told(wrong).unwrap_err().to_string();
            assert!(error.contains("told of a sample"), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn processors_give_no_more_than_the_time_that_went_by() {
        let told = |cpu_ns: i64, system_ns: Option<i64>| {
            let ran = Ran { elapsed_ns: 1_000_000, cpu_ns: Some(cpu_ns), system_ns, ..Ran::default() };
            believed_processor_time(&ran, 2)
        };
        for right in [(0, None), (2_000_000, Some(2_000_000)), (22_000_000, Some(0))] {
            assert!(told(right.0, right.1).is_ok(), "{right:?}");
        }
        for wrong in [(-1, None), (22_000_001, None), (5, Some(6)), (5, Some(-1)), (i64::MAX, None), (i64::MIN, None)] {
            let error = told(wrong.0, wrong.1).unwrap_err().to_string();
            assert!(error.contains("of processor time"), "{wrong:?}: {error}");
        }
        let untold = Ran { elapsed_ns: i64::MAX, ..Ran::default() };
        assert!(believed_processor_time(&untold, i64::MAX).is_ok());
    }

    #[test]
    fn roundings_of_an_approximation_excuse_no_more_than_half_and_nothing_of_what_is_exact() {
        let told = |exact: Check, spread: f64| {
            let mut right = Reference::of(vec![1, 2], vec![0], vec![4.0, 1.0]);
            right.answers[0].check = exact;
            let check = Check::Rounded { spread: vec![spread] };
            let info = AnswerInfo { name: "output".into(), shape: vec![1, 2], rows: vec![0], check };
            let numbers = vec![("output".to_owned(), Array::new(vec![1, 2], &[4.0_f64, 1.0]))];
            approximation_of(&right, vec![info], numbers)
        };
        assert_eq!(told(Check::Near, 2.0).unwrap().answers[0].check, Check::Rounded { spread: vec![2.0] });
        for (exact, spread) in [(Check::Near, 2.1), (Check::Near, f64::NAN), (Check::Near, -1.0), (Check::Exact, 0.0)] {
            assert!(told(exact.clone(), spread).is_err(), "{spread} beside {exact:?}");
        }
    }

    #[test]
    fn outputs_may_be_about_as_large_as_the_right_ones() {
        let most = |shape: Vec<usize>| most_bytes(&Reference::of(shape, vec![0], vec![0.0]));
        assert_eq!(most(vec![4, 3]), 12 * 16 + SLACK_BYTES);
        assert_eq!(most(vec![usize::MAX, usize::MAX]), u64::MAX);
        // A number of eight bits may come in 32.
        assert_eq!([0, 100, usize::MAX].map(most_bytes_of_inputs), [SLACK_BYTES, 400 + SLACK_BYTES, u64::MAX]);
    }
}
