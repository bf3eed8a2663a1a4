//! The tile of a product, compiled for each instruction set.
#![expect(unsafe_code, reason = "functions for an instruction set are called where it was detected, and only there")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;

use super::decoded::{PackedWeights, decode};
use super::decoder::with_decoder;
use super::int4::{Int4Weights, ZERO};
use super::pack::LEFT_ROW;
use crate::isa::sixteen_lanes;
use crate::memory::{Ahead, LINE, Soon};
use crate::portable::Lanes;
use crate::vector::{Strided, Vector, multiply, zero};

/// Where a tile of a product goes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its first number.
    pub start: *mut f32,
    /// Numbers from one row to the next.
    pub per_row: usize,
    /// Rows and columns: a whole tile's, or fewer at an edge.
    pub size: [usize; 2],
    /// Whether numbers are set instead of added to.
    pub fresh: bool,
}

/// A tile of a product.
pub trait Tile {
    /// Rows of a tile.
    const ROWS: usize;
    /// Columns of a tile: two registers' lanes.
    const COLUMNS: usize;

    /// Adds to `out`, rows `per_row` apart, the product of packed `left` `[rows, LEFT_ROW]` and `right` `[steps, COLUMNS]`.
    ///
    /// Only `rows` × `columns` of the tile are written; where `fresh`, they are set instead of added to.
    fn add(&self, left: &[f32], right: &[f32], out: &mut [f32], per_row: usize, size: [usize; 2], fresh: bool) {
        let ([rows, columns], steps) = (size, right.len() / Self::COLUMNS);
        assert!((1..=Self::ROWS).contains(&rows) && (1..=Self::COLUMNS).contains(&columns) && steps <= LEFT_ROW);
        assert!(left.len() >= rows * LEFT_ROW && out.len() >= (rows - 1) * per_row + columns);
        let from = Strided { start: left.as_ptr(), per_row: LEFT_ROW, per_step: 1 };
        let to = Target { start: out.as_mut_ptr(), per_row, size, fresh };
        // SAFETY: the lengths are as they must be.
        unsafe { self.add_at(from, right, to, [Soon::of(right); 2]) }
    }

    /// Packs panels `[panels, steps, COLUMNS]` from the first columns of `steps` rows, `per_row` numbers apart.
    fn pack(&self, from: &[f32], per_row: usize, steps: usize, to: &mut [f32]);

    /// The same from weights of `columns` columns that are packed otherwise: `steps` of their rows from `step` on, columns from
    /// `first` on.
    fn unpack(&self, from: &Int4Weights, columns: usize, steps: [usize; 2], first: usize, to: &mut [f32]);

    /// The same from weights that are packed for these tiles, from the first step of a word and the first column of a panel on.
    fn decode(&self, from: &PackedWeights, steps: [usize; 2], first: usize, to: &mut [f32]);

    /// The same as [`Self::add`] for factors that lie anywhere. Meanwhile memory is asked for what is read soon, line by line.
    ///
    /// # Safety
    /// The steps of `left` lie together; it can be read at every row of the target and every step of `right`, and the target's
    /// numbers can be read and written.
    unsafe fn add_at<A: Ahead>(&self, left: Strided, right: &[f32], to: Target, soon: A);
}

/// # Safety
/// As for [`Tile::add_at`], with `ROWS` rows and all columns; the CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn whole<V: Vector, const ROWS: usize, A: Ahead>(left: Strided, right: &[f32], to: Target, soon: A) {
    let (columns, sums_at) = (2 * V::LANES, Soon::at(to.start));
    let steps = right.len() / columns;
    // All callers' steps lie together, which is known here where it is compiled.
    let left = Strided { per_step: 1, ..left };
    // SAFETY: as promised.
    unsafe {
        let mut sums = zero::<V, ROWS>();
        for line in 0..steps / LINE {
            soon.line(line);
            if line < ROWS {
                (0..columns).step_by(V::LANES).for_each(|column| sums_at.ask(line * to.per_row + column));
            }
            let right = right.as_ptr().add(line * LINE * columns);
            sums = multiply(LINE, left.step(line * LINE), right, columns, sums);
        }
        let done = steps / LINE * LINE;
        sums = multiply(steps - done, left.step(done), right.as_ptr().add(done * columns), columns, sums);
        for (row, mut sum) in sums.into_iter().enumerate() {
            let to_row = to.start.add(row * to.per_row);
            // Added to at the end: the arithmetic never waits for them.
            if !to.fresh {
                sum = [sum[0].add(V::load(to_row)), sum[1].add(V::load(to_row.add(V::LANES)))];
            }
            sum[0].store(to_row);
            sum[1].store(to_row.add(V::LANES));
        }
    }
}

