//! Convolutions along one axis and along two.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Value, Work};

use crate::draw::{check_numbers, normal};
use crate::rows::by_rows;
use crate::tolerance::tolerance_of_sum;

/// A convolution along one axis, as PyTorch's `conv1d`:
/// y[o, t] = bias[o] + Σ weight[o, c, k] · x[group + c, t · stride + k · dilation − padding], with zeros outside of x.
///
/// Inputs: `input` `[batch, in_channels, length]`, standard normal; `weight` `[out_channels, in_channels / groups, kernel_size]`,
/// with variance 1 / (numbers of a sum); `bias` `[out_channels]`. Output `[batch, out_channels, …]`. Weights stay from call to
/// call: bringing them into another layout is preparation, as loading a model is.
pub struct Conv1d;

/// The same along two axes, with square kernels, as PyTorch's `conv2d`.
///
/// Inputs: `input` `[batch, in_channels, height, width]`, `weight`
/// `[out_channels, in_channels / groups, kernel_size, kernel_size]`, `bias` `[out_channels]`.
pub struct Conv2d;

benchbook_core::parameters! {
    /// Parameters of [`Conv1d`].
    pub struct Conv1dParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// channels before
        in_channels: usize = 80, 1..=1 << 16;
        /// channels after
        out_channels: usize = 384, 1..=1 << 16;
        /// numbers of a channel before
        length: usize = 3000, 1..=1 << 24;
        /// numbers of a channel that a result depends on
        kernel_size: usize = 3, 1..=1 << 10;
        /// numbers from one result to the next
        stride: usize = 1, 1..=1 << 10;
        /// zeros before the first number, and after the last
        padding: usize = 1, 0..=1 << 10;
        /// numbers from one of those that a result depends on to the next
        dilation: usize = 1, 1..=1 << 10;
        /// parts of the channels, each of which sees its own part alone
        groups: usize = 1, 1..=1 << 16;
    }
}

benchbook_core::parameters! {
    /// Parameters of [`Conv2d`].
    pub struct Conv2dParams {
        /// images in the batch
        batch: usize = 1, 1..=1 << 20;
        /// channels before
        in_channels: usize = 64, 1..=1 << 16;
        /// channels after
        out_channels: usize = 64, 1..=1 << 16;
        /// rows of an image before
        height: usize = 56, 1..=1 << 14;
        /// columns of an image before
        width: usize = 56, 1..=1 << 14;
        /// rows, and columns, that a result depends on
        kernel_size: usize = 3, 1..=1 << 10;
        /// rows, and columns, from one result to the next
        stride: usize = 1, 1..=1 << 10;
        /// zeros around an image
        padding: usize = 1, 0..=1 << 10;
        /// rows, and columns, from one of those that a result depends on to the next
        dilation: usize = 1, 1..=1 << 10;
        /// parts of the channels, each of which sees its own part alone
        groups: usize = 1, 1..=1 << 16;
    }
}

/// A convolution along two axes; one along one axis has a first that is one number long.
struct Convolution {
    batch: usize,
    /// Before and after.
    channels: [usize; 2],
    groups: usize,
    /// Rows and columns, of these and of all that follows.
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
}

impl Convolution {
    fn of_one(params: &Conv1dParams) -> Self {
        let Conv1dParams { batch, in_channels, out_channels, length, kernel_size, stride, padding, dilation, groups } =
            *params;
        Self {
            batch,
            channels: [in_channels, out_channels],
            groups,
            size: [1, length],
            kernel: [1, kernel_size],
            stride: [1, stride],
            padding: [0, padding],
            dilation: [1, dilation],
        }
    }

    fn of_two(params: &Conv2dParams) -> Self {
        let Conv2dParams { batch, in_channels, out_channels, height, width, groups, .. } = *params;
        Self {
            batch,
            channels: [in_channels, out_channels],
            groups,
            size: [height, width],
            kernel: [params.kernel_size; 2],
            stride: [params.stride; 2],
            padding: [params.padding; 2],
            dilation: [params.dilation; 2],
        }
    }

