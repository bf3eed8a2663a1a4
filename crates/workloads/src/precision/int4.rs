//! Four-bit weights with a scale for each group, by rounding to nearest.

use benchbook_core::{Array, DType};

/// The code of zero.
const ZERO: f32 = 8.0;

/// A matrix `[k, n]` in four bits an element, symmetric: groups of elements that follow each other along `k` share a scale, and
/// an element is its scale times its code less 8.
///
/// A scale is the largest absolute value of its group over 7.5: fifteen steps from minus that value to plus that value. A code is
/// rounded to nearest, ties to even, and kept within 0 to 15. That is the symmetric grid of GPTQ (Frantar et al., arXiv
/// 2210.17323; `sym` in its `quant.py`) with its baseline, RTN. An element is off by half a step at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Int4 {
    /// `[k, n]`, dtype `u4lo`: two to a byte along a row, the first in the low nibble.
    pub codes: Array,
    /// `[⌈k / group⌉, n]` in `f32`.
    pub scales: Array,
    /// Elements that share a scale.
    pub group: usize,
}

impl Int4 {
    /// A matrix of `f32` in this format. Its elements are finite, and no larger than 3e38: eight steps of more would overflow.
    ///
    /// # Panics
    /// If the array holds something else than `f32`, or a group no element.
    pub fn quantised(matrix: &Array, group: usize) -> Self {
        let (numbers, columns) = (matrix.of::<f32>(), matrix.width());
        let (mut codes, mut scales) = (vec![0_u8; numbers.len()], Vec::<f32>::new());
        let groups = numbers.chunks(group * columns).zip(codes.chunks_mut(group * columns));
        for (numbers, codes) in groups {
            let mut largest = vec![0.0_f32; columns];
            for row in numbers.chunks_exact(columns) {
                largest.iter_mut().zip(row).for_each(|(largest, number)| *largest = largest.max(number.abs()));
            }
            let shared: Vec<f32> = largest.into_iter().map(scale).collect();
            for (row, codes) in numbers.chunks_exact(columns).zip(codes.chunks_exact_mut(columns)) {
                for ((to, number), scale) in codes.iter_mut().zip(row).zip(&shared) {
                    *to = code(*number, *scale);
                }
            }
            scales.extend(shared);
        }
        let scales = Array::new(vec![matrix.rows().div_ceil(group), columns], &scales);
        Self { codes: packed(vec![matrix.rows(), columns], &codes), scales, group }
    }

    /// The matrix that the codes stand for, in `f32`.
    pub fn dequantised(&self) -> Array {
        let (codes, scales, columns) = (self.codes.to_f64(), self.scales.of::<f32>(), self.codes.width());
        let row = |(row, codes): (usize, &[f64])| -> Vec<f32> {
            let scales = &scales[row / self.group * columns..][..columns];
            codes.iter().zip(scales).map(|(code, scale)| scale * (*code as f32 - ZERO)).collect()
        };
        let numbers: Vec<f32> = codes.chunks_exact(columns).enumerate().flat_map(row).collect();
        Array::new(self.codes.shape().to_vec(), &numbers)
    }

    /// Bytes of codes and scales.
    pub fn bytes(&self) -> usize {
        self.codes.bytes().len() + self.scales.bytes().len()
    }
}

/// The scale of a group with this largest absolute value; 1 where that is so small that it becomes zero at any scale.
fn scale(largest: f32) -> f32 {
    let scale = largest / 7.5;
    if scale.is_normal() { scale } else { 1.0 }
}

fn code(number: f32, scale: f32) -> u8 {
    ((number / scale).round_ties_even() + ZERO).clamp(0.0, 15.0) as u8
}

