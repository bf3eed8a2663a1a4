//! What was found at a point, and which of two findings is better.

use std::cmp::Ordering;

use crate::Point;

/// What came of trying a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The point.
    pub point: Point,
    /// What is to be small, in any unit; nothing where the point failed, or cannot be.
    pub loss: Option<f64>,
    /// How far beyond its bounds the point is, 0 where it meets all of them.
    pub excess: f64,
}

impl Observation {
    /// A point that failed, or that cannot be.
    pub fn failed(point: Point) -> Self {
        Self { point, loss: None, excess: f64::INFINITY }
    }

    /// The loss of a point that meets its bounds.
    pub fn met(&self) -> Option<f64> {
        self.loss.filter(|loss| self.excess <= 0.0 && !loss.is_nan())
    }

    /// In which class it is, and its number within that class.
    fn rank(&self) -> (u8, f64) {
        match (self.met(), self.loss) {
            (Some(loss), _) => (0, loss),
            (None, Some(loss)) if !loss.is_nan() && !self.excess.is_nan() => (1, self.excess),
            _ => (2, 0.0),
        }
    }
}

/// The better one first: what meets its bounds by its loss, then what does not by how little it misses them, then what
/// failed (Deb, "An efficient constraint handling method for genetic algorithms", Computer Methods in Applied Mechanics
/// and Engineering 186, 2000, section 3).
pub fn order(a: &Observation, b: &Observation) -> Ordering {
    let ((class_a, number_a), (class_b, number_b)) = (a.rank(), b.rank());
    class_a.cmp(&class_b).then(number_a.total_cmp(&number_b))
}

/// The best observation that meets its bounds, the first of equal ones; nothing where none does.
pub fn best(seen: &[Observation]) -> Option<&Observation> {
    seen.iter().filter(|one| one.met().is_some()).min_by(|a, b| order(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn observed(loss: Option<f64>, excess: f64) -> Observation {
        Observation { point: vec![Value::Int(0)], loss, excess }
    }

    #[test]
    fn bounds_come_before_losses_and_failures_last() {
        let sorted = [
            observed(Some(-2.0), 0.0),
            observed(Some(5.0), 0.0),
            observed(Some(-9.0), 0.1),
            observed(Some(-99.0), 3.0),
            observed(None, 0.0),
        ];
        for (index, one) in sorted.iter().enumerate() {
            for (other, two) in sorted.iter().enumerate() {
                assert_eq!(order(one, two), index.cmp(&other), "{one:?} {two:?}");
            }
        }
        assert_eq!(best(&sorted), Some(&sorted[0]));
        assert_eq!(best(&sorted[2..]), None, "none meets its bounds");
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn what_is_no_number_counts_as_failed() {
        let failed = Observation::failed(vec![Value::Int(0)]);
        for nan in [observed(Some(f64::NAN), 0.0), observed(Some(1.0), f64::NAN)] {
            assert_eq!((order(&nan, &failed), nan.met()), (Ordering::Equal, None));
        }
    }
}
