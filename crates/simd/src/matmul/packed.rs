//! Whole matrices in the order in which the registers take them, for products whose weights stay from call to call.

use std::ops::Range;

use super::isa::Tile;
use super::pack::{self, STEPS};
use crate::memory::LINE;
use crate::team::parallel_for;

/// Several times `N` matrices `[k, width]`, those that are taken together side by side: of each time its runs of steps, of a run
/// its panels, of a panel its sides. So what a task reads lies together.
#[derive(Debug)]
pub struct Packed<const N: usize> {
    k: usize,
    /// Panels of a matrix.
    pub panels: usize,
    /// Columns of a panel.
    columns: usize,
    numbers: Vec<f32>,
    /// The first number, at a cache line.
    start: usize,
}

impl<const N: usize> Packed<N> {
    /// Packs row-major `from`, `N` lists of `[count, k, width]` numbers, for the tile `T`.
    pub fn new<T: Tile + Sync>(tile: &T, from: [&[f32]; N], [count, k, width]: [usize; 3]) -> Self {
        let (columns, panels) = (T::COLUMNS, width.div_ceil(T::COLUMNS));
        let each = N * k * panels * columns;
        let mut numbers = vec![0.0; count * each + LINE];
        // Where no line can be found, numbers are as right, and slower.
        let start = numbers.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        parallel_for(numbers[start..][..count * each].chunks_exact_mut(each).enumerate(), |(index, mut rest)| {
            let from = from.map(|all| &all[index * k * width..][..k * width]);
            for [step, steps] in runs(k) {
                let run = rest.split_off_mut(..N * panels * steps * columns).unwrap_or_default();
                for (place, to) in run.chunks_exact_mut(steps * columns).enumerate() {
                    pack::columns(tile, from[place % N], width, [step, steps], place / N * columns, to);
                }
            }
        });
        Self { k, panels, columns, numbers, start }
    }

    /// Columns of all panels.
    pub fn across(&self) -> usize {
        self.panels * self.columns
    }

    /// The runs of steps: of each, the first step, and how many.
    pub fn runs(&self) -> impl Iterator<Item = [usize; 2]> + use<N> {
        runs(self.k)
    }

    /// Panels of a run of the `index`-th time, `[panels, N, steps, columns]`.
    pub fn panels(&self, index: usize, [step, steps]: [usize; 2], panels: Range<usize>) -> &[f32] {
        let across = N * self.columns;
        let run = self.start + (index * self.k + step) * self.panels * across;
        &self.numbers[run + panels.start * steps * across..][..panels.len() * steps * across]
    }
}

impl Packed<1> {
    /// Packs row-major `from` `[k, heads · width]`: every head begins with a panel of its own, so that a product can write each to a
    /// place of its own. A width that is no multiple of a panel's costs what the last panel has too much.
    pub fn of_heads<T: Tile + Sync>(tile: &T, from: &[f32], k: usize, [heads, width]: [usize; 2]) -> Self {
        let padded = width.next_multiple_of(T::COLUMNS);
        Self::new(tile, [&with_panels(from, [width, padded])], [1, k, heads * padded])
    }
}

/// Rows `[_, width]` as rows `[_, padded]`, zero beyond.
pub fn with_panels(from: &[f32], [width, padded]: [usize; 2]) -> Vec<f32> {
    let mut to = vec![0.0; from.len() / width * padded];
    for (to, from) in to.chunks_exact_mut(padded).zip(from.chunks_exact(width)) {
        to[..width].copy_from_slice(from);
    }
    to
}

/// The runs of `k` steps.
pub fn runs(k: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..k).step_by(STEPS).map(move |step| [step, STEPS.min(k - step)])
}
