//! How far an implementation is from the right answer on the average.

use crate::{Answer, Array, Check, Reference};

impl Reference {
    /// The mean |a − b| over the mean |b| of the right answer (`share`), of all numbers held that are to be near theirs: what is
    /// lost on the average, beside the largest error. Where all of these are zero, the mean |a − b| itself.
    ///
    /// Nothing where no output is checked by being near, or one has another shape or a number that is not finite.
    pub fn mean_error(&self, outputs: &[Array]) -> Option<f64> {
        if outputs.len() != self.answers.len() {
            return None;
        }
        let (mut off, mut all, mut count) = (0.0_f64, 0.0_f64, 0_usize);
        for (answer, output) in self.answers.iter().zip(outputs).filter(|(answer, _)| is_near(answer)) {
            for (got, right) in answer.pairs(output)?.into_iter().flatten() {
                off += (got - right).abs();
                all += right.abs();
                count += 1;
            }
        }
        let over = if all > 0.0 { all } else { count as f64 };
        (count > 0).then(|| off / over)
    }
}

/// Whether the numbers of an output may be off by something.
fn is_near(answer: &Answer) -> bool {
    matches!(answer.check, Check::Near | Check::Rounded { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &'static str, values: [f64; 4], check: Check) -> Answer {
        Answer { name: name.into(), shape: vec![3, 2], rows: vec![0, 2], values: values.into(), check }
    }

    fn output(values: [f32; 4]) -> Array {
        let [a, b, c, d] = values;
        Array::new(vec![3, 2], &[a, b, 9.0, 9.0, c, d])
    }

    #[test]
    fn a_mean_is_of_all_numbers_held_and_a_share_of_the_right_ones() {
        let near = |values| answer("near", values, Check::Near);
        let one = Reference { answers: vec![near([1.0, 2.0, -4.0, 0.0])] };
        assert_eq!(one.mean_error(&[output([1.0, 2.0, -4.0, 0.0])]), Some(0.0));
        // Off by 1.75 in all, beside 7; the row that is not held does not count.
        assert_eq!(one.mean_error(&[output([1.0, 2.5, -5.0, 0.25])]), Some(0.25));
        let zero = Reference { answers: vec![near([0.0; 4])] };
        assert_eq!(zero.mean_error(&[output([0.0, 0.5, 0.5, 0.0])]), Some(0.25), "beside nothing, the mean itself");
        let rounded = answer("rounded", [1.0; 4], Check::Rounded { spread: vec![0.0; 2] });
        let both = Reference { answers: vec![near([1.0, 2.0, -4.0, 0.0]), rounded] };
        let off = both.mean_error(&[output([1.0, 2.0, -4.0, 0.0]), output([1.0, 1.0, 1.0, 3.75])]);
        assert_eq!(off, Some(2.75 / 11.0), "of all outputs");
    }

    #[test]
    fn what_is_right_or_wrong_has_no_mean_error_and_what_is_no_answer_neither() {
        let held = [1.0, 2.0, -4.0, 0.0];
        let exact = Reference { answers: vec![answer("exact", held, Check::Exact)] };
        assert_eq!(exact.mean_error(&[output([1.0, 2.0, -4.0, 0.0])]), None);
        let near = Reference { answers: vec![answer("near", held, Check::Near)] };
        assert_eq!(near.mean_error(&[]), None);
        assert_eq!(near.mean_error(&[output([1.0, f32::NAN, -4.0, 0.0])]), None);
        assert_eq!(near.mean_error(&[Array::new(vec![6], &[0.0_f32; 6])]), None);
    }
}
