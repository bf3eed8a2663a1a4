//! Convolutions along one axis and along two: products by windows that are packed where they are multiplied, and sums where
//! channels are kept apart.
#![expect(unsafe_code, reason = "the tools of an instruction set are made where it was detected")]

mod depthwise;
mod lines;
mod windows;

use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::matmul::isa::{self, Tile};
use crate::tools::Tools;
use lines::Image;

/// What a convolution makes of what, as PyTorch's `conv2d`: y[o, t] = bias[o] + Σ weight[o, c, k] · x[group + c, t · stride +
/// k · dilation − padding], with zeros outside of x. Of each pair along the axes, the rows come first; one along one axis alone
/// has one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Channels before and after.
    pub channels: [usize; 2],
    /// Parts of the channels, each of which sees its own part alone.
    pub groups: usize,
    /// Numbers along an axis that a result depends on.
    pub kernel: [usize; 2],
    /// Numbers from one result to the next.
    pub stride: [usize; 2],
    /// Zeros on either side of an image.
    pub padding: [usize; 2],
    /// Numbers from one of those that a result depends on to the next.
    pub dilation: [usize; 2],
}

impl Convolution {
    fn check(&self) -> Result<()> {
        let Self { channels: [from, to], groups, kernel, stride, dilation, .. } = *self;
        if [kernel, stride, dilation].iter().flatten().any(|size| *size == 0) {
            let message = "a kernel, a stride or a dilation of 0 makes nothing: give 1 at least";
            return Err(Error::Shape(message.into()));
        }
        if from * to == 0 || !from.is_multiple_of(groups) || !to.is_multiple_of(groups) {
            return Err(Error::Shape(format!("{groups} groups cannot share {from} and {to} channels evenly")));
        }
        Ok(())
    }

    /// Channels of a group, before and after.
    fn of_group(&self) -> [usize; 2] {
        self.channels.map(|channels| channels / self.groups)
    }

    /// Places of a window.
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// From the first number of a window to its last, along an axis.
    fn reach(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1)
    }

    /// Whether an image goes number by number into one of the same size.
    fn pointwise(&self) -> bool {
        self.taps() == 1 && self.stride == [1; 2] && self.padding == [0; 2]
    }

    /// Rows and columns of what an image of so many becomes.
    ///
    /// # Errors
    /// Sizes that make no sense, or windows that do not fit into the image and the zeros around it.
    pub fn after(&self, size: [usize; 2]) -> Result<[usize; 2]> {
        self.check()?;
        let of = |axis: usize| {
            let (padded, window) = (size[axis] + 2 * self.padding[axis], self.reach(axis) + 1);
            let Some(rest) = padded.checked_sub(window) else {
                return Err(Error::Shape(format!("a window of {window} does not fit into {padded}, zeros included")));
            };
            Ok(rest / self.stride[axis] + 1)
        };
        Ok([of(0)?, of(1)?])
    }
}

/// The weights of a convolution, packed for an instruction set: made once for a model, used by every call.
#[derive(Debug)]
pub struct ConvolutionWeights {
    of: Convolution,
    isa: Isa,
    /// `[out_channels, terms + 1]`: the kernels of a channel after, and behind them its bias, by which ones are multiplied.
    rows: Vec<f32>,
    /// Where a column of a window lies: how many strides from the window's first, and how many numbers more.
    columns: Vec<[usize; 2]>,
}

impl ConvolutionWeights {
    /// Packs `weight` `[out_channels, in_channels / groups, rows, columns]` and `bias` `[out_channels]` for the instructions `isa`.
    ///
    /// # Errors
    /// Slices of the wrong length, groups that do not divide the channels, sizes of 0, an instruction set that is absent.
    pub fn new(of: Convolution, weight: &[f32], bias: &[f32], isa: Isa) -> Result<Self> {
        of.check()?;
        let ([seen, _], to, [rows, columns]) = (of.of_group(), of.channels[1], of.kernel);
        expect_len("the weight", &[to, seen, rows, columns], weight.len())?;
        expect_len("the bias", &[to], bias.len())?;
        let kernels = weight.chunks_exact(seen * of.taps()).zip(bias);
        let rows = kernels.flat_map(|(kernels, bias)| kernels.iter().chain([bias])).copied().collect();
        let columns = (0..columns).map(|column| column * of.dilation[1]);
        let columns = columns.map(|at| [at / of.stride[1], at % of.stride[1]]).collect();
        Ok(Self { of, isa: isa.checked()?, rows, columns })
    }
}

/// The convolution of `input` `[batch, in_channels, height, width]`, where `size` is batch, height and width, into `out`
/// `[batch, out_channels, …]`, see [`Convolution::after`].
///
/// A task packs the windows of some results where they stay in its second-level cache, and multiplies the kernels by them, as
/// [`crate::matmul()`] does it: the matrix of all windows never exists (Chetlur et al., arXiv 1410.0759, section 3). Where each
/// channel is convolved by itself, sums stay in registers. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, windows that do not fit, an instruction set that is absent.
pub fn convolution(weights: &ConvolutionWeights, size: [usize; 3], input: &[f32], out: &mut [f32]) -> Result<()> {
    let (of, [batch, height, width]) = (&weights.of, size);
    let ([from, to], after) = (of.channels, of.after([height, width])?);
    expect_len("the input", &[batch, from, height, width], input.len())?;
    expect_len("the result", &[batch, to, after[0], after[1]], out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    // Number by number, an image is one row: no window ends with one.
    let rows = |[rows, columns]: [usize; 2]| if of.pointwise() { [1, rows * columns] } else { [rows, columns] };
    let call = Call { layer: weights, size: rows([height, width]), after: rows(after), input };
    with_isa!(weights.isa, |tile| call.run(&tile, out));
    Ok(())
}

/// Images that are convolved.
struct Call<'a> {
    layer: &'a ConvolutionWeights,
    /// Rows and columns before.
    size: [usize; 2],
    /// Rows and columns after.
    after: [usize; 2],
    /// `[batch, in_channels, height, width]`
    input: &'a [f32],
}

impl Call<'_> {
    fn run<T: Tile + Tools + Sync>(&self, tile: &T, out: &mut [f32]) {
        if self.layer.of.of_group() == [1, 1] {
            depthwise::run(tile, self, out);
        } else {
            windows::run(tile, self, out);
        }
    }

    /// What group `index` of all images' groups sees.
    fn image(&self, index: usize) -> Image<'_> {
        let ([seen, _], [height, width]) = (self.layer.of.of_group(), self.size);
        let each = seen * height * width;
        Image { layer: self.layer, size: self.size, channels: &self.input[index * each..][..each] }
    }
}
