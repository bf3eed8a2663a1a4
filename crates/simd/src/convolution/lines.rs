//! What windows see of an image: its rows with the zeros around them, and numbers that are a stride apart side by side.

use std::ops::Range;

use super::{Convolution, ConvolutionWeights};
use crate::memory::scratch;

/// Channels of an image, those that a group sees.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    pub layer: &'a ConvolutionWeights,
    /// Rows and columns.
    pub size: [usize; 2],
    /// `[channels, height, width]`
    pub channels: &'a [f32],
}

/// What the windows of a part of a result see.
pub struct Lines<'a> {
    /// From the first number of the first window on.
    pub numbers: &'a [f32],
    per_channel: usize,
    /// Numbers from one row to the next.
    pub per_row: usize,
    /// Numbers from those that lie whole strides behind a window's first to those that lie one number further.
    per_rest: usize,
}

impl Lines<'_> {
    /// Where the first window's number at `row` and `column` of a channel lies; that of the next window lies behind it.
    #[inline(always)]
    pub fn place(&self, layer: &ConvolutionWeights, channel: usize, [row, column]: [usize; 2]) -> usize {
        let [strides, rest] = layer.columns[column];
        channel * self.per_channel + row * layer.of.dilation[0] * self.per_row + rest * self.per_rest + strides
    }
}

impl Image<'_> {
    /// Calls `with` on what the windows of `part`, rows and columns of a result, see in some channels: where that lies, if nothing
    /// of it is outside of the image and columns are not apart, and else laid out.
    pub fn lines(&self, channels: Range<usize>, part: &[Range<usize>; 2], with: impl FnOnce(&Lines)) {
        let (of, [height, width]) = (&self.layer.of, self.size);
        let inside = |axis: usize| {
            let ends = [part[axis].start, part[axis].end - 1].map(|place| place * of.stride[axis]);
            ends[0] >= of.padding[axis] && ends[1] + of.reach(axis) < of.padding[axis] + self.size[axis]
        };
        if of.stride[1] != 1 || !inside(0) || !inside(1) {
            return self.laid_out(channels, part, part[1].len(), with);
        }
        let [row, column] = [0, 1].map(|axis| part[axis].start * of.stride[axis] - of.padding[axis]);
        let first = (channels.start * height + row) * width + column;
        // Of no channel, nothing.
        let numbers = self.channels.get(first..).unwrap_or_default();
        with(&Lines { numbers, per_channel: height * width, per_row: width, per_rest: 0 });
    }

    /// The same laid out in scratch, in rows of which `across` numbers can be read from any place of a window on; those that no
    /// window sees are left as they are.
    pub fn laid_out(&self, channels: Range<usize>, part: &[Range<usize>; 2], across: usize, with: impl FnOnce(&Lines)) {
        let (of, [height, width]) = (&self.layer.of, self.size);
        let per_rest = across + of.reach(1) / of.stride[1];
        let per_row = of.stride[1] * per_rest;
        let per_channel = ((part[0].len() - 1) * of.stride[0] + of.reach(0) + 1) * per_row;
        scratch([channels.len() * per_channel], |[room]| {
            for (channel, to) in channels.zip(room.chunks_exact_mut(per_channel)) {
                for (row, to) in to.chunks_exact_mut(per_row).enumerate().filter(|(row, _)| seen(of, 0, *row)) {
                    let row = (part[0].start * of.stride[0] + row).checked_sub(of.padding[0]);
                    let row = row.filter(|row| *row < height);
                    let row = row.map(|row| &self.channels[(channel * height + row) * width..][..width]);
                    let rests = to.chunks_exact_mut(per_rest).enumerate();
                    for (rest, to) in rests.filter(|(rest, _)| seen(of, 1, *rest)) {
                        spread(of, row.unwrap_or_default(), part[1].start * of.stride[1] + rest, to);
                    }
                }
            }
            with(&Lines { numbers: room, per_channel, per_row, per_rest });
        });
    }
}

/// Whether a number so far behind a window's first is one of a window's, or of one that begins strides later.
fn seen(of: &Convolution, axis: usize, at: usize) -> bool {
    let (stride, dilation) = (of.stride[axis], of.dilation[axis]);
    (0..of.kernel[axis]).any(|tap| tap * dilation % stride == at % stride)
}

/// Numbers of a row that are a stride apart, from place `first` of the row with its zeros on; a row of nothing is zeros.
fn spread(of: &Convolution, row: &[f32], first: usize, to: &mut [f32]) {
    let (stride, padding) = (of.stride[1], of.padding[1]);
    // How many of them lie before a place.
    let before = |place: usize| place.saturating_sub(first).div_ceil(stride).min(to.len());
    let within = before(padding)..before(padding + row.len());
    to[..within.start].fill(0.0);
    to[within.end..].fill(0.0);
    if within.is_empty() {
        return;
    }
    let from = &row[first + within.start * stride - padding..];
    if stride == 1 {
        let count = within.len();
        to[within].copy_from_slice(&from[..count]);
    } else {
        to[within].iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, from)| *to = *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    /// A layer with two channels before and such windows, rows and columns alike.
    fn layer([kernel, stride, padding, dilation]: [usize; 4]) -> ConvolutionWeights {
        let [kernel, stride, padding, dilation] = [kernel, stride, padding, dilation].map(|size| [size; 2]);
        let of = Convolution { channels: [2, 1], groups: 1, kernel, stride, padding, dilation };
        ConvolutionWeights::new(of, &vec![0.0; 2 * of.taps()], &[0.0], Isa::Portable).unwrap()
    }

    /// Panics where windows of the second channel see something else than the image and zeros.
    fn compare(image: &Image, part: &[Range<usize>; 2], lines: &Lines) {
        let (of, [height, width]) = (&image.layer.of, image.size);
        for (row, column) in part[0].clone().flat_map(|row| part[1].clone().map(move |column| (row, column))) {
            let place = [row, column];
            for tap in (0..of.taps()).map(|tap| [tap / of.kernel[1], tap % of.kernel[1]]) {
                let at = [0, 1].map(|axis| {
                    let at = place[axis] * of.stride[axis] + tap[axis] * of.dilation[axis];
                    at.checked_sub(of.padding[axis]).filter(|at| *at < image.size[axis])
                });
                let right = match at {
                    [Some(row), Some(column)] => image.channels[(height + row) * width + column],
                    _ => 0.0,
                };
                let window = (row - part[0].start) * of.stride[0] * lines.per_row + column - part[1].start;
                let found = lines.numbers[lines.place(image.layer, 1, tap) + window];
                assert_eq!(found, right, "{of:?}: {tap:?} of {place:?}");
            }
        }
    }

    #[test]
    fn windows_see_the_image_and_zeros() {
        let channels: Vec<f32> = (1..=2 * 7 * 9).map(|number| number as f32).collect();
        let windows =
            [[1, 1, 0, 1], [3, 1, 1, 1], [3, 2, 0, 2], [2, 3, 4, 1], [5, 2, 9, 1], [1, 4, 0, 1], [3, 5, 3, 3]];
        for layer in windows.map(layer) {
            let image = Image { layer: &layer, size: [7, 9], channels: &channels };
            let [height, width] = layer.of.after(image.size).unwrap();
            for part in [[0..height, 0..width], [height / 2..height, width / 3..width], [0..1, width - 1..width]] {
                image.lines(0..2, &part, |lines| compare(&image, &part, lines));
                image.laid_out(0..2, &part, part[1].len() + 5, |lines| compare(&image, &part, lines));
            }
        }
    }
}
