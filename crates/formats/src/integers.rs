//! Integers of few bits with a scale, and perhaps a zero point, for each group of them.

use crate::error::{Error, Result};
use crate::groups::{Groups, largest, usable};
use crate::packing::bytes_of;
use crate::rounding::Rounding;

/// Which numbers the codes of a group stand for. With `b` bits, codes are 0 to 2ᵇ − 1, and the code of zero is taken from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grid {
    /// 2ᵇ − 1 steps from minus the largest absolute value to plus it, zero at 2ᵇ⁻¹: both ends are clipped by half a step, and an
    /// element is off by half a step at most (`sym` of GPTQ, Frantar et al., arXiv 2210.17323; `SYMMETRIC` of torchao).
    Symmetric,
    /// 2ᵇ⁻¹ − 1 steps from zero to the largest absolute value, zero at 2ᵇ⁻¹: the ends are exact, and the lowest code is not used
    /// (LLM.int8(), Dettmers et al., arXiv 2208.07339).
    Ends,
    /// 2ᵇ − 1 steps from the smallest value or zero to the largest value or zero; the code of zero, the *zero point*, is what
    /// rounding makes of it (Jacob et al., arXiv 1712.05877; `ASYMMETRIC` of torchao; ONNX `DynamicQuantizeLinear`).
    ZeroPoint,
}

/// Integers of so many bits on such a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Integers {
    /// 2 to 8.
    pub bits: u32,
    /// What codes stand for.
    pub grid: Grid,
}

/// A matrix in integers.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    bits: u32,
    groups: Groups,
    /// One in a byte, in the order of the matrix, unsigned: less 2ᵇ⁻¹ they are signed integers.
    pub codes: Vec<u8>,
    /// Of the shape [`Groups::scales`].
    pub scales: Vec<f32>,
    /// The zero points, of the same shape; none where all of them are 2ᵇ⁻¹.
    pub zeros: Vec<u8>,
}

impl Integers {
    /// A row-major matrix, rounded to such integers: an element is its scale times its code less the code of zero.
    ///
    /// A step below the normal numbers of `f32` becomes 1, so that all elements become zero. A group with a NaN or an infinity,
    /// or whose span overflows, is NaN as a whole, by its scale.
    ///
    /// # Errors
    /// More or fewer numbers than the groups have places, or integers of another width than 2 to 8 bits.
    pub fn quantised(&self, numbers: &[f32], groups: &Groups, rounding: Rounding) -> Result<Whole> {
        groups.expect(numbers.len())?;
        if !(2..=8).contains(&self.bits) {
            return Err(Error::Bits(self.bits));
        }
        let (mut codes, mut scales, mut zeros) = (vec![0; numbers.len()], Vec::new(), Vec::new());
        for places in groups.each() {
            let (scale, zero) = self.scale(places.clone().map(|place| numbers[place]));
            for place in places {
                let steps = rounding.at(place).whole(f64::from(numbers[place] / scale));
                codes[place] = (steps + f64::from(zero)).clamp(self.lowest(), self.highest().into()) as u8;
            }
            scales.push(scale);
            zeros.push(zero);
        }
        if self.grid != Grid::ZeroPoint {
            zeros.clear();
        }
        Ok(Whole { bits: self.bits, groups: *groups, codes, scales, zeros })
    }

    /// The lowest code that is used: a quotient may be just above the number of steps, and then a draw takes it one further.
    const fn lowest(&self) -> f64 {
        if matches!(self.grid, Grid::Ends) { 1.0 } else { 0.0 }
    }

    fn highest(&self) -> f32 {
        ((1_u32 << self.bits) - 1) as f32
    }

    /// The scale of a group, and its code of zero.
    fn scale(&self, group: impl Iterator<Item = f32> + Clone) -> (f32, u8) {
        let (largest, middle) = (largest(group.clone()), middle(self.bits));
        if !largest.is_finite() {
            return (f32::NAN, middle);
        }
        match self.grid {
            Grid::Symmetric => (usable(largest / (self.highest() / 2.0)), middle),
            Grid::Ends => (ends(largest, self.bits), middle),
            Grid::ZeroPoint => {
                let (low, high) = group.fold((0.0_f32, 0.0_f32), |(low, high), one| (low.min(one), high.max(one)));
                let scale = usable((high - low) / self.highest());
                (scale, (-low / scale).round_ties_even().clamp(0.0, self.highest()) as u8)
            }
        }
    }
}

