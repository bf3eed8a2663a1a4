//! Right answers and outputs: what they may bring, and which belongs to which.

use std::mem::discriminant;
use std::rc::Rc;

use benchbook_core::message::AnswerInfo;
use benchbook_core::{Answer, Array, Reference};

use crate::frame::Arrays;
use crate::references::heard;
use crate::{Error, Result};

/// Bytes that outputs may have beside those that are right.
const SLACK_BYTES: u64 = 1 << 20;

/// What an approximation gives where it is right, as its worker tells it: it has the form of what is `exact`, so that only
/// the numbers are its own.
///
/// # Errors
/// [`Error::Failed`] where it has not.
pub fn approximation_of(exact: &Reference, answers: Vec<AnswerInfo>, numbers: Arrays) -> Result<Rc<Reference>> {
    let told = heard(answers, numbers)?;
    let is_alike = |(one, other): (&Answer, &Answer)| {
        one.name == other.name && one.shape == other.shape && discriminant(&one.check) == discriminant(&other.check)
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
    fn outputs_may_be_about_as_large_as_the_right_ones() {
        let most = |shape: Vec<usize>| most_bytes(&Reference::of(shape, vec![0], vec![0.0]));
        assert_eq!(most(vec![4, 3]), 12 * 16 + SLACK_BYTES);
        assert_eq!(most(vec![usize::MAX, usize::MAX]), u64::MAX);
    }
}