    /// From the first number of a window to its last, along an axis.
    fn reach(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1)
    }

    /// Rows and columns after.
    fn after(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.size[axis] + 2 * self.padding[axis] - self.reach(axis) - 1) / self.stride[axis] + 1)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let (groups, [from, to]) = (self.groups, self.channels);
        if !from.is_multiple_of(groups) || !to.is_multiple_of(groups) {
            return Err(("groups", format!("{groups} does not divide {from} and {to} channels")));
        }
        let padded = |axis: usize| self.size[axis] + 2 * self.padding[axis];
        if let Some(axis) = [0, 1].into_iter().find(|axis| padded(*axis) <= self.reach(*axis)) {
            let (window, numbers) = (self.reach(axis) + 1, padded(axis));
            return Err(("kernel_size", format!("a window of {window} does not fit into {numbers}, zeros included")));
        }
        let image = |channels: usize, [height, width]: [usize; 2]| [self.batch, channels, height, width];
        check_numbers("batch", &image(from, self.size))?;
        check_numbers("batch", &image(to, self.after()))?;
        check_numbers("out_channels", &[to, self.terms()])
    }

    /// The part of a label that says how far windows reach; what is usual is left out.
    fn label(&self) -> String {
        let [kernel, stride, padding, dilation] =
            [self.kernel, self.stride, self.padding, self.dilation].map(|[_, columns]| columns);
        let dilation = if dilation == 1 { String::new() } else { format!(" dilation {dilation}") };
        let groups = if self.groups == 1 { String::new() } else { format!(" groups {}", self.groups) };
        format!("k{kernel} s{stride} p{padding}{dilation}{groups}")
    }

    /// Numbers that a result is a sum of.
    fn terms(&self) -> usize {
        self.channels[0] / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Inputs whose channels and whose kernels have these shapes.
    fn inputs(&self, of_channel: &[usize], of_kernel: &[usize], seed: u64) -> Inputs {
        let [from, to] = self.channels;
        let shape = |leading: [usize; 2], rest: &[usize]| [&leading[..], rest].concat();
        let deviation = 1.0 / (self.terms() as f32).sqrt();
        Inputs::from([
            ("input", Array::normal(shape([self.batch, from], of_channel), seed, 1)),
            ("weight", normal(shape([to, from / self.groups], of_kernel), [0.0, deviation], seed, 2)),
            ("bias", normal(vec![to], [0.0, 0.1], seed, 3)),
        ])
    }

    /// By plain loops; a row is one of a channel after.
    fn reference(&self, shape: Vec<usize>, inputs: &Inputs, seed: u64) -> Reference {
        let [height, width] = self.after();
        by_rows(shape, width * self.terms(), seed, |row| {
            let (image, channel, y) =
                (row / (self.channels[1] * height), row / height % self.channels[1], row % height);
            let bias = f64::from(inputs.numbers("bias")[channel]);
            (0..width).map(|x| bias + self.sum(inputs, [image, channel], [y, x])).collect()
        })
    }

    /// What a channel after is at a place, without its bias.
    fn sum(&self, inputs: &Inputs, [image, channel]: [usize; 2], at: [usize; 2]) -> f64 {
        let [input, weight] = ["input", "weight"].map(|name| inputs.numbers(name));
        let ([from, to], [height, width]) = (self.channels, self.size);
        let seen = from / self.groups;
        let first = image * from + channel / (to / self.groups) * seen;
        // Where a tap of the kernel looks, unless that is in the padding.
        let place = |axis: usize, tap: usize| {
            let place = at[axis] * self.stride[axis] + tap * self.dilation[axis];
            place.checked_sub(self.padding[axis]).filter(|place| *place < self.size[axis])
        };
        let mut sum = 0.0;
        for other in 0..seen {
            for row in 0..self.kernel[0] {
                for column in 0..self.kernel[1] {
                    if let (Some(y), Some(x)) = (place(0, row), place(1, column)) {
                        let tap = ((channel * seen + other) * self.kernel[0] + row) * self.kernel[1] + column;
                        let number = input[((first + other) * height + y) * width + x];
                        sum += f64::from(weight[tap]) * f64::from(number);
                    }
                }
            }
        }
        sum
    }

    /// A multiply-add for each number of a sum, zeros of the padding included, as is usual.
    fn work(&self, dtype: DType) -> Work {
        let image = |channels: usize, [height, width]: [usize; 2]| {
            [self.batch, channels, height, width].map(|size| size as f64).iter().product::<f64>()
        };
        let [from, to] = self.channels;
        let results = image(to, self.after());
        let terms = self.terms() as f64;
        let numbers = image(from, self.size) + results + to as f64 * (terms + 1.0);
        Work { flops: 2.0 * results * terms, bytes: numbers * dtype.bytes() as f64 }
    }
}

