//! Codes that choose from a table: NF4 of QLoRA (Dettmers et al., arXiv 2305.14314), and scales that are quantised themselves.
//!
//! What bitsandbytes computes is the definition of both. The order of its codes in memory is `Order::HighFirst`, its blocks are
//! groups of 64 of the flattened weights, and those of scales are 256.

use crate::error::Result;
use crate::groups::{Axis, Groups, largest};
use crate::packing::bytes_of;

/// A table of numbers from −1 to 1 in ascending order, and how many bits a code has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Codebook {
    /// Bits of a code.
    pub bits: u32,
    /// The number of each code.
    pub values: &'static [f32],
}

/// NF4: quantiles of the normal distribution, with zero (arXiv 2305.14314, appendix E).
pub const NF4: Codebook = Codebook { bits: 4, values: &NORMAL };

/// Signed dynamic numbers of eight bits: a sign, zeros that are an exponent of ten, a one, and a linear fraction (Dettmers, arXiv
/// 1511.04561).
pub const DYNAMIC: Codebook = Codebook { bits: 8, values: &DYNAMIC_VALUES };

static NORMAL: [f32; 16] = [
    -1.0,
    -0.6961928,
    -0.52507305,
    -0.3949175,
    -0.28444138,
    -0.18477343,
    -0.091050036,
    0.0,
    0.0795803,
    0.1609302,
    0.2461123,
    0.33791524,
    0.44070983,
    0.562617,
    0.72295684,
    1.0,
];

static DYNAMIC_VALUES: [f32; 256] = dynamic();

/// The values of [`DYNAMIC`]: 2ⁱ to each side for each power of ten, which are the middles of steps from a tenth to one; zero,
/// and one.
const fn dynamic() -> [f32; 256] {
    let mut values = [0.0; 256];
    let (mut power, mut place) = (0, 128);
    while power < TENS.len() {
        let steps = 1 << power;
        let mut step = 0;
        while step < steps {
            let middle = (boundary(step, steps) + boundary(step + 1, steps)) / 2.0;
            values[place] = TENS[power] * middle;
            values[254 - place] = -values[place];
            step += 1;
            place += 1;
        }
        power += 1;
    }
    values[255] = 1.0;
    values
}

const TENS: [f32; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];

/// Boundary `index` of so many equal steps from a tenth to one, as `torch.linspace` rounds it: from the nearer end, once.
const fn boundary(index: usize, steps: usize) -> f32 {
    let (low, high) = (0.1_f32, 1.0_f32);
    let step = (high - low) / steps as f32;
    if index < steps.div_ceil(2) {
        (low as f64 + step as f64 * index as f64) as f32
    } else {
        (high as f64 - step as f64 * (steps - index) as f64) as f32
    }
}

/// Below this, the largest value of a block counts as much, so that its reciprocal is finite.
const LEAST: f32 = 1e-38;

/// A matrix in codes of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    codebook: Codebook,
    groups: Groups,
    /// One in a byte, in the order of the matrix.
    pub codes: Vec<u8>,
    /// The largest absolute value of each group, of the shape [`Groups::scales`].
    pub scales: Vec<f32>,
}

impl Codebook {
    /// The code of a number: that of the nearest value, of two as near the lower one; the last one for NaN.
    pub fn code(&self, number: f32) -> u8 {
        let passed = |pair: &&[f32]| number > (pair[0] + pair[1]) / 2.0 || number.is_nan();
        // They ascend, so that those that are passed come first; all are asked, since that takes no branch for each.
        self.values.windows(2).filter(passed).count() as u8
    }

    /// A row-major matrix in this table, each group by its largest absolute value.
    ///
    /// A group with a NaN or an infinity is NaN as a whole, by its scale.
    ///
    /// # Errors
    /// More or fewer numbers than the groups have places.
    pub fn quantised(&self, numbers: &[f32], groups: &Groups) -> Result<Coded> {
        groups.expect(numbers.len())?;
        let (mut codes, mut scales) = (vec![0; numbers.len()], Vec::new());
        for places in groups.each() {
            let largest = largest(places.clone().map(|place| numbers[place]));
            let inverse = 1.0 / largest.max(LEAST);
            for place in places {
                codes[place] = self.code((numbers[place] * inverse).clamp(-1.0, 1.0));
            }
            scales.push(if largest.is_finite() { largest } else { f32::NAN });
        }
        Ok(Coded { codebook: *self, groups: *groups, codes, scales })
    }
}

impl Coded {
    /// The numbers that codes and scales stand for.
    pub fn dequantised(&self) -> Vec<f32> {
        self.dequantised_by(&self.scales)
    }

    /// The same by other scales, such as those that are left of [`Doubled`] ones.
    ///
    /// # Panics
    /// If these are fewer scales than there are groups: an error of the code that asks.
    pub fn dequantised_by(&self, scales: &[f32]) -> Vec<f32> {
        let values = self.codebook.values;
        self.groups.decoded(&self.codes, |code, group| values[usize::from(code)] * scales[group])
    }

    /// Bytes of packed codes and of scales in `f32`.
    pub fn bytes(&self) -> usize {
        let [rows, columns] = self.groups.shape();
        rows * bytes_of(columns, self.codebook.bits) + self.scales.len() * size_of::<f32>()
    }
}

