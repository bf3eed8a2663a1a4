//! Convolutions: every instruction set against plain loops in `f64`, and calls that must be refused.

use benchbook_simd::{Convolution, ConvolutionWeights, Isa, convolution};
use proptest::prelude::*;

use crate::common::{close, numbers, present};

/// A convolution of images of a size, and its numbers.
struct Drawn {
    of: Convolution,
    /// Batch, height and width.
    size: [usize; 3],
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Drawn {
    fn new(of: Convolution, size: [usize; 3], seed: u64) -> Self {
        let ([from, to], taps) = (of.channels, of.kernel[0] * of.kernel[1]);
        let input = numbers(from * size.iter().product::<usize>(), seed);
        let (weight, bias) = (numbers(to * (from / of.groups) * taps, seed ^ 1), numbers(to, seed ^ 2));
        Self { of, size, input, weight, bias }
    }

    fn answer(&self, isa: Isa) -> Vec<f32> {
        let weights = ConvolutionWeights::new(self.of, &self.weight, &self.bias, isa).unwrap();
        let [batch, height, width] = self.size;
        let after: usize = self.of.after([height, width]).unwrap().iter().product();
        let mut out = vec![f32::NAN; batch * self.of.channels[1] * after];
        convolution(&weights, self.size, &self.input, &mut out).unwrap();
        out
    }

    /// Where tap `tap` of a window looks along an axis.
    fn place(&self, axis: usize, result: usize, tap: usize) -> Option<usize> {
        let Convolution { stride, padding, dilation, .. } = self.of;
        let at = (result * stride[axis] + tap * dilation[axis]).checked_sub(padding[axis])?;
        (at < self.size[1 + axis]).then_some(at)
    }

    /// Every result, number by number.
    fn reference(&self) -> Vec<f64> {
        let ([batch, height, width], Convolution { channels: [from, to], groups, kernel, .. }) = (self.size, self.of);
        let [rows, columns] = self.of.after([height, width]).unwrap();
        let (seen, mut out) = (from / groups, Vec::new());
        for (image, channel) in (0..batch).flat_map(|image| (0..to).map(move |channel| (image, channel))) {
            let first = image * from + channel / (to / groups) * seen;
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let mut sum = f64::from(self.bias[channel]);
                for (other, down) in (0..seen).flat_map(|other| (0..kernel[0]).map(move |down| (other, down))) {
                    for across in 0..kernel[1] {
                        let (y, x) = (self.place(0, row, down), self.place(1, column, across));
                        let (Some(y), Some(x)) = (y, x) else { continue };
                        let tap = ((channel * seen + other) * kernel[0] + down) * kernel[1] + across;
                        let number = self.input[((first + other) * height + y) * width + x];
                        sum += f64::from(self.weight[tap]) * f64::from(number);
                    }
                }
                out.push(sum);
            }
        }
        out
    }

    fn check(&self) {
        let wanted = self.reference();
        for isa in present() {
            let found = self.answer(isa);
            assert_eq!(found.len(), wanted.len());
            close(&format!("{:?} of {:?} by {}", self.of, self.size, isa.name()), &found, &wanted, 1e-5);
        }
    }
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?} of {:?}", self.of, self.size)
    }
}

/// Channels before and after, groups; rows and columns of windows, strides, zeros and dilations.
fn of(channels: [usize; 2], groups: usize, windows: [[usize; 2]; 4]) -> Convolution {
    let [kernel, stride, padding, dilation] = windows;
    Convolution { channels, groups, kernel, stride, padding, dilation }
}

