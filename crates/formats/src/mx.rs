//! Blocks of small floats that share a power of two: OCP Microscaling Formats 1.0, section 5.

use crate::e8m0::{self, ScaleRule};
use crate::error::Result;
use crate::groups::{Axis, Groups, largest};
use crate::minifloat::Minifloat;
use crate::packing::bytes_of;
use crate::rounding::{Overflow, Rounding};

/// Elements that share a scale.
pub const BLOCK: usize = 32;

/// A microscaling format: [`E4M3FN`](crate::E4M3FN) or [`E5M2`](crate::E5M2) make MXFP8, [`E2M3`](crate::E2M3) or
/// [`E3M2`](crate::E3M2) MXFP6, [`E2M1`](crate::E2M1) MXFP4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mx {
    /// What an element is, in eight bits at most.
    pub element: Minifloat,
    /// How a scale is chosen.
    pub rule: ScaleRule,
    /// How an element is rounded. What is above the largest is clamped.
    pub rounding: Rounding,
}

/// A matrix in a microscaling format.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    element: Minifloat,
    groups: Groups,
    /// Codes of the elements, one in a byte, in the order of the matrix.
    pub codes: Vec<u8>,
    /// Codes of the scales ([`e8m0`]), of the shape [`Groups::scales`].
    pub scales: Vec<u8>,
}

impl Mx {
    /// A row-major matrix `[rows, columns]` in blocks along `axis`, of which the last ones may be shorter.
    ///
    /// A NaN makes its whole block NaN, by its scale. An infinity stays one, and numbers beside it become coarse.
    ///
    /// # Errors
    /// More or fewer numbers than the shape has places.
    pub fn quantised(&self, numbers: &[f32], shape: [usize; 2], axis: Axis) -> Result<Blocks> {
        let groups = Groups::new(shape, axis, BLOCK)?;
        groups.expect(numbers.len())?;
        let (mut codes, mut scales) = (vec![0; numbers.len()], Vec::new());
        for places in groups.each() {
            let scale = self.rule.scale(largest(places.clone().map(|place| numbers[place])), &self.element);
            scales.push(scale);
            if scale == e8m0::NAN {
                continue;
            }
            for place in places {
                // Exact, but for what is too small for any element.
                let number = numbers[place] / e8m0::decode(scale);
                let code = self.element.encode(number, Overflow::Saturate, self.rounding.at(place));
                // Whatever is no NaN has a code.
                codes[place] = code.map_or(0, |code| code as u8);
            }
        }
        Ok(Blocks { element: self.element, groups, codes, scales })
    }
}

impl Blocks {
    /// The numbers that codes and scales stand for: infinite where `f32` has none so large, as a block of its largest number has
    /// in `e2m1` by [`ScaleRule::Ceil`].
    pub fn dequantised(&self) -> Vec<f32> {
        let (values, scales) = (self.element.table(), self.scales.iter().map(|scale| e8m0::decode(*scale)));
        let scales: Vec<f32> = scales.collect();
        self.groups.decoded(&self.codes, |code, group| values[usize::from(code)] * scales[group])
    }

    /// Bytes of packed codes and of scales.
    pub fn bytes(&self) -> usize {
        let [rows, columns] = self.groups.shape();
        rows * bytes_of(columns, self.element.bits()) + self.scales.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{E2M1, E2M3, E3M2, E4M3FN, E5M2};

    const ELEMENTS: [Minifloat; 5] = [E4M3FN, E5M2, E2M3, E3M2, E2M1];

    fn blocks(element: Minifloat, rule: ScaleRule, numbers: &[f32]) -> Blocks {
        let mx = Mx { element, rule, rounding: Rounding::NearestEven };
        mx.quantised(numbers, [1, numbers.len()], Axis::Columns).unwrap()
    }

    #[test]
    fn a_block_found_by_hand() {
        // The largest is 7, in the binade of 4: the scale is 1, and 7 is clamped.
        let found = blocks(E2M1, ScaleRule::Floor, &[7.0, -2.5, 0.25, 0.75, -0.0, 5.0]);
        assert_eq!((found.codes.as_slice(), found.scales.as_slice()), (&[7, 12, 0, 2, 8, 6][..], &[127][..]));
        assert_eq!(found.dequantised(), [6.0, -2.0, 0.0, 1.0, 0.0, 4.0]);
        assert_eq!(found.bytes(), 3 + 1);
        // With twice the scale, nothing is.
        let found = blocks(E2M1, ScaleRule::Rceil, &[7.0, -2.5, 0.25, 0.75, -0.0, 5.0]);
        assert_eq!(found.dequantised(), [8.0, -2.0, 0.0, 1.0, 0.0, 4.0]);
    }

    #[test]
    fn blocks_of_zeros_are_zeros_and_the_smallest_numbers_are_kept() {
        for (element, rule) in ELEMENTS.into_iter().flat_map(|element| ScaleRule::ALL.map(|rule| (element, rule))) {
            let found = blocks(element, rule, &[0.0, -0.0]);
            assert_eq!((found.scales[0], found.dequantised()), (0, vec![0.0, -0.0]), "{} {rule:?}", element.name);
            // The smallest scale times the smallest element.
            let least = element.decode(1) * e8m0::decode(0);
            let found = blocks(element, rule, &[least, -least]).dequantised();
            assert_eq!(found, [least, -least], "{} {rule:?}", element.name);
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for (element, rule) in ELEMENTS.into_iter().flat_map(|element| ScaleRule::ALL.map(|rule| (element, rule))) {
            let mut numbers = vec![1.0; 2 * BLOCK];
            numbers[3] = f32::NAN;
            let found = blocks(element, rule, &numbers).dequantised();
            assert!(found[..BLOCK].iter().all(|number| number.is_nan()), "{} {rule:?}: {found:?}", element.name);
            assert_eq!(found[BLOCK..], [1.0; BLOCK]);
            let found = blocks(element, rule, &[f32::INFINITY, 1.0, f32::NEG_INFINITY]).dequantised();
            assert_eq!(found, [f32::INFINITY, 0.0, f32::NEG_INFINITY], "{} {rule:?}", element.name);
        }
        // Of 2¹²⁶ it is just below 4, and 2¹²⁸ is none of f32.
        assert_eq!(blocks(E2M1, ScaleRule::Ceil, &[f32::MAX]).dequantised(), [f32::INFINITY]);
    }

    #[test]
    fn blocks_go_along_their_axis_and_the_last_may_be_shorter() {
        // 33 rows of two columns: the scale of a column's last row is its own.
        let mut numbers = vec![1.0; 66];
        numbers[64..].copy_from_slice(&[64.0, 0.5]);
        let mx = Mx { element: E4M3FN, rule: ScaleRule::Floor, rounding: Rounding::NearestEven };
        let found = mx.quantised(&numbers, [33, 2], Axis::Rows).unwrap();
        assert_eq!(found.scales, [119, 119, 125, 118]);
        assert_eq!((found.dequantised(), found.bytes()), (numbers, 66 + 4));
    }

    #[test]
    fn numbers_that_are_no_matrix_are_refused() {
        let mx = Mx { element: E2M1, rule: ScaleRule::Even, rounding: Rounding::NearestEven };
        let said = mx.quantised(&[1.0; 5], [2, 3], Axis::Rows).unwrap_err().to_string();
        assert_eq!(said, "5 numbers are no matrix of 2 rows and 3 columns");
    }
}
