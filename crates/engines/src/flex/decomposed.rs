//! Convolutions by fewer weights: their kernels as three narrow ones, one after another.
//!
//! The first brings channels together, the second sees windows, the third spreads channels out again. Each is checked against the
//! convolution by the kernels that the three multiply to.

use benchbook_core::{Array, DType, Inputs, Problem, Reference, Result, Row, Setting, Subject, Support};
use benchbook_models::compress::factors;
use benchbook_workloads::blocks::{Conv2d, Conv2dParams};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::flex::canonical::canonical;
use crate::flex::row::burn_row;
use crate::flex::subject::{NamedInputs, Rows, TensorSubject};
use crate::flex::tensor::Target;
use crate::flex::weight_only::{own_bytes, own_flops, weight_bytes};

/// Implementations of `conv2d`.
pub const ROWS: [Row<Conv2d>; 2] = [TUCKER, CANONICAL];

const TUCKER: Row<Conv2d> = decomposed(
    "tucker2-half",
    "burn's conv2d three times: half of the channels on either side (Tucker-2 by the singular vectors of both unfoldings, arXiv \
     1511.06530)",
    prepare::<Tucker>,
    answer::<Tucker>,
);

const CANONICAL: Row<Conv2d> = decomposed(
    "cp-4th",
    "burn's conv2d three times, the second of channels that are kept apart: a quarter of the weights (CP by alternating least \
     squares, arXiv 1412.6553, with both axes of a window as one)",
    prepare::<Canonical>,
    answer::<Canonical>,
);

/// See [`Row::prepare`].
type Prepare = fn(&'static str, &Setting, &Conv2dParams, &Inputs) -> Result<Box<dyn Subject>>;

const fn decomposed(
    name: &'static str,
    about: &'static str,
    prepare: Prepare,
    answer: fn(&Conv2dParams, &Inputs, u64) -> Option<Reference>,
) -> Row<Conv2d> {
    burn_row::<Conv2d>(name, about, &[DType::F32], prepare)
        .catalogue(&["SP4"])
        .only(soon_decomposed)
        .approximating(answer)
        .on_request()
}

/// Weights at most: to decompose more takes long.
const MOST: usize = 1 << 20;

/// Keeps out what takes long to decompose, and channels that are apart already.
fn soon_decomposed(_device: &str, _dtype: DType, params: &Conv2dParams) -> Support {
    let weights = params.out_channels * params.in_channels * params.kernel_size.pow(2);
    if params.groups > 1 {
        return Support::No(format!("channels in {} groups are apart already", params.groups));
    }
    if weights > MOST {
        return Support::No(format!("{weights} weights take long to decompose, {MOST} are the most"));
    }
    Support::Yes
}

/// Three kernels in the place of one.
struct Steps {
    /// `[before, in_channels]`
    first: Vec<f32>,
    /// `[after, before / groups, kernel_size²]`
    second: Vec<f32>,
    /// `[out_channels, after]`
    third: Vec<f32>,
    /// Channels of the second, before and after.
    between: [usize; 2],
    groups: usize,
}

/// A way to decompose kernels.
trait Decomposition {
    /// Three in the place of kernels `[out_channels, in_channels, kernel_size²]`.
    fn steps(params: &Conv2dParams, kernels: &[f32]) -> Steps;
}

struct Tucker;

impl Decomposition for Tucker {
    fn steps(params: &Conv2dParams, kernels: &[f32]) -> Steps {
        let Conv2dParams { in_channels: from, out_channels: to, kernel_size, .. } = *params;
        let (window, between) = (kernel_size * kernel_size, [from.div_ceil(2), to.div_ceil(2)]);
        let [before, after] = between;
        let by_input: Vec<f32> = (0..from)
            .flat_map(|channel| (0..to).flat_map(move |other| (0..window).map(move |tap| [channel, other, tap])))
            .map(|[channel, other, tap]| kernels[(other * from + channel) * window + tap])
            .collect();
        // Columns are orthonormal, so that what they turn into is a product with them.
        let [inner, _] = factors(&by_input, [from, to * window], before);
        let [outer, _] = factors(kernels, [to, from * window], after);
        let mut half = vec![0.0; after * from * window];
        for (at, number) in kernels.iter().enumerate() {
            let (channel, rest) = (at / (from * window), at % (from * window));
            for (row, share) in outer[channel * after..][..after].iter().enumerate() {
                half[row * from * window + rest] += f64::from(*number) * f64::from(*share);
            }
        }
        let mut second = vec![0.0; after * before * window];
        for (at, number) in half.iter().enumerate() {
            let (row, channel, tap) = (at / (from * window), at / window % from, at % window);
            for (column, share) in inner[channel * before..][..before].iter().enumerate() {
                second[(row * before + column) * window + tap] += number * f64::from(*share);
            }
        }
        let first = (0..before * from).map(|at| inner[at % from * before + at / from]).collect();
        let second = second.into_iter().map(|number| number as f32).collect();
        Steps { first, second, third: outer, between, groups: 1 }
    }
}

struct Canonical;

impl Decomposition for Canonical {
    fn steps(params: &Conv2dParams, kernels: &[f32]) -> Steps {
        let size = [params.out_channels, params.in_channels, params.kernel_size * params.kernel_size];
        let rank = (kernels.len() / (4 * size.iter().sum::<usize>())).max(1);
        let [third, first, second] = canonical(kernels, size, rank);
        let single = |numbers: Vec<f64>| -> Vec<f32> { numbers.into_iter().map(|number| number as f32).collect() };
        let turned = |factor: &[f64], axis: usize| {
            (0..rank * axis).map(|at| factor[at % axis * rank + at / axis]).collect::<Vec<f64>>()
        };
        Steps {
            first: single(turned(&first, size[1])),
            second: single(turned(&second, size[2])),
            third: single(third),
            between: [rank; 2],
            groups: rank,
        }
    }
}

impl Steps {
    /// The kernels that the three multiply to, `[out_channels, in_channels, kernel_size²]`.
    fn kernels(&self, params: &Conv2dParams) -> Vec<f32> {
        let Conv2dParams { in_channels: from, out_channels: to, kernel_size, .. } = *params;
        let ([before, after], window) = (self.between, kernel_size * kernel_size);
        let each = before / self.groups;
        let mut spread = vec![0.0; after * from * window];
        for (at, number) in self.second.iter().enumerate() {
            let (row, tap) = (at / (each * window), at % window);
            let column = row / (after / self.groups) * each + at / window % each;
            for (channel, share) in self.first[column * from..][..from].iter().enumerate() {
                spread[(row * from + channel) * window + tap] += f64::from(*number) * f64::from(*share);
            }
        }
        let mut kernels = vec![0.0; to * from * window];
        for (kernel, shares) in kernels.chunks_exact_mut(from * window).zip(self.third.chunks_exact(after)) {
            for (share, spread) in shares.iter().zip(spread.chunks_exact(from * window)) {
                kernel.iter_mut().zip(spread).for_each(|(sum, number)| *sum += f64::from(*share) * number);
            }
        }
        kernels.into_iter().map(|number| number as f32).collect()
    }
}

/// An image, and three kernels with how each is applied.
struct Chain {
    /// `[batch, in_channels, height, width]`
    input: Tensor<4>,
    /// `[out_channels]`
    bias: Tensor<1>,
    kernels: [(Tensor<4>, ConvOptions<2>); 3],
}

impl NamedInputs for Chain {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        match name {
            "input" => Some(&mut self.input),
            "bias" => Some(&mut self.bias),
            _ => None,
        }
    }
}