/// Scales in eight bits each: less their mean, in blocks of 256 (double quantisation, arXiv 2305.14314, section 3).
///
/// Each is the nearest of [`DYNAMIC`]; on CPUs bitsandbytes 0.50 looks codes up on a grid of 2⁻¹⁵, and now and then takes the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubled {
    /// What every scale is taken less of.
    pub offset: f32,
    /// Codes of [`DYNAMIC`], and a scale for each block of them.
    pub coded: Coded,
}

impl Doubled {
    /// Elements that share a scale of scales.
    pub const BLOCK: usize = 256;

    /// These scales less their mean, which is rounded once. A NaN among them makes all of them NaN.
    ///
    /// # Errors
    /// None today: any number of scales can be quantised.
    pub fn new(scales: &[f32]) -> Result<Self> {
        let sum: f64 = scales.iter().map(|scale| f64::from(*scale)).sum();
        Self::with_offset(scales, (sum / scales.len().max(1) as f64) as f32)
    }

    /// These scales less another number, such as the mean by the order of sums of another library.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_offset(scales: &[f32], offset: f32) -> Result<Self> {
        let less: Vec<f32> = scales.iter().map(|scale| scale - offset).collect();
        let groups = Groups::new([1, less.len()], Axis::Columns, Self::BLOCK)?;
        Ok(Self { offset, coded: DYNAMIC.quantised(&less, &groups)? })
    }

    /// What is left of the scales.
    pub fn scales(&self) -> Vec<f32> {
        self.coded.dequantised().into_iter().map(|less| less + self.offset).collect()
    }

    /// Bytes of codes, of their scales, and of the offset.
    pub fn bytes(&self) -> usize {
        self.coded.bytes() + size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(numbers: &[f32], size: usize) -> Groups {
        Groups::new([1, numbers.len()], Axis::Columns, size).unwrap()
    }

    #[test]
    fn tables_ascend_and_have_zero_and_one() {
        for Codebook { bits, values } in [NF4, DYNAMIC] {
            assert!(values.is_sorted_by(|low, high| low < high) && values.len() == 1 << bits, "{values:?}");
            assert!(values.contains(&0.0) && values.last() == Some(&1.0));
            let codes: Vec<u8> = values.iter().map(|value| Codebook { bits, values }.code(*value)).collect();
            assert!(codes.iter().enumerate().all(|(place, code)| usize::from(*code) == place));
        }
    }

    #[test]
    fn a_tie_has_the_lower_code_and_nan_the_last() {
        for place in 0..15 {
            let middle = (NF4.values[place] + NF4.values[place + 1]) / 2.0;
            let around = [middle.next_down(), middle, middle.next_up()].map(|number| usize::from(NF4.code(number)));
            assert_eq!(around, [place, place, place + 1]);
        }
        assert_eq!([f32::NAN, -3.0, 3.0].map(|number| NF4.code(number)), [15, 0, 15]);
    }

    #[test]
    fn groups_found_by_hand() {
        let numbers = [2.0, -4.0, 0.2, 0.0, 0.0, -0.0];
        let found = NF4.quantised(&numbers, &row(&numbers, 4)).unwrap();
        // Of 4: 0.5 is nearest to 0.44, and 0.05 to 0.08; zeros are exact.
        assert_eq!((found.codes.as_slice(), found.scales.as_slice()), (&[12, 0, 8, 7, 7, 7][..], &[4.0, 0.0][..]));
        assert_eq!(found.dequantised()[..2], [4.0 * NF4.values[12], -4.0]);
        assert_eq!((found.dequantised()[3..].to_vec(), found.bytes()), (vec![0.0; 3], 3 + 8));
    }

    #[test]
    fn what_is_not_finite_makes_its_group_nan() {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let numbers = [1.0, wrong, 1.0, 1.0];
            let found = NF4.quantised(&numbers, &row(&numbers, 2)).unwrap().dequantised();
            assert!(found[..2].iter().all(|number| number.is_nan()) && found[2..] == [1.0, 1.0], "{found:?}");
        }
    }

    #[test]
    fn doubled_scales_lose_what_the_table_loses() {
        let scales: Vec<f32> = (0..600_u16).map(|place| 1.0 + f32::from(place * 37 % 600) / 600.0).collect();
        let doubled = Doubled::new(&scales).unwrap();
        // 600 codes, three scales of them, the offset.
        assert_eq!((doubled.bytes(), doubled.coded.scales.len()), (600 + 12 + 4, 3));
        assert!((doubled.offset - 1.49917).abs() < 1e-5, "the mean of the scales: {}", doubled.offset);
        for (place, (before, after)) in scales.iter().zip(doubled.scales()).enumerate() {
            // The widest step of the table is 0.0141 of the largest of a block.
            let most = 0.0071 * doubled.coded.scales[place / 256];
            assert!((before - after).abs() <= most, "{before} became {after}, more than {most} from it");
        }
        assert_eq!(Doubled::new(&[]).unwrap().scales(), [0.0_f32; 0]);
        assert!(Doubled::new(&[1.0, f32::NAN]).unwrap().scales().iter().all(|scale| scale.is_nan()));
    }
}
