//! Count, mean and squared deviations of a sample, in one pass and mergeable.

use crate::describe::mean_of;
use crate::{Error, Result, check};

/// What stands for squares too small for a number, so that values that vary never look constant.
const VANISHED: f64 = f64::from_bits(1);

/// The first two moments of a sample.
///
/// Welford's update (1962) and the merge of Chan, Golub & LeVeque, *Updating Formulae and a Pairwise
/// Algorithm for Computing Sample Variances* (1979): no sum of squares, so nothing cancels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// How many values.
    pub n: u64,
    /// Their mean, in their unit; 0 for none.
    pub mean: f64,
    /// The sum of their squared deviations from the mean, in their unit squared; 0 only where all are equal.
    pub m2: f64,
}

impl Moments {
    /// The moments of a whole sample, by two passes.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; an empty sample is not an error.
    pub fn of(x: &[f64]) -> Result<Self> {
        check::finite(x, 0)?;
        let mean = mean_of(x);
        let (mut squares, mut rest) = (0.0, 0.0);
        for value in x {
            let deviation = value - mean;
            squares += deviation * deviation;
            rest += deviation;
        }
        // The deviations do not quite sum to zero because the mean is rounded.
        let m2 = if x.is_empty() { 0.0 } else { squares - rest * rest / x.len() as f64 };
        let vanished = m2 <= 0.0 && !check::all_equal(x);
        Ok(Self { n: x.len() as u64, mean, m2: if vanished { VANISHED } else { m2 } })
    }

    /// Adds one value. A value that is not finite spoils the moments for good: every statistic of
    /// them then is an [`Error::Overflow`].
    #[inline]
    pub fn push(&mut self, value: f64) {
        self.n += 1;
        let before = value - self.mean;
        self.mean += before / self.n as f64;
        let square = before * (value - self.mean);
        self.m2 += if square == 0.0 && before != 0.0 && self.n > 1 { VANISHED } else { square };
    }

    /// Adds all the values of another sample.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let (here, there) = (self.n as f64, other.n as f64);
        let n = here + there;
        let shift = other.mean - self.mean;
        self.n += other.n;
        self.mean += shift * (there / n);
        let between = shift * shift * (here * there / n);
        self.m2 += other.m2 + if between == 0.0 && shift != 0.0 { VANISHED } else { between };
    }

    /// The mean.
    ///
    /// # Errors
    /// [`Error::TooFew`] for no value, [`Error::Overflow`].
    pub fn mean(&self) -> Result<f64> {
        self.need(1)?;
        check::number(self.mean)
    }

    /// The variance, with n - 1 in the denominator.
    ///
    /// # Errors
    /// [`Error::TooFew`] below two values, [`Error::Overflow`], [`Error::TooSmall`] where the values vary by
    /// some 1e-154 or less.
    pub fn variance(&self) -> Result<f64> {
        self.need(2)?;
        check::number(self.mean)?;
        self.squares(check::number(self.m2 / (self.n - 1) as f64)?)
    }

    /// The variance of the mean: the variance over n. Zero for a constant sample.
    pub(crate) fn variance_of_mean(&self) -> Result<f64> {
        self.squares(self.variance()? / self.n as f64)
    }

    /// Squares that are 0 because the values do not vary, or have all of their digits.
    fn squares(&self, value: f64) -> Result<f64> {
        if self.m2 > 0.0 && value < f64::MIN_POSITIVE { Err(Error::TooSmall) } else { Ok(value) }
    }

    /// The mean of a sample that a ratio is taken of.
    pub(crate) fn positive_mean(&self) -> Result<f64> {
        let mean = self.mean()?;
        if mean > 0.0 { Ok(mean) } else { Err(Error::MeanNotPositive { mean }) }
    }

    fn need(&self, needed: u64) -> Result<()> {
        if self.n < needed {
            return Err(Error::TooFew { needed: needed as usize, got: self.n as usize });
        }
        Ok(())
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::default();
        for value in values {
            moments.push(value);
        }
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_with_nothing_changes_nothing() {
        let some = Moments::of(&[1.0, 2.0, 4.0]).expect("finite");
        let mut left = some;
        left.merge(&Moments::default());
        let mut right = Moments::default();
        right.merge(&some);
        assert_eq!((left, right), (some, some));
    }

    #[test]
    fn a_large_offset_does_not_cancel() {
        let x: Vec<f64> = (0..1000).map(|i| 1e12 + f64::from(i % 2)).collect();
        let streamed: Moments = x.iter().copied().collect();
        let exact = 250.0 / 999.0;
        assert!((streamed.variance().expect("varies") / exact - 1.0).abs() < 1e-9);
        assert!((Moments::of(&x).and_then(|m| m.variance()).expect("varies") / exact - 1.0).abs() < 1e-12);
    }

    #[test]
    fn values_that_vary_are_never_constant() {
        let next = 1.0 + f64::EPSILON;
        for x in
            [[0.0, 5e-324], [1e-300, 2e-300], [1e-160, 3e-160], [f64::MIN_POSITIVE, 5e-324], [1.0, next], [next, 1.0]]
        {
            let streamed: Moments = x.into_iter().collect();
            let mut merged: Moments = x[..1].iter().copied().collect();
            merged.merge(&x[1..].iter().copied().collect());
            for moments in [Moments::of(&x).expect("finite"), streamed, merged] {
                assert!(moments.m2 > 0.0 && moments.variance() != Ok(0.0), "{x:?}: {moments:?}");
            }
            let variance = Moments::of(&x).and_then(|moments| moments.variance());
            assert_eq!(variance == Err(Error::TooSmall), x[0] < 1.0, "{x:?}: {variance:?}");
        }
        let constant: Moments = [5e-324; 7].into_iter().collect();
        assert_eq!((constant.variance(), Moments::of(&[0.1; 7]).and_then(|m| m.variance())), (Ok(0.0), Ok(0.0)));
    }

    #[test]
    fn a_value_that_is_not_finite_never_becomes_a_number() {
        for bad in [f64::NAN, f64::INFINITY] {
            let spoiled: Moments = [1.0, bad, 2.0].into_iter().collect();
            assert_eq!(spoiled.mean(), Err(Error::Overflow));
            assert_eq!(spoiled.variance(), Err(Error::Overflow));
        }
    }
}
