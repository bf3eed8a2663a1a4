//! What single outputs are allowed, where that is not what all of them are.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What one output is allowed, in the place of what [`Problem::tolerance`](crate::Problem::tolerance) allows each of them.
///
/// A number is right where it is off by no more than `absolute` + `relative` · the scale of its row
/// ([`Answer::compare`](crate::Answer::compare)). A check that knows only right and wrong does not look at either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// Name of the output.
    pub output: Cow<'static, str>,
    /// The largest error beyond `absolute`, as a share of the scale of its row.
    #[serde(with = "crate::number")]
    pub relative: f64,
    /// An error that counts as none, in the unit of the output.
    #[serde(with = "crate::number")]
    pub absolute: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Array, Check, Comparison, Reference};

    const OF_ALL: f64 = 0.01;

    /// A large output and a small one, `[2, 2]` each.
    fn reference(check: Check) -> Reference {
        let answer = |name: &'static str, values: [f64; 4]| Answer {
            name: name.into(),
            shape: vec![2, 2],
            rows: vec![0, 1],
            values: values.into(),
            check: check.clone(),
        };
        let answers = vec![answer("large", [1000.0, 500.0, 0.0, 900.0]), answer("small", [1.0, 0.5, 0.25, 1.0])];
        Reference { answers }
    }

    /// The outputs where the first number of each is off by so much.
    fn compared(check: Check, off: [f64; 2], own: &[Tolerance]) -> Vec<Comparison> {
        let reference = reference(check);
        let output = |(answer, off): (&Answer, f64)| {
            let mut values = answer.values.clone();
            values[0] += off;
            Array::new(answer.shape.clone(), &values)
        };
        let outputs: Vec<Array> = reference.answers.iter().zip(off).map(output).collect();
        reference.compare_within(&outputs, own)
    }

    fn right(off: [f64; 2], own: &[Tolerance]) -> [bool; 2] {
        let compared = compared(Check::Near, off, own);
        [0, 1].map(|place| compared[place].passes(OF_ALL))
    }

    fn own(output: &'static str, relative: f64, absolute: f64) -> Tolerance {
        Tolerance { output: output.into(), relative, absolute }
    }

    #[test]
    fn a_small_output_does_not_hide_behind_what_a_large_one_is_allowed() {
        let off = [5.0, 0.005];
        assert_eq!(right(off, &[]), [true, true], "half of what all are allowed");
        assert_eq!(right(off, &[own("small", 0.001, 0.0)]), [true, false]);
        assert_eq!(right([5.0, 0.0005], &[own("small", 0.001, 0.0)]), [true, true]);
        assert_eq!(right(off, &[own("large", 0.001, 0.0)]), [false, true]);
        assert_eq!(right(off, &[own("large", 0.001, 0.0), own("small", 0.001, 0.0)]), [false, false]);
        let compared = compared(Check::Near, off, &[own("small", 0.001, 0.0)]);
        assert_eq!([compared[0].allowed(OF_ALL), compared[1].allowed(OF_ALL)], [OF_ALL, 0.001]);
    }

    #[test]
    fn an_absolute_tolerance_counts_beside_the_relative_one() {
        // The scale of the first row of the small output is 1.
        let small = own("small", 0.001, 0.01);
        let small = std::slice::from_ref(&small);
        for (off, is_right) in [(0.01, true), (0.0109, true), (0.0112, false), (-0.0109, true), (-0.0112, false)] {
            assert_eq!(right([0.0, off], small)[1], is_right, "{off}");
        }
        let within = compared(Check::Near, [0.0, 0.009], small);
        assert!(within[1].max_scaled_error == 0.0 && within[1].max_abs_error > 0.008, "{within:?}");
        // A wrong form is wrong whatever is allowed, and so is a number that has to be the same.
        let all = ["large", "small"].map(|output| own(output, f64::MAX, f64::MAX));
        let missing = reference(Check::Near).compare_within(&[], &all);
        assert!(missing.iter().all(|one| !one.passes(OF_ALL)), "{missing:?}");
        let exact = compared(Check::Exact, [1.0, 0.0], &all);
        assert_eq!([exact[0].passes(OF_ALL), exact[1].passes(OF_ALL)], [false, true]);
    }
}
