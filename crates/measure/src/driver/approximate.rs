//! What a worker says of an approximation, and what is right beside it.

use std::rc::Rc;

use benchbook_core::message::{Ask, Others, Say};
use benchbook_core::{Array, Comparison, Reference, Rough, Rounding};

use super::believed::{approximation_of, most_bytes, most_bytes_of_inputs};
use super::{Driver, question};
use crate::Result;
use crate::executor::Trial;
use crate::frame::Arrays;
use crate::link::unexpected;
use crate::waiting::Deadline;

/// What a worker says of its approximation.
pub(super) enum Told {
    /// What it gives where it is right.
    Right(Rc<Reference>),
    /// Numbers in the place of inputs, and how it rounds on the way.
    Stands(Arrays, Option<Rounding>),
}

/// What outputs are off by, where each may be off by so much of its scale besides what its case allows.
pub(super) fn allowing(mut check: Vec<Comparison>, of_all: f64, allowed: f64) -> Vec<Comparison> {
    for one in check.iter_mut().filter(|one| one.allowed(of_all) < allowed) {
        one.tolerance = Some(allowed);
    }
    check
}

impl Driver {
    /// What is said of a trial, if it is an approximation of what is `exact`; with other inputs than its own where there are `others`,
    /// whose `arrays` are sent along where inputs are sent at all. What is right is asked once for all replicates of a variant that have
    /// the same inputs.
    pub(super) fn approximation(
        &mut self,
        trial: &Trial,
        others: Option<&Others>,
        arrays: &[(&str, &Array)],
        exact: &Reference,
        deadline: Deadline,
    ) -> Result<Option<Told>> {
        if !trial.approximates {
            return Ok(None);
        }
        let kept = question(trial).key_of_approximation(&trial.variant, others);
        if let Some(right) = self.references.borrow().known(&kept).filter(|_| !trial.sent) {
            return Ok(Some(Told::Right(right)));
        }
        let bytes = self.facts(&question(trial), deadline)?.input_bytes;
        self.link.expect(most_bytes(exact).max(most_bytes_of_inputs(bytes)));
        let ask =
            Ask::Approximation { trial: trial.trial, seed: others.map_or(trial.input_seed, |others| others.seed) };
        match self.link.ask(&ask, arrays, deadline.left())? {
            (Say::Answers { answers }, numbers) if !trial.sent => {
                let right = approximation_of(exact, answers, numbers)?;
                self.references.borrow_mut().hold(kept, &right);
                Ok(Some(Told::Right(right)))
            }
            (Say::StandsFor { rounding }, numbers) if trial.sent => Ok(Some(Told::Stands(numbers, rounding))),
            (Say::None, _) => Ok(None),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// What is right of an approximation beside its outputs, and the scaled error that its rounding explains.
    pub(super) fn right(
        &self,
        trial: &Trial,
        others: Option<&Others>,
        told: Told,
        outputs: &[Array],
        deadline: Deadline,
    ) -> Result<(Rc<Reference>, f64)> {
        match told {
            Told::Right(reference) => Ok((reference, 0.0)),
            Told::Stands(numbers, rounding) => {
                let (references, of) = (self.references.borrow(), (numbers, rounding));
                let Rough { reference, allowed } =
                    references.standing_for(&question(trial), others, of, outputs, deadline.left())?;
                Ok((Rc::new(reference), allowed))
            }
        }
    }
}
