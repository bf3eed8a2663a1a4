//! What is rounded on the way from inputs to outputs, and what is right then.

use serde::{Deserialize, Serialize};

use crate::{Answer, Check, Reference};

/// How the left factors of products are rounded while a model is computed: to whole numbers of so many bits, symmetric, with a scale
/// that makes the largest of a group the largest whole number.
///
/// Where products follow each other, such roundings have no right answer to the bit: a number near the middle between two goes the
/// other way by whatever rounding in `f32` there was before, and the next products begin elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounding {
    /// Bits of a whole number, the sign among them: [`Rounding::BITS`].
    pub bits: u32,
    /// Numbers along the sum that share a scale; 0 for all of a row.
    #[serde(default)]
    pub group: usize,
}

impl Rounding {
    /// Bits that a whole number may have: fewer leave no numbers, and of more `f32` tells nothing.
    pub const BITS: std::ops::RangeInclusive<u32> = 3..=16;

    /// A row as it is rounded, to even where two whole numbers are as near.
    pub fn of(self, row: &[f64]) -> Vec<f64> {
        let levels = f64::from((1_u32 << (self.bits.clamp(*Self::BITS.start(), *Self::BITS.end()) - 1)) - 1);
        let group = if self.group == 0 { row.len().max(1) } else { self.group };
        let rounded = |numbers: &[f64]| {
            let step = numbers.iter().fold(0.0_f64, |most, number| most.max(number.abs())) / levels;
            let one = |number: &f64| if step > 0.0 { (number / step).round_ties_even() * step } else { 0.0 };
            numbers.iter().map(one).collect::<Vec<f64>>()
        };
        row.chunks(group).flat_map(rounded).collect()
    }
}

/// What is right for who rounds on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Rough {
    /// The right answer, without that rounding.
    pub reference: Reference,
    /// The scaled error that the rounding explains.
    pub allowed: f64,
}

/// How many times as far as such a rounding moves an answer another one of its kind may be off. Both errors are sums of many small ones
/// that do not know of each other, of the same deviation; the largest of hundreds is then within a few tenths of four deviations.
pub const TIMES: f64 = 2.0;

/// An answer that is off by more is no approximation, whatever was rounded.
const MOST: f64 = 0.5;

impl Rough {
    /// From the right answer and from one that was computed with the rounding: `allowed` is what it has moved, [`TIMES`]; and nothing
    /// where that is no number.
    pub fn beside(reference: Reference, rounded: &Reference) -> Self {
        let moved = reference.apart(rounded);
        let allowed = if moved.is_finite() { (TIMES * moved).min(MOST) } else { 0.0 };
        Self { reference, allowed }
    }

    /// Without any rounding.
    pub fn exact(reference: Reference) -> Self {
        Self { reference, allowed: 0.0 }
    }
}

/// How many times as far as other roundings move a row, in the root of their mean square, one more may. Of eight that do not know of each
/// other, one in a thousand is further (Student's t of eight degrees of freedom), of four, seven in a thousand.
const FURTHER: f64 = 5.0;

impl Reference {
    /// The same answer, where rounding on the way might as well have gone as in `others`: each row may be off by five times as much as
    /// the numbers of these that are furthest from it (the root of the mean square), and by half of the output's largest number at most.
    /// One of other rows, or with what is no number, excuses nothing.
    #[must_use]
    pub fn among(mut self, others: &[Self]) -> Self {
        let others: Vec<&Self> = others.iter().filter(|other| self.apart(other).is_finite()).collect();
        for (place, answer) in self.answers.iter_mut().enumerate() {
            let width = answer.values.len().checked_div(answer.rows.len()).unwrap_or(0);
            let furthest = |other: &Self, row: usize| {
                let numbers = row * width..(row + 1) * width;
                let pairs = other.answers[place].values[numbers.clone()].iter().zip(&answer.values[numbers]);
                pairs.fold(0.0_f64, |furthest, (other, right)| furthest.max((other - right).abs()))
            };
            let of = |row: usize| {
                let squares: f64 = others.iter().map(|other| furthest(other, row).powi(2)).sum();
                (FURTHER * (squares / others.len().max(1) as f64).sqrt()).min(MOST * answer.largest())
            };
            let spread = (0..answer.rows.len()).map(of).collect();
            answer.check = Check::Rounded { spread };
        }
        self
    }
}