/// Codes below 16 as an array, two to a byte along the last axis.
fn packed(shape: Vec<usize>, codes: &[u8]) -> Array {
    let columns = shape.last().copied().unwrap_or(1);
    let pair = |pair: &[u8]| pair[0] | (pair.get(1).unwrap_or(&0) << 4);
    let bytes: Vec<u8> = codes.chunks_exact(columns).flat_map(|row| row.chunks(2).map(pair)).collect();
    Array::from_bytes(DType::U4lo, shape, &bytes).unwrap_or_else(|error| panic!("packed codes: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(numbers: &[f32]) -> Array {
        Array::new(vec![numbers.len(), 1], numbers)
    }

    #[test]
    fn codes_scales_and_bytes_are_those_found_by_hand() {
        // The largest is 7.5: a step is 1. Halves go to the even neighbour; both ends are clipped by half a step.
        let one = Int4::quantised(&column(&[7.5, -7.5, 1.4, -0.5, 0.5, 1.5]), 6);
        assert_eq!((one.codes.to_f64(), one.scales.of::<f32>()), (vec![15.0, 0.0, 9.0, 8.0, 8.0, 10.0], &[1.0][..]));
        assert_eq!(one.dequantised().of::<f32>(), [7.0, -8.0, 1.0, 0.0, 0.0, 2.0]);
        // Two columns in groups of two rows, the last of one: the first nibble of a byte is the low one.
        let wide = Array::new(vec![3, 2], &[7.5_f32, 3.0, 1.0, -15.0, -30.0, 0.0]);
        let wide = Int4::quantised(&wide, 2);
        assert_eq!(wide.codes.bytes(), [0xaf, 0x09, 0x80]);
        assert_eq!((wide.scales.shape(), wide.scales.of::<f32>()), (&[2, 2][..], &[1.0, 2.0, 4.0, 1.0][..]));
        assert_eq!(wide.dequantised().of::<f32>(), [7.0, 4.0, 1.0, -16.0, -32.0, 0.0]);
        assert_eq!(wide.bytes(), 3 + 16);
    }

    #[test]
    fn zeros_and_the_smallest_numbers_become_zeros() {
        for smallest in [0.0, -0.0, f32::from_bits(1), -f32::MIN_POSITIVE] {
            let found = Int4::quantised(&column(&[smallest, 0.0, smallest]), 2);
            assert_eq!((found.scales.of::<f32>(), found.codes.to_f64()), (&[1.0, 1.0][..], vec![8.0; 3]));
            assert_eq!(found.dequantised().of::<f32>(), [0.0; 3]);
        }
    }

    #[test]
    fn the_largest_numbers_stay_finite() {
        let found = Int4::quantised(&column(&[3e38, -3e38, 1.0]), 3).dequantised();
        assert!(found.of::<f32>().iter().all(|number| number.is_finite()), "{found:?}");
        assert_eq!(found.of::<f32>()[2], 0.0, "a number beside one that is far larger");
    }

    proptest! {
        #[test]
        fn codes_come_back_as_they_were_packed(
            (columns, codes) in (1..20_usize, 0..20_usize).prop_flat_map(|(columns, rows)| {
                (Just(columns), proptest::collection::vec(0..16_u8, columns * rows))
            }),
        ) {
            let shape = vec![codes.len() / columns, columns];
            let array = packed(shape.clone(), &codes);
            prop_assert_eq!(array.to_f64(), codes.iter().map(|code| f64::from(*code)).collect::<Vec<_>>());
            prop_assert_eq!((array.dtype(), array.shape()), (DType::U4lo, &shape[..]));
            prop_assert_eq!(array.bytes().len(), shape[0] * columns.div_ceil(2));
        }

        #[test]
        fn an_element_is_off_by_half_a_step_at_most(
            (rows, columns, group) in (1..100_usize, 1..20_usize, 1..70_usize),
            exponent in -30..30_i32,
            seed in any::<u64>(),
        ) {
            let mut matrix = Array::normal(vec![rows, columns], seed, 1);
            matrix.of_mut::<f32>().iter_mut().for_each(|number| *number *= 10.0_f32.powi(exponent));
            let found = Int4::quantised(&matrix, group);
            prop_assert_eq!(&found, &Int4::quantised(&matrix, group));
            prop_assert_eq!(found.scales.shape().to_vec(), vec![rows.div_ceil(group), columns]);
            let (numbers, weights) = (matrix.to_f64(), found.dequantised().to_f64());
            for (place, (number, weight)) in numbers.iter().zip(&weights).enumerate() {
                let (row, column) = (place / columns, place % columns);
                let step = f64::from(found.scales.of::<f32>()[row / group * columns + column]);
                // The division and the product round too: by a share of 2⁻²⁴ of eight steps.
                let off = (number - weight).abs() / step;
                prop_assert!(off <= 0.5 + 1e-5, "{number} became {weight}, {off} steps from it");
            }
        }
    }
}
