//! Windows of an image as the right factor of a product.

use std::ops::Range;

use super::Call;
use super::lines::Image;
use crate::matmul::isa::Tile;
use crate::matmul::pack::Right;
use crate::matmul::{Factors, Tiles, block, task_size};
use crate::memory::Pieces;
use crate::team::parallel_for;

/// What results depend on: a column for each, of the numbers of its window, channel by channel, and a one.
struct Windows<'a> {
    image: Image<'a>,
    /// Columns of the result.
    width: usize,
}

impl Windows<'_> {
    /// Packs so many steps from `step` on of the windows of `places`, as many panels as these take.
    fn pack<T: Tile>(&self, [step, steps]: [usize; 2], places: Range<usize>, to: &mut [f32]) {
        let layer = self.image.layer;
        let ([seen, _], taps, [_, across]) = (layer.of.of_group(), layer.of.taps(), layer.of.kernel);
        let channels = step / taps..seen.min((step + steps).div_ceil(taps));
        let (count, part) = (places.len(), self.part(&places));
        let (begin, wide) = (places.start % self.width - part[1].start, part[1].len());
        self.image.lines(channels.clone(), &part, |lines| {
            let apart = layer.of.stride[0] * lines.per_row;
            for index in 0..steps {
                let (channel, tap) = ((step + index) / taps, (step + index) % taps);
                let panels = to.chunks_exact_mut(steps * T::COLUMNS).enumerate().map(|(panel, to)| {
                    let wanted = T::COLUMNS.min(count - panel * T::COLUMNS);
                    &mut to[index * T::COLUMNS..][..wanted]
                });
                if channel == seen {
                    panels.for_each(|to| to.fill(1.0));
                    continue;
                }
                let first = lines.place(layer, channel - channels.start, [tap / across, tap % across]);
                let (mut row, mut column) = (0, begin);
                for to in panels {
                    let mut done = 0;
                    while done < to.len() {
                        let together = (wide - column).min(to.len() - done);
                        copy::<T>(&lines.numbers[first + row * apart + column..], &mut to[done..done + together]);
                        (done, column) = (done + together, column + together);
                        if column == wide {
                            (row, column) = (row + 1, 0);
                        }
                    }
                }
            }
        });
    }

    /// Rows and columns of the result that hold these places: whole rows where it is more than one.
    fn part(&self, places: &Range<usize>) -> [Range<usize>; 2] {
        let [first, last] = [places.start, places.end - 1].map(|place| place / self.width);
        let begin = places.start % self.width;
        let columns = if first == last { begin..begin + places.len() } else { 0..self.width };
        [first..last + 1, columns]
    }
}

/// Copies the first numbers; as many as a panel has are a few moves.
fn copy<T: Tile>(from: &[f32], to: &mut [f32]) {
    if to.len() == T::COLUMNS {
        to[..T::COLUMNS].copy_from_slice(&from[..T::COLUMNS]);
    } else {
        to.copy_from_slice(&from[..to.len()]);
    }
}

impl Right for Windows<'_> {
    fn panels<T: Tile>(&self, _tile: &T, _columns: usize, steps: [usize; 2], first: usize, to: &mut [f32]) {
        let count = to.len() / steps[1];
        if count > 0 {
            self.pack::<T>(steps, first..first + count, to);
        }
    }

    fn last<T: Tile>(&self, columns: usize, steps: [usize; 2], count: usize, to: &mut [f32]) {
        self.pack::<T>(steps, columns - count..columns, to);
    }
}

/// A product for each group of each image: its kernels by its windows.
pub fn run<T: Tile + Sync>(tile: &T, call: &Call, out: &mut [f32]) {
    let (layer, [height, width]) = (call.layer, call.after);
    let ([seen, made], places) = (layer.of.of_group(), height * width);
    let (kernels, each) = (seen * layer.of.taps() + 1, made * places);
    let (products, threads) = (out.len() / each, rayon::current_num_threads());
    // Where every thread gets as many products, none of them is shared.
    let share = if products.is_multiple_of(threads) { 1 } else { threads };
    let [rows, columns] = task_size::<T>([made, places], share, Tiles::USUAL);
    let [down, across] = [made.div_ceil(rows), places.div_ceil(columns)];
    let out = Pieces::new(out);
    parallel_for(0..products * down * across, |task| {
        let (product, part) = (task / (down * across), task % (down * across));
        let (row, column) = (part / across * rows, part % across * columns);
        let left = &layer.rows[product % layer.of.groups * made * kernels..][..made * kernels];
        let right = &Windows { image: call.image(product), width };
        let factors = Factors { size: [made, kernels, places], left, right };
        let out = out.part(product * each..(product + 1) * each);
        let part = [row..made.min(row + rows), column..places.min(column + columns)];
        block(tile, &factors, Tiles::USUAL, part, &out);
    });
}