impl Answer {
    /// The largest absolute value of the rows held.
    fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
    }

    /// Whether roundings excuse no more of any row than they may: half of the output's largest number.
    pub fn excuses_little(&self) -> bool {
        let little = |spread: &f64| (0.0..=MOST * self.largest()).contains(spread);
        match &self.check {
            Check::Rounded { spread } => spread.len() == self.rows.len() && spread.iter().all(little),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_a_group_stays_and_others_go_to_the_nearest_step() {
        let row = [127.0, 0.5, -1.5, 3.4, 0.0, 0.0, -254.0, 3.0];
        assert_eq!(Rounding { bits: 8, group: 4 }.of(&row), [127.0, 0.0, -2.0, 3.0, 0.0, 0.0, -254.0, 4.0]);
        let whole = Rounding { bits: 8, group: 0 }.of(&row);
        assert_eq!(whole, [128.0, 0.0, -2.0, 4.0, 0.0, 0.0, -254.0, 4.0], "a step of two");
        assert_eq!(Rounding { bits: 8, group: 3 }.of(&[0.0; 4]), [0.0; 4]);
        assert!(Rounding { bits: 8, group: 0 }.of(&[]).is_empty());
    }

    #[test]
    fn what_a_rounding_moves_is_allowed_twice_and_never_half_of_all() {
        let of = |values: [f64; 2]| Reference::of(vec![1, 2], vec![0], values.into());
        let allowed = |values| Rough::beside(of([4.0, 1.0]), &of(values)).allowed;
        assert!((allowed([4.0, 1.2]) - 0.1).abs() < 1e-12, "a twentieth of the largest, twice");
        assert_eq!([allowed([4.0, 1.0]), allowed([0.0, 1.0]), allowed([f64::NAN, 1.0])], [0.0, MOST, 0.0]);
        let other = Reference::of(vec![2, 2], vec![1], vec![4.0, 1.0]);
        assert_eq!(Rough::beside(of([4.0, 1.0]), &other).allowed, 0.0, "another row says nothing");
    }

    #[test]
    fn other_roundings_excuse_five_times_what_they_move_a_row_and_no_more_than_half_of_all() {
        let of = |values: [f64; 4]| Reference::of(vec![2, 2], vec![0, 1], values.into());
        let spread = |others: &[[f64; 4]]| {
            let others: Vec<Reference> = others.iter().map(|values| of(*values)).collect();
            let answer = of([4.0, 1.0, 2.0, 1.0]).among(&others).answers.remove(0);
            assert!(answer.excuses_little());
            let Check::Rounded { spread } = answer.check else { panic!("{:?}", answer.check) };
            spread
        };
        // Off by 7 and by 1 of 32, whose root mean square is 5.
        assert_eq!(spread(&[[4.0, 1.21875, 2.0, 1.0], [4.03125, 1.0, 2.0, 1.0]]), [0.78125, 0.0]);
        assert_eq!(spread(&[[4.0, 1.0, 2.0, 9.0]]), [0.0, 2.0], "half of the largest of all");
        assert_eq!(spread(&[[f64::NAN, 1.0, 2.0, 9.0]]), [0.0, 0.0]);
        assert_eq!(spread(&[]), [0.0, 0.0]);
        for wrong in [vec![0.0], vec![0.0, 2.1], vec![-0.1, 0.0], vec![f64::NAN, 0.0]] {
            let mut answer = of([4.0, 1.0, 2.0, 1.0]).answers.remove(0);
            answer.check = Check::Rounded { spread: wrong };
            assert!(!answer.excuses_little(), "{:?}", answer.check);
        }
    }

    #[test]
    fn it_travels_without_a_group_where_a_row_shares_its_scale() {
        let read = |text: &str| toml::from_str::<Rounding>(text).unwrap();
        assert_eq!(read("bits = 8"), Rounding { bits: 8, group: 0 });
        assert_eq!(read("bits = 8\ngroup = 32"), Rounding { bits: 8, group: 32 });
    }
}
