//! Small floats with a scale in `f32` for each group of them.

use crate::error::Result;
use crate::groups::{Groups, largest, usable};
use crate::minifloat::Minifloat;
use crate::packing::bytes_of;
use crate::rounding::{Overflow, Rounding};

/// Floats whose groups are scaled so that the largest absolute value becomes the largest number (Micikevicius et al., "FP8
/// formats for deep learning", arXiv 2209.05433, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaled {
    /// What an element is, in eight bits at most.
    pub element: Minifloat,
}

/// A matrix in scaled floats.
#[derive(Debug, Clone, PartialEq)]
pub struct Floats {
    element: Minifloat,
    groups: Groups,
    /// Codes of the elements, one in a byte, in the order of the matrix.
    pub codes: Vec<u8>,
    /// Of the shape [`Groups::scales`].
    pub scales: Vec<f32>,
}

impl Scaled {
    /// A row-major matrix in such floats: an element is its scale times its float.
    ///
    /// A scale below the normal numbers of `f32` becomes 1. A group with a NaN or an infinity is NaN as a whole, by its scale.
    ///
    /// # Errors
    /// More or fewer numbers than the groups have places.
    pub fn quantised(&self, numbers: &[f32], groups: &Groups, rounding: Rounding) -> Result<Floats> {
        groups.expect(numbers.len())?;
        let (mut codes, mut scales) = (vec![0; numbers.len()], Vec::new());
        for places in groups.each() {
            let scale = usable(largest(places.clone().map(|place| numbers[place])) / self.element.largest());
            scales.push(scale);
            for place in places {
                let code = self.element.encode(numbers[place] / scale, Overflow::Saturate, rounding.at(place));
                // Nothing where the scale is NaN, and then any code is right.
                codes[place] = code.map_or(0, |code| code as u8);
            }
        }
        Ok(Floats { element: self.element, groups: *groups, codes, scales })
    }
}

impl Floats {
    /// The numbers that codes and scales stand for.
    pub fn dequantised(&self) -> Vec<f32> {
        let values = self.element.table();
        self.groups.decoded(&self.codes, |code, group| values[usize::from(code)] * self.scales[group])
    }

    /// Bytes of packed codes and of scales in `f32`.
    pub fn bytes(&self) -> usize {
        let [rows, columns] = self.groups.shape();
        rows * bytes_of(columns, self.element.bits()) + self.scales.len() * size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::groups::Axis;
    use crate::{E2M1, E4M3FN, E5M2};

    fn column(element: Minifloat, numbers: &[f32]) -> Floats {
        let groups = Groups::new([numbers.len(), 1], Axis::Rows, numbers.len()).unwrap();
        Scaled { element }.quantised(numbers, &groups, Rounding::NearestEven).unwrap()
    }

    #[test]
    fn groups_found_by_hand() {
        let found = column(E4M3FN, &[896.0, -2.0, 0.0, 0.002]);
        assert_eq!((found.codes.as_slice(), found.scales.as_slice()), (&[0x7e, 0xb8, 0, 1][..], &[2.0][..]));
        assert_eq!((found.dequantised(), found.bytes()), (vec![896.0, -2.0, 0.0, 2.0_f32.powi(-8)], 4 + 4));
        // Two to a byte, and each row begins with one of its own.
        assert_eq!(column(E2M1, &[3.0, -0.25]).dequantised(), [3.0, -0.25]);
        assert_eq!(column(E2M1, &[3.0, -0.25]).bytes(), 2 + 4);
    }

    #[test]
    fn zeros_stay_and_what_is_not_finite_makes_its_group_nan() {
        for element in [E4M3FN, E5M2, E2M1] {
            assert_eq!(column(element, &[0.0, -0.0]).dequantised(), [0.0, 0.0]);
            for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let found = column(element, &[1.0, wrong]).dequantised();
                assert!(found.iter().all(|number| number.is_nan()), "{} {wrong}: {found:?}", element.name);
            }
        }
    }

    proptest! {
        #[test]
        fn an_element_is_off_by_half_a_step_of_its_binade(
            shares in proptest::collection::vec(-1.0_f32..1.0, 1..50),
            exponent in -20..20_i32,
        ) {
            let numbers: Vec<f32> = shares.iter().map(|one| one * 10.0_f32.powi(exponent)).collect();
            let found = column(E4M3FN, &numbers);
            let (least, weights) = (f64::from(found.scales[0]) * 2.0_f64.powi(-10), found.dequantised());
            for (number, weight) in numbers.iter().zip(weights) {
                // Half of 2⁻³ of the number, or half of the smallest step; quotient and product round too.
                let most = (f64::from(number.abs()) / 16.0).max(least) * (1.0 + 1e-6);
                let off = (f64::from(*number) - f64::from(weight)).abs();
                prop_assert!(off <= most, "{number} became {weight}, more than {most} from it");
            }
        }
    }
}