/// Rows of the right factor that memory is asked for ahead: the next one often lies in another page, where no processor looks
/// by itself.
const AHEAD: usize = 12;

/// # Safety
/// The CPU has `V`'s instruction set, and `panels` registers' pairs can be read at each row.
#[inline(always)]
unsafe fn pack<V: Vector>(from: &[f32], per_row: usize, steps: usize, to: &mut [f32]) {
    let columns = 2 * V::LANES;
    let panels = to.len() / (steps * columns);
    let ahead = Soon::at(from.as_ptr().wrapping_add(AHEAD * per_row));
    for row in 0..steps {
        // SAFETY: as promised.
        unsafe {
            let (mut line, mut to) = (from.as_ptr().add(row * per_row), to.as_mut_ptr().add(row * columns));
            for panel in 0..panels {
                for side in [0, V::LANES] {
                    ahead.ask(row * per_row + panel * columns + side);
                    V::load(line.add(side)).store(to.add(side));
                }
                (line, to) = (line.add(columns), to.wrapping_add(steps * columns));
            }
        }
    }
}

/// # Safety
/// The CPU has `V`'s instruction set; these rows of `from` are there, and so are the columns of the panels from `first` on,
/// which is even.
#[inline(always)]
unsafe fn unpack<V: Vector>(
    from: &Int4Weights,
    columns: usize,
    [step, steps]: [usize; 2],
    first: usize,
    to: &mut [f32],
) {
    let (wide, per_row) = (2 * V::LANES, columns.div_ceil(2));
    let panels = to.len() / (steps * wide);
    let ahead = Soon::at(from.codes.as_ptr().wrapping_add(AHEAD * per_row));
    for row in 0..steps {
        let codes_at = (step + row) * per_row + first / 2;
        let scales_at = (step + row) / from.group * columns + first;
        // SAFETY: as promised.
        unsafe {
            let middle = V::splat(ZERO);
            let (codes, scales) = (from.codes.as_ptr().add(codes_at), from.scales.as_ptr().add(scales_at));
            for panel in 0..panels {
                let to = to.as_mut_ptr().add((panel * steps + row) * wide);
                ahead.ask(codes_at + panel * V::LANES);
                for side in [0, V::LANES] {
                    let column = panel * wide + side;
                    let weights = V::nibbles(codes.add(column / 2)).sub(middle);
                    weights.mul(V::load(scales.add(column))).store(to.add(side));
                }
            }
        }
    }
}

