//! Which elements of a matrix share a scale.

use std::iter::StepBy;
use std::ops::Range;

use crate::error::{Error, Result};

/// Along which axis of a matrix `[rows, columns]` the elements of a group follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axis {
    /// Down a column: of weights `[k, n]`, along `k`.
    Rows,
    /// Within a row: of weights `[n, k]`, along `k`.
    Columns,
}

/// A row-major matrix in groups of elements that follow each other; the last ones of a line may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    shape: [usize; 2],
    axis: Axis,
    size: usize,
}

impl Groups {
    /// Groups of `size` elements along `axis` of a matrix of `shape`, which is rows and columns.
    ///
    /// # Errors
    /// Groups of nothing.
    pub const fn new(shape: [usize; 2], axis: Axis, size: usize) -> Result<Self> {
        if size == 0 { Err(Error::NoGroup) } else { Ok(Self { shape, axis, size }) }
    }

    /// Rows and columns of the matrix.
    pub const fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Along which axis groups go.
    pub const fn axis(&self) -> Axis {
        self.axis
    }

    /// Elements that share a scale.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Rows and columns of the scales: `[⌈rows / size⌉, columns]` along rows, and `[rows, ⌈columns / size⌉]` along columns.
    pub const fn scales(&self) -> [usize; 2] {
        let [rows, columns] = self.shape;
        match self.axis {
            Axis::Rows => [rows.div_ceil(self.size), columns],
            Axis::Columns => [rows, columns.div_ceil(self.size)],
        }
    }

    /// The group of the element at this place: where its scale lies.
    pub const fn of(&self, place: usize) -> usize {
        let columns = self.shape[1];
        let (row, column) = (place / columns, place % columns);
        match self.axis {
            Axis::Rows => row / self.size * columns + column,
            Axis::Columns => row * self.scales()[1] + column / self.size,
        }
    }

    /// The places of the elements of each group, in the order of the scales.
    pub fn each(&self) -> impl Iterator<Item = StepBy<Range<usize>>> + use<> {
        let (groups, [down, across]) = (*self, self.scales());
        (0..down * across).map(move |group| groups.places([group / across, group % across]))
    }

    /// The numbers that codes stand for, by each code and the place of its scale.
    pub(crate) fn decoded(&self, codes: &[u8], number: impl Fn(u8, usize) -> f32) -> Vec<f32> {
        let ([_, columns], [_, across]) = (self.shape, self.scales());
        let mut numbers = Vec::with_capacity(codes.len());
        // Groups are counted as they come: a division for each code takes longer than all else.
        for (row, codes) in codes.chunks(columns.max(1)).enumerate() {
            match self.axis {
                Axis::Rows => {
                    let first = row / self.size * columns;
                    numbers.extend(codes.iter().zip(first..).map(|(code, scale)| number(*code, scale)));
                }
                Axis::Columns => {
                    for (codes, scale) in codes.chunks(self.size).zip(row * across..) {
                        numbers.extend(codes.iter().map(|code| number(*code, scale)));
                    }
                }
            }
        }
        numbers
    }

    fn places(&self, [down, across]: [usize; 2]) -> StepBy<Range<usize>> {
        let [rows, columns] = self.shape;
        match self.axis {
            Axis::Rows => {
                let last = rows.min((down + 1) * self.size);
                (down * self.size * columns + across..last * columns).step_by(columns)
            }
            Axis::Columns => {
                let last = columns.min((across + 1) * self.size);
                (down * columns + across * self.size..down * columns + last).step_by(1)
            }
        }
    }

    /// Refuses numbers that are more or fewer than the matrix has places.
    pub(crate) fn expect(&self, found: usize) -> Result<()> {
        let [rows, columns] = self.shape;
        if rows.checked_mul(columns) == Some(found) { Ok(()) } else { Err(Error::Length { found, shape: self.shape }) }
    }
}

/// The largest absolute value of some numbers, and 0 of none: NaN where there is one among them.
pub(crate) fn largest(numbers: impl Iterator<Item = f32>) -> f32 {
    let more = |largest, number: f32| if number > largest || number.is_nan() { number } else { largest };
    numbers.map(f32::abs).fold(0.0, more)
}

/// A scale as it is, or what takes its place: 1 for one below the normal numbers, so that all of its group becomes zero, and NaN
/// for an infinite one.
pub(crate) fn usable(scale: f32) -> f32 {
    if scale.is_normal() {
        scale
    } else if scale.is_finite() {
        1.0
    } else {
        f32::NAN
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_lie_along_their_axis() {
        let places = |axis| {
            let groups = Groups::new([3, 2], axis, 2).unwrap();
            (groups.scales(), groups.each().map(Iterator::collect::<Vec<_>>).collect::<Vec<_>>())
        };
        assert_eq!(places(Axis::Rows), ([2, 2], vec![vec![0, 2], vec![1, 3], vec![4], vec![5]]));
        assert_eq!(places(Axis::Columns), ([3, 1], vec![vec![0, 1], vec![2, 3], vec![4, 5]]));
        assert_eq!(Groups::new([3, 2], Axis::Rows, 0), Err(Error::NoGroup));
    }

    #[test]
    fn a_matrix_without_elements_has_no_groups() {
        for shape in [[0, 3], [3, 0], [0, 0]] {
            for axis in [Axis::Rows, Axis::Columns] {
                let groups = Groups::new(shape, axis, 4).unwrap();
                assert_eq!((groups.each().count(), groups.expect(0)), (0, Ok(())), "{shape:?}");
            }
        }
        let groups = Groups::new([usize::MAX, 2], Axis::Rows, 4).unwrap();
        let said = groups.expect(0).unwrap_err().to_string();
        assert_eq!(said, format!("0 numbers are no matrix of {} rows and 2 columns", usize::MAX));
    }

    #[test]
    fn the_largest_of_numbers_with_nan_is_nan() {
        assert_eq!(largest([1.0, -3.0, 2.0].into_iter()), 3.0);
        for place in 0..3 {
            let mut numbers = [f32::INFINITY, -1.0, 2.0];
            numbers[place] = f32::NAN;
            assert!(largest(numbers.into_iter()).is_nan(), "{place}");
        }
        assert_eq!(largest([].into_iter()), 0.0);
    }

    proptest! {
        #[test]
        fn each_element_is_in_the_group_whose_scale_it_has(
            (rows, columns, size, along) in (1..20_usize, 1..20_usize, 1..25_usize, any::<bool>()),
        ) {
            let groups = Groups::new([rows, columns], if along { Axis::Rows } else { Axis::Columns }, size).unwrap();
            let mut seen = vec![None; rows * columns];
            for (group, places) in groups.each().enumerate() {
                prop_assert!((1..=size).contains(&places.len()));
                places.for_each(|place| seen[place] = Some(group));
            }
            let expected: Vec<_> = (0..rows * columns).map(|place| Some(groups.of(place))).collect();
            prop_assert_eq!(&seen, &expected);
            let decoded = groups.decoded(&vec![3; rows * columns], |code, scale| f32::from(code) * scale as f32);
            let scales = expected.into_iter().flatten().map(|scale| 3.0 * scale as f32);
            prop_assert_eq!(decoded, scales.collect::<Vec<_>>());
        }
    }
}