fn prepare<D: Decomposition>(
    name: &'static str,
    setting: &Setting,
    params: &Conv2dParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let steps = D::steps(params, inputs.numbers("weight"));
    let Conv2dParams { in_channels: from, out_channels: to, kernel_size, stride, padding, dilation, .. } = *params;
    let ([before, after], groups) = (steps.between, steps.groups);
    let upload = |on: &Target, _: &Conv2dParams, inputs: &Inputs| {
        let plain = || ConvOptions::new([1; 2], [0; 2], [1; 2], 1);
        let windows = ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], groups);
        let of = |kernels: &[f32], shape: [usize; 4]| on.upload::<4>(&Array::new(shape.to_vec(), kernels));
        let first = of(&steps.first, [before, from, 1, 1]);
        let second = of(&steps.second, [after, before / groups, kernel_size, kernel_size]);
        let third = of(&steps.third, [to, after, 1, 1]);
        let kernels = [(first, plain()), (second, windows), (third, plain())];
        Ok(Chain { input: on.upload(inputs.get("input")), bias: on.upload(inputs.get("bias")), kernels })
    };
    let subject = TensorSubject::uploaded(name, setting, params, inputs, upload, chained)?;
    let weights = steps.first.len() + steps.second.len() + steps.third.len();
    // Numbers of a channel before, and after.
    let seen = params.batch * params.height * params.width;
    let work = Conv2d::work(params, DType::F32);
    let given = work.flops / (2 * to * from * kernel_size * kernel_size) as f64;
    let products = seen as f64 * steps.first.len() as f64 + given * (steps.second.len() + steps.third.len()) as f64;
    let numbers = seen * from + to + weights + (given * to as f64) as usize;
    let own = vec![weight_bytes(4 * weights), own_bytes(4 * numbers), own_flops(2.0 * products)];
    Ok(Box::new(subject.with_metrics(own)))
}

fn chained(Chain { input, bias, kernels }: &Chain) -> Result<[Tensor<4>; 1]> {
    let [first, second, third] = kernels;
    let apply = |x: Tensor<4>, (kernel, options): &(Tensor<4>, ConvOptions<2>), bias: Option<Tensor<1>>| {
        conv2d(x, kernel.clone(), bias, options.clone())
    };
    let together = apply(input.clone(), first, None);
    Ok([apply(apply(together, second, None), third, Some(bias.clone()))])
}

/// The convolution by the kernels that the three multiply to.
fn answer<D: Decomposition>(params: &Conv2dParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    if soon_decomposed("", DType::F32, params) != Support::Yes {
        return None;
    }
    let weight = inputs.get("weight");
    let kernels = D::steps(params, weight.of()).kernels(params);
    let mut inputs = inputs.clone();
    inputs.insert("weight", Array::new(weight.shape().to_vec(), &kernels));
    Some(Conv2d::reference(params, &inputs, seed))
}