macro_rules! tile {
    ($name:ident, $vector:ty, $rows:literal, [$($fewer:literal)*] $(, $feature:literal)?) => {
        /// Made only where the instruction set was detected.
        pub struct $name(());

        impl $name {
            /// # Safety
            /// The CPU has the instruction set.
            pub unsafe fn new() -> Self {
                Self(())
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn panels(from: &[f32], per_row: usize, steps: usize, to: &mut [f32]) {
                // SAFETY: as promised by the caller below.
                unsafe { pack::<$vector>(from, per_row, steps, to) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn unpacked(from: &Int4Weights, columns: usize, steps: [usize; 2], first: usize, to: &mut [f32]) {
                // SAFETY: as promised by the caller below.
                unsafe { unpack::<$vector>(from, columns, steps, first, to) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn decoded(from: &PackedWeights, steps: [usize; 2], first: usize, to: &mut [f32]) {
                with_decoder!(from.code, from.nan, |decoder| {
                    // SAFETY: as promised by the caller below.
                    unsafe { decode::<$vector, _>(decoder, &from.words, steps, first, to) }
                });
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn rows<A: Ahead>(left: Strided, right: &[f32], to: Target, soon: A) {
                // SAFETY: as promised by the caller below.
                unsafe {
                    match to.size[0] {
                        $($fewer => whole::<$vector, $fewer, A>(left, right, to, soon),)*
                        _ => whole::<$vector, $rows, A>(left, right, to, soon),
                    }
                }
            }
        }

        impl Tile for $name {
            const ROWS: usize = $rows;
            const COLUMNS: usize = 2 * <$vector as Vector>::LANES;

            fn pack(&self, from: &[f32], per_row: usize, steps: usize, to: &mut [f32]) {
                let across = to.len() / steps;
                assert!(across <= per_row && to.len() % (steps * Self::COLUMNS) == 0);
                assert!(from.len() >= (steps - 1) * per_row + across);
                // SAFETY: the CPU has the instruction set, and each of the rows has all columns.
                unsafe { Self::panels(from, per_row, steps, to) }
            }

            fn unpack(
                &self,
                from: &Int4Weights,
                columns: usize,
                [step, steps]: [usize; 2],
                first: usize,
                to: &mut [f32],
            ) {
                let (across, end) = (to.len() / steps, step + steps);
                assert!(first % 2 == 0 && first + across <= columns && to.len() % (steps * Self::COLUMNS) == 0);
                assert!(from.codes.len() >= end * columns.div_ceil(2));
                assert!(from.scales.len() >= end.div_ceil(from.group) * columns);
                // SAFETY: the CPU has the instruction set, and all of these rows and columns are there.
                unsafe { Self::unpacked(from, columns, [step, steps], first, to) }
            }

            fn decode(&self, from: &PackedWeights, [step, steps]: [usize; 2], first: usize, to: &mut [f32]) {
                let (words, each) = (&from.words, steps * Self::COLUMNS);
                assert!(words.columns == Self::COLUMNS && first % Self::COLUMNS == 0 && to.len() % each == 0);
                assert!(first / Self::COLUMNS + to.len() / each <= words.panels() && step + steps <= words.size[0]);
                assert!(step % from.steps() == 0);
                // SAFETY: the CPU has the instruction set, and panels and steps are there.
                unsafe { Self::decoded(from, [step, steps], first, to) }
            }

            unsafe fn add_at<A: Ahead>(&self, left: Strided, right: &[f32], to: Target, soon: A) {
                let [rows, columns] = to.size;
                debug_assert!((1..=$rows).contains(&rows) && (1..=Self::COLUMNS).contains(&columns));
                if columns == Self::COLUMNS {
                    // SAFETY: the CPU has the instruction set, and the rest is promised.
                    return unsafe { Self::rows(left, right, to, soon) };
                }
                let mut edge = [0.0; $rows * Self::COLUMNS];
                let all = [rows, Self::COLUMNS];
                let aside = Target { start: edge.as_mut_ptr(), per_row: Self::COLUMNS, size: all, fresh: true };
                // SAFETY: as above; the edge has all columns.
                unsafe { Self::rows(left, right, aside, soon) };
                for (row, from) in edge.chunks_exact(Self::COLUMNS).take(rows).enumerate() {
                    // SAFETY: these are the target's numbers.
                    let to_row = unsafe { std::slice::from_raw_parts_mut(to.start.add(row * to.per_row), columns) };
                    for (number, from) in to_row.iter_mut().zip(from) {
                        *number = if to.fresh { *from } else { *number + from };
                    }
                }
            }
        }
    };
}

tile!(Portable, Lanes<4>, 4, [1 2 3]);
#[cfg(target_arch = "x86_64")]
tile!(Avx2, __m256, 6, [1 2 3 4 5], "avx2,fma");
sixteen_lanes!(tile, 12, [1 2 3 4 5 6 7 8 9 10 11]);