/// The scale of a group with this largest absolute value, in integers of so many bits on [`Grid::Ends`]; NaN where it is not finite.
pub fn ends(largest: f32, bits: u32) -> f32 {
    usable(largest / f32::from(middle(bits) - 1))
}

/// The code of zero where it is no choice.
const fn middle(bits: u32) -> u8 {
    1 << (bits - 1)
}

impl Whole {
    /// The numbers that codes stand for: infinite where `f32` has none so large, as half a step beyond its own ends.
    pub fn dequantised(&self) -> Vec<f32> {
        let middle = middle(self.bits);
        self.groups.decoded(&self.codes, |code, group| {
            let zero = self.zeros.get(group).copied().unwrap_or(middle);
            self.scales[group] * (f32::from(code) - f32::from(zero))
        })
    }

    /// Bytes of packed codes, of scales in `f32`, and of zero points.
    pub fn bytes(&self) -> usize {
        let ([rows, columns], [down, across]) = (self.groups.shape(), self.groups.scales());
        let zeros = if self.zeros.is_empty() { 0 } else { down * bytes_of(across, self.bits) };
        rows * bytes_of(columns, self.bits) + self.scales.len() * size_of::<f32>() + zeros
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::groups::Axis;
    use crate::packing::{Order, packed};

    fn whole(bits: u32, grid: Grid, numbers: &[f32], [rows, columns]: [usize; 2], size: usize) -> Whole {
        let groups = Groups::new([rows, columns], Axis::Rows, size).unwrap();
        Integers { bits, grid }.quantised(numbers, &groups, Rounding::NearestEven).unwrap()
    }

    fn column(bits: u32, grid: Grid, numbers: &[f32]) -> Whole {
        whole(bits, grid, numbers, [numbers.len(), 1], numbers.len().max(1))
    }

    #[test]
    fn codes_scales_and_bytes_are_those_found_by_hand() {
        // The largest is 7.5: a step is 1. Halves go to the even neighbour; both ends are clipped by half a step.
        let one = column(4, Grid::Symmetric, &[7.5, -7.5, 1.4, -0.5, 0.5, 1.5]);
        assert_eq!((one.codes.as_slice(), one.scales.as_slice()), (&[15, 0, 9, 8, 8, 10][..], &[1.0][..]));
        assert_eq!(one.dequantised(), [7.0, -8.0, 1.0, 0.0, 0.0, 2.0]);
        // Two columns in groups of two rows, the last of one: the first nibble of a byte is the low one.
        let wide = whole(4, Grid::Symmetric, &[7.5, 3.0, 1.0, -15.0, -30.0, 0.0], [3, 2], 2);
        assert_eq!(packed(&wide.codes, 2, 4, Order::LowFirst), [0xaf, 0x09, 0x80]);
        assert_eq!((wide.scales.as_slice(), wide.zeros.len()), (&[1.0, 2.0, 4.0, 1.0][..], 0));
        assert_eq!(wide.dequantised(), [7.0, 4.0, 1.0, -16.0, -32.0, 0.0]);
        assert_eq!(wide.bytes(), 3 + 16);
    }

    #[test]
    fn the_other_grids_are_those_found_by_hand() {
        let ends = column(8, Grid::Ends, &[-127.0, 127.0, 0.5, 1.5, -63.2]);
        assert_eq!((ends.codes.as_slice(), ends.scales[0]), (&[1, 255, 128, 130, 65][..], 1.0));
        // −3 to 12 in fifteen steps: zero has the code 3.
        let zero = column(4, Grid::ZeroPoint, &[-3.0, 12.0, 0.0, 4.4]);
        assert_eq!((zero.codes.as_slice(), zero.scales[0], zero.zeros[0]), (&[0, 15, 3, 7][..], 1.0, 3));
        assert_eq!((zero.dequantised(), zero.bytes()), (vec![-3.0, 12.0, 0.0, 4.0], 4 + 4 + 1));
        // Of positive numbers zero is a code too, and of negative ones.
        assert_eq!(column(8, Grid::ZeroPoint, &[255.0, 10.0]).codes, [255, 10]);
        assert_eq!(column(8, Grid::ZeroPoint, &[-255.0, -10.0]).codes, [0, 245]);
    }

    #[test]
    fn no_draw_goes_beyond_the_ends() {
        // 1.7 / (1.7 / 127) is 127.00001, which one draw in 131072 takes to 128: the last one here.
        let numbers = vec![-1.7; 16_424];
        let groups = Groups::new([1, numbers.len()], Axis::Columns, numbers.len()).unwrap();
        let integers = Integers { bits: 8, grid: Grid::Ends };
        let found = integers.quantised(&numbers, &groups, Rounding::Stochastic { seed: 2 }).unwrap();
        assert!(found.codes.iter().all(|code| *code == 1), "the last code is {:?}", found.codes.last());
    }

    #[test]
    fn zeros_and_the_smallest_numbers_become_zeros() {
        for grid in [Grid::Symmetric, Grid::Ends, Grid::ZeroPoint] {
            for smallest in [0.0, -0.0, f32::from_bits(1), -f32::MIN_POSITIVE] {
                let found = column(4, grid, &[smallest, 0.0, smallest]);
                assert_eq!((found.scales.as_slice(), found.dequantised()), (&[1.0][..], vec![0.0; 3]), "{grid:?}");
            }
        }
    }

    #[test]
    fn the_largest_numbers_stay_finite_and_what_is_not_is_nan() {
        let found = column(4, Grid::Symmetric, &[3e38, -3e38, 1.0]).dequantised();
        assert!(found.iter().all(|number| number.is_finite()), "{found:?}");
        assert_eq!(found[2], 0.0, "a number beside one that is far larger");
        // −7.5 steps become −8, and f32 ends before.
        assert_eq!(column(4, Grid::Symmetric, &[f32::MIN]).dequantised(), [f32::NEG_INFINITY]);
        let nan = |grid, number: f32| column(8, grid, &[1.0, number, 2.0]).dequantised().iter().all(|one| one.is_nan());
        for grid in [Grid::Symmetric, Grid::Ends, Grid::ZeroPoint] {
            for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                assert!(nan(grid, number), "{grid:?} {number}");
            }
        }
        let wide = column(8, Grid::ZeroPoint, &[f32::MAX, f32::MIN]).dequantised();
        assert!(wide.iter().all(|one| one.is_nan()), "a span that no step of f32 has: {wide:?}");
    }