/// Parameters by their names.
fn named<const N: usize>(names: [&str; N], sizes: [i64; N]) -> Params {
    names.into_iter().zip(sizes).fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(size)))
}

impl Problem for Conv1d {
    const NAME: &'static str = "conv1d";
    const ABOUT: &'static str = "a convolution along one axis, with bias";
    type Params = Conv1dParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 4]| named(["in_channels", "out_channels", "length", "stride"], sizes);
        // The two convolutions that Whisper tiny begins with (Radford et al., arXiv 2212.04356, section 2.2).
        let full = vec![of([80, 384, 3000, 1]), of([384, 384, 3000, 2])];
        vec![Preset { name: "quick", cases: vec![of([16, 32, 200, 1])] }, Preset { name: "default", cases: full }]
    }

    fn ugly() -> Vec<Conv1dParams> {
        let of = |batch, groups, [in_channels, out_channels, length]: [usize; 3], window: [usize; 4]| {
            let [kernel_size, stride, padding, dilation] = window;
            Conv1dParams { batch, in_channels, out_channels, length, kernel_size, stride, padding, dilation, groups }
        };
        vec![
            of(1, 1, [1, 3, 1], [1, 1, 0, 1]),
            of(2, 1, [3, 5, 17], [3, 2, 1, 1]),
            // One window, which is all zeros but for three numbers.
            of(1, 1, [1, 3, 3], [5, 1, 1, 1]),
            of(2, 2, [6, 4, 33], [3, 2, 2, 3]),
            of(1, 33, [33, 33, 19], [4, 1, 3, 1]),
            of(3, 1, [17, 3, 67], [1, 3, 0, 1]),
            of(1, 1, [67, 33, 130], [3, 1, 1, 1]),
            of(2, 1, [33, 5, 18], [3, 2, 0, 1]),
            of(1, 3, [3, 9, 1031], [9, 5, 4, 7]),
        ]
    }

    fn check(params: &Conv1dParams) -> Result<(), (&'static str, String)> {
        Convolution::of_one(params).check()
    }

    fn label(params: &Conv1dParams) -> String {
        let Conv1dParams { batch, in_channels, out_channels, length, .. } = *params;
        format!("b{batch} {in_channels}→{out_channels} l{length} {}", Convolution::of_one(params).label())
    }

    fn inputs(params: &Conv1dParams, seed: u64) -> Inputs {
        Convolution::of_one(params).inputs(&[params.length], &[params.kernel_size], seed)
    }

    fn reference(params: &Conv1dParams, inputs: &Inputs, seed: u64) -> Reference {
        let convolution = Convolution::of_one(params);
        let [_, length] = convolution.after();
        convolution.reference(vec![params.batch, params.out_channels, length], inputs, seed)
    }

    fn work(params: &Conv1dParams, dtype: DType) -> Work {
        Convolution::of_one(params).work(dtype)
    }

    fn tolerance(params: &Conv1dParams, dtype: DType) -> f64 {
        tolerance_of_sum(dtype, Convolution::of_one(params).terms())
    }
}

