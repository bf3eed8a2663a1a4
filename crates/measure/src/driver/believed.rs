//! Whether calls can have been timed as their worker says.

use std::ops::RangeInclusive;

use crate::{Error, Result};

/// Believes a worker that calls began and took as long as it says, where both lie between the moments at which it was asked
/// and had answered, in nanoseconds.
///
/// # Errors
/// [`Error::Failed`] where they cannot have.
pub(crate) fn believed(iterations: i64, started_ns: i64, elapsed_ns: i64, between: &RangeInclusive<i64>) -> Result<()> {
    let (asked_ns, answered_ns) = (*between.start(), *between.end());
    if between.contains(&started_ns) && elapsed_ns <= answered_ns - started_ns && iterations >= 1 {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "its worker told of a sample of {elapsed_ns} ns in {iterations} calls, begun {:.3} ms after it was asked for; the \
         answer came after {:.3} ms",
        (started_ns as f64 - asked_ns as f64) / 1e6,
        (answered_ns - asked_ns) as f64 / 1e6
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_lies_between_the_question_and_the_answer() {
        let told = |(started_ns, elapsed_ns, iterations)| believed(iterations, started_ns, elapsed_ns, &(100..=200));
        for right in [(100, 100, 1), (150, 50, 3), (200, 0, 1)] {
            assert!(told(right).is_ok(), "{right:?}");
        }
        for wrong in [(99, 1, 1), (201, 0, 1), (150, 51, 1), (150, i64::MAX, 1), (i64::MIN, 1, 1), (150, 1, 0)] {
            let error = told(wrong).unwrap_err().to_string();
            assert!(error.contains("told of a sample"), "{wrong:?}: {error}");
        }
    }
}