    #[test]
    fn what_has_no_codes_is_refused() {
        let groups = Groups::new([2, 2], Axis::Columns, 2).unwrap();
        let of = |bits, numbers: &[f32]| {
            let integers = Integers { bits, grid: Grid::Ends };
            integers.quantised(numbers, &groups, Rounding::NearestEven).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(of(8, &[1.0; 4]), Ok(()));
        assert_eq!(of(8, &[1.0; 3]), Err("3 numbers are no matrix of 2 rows and 2 columns".to_owned()));
        for bits in [0, 1, 9, 64] {
            assert_eq!(of(bits, &[1.0; 4]), Err(format!("integers of {bits} bits: there are those of 2 to 8")));
        }
    }

    proptest! {
        #[test]
        fn an_element_is_off_by_half_a_step_at_most(
            (rows, columns, size, bits) in (1..40_usize, 1..10_usize, 1..50_usize, 2..=8_u32),
            exponent in -30..30_i32,
            shares in proptest::collection::vec(-1.0_f32..1.0, 400),
            grid in prop_oneof![Just(Grid::Symmetric), Just(Grid::Ends), Just(Grid::ZeroPoint)],
        ) {
            let numbers: Vec<f32> = shares[..rows * columns].iter().map(|one| one * 10.0_f32.powi(exponent)).collect();
            let found = whole(bits, grid, &numbers, [rows, columns], size);
            for (place, (number, weight)) in numbers.iter().zip(found.dequantised()).enumerate() {
                let step = f64::from(found.scales[found.groups.of(place)]);
                // The division and the product round too, by a share of 2⁻²⁴ of 2ᵇ steps; a zero point by half a step.
                let most = if grid == Grid::ZeroPoint { 1.0 } else { 0.5 };
                let off = (f64::from(*number) - f64::from(weight)).abs() / step;
                prop_assert!(off <= most + 1e-4, "{number} became {weight}, {off} steps from it");
            }
        }
    }
}