impl Problem for Conv2d {
    const NAME: &'static str = "conv2d";
    const ABOUT: &'static str = "a convolution along two axes, with bias";
    type Params = Conv2dParams;

    fn presets() -> Vec<Preset> {
        let names = ["in_channels", "out_channels", "height", "width", "kernel_size", "stride", "padding", "groups"];
        let of = |[from, to, side, kernel, stride, padding, groups]: [i64; 7]| {
            named(names, [from, to, side, side, kernel, stride, padding, groups])
        };
        // Of ResNet-50 the first, one of 3 × 3 and one of 1 × 1 (He et al., arXiv 1512.03385, table 1), and of ConvNeXt-T one
        // that keeps channels apart (Liu et al., arXiv 2201.03545, section 2.5).
        let full = vec![
            of([3, 64, 224, 7, 2, 3, 1]),
            of([64, 64, 56, 3, 1, 1, 1]),
            of([256, 64, 56, 1, 1, 0, 1]),
            of([96, 96, 56, 7, 1, 3, 96]),
        ];
        let quick = vec![of([16, 32, 28, 3, 1, 1, 1])];
        vec![Preset { name: "quick", cases: quick }, Preset { name: "default", cases: full }]
    }

    fn ugly() -> Vec<Conv2dParams> {
        let of = |batch, groups, [in_channels, out_channels, height, width]: [usize; 4], window: [usize; 4]| {
            let [kernel_size, stride, padding, dilation] = window;
            let image = Conv2dParams { batch, in_channels, out_channels, height, width, ..Conv2dParams::default() };
            Conv2dParams { kernel_size, stride, padding, dilation, groups, ..image }
        };
        vec![
            of(1, 1, [1, 3, 1, 1], [1, 1, 0, 1]),
            of(2, 1, [3, 17, 19, 13], [3, 1, 1, 1]),
            of(1, 1, [3, 5, 33, 17], [7, 2, 3, 1]),
            of(2, 4, [8, 4, 11, 18], [3, 1, 2, 2]),
            of(1, 17, [17, 17, 9, 23], [5, 1, 2, 1]),
            of(1, 1, [33, 17, 7, 5], [1, 1, 0, 1]),
            of(3, 1, [17, 3, 9, 7], [1, 2, 0, 1]),
            // Kernels that are larger than the image.
            of(1, 1, [1, 3, 2, 3], [5, 1, 2, 1]),
            of(1, 1, [130, 1, 5, 6], [3, 3, 1, 1]),
        ]
    }

    fn check(params: &Conv2dParams) -> Result<(), (&'static str, String)> {
        Convolution::of_two(params).check()
    }

    fn label(params: &Conv2dParams) -> String {
        let Conv2dParams { batch, in_channels, out_channels, height, width, .. } = *params;
        let windows = Convolution::of_two(params).label();
        format!("b{batch} {in_channels}→{out_channels} {height}×{width} {windows}")
    }

    fn inputs(params: &Conv2dParams, seed: u64) -> Inputs {
        Convolution::of_two(params).inputs(&[params.height, params.width], &[params.kernel_size; 2], seed)
    }

    fn reference(params: &Conv2dParams, inputs: &Inputs, seed: u64) -> Reference {
        let convolution = Convolution::of_two(params);
        let [height, width] = convolution.after();
        convolution.reference(vec![params.batch, params.out_channels, height, width], inputs, seed)
    }

    fn work(params: &Conv2dParams, dtype: DType) -> Work {
        Convolution::of_two(params).work(dtype)
    }

    fn tolerance(params: &Conv2dParams, dtype: DType) -> f64 {
        tolerance_of_sum(dtype, Convolution::of_two(params).terms())
    }
}
