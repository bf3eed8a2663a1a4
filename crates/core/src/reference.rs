//! The right answer, and how far an implementation is from it.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::HostArray;

/// Rows of the right answer in `f64`.
///
/// A row is one step of the output's last axis: for attention, one query of one head. Where the
/// whole answer would take minutes, `rows` is a seeded subset.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Shape of the full output.
    pub shape: Vec<usize>,
    /// Which rows of the output `values` holds, ascending.
    pub rows: Vec<usize>,
    /// The values of those rows, one after another.
    pub values: Vec<f64>,
}

/// How an output compares with its reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Largest |a − b|; infinite where the output holds a NaN or the shapes differ.
    #[serde(with = "infinite")]
    pub max_abs_error: f64,
    /// Largest |a − b| over the largest |reference|.
    #[serde(with = "infinite")]
    pub max_scaled_error: f64,
    /// Number of rows compared.
    pub rows_checked: u64,
}

/// JSON has no infinity: it travels as null.
mod infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}

/// A seeded choice of at most `limit` of `rows` rows, ascending; always the first and the last.
///
/// The ends are where masks and alignment go wrong, so they are never left to chance.
pub fn sample_rows(rows: usize, limit: usize, seed: u64) -> Vec<usize> {
    if rows <= limit {
        return (0..rows).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = index::sample(&mut rng, rows, limit).into_vec();
    chosen.extend([0, rows - 1]);
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

impl Reference {
    /// Compares an output with this reference.
    ///
    /// Every element of the output is looked at for NaN and infinity, also outside the rows held. A reference that is not
    /// finite, or does not hold the rows that it names, finds every output infinitely wrong.
    pub fn compare(&self, output: &HostArray) -> Comparison {
        let width = output.width();
        let held = self.values.len().checked_div(width).unwrap_or(0);
        let rows_checked = held.min(self.rows.len()) as u64;
        let wrong = Comparison { max_abs_error: f64::INFINITY, max_scaled_error: f64::INFINITY, rows_checked };
        let fits = output.shape == self.shape
            && !self.rows.is_empty()
            && self.values.len() == self.rows.len() * width
            && self.rows.iter().all(|row| *row < output.rows());
        if !fits
            || !output.data.iter().all(|value| value.is_finite())
            || !self.values.iter().all(|value| value.is_finite())
        {
            return wrong;
        }
        let largest = self.values.iter().fold(0.0_f64, |max, value| max.max(value.abs()));
        let max_abs_error = self
            .rows
            .iter()
            .zip(self.values.chunks_exact(width))
            .flat_map(|(row, expected)| output.data[row * width..(row + 1) * width].iter().zip(expected))
            .fold(0.0_f64, |max, (got, expected)| max.max((f64::from(*got) - expected).abs()));
        let max_scaled_error = if largest > 0.0 { max_abs_error / largest } else { max_abs_error };
        Comparison { max_abs_error, max_scaled_error, rows_checked }
    }
}

impl Reference {
    /// ‖output − reference‖ over ‖reference‖ (Euclidean, over the rows held): what an approximation loses.
    /// Infinite where the shapes differ.
    pub fn distance(&self, output: &HostArray) -> f64 {
        if output.shape != self.shape || !self.values.iter().all(|value| value.is_finite()) {
            return f64::INFINITY;
        }
        let width = output.width();
        let rows = self.rows.iter().zip(self.values.chunks_exact(width));
        let (mut off, mut all) = (0.0, 0.0);
        for (row, expected) in rows {
            for (got, expected) in output.data[row * width..(row + 1) * width].iter().zip(expected) {
                off += (f64::from(*got) - expected).powi(2);
                all += expected.powi(2);
            }
        }
        if all > 0.0 { (off / all).sqrt() } else { off.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Reference {
        Reference { shape: vec![3, 2], rows: vec![0, 2], values: vec![1.0, 2.0, -4.0, 0.0] }
    }

    #[test]
    fn error_is_scaled_by_the_largest_reference_value() {
        let output = HostArray::new(vec![3, 2], vec![1.0, 2.5, 9.0, 9.0, -4.0, 0.0]);
        let comparison = reference().compare(&output);
        assert_eq!(comparison.max_abs_error, 0.5);
        assert_eq!(comparison.max_scaled_error, 0.125);
        assert_eq!(comparison.rows_checked, 2);
    }

    #[test]
    fn distance_is_relative_to_the_whole_answer() {
        // Of the rows held, one number is off by 3, and their norm is the root of 1 + 4 + 16.
        let output = HostArray::new(vec![3, 2], vec![1.0, 5.0, 9.0, 9.0, -4.0, 0.0]);
        assert!((reference().distance(&output) - 3.0 / 21.0_f64.sqrt()).abs() < 1e-15);
        assert_eq!(reference().distance(&HostArray::new(vec![6], vec![0.0; 6])), f64::INFINITY);
    }

    #[test]
    fn a_nan_in_an_unchecked_row_or_a_wrong_shape_is_infinitely_wrong() {
        let nan = HostArray::new(vec![3, 2], vec![1.0, 2.0, f32::NAN, 9.0, -4.0, 0.0]);
        assert_eq!(reference().compare(&nan).max_abs_error, f64::INFINITY);
        let flat = HostArray::new(vec![6], vec![1.0, 2.0, 9.0, 9.0, -4.0, 0.0]);
        assert_eq!(reference().compare(&flat).max_abs_error, f64::INFINITY);
    }

    #[test]
    fn a_reference_that_holds_no_answer_passes_nothing() {
        let output = HostArray::new(vec![3, 2], vec![1.0, 2.0, 9.0, 9.0, -4.0, 0.0]);
        assert_eq!(reference().compare(&output).max_abs_error, 0.0);
        let nan = Reference { values: vec![1.0, f64::NAN, -4.0, 0.0], ..reference() };
        assert_eq!(nan.compare(&output).max_scaled_error, f64::INFINITY);
        assert_eq!(nan.distance(&output), f64::INFINITY);
        let short = Reference { values: vec![1.0, 2.0], ..reference() };
        let compared = short.compare(&output);
        assert_eq!((compared.max_scaled_error, compared.rows_checked), (f64::INFINITY, 1), "one row is missing");
        let outside = Reference { rows: vec![0, 3], ..reference() };
        assert_eq!(outside.compare(&output).max_scaled_error, f64::INFINITY);
    }

    #[test]
    fn sampled_rows_keep_both_ends() {
        let rows = sample_rows(10_000, 64, 7);
        assert_eq!((rows[0], *rows.last().unwrap()), (0, 9_999));
        assert!(rows.len() >= 64 && rows.len() <= 66);
        assert_eq!(sample_rows(5, 64, 7), vec![0, 1, 2, 3, 4]);
    }
}