prop_compose! {
    /// Any windows, and an image into which they fit.
    fn drawn()(
        (groups, seen, made) in (1..5_usize, 1..6_usize, 1..20_usize),
        kernel in [1..5_usize, 1..8_usize],
        stride in [1..4_usize, 1..4_usize],
        padding in [0..4_usize, 0..6_usize],
        dilation in [1..3_usize, 1..4_usize],
        (batch, more) in (1..3_usize, [0..12_usize, 0..70_usize]),
        seed in any::<u64>(),
    ) -> Drawn {
        let size = [0, 1].map(|axis| {
            let window = dilation[axis] * (kernel[axis] - 1) + 1;
            window.saturating_sub(2 * padding[axis]).max(1) + more[axis]
        });
        let of = of([groups * seen, groups * made], groups, [kernel, stride, padding, dilation]);
        Drawn::new(of, [batch, size[0], size[1]], seed)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_windows_are_right(drawn in drawn()) {
        drawn.check();
    }

    #[test]
    fn channels_that_are_kept_apart_are_right(mut drawn in drawn(), channels in 1..12_usize, seed in any::<u64>()) {
        (drawn.of.channels, drawn.of.groups) = ([channels; 2], channels);
        Drawn::new(drawn.of, drawn.size, seed).check();
    }
}

#[test]
fn ugly_sizes_are_right() {
    let square = |kernel, stride, padding, dilation| [kernel, stride, padding, dilation].map(|size: usize| [size; 2]);
    for (of, size) in [
        // A number; a number of an image that is none but for its zeros.
        (of([1, 1], 1, square(1, 1, 0, 1)), [1, 1, 1]),
        (of([1, 3], 1, square(5, 1, 2, 1)), [1, 2, 1]),
        (of([2, 2], 2, square(7, 3, 6, 2)), [2, 1, 3]),
        // More terms than a block has steps, which end within a channel; and so many that the bias is a block of its own.
        (of([60, 13], 1, square(3, 1, 1, 1)), [1, 6, 7]),
        (of([512, 5], 1, square(1, 1, 0, 1)), [2, 3, 11]),
        (of([512, 5], 1, square(1, 2, 0, 1)), [1, 7, 9]),
        (of([1 << 14, 2], 1, square(1, 1, 0, 1)), [1, 1, 2]),
        // More columns than a task has, in rows that end within panels; and one row of them.
        (of([3, 20], 1, square(3, 1, 1, 1)), [1, 21, 67]),
        (of([2, 40], 1, [[1, 3], [1, 2], [0, 1], [1, 1]]), [1, 1, 3001]),
        (of([4, 4], 4, [[1, 9], [1, 5], [0, 4], [1, 7]]), [1, 1, 11_003]),
        // More rows than a task lays out.
        (of([1, 1], 1, square(3, 1, 1, 1)), [1, 300, 257]),
        // Strides over numbers that no window sees.
        (of([3, 3], 3, square(2, 5, 1, 1)), [2, 23, 61]),
        (of([6, 9], 3, square(2, 5, 3, 1)), [3, 23, 61]),
    ] {
        Drawn::new(of, size, 5).check();
    }
}

#[test]
fn what_is_infinite_is_seen_by_the_windows_around_it_alone() {
    for groups in [1, 3] {
        let of = of([3, 3], groups, [[3, 3], [2, 1], [1, 1], [1, 2]]);
        let mut drawn = Drawn::new(of, [2, 9, 40], 3);
        // Channel 1 of the second image, row 4, column 17.
        drawn.input[((3 + 1) * 9 + 4) * 40 + 17] = f32::INFINITY;
        let [rows, columns] = of.after([9, 40]).unwrap();
        for isa in present() {
            for (index, found) in drawn.answer(isa).iter().enumerate() {
                let (plane, row, column) = (index / (rows * columns), index / columns % rows, index % columns);
                let [down, across] = [(0, row, 4), (1, column, 17)]
                    .map(|(axis, result, at)| (0..3).any(|tap| drawn.place(axis, result, tap) == Some(at)));
                let sees = plane >= 3 && (groups == 1 || plane == 4) && down && across;
                assert_eq!(found.is_finite(), !sees, "{plane} {row} {column} by {}: {found}", isa.name());
            }
        }
    }
}

#[test]
fn convolutions_that_cannot_be_are_refused() {
    let plain = of([4, 6], 2, [[3, 3], [1, 1], [1, 1], [1, 1]]);
    let (weight, bias) = (vec![0.0; 6 * 2 * 9], vec![0.0; 6]);
    let refused = |of: Convolution, weight: &[f32], bias: &[f32]| {
        ConvolutionWeights::new(of, weight, bias, Isa::Portable).unwrap_err().to_string()
    };
    for (message, part) in [
        (refused(plain, &weight[1..], &bias), "the weight holds 107 numbers, its shape [6, 2, 3, 3] needs 108"),
        (refused(plain, &weight, &bias[1..]), "the bias holds 5 numbers"),
        (refused(Convolution { groups: 4, ..plain }, &weight, &bias), "4 groups cannot share 4 and 6 channels"),
        (refused(Convolution { groups: 0, ..plain }, &weight, &bias), "0 groups cannot share"),
        (refused(Convolution { stride: [1, 0], ..plain }, &weight, &bias), "a stride or a dilation of 0"),
    ] {
        assert!(message.contains(part), "{message}");
    }
    let weights = ConvolutionWeights::new(plain, &weight, &bias, Isa::Portable).unwrap();
    let said = |size: [usize; 3], input: usize, out: usize| {
        let result = convolution(&weights, size, &vec![0.0; input], &mut vec![0.0; out]);
        result.map_err(|error| error.to_string())
    };
    assert_eq!(said([2, 5, 7], 2 * 4 * 35, 2 * 6 * 35), Ok(()));
    assert_eq!(said([0, 5, 7], 0, 0), Ok(()));
    assert!(said([2, 5, 7], 279, 420).unwrap_err().contains("the input holds 279"));
    assert!(said([2, 5, 7], 280, 419).unwrap_err().contains("the result holds 419"));
    let large = Convolution { kernel: [3, 10], ..plain };
    let said = large.after([5, 7]).unwrap_err().to_string();
    assert_eq!(said, "a window of 10 does not fit into 9, zeros included");
}
