//! Convolutions, and patches of images: as operations of burn, and hand-written.

use benchbook_core::{Array, DType, Inputs, Result, Row, Setting, Subject, Support};
use benchbook_simd::{
    self as simd, Convolution, ConvolutionWeights, Isa, PatchWeights, TileDot, convolution, patch_embedding,
};
use benchbook_workloads::blocks::{Conv1d, Conv1dParams, Conv2d, Conv2dParams, PatchEmbedding, PatchEmbeddingParams};
use burn::tensor::Tensor;
use burn::tensor::module::{conv1d, conv2d};
use burn::tensor::ops::ConvOptions;

use crate::flex::blocks::fused;
use crate::flex::calls::{Calls, Named, failed, named, numbers, room};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::{NamedInputs, Rows, prepare};
use crate::flex::tensor::Target;

/// Implementations of `conv1d`.
pub const CONV1D: [Row<Conv1d>; 2] = [BURN_1D, FUSED_1D];

/// Implementations of `conv2d`.
pub const CONV2D: [Row<Conv2d>; 2] = [BURN_2D, FUSED_2D];

/// burn's own: on flex tiles of windows for the gemm crate, or sums without it where channels are few or kept apart; on libtorch
/// its own call.
const BURN_1D: Row<Conv1d> =
    burn_row::<Conv1d>("burn", "burn's conv1d", &DType::FLOATS, |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, of_one, by_conv1d)
    });

/// See [`BURN_1D`].
const BURN_2D: Row<Conv2d> =
    burn_row::<Conv2d>("burn", "burn's conv2d", &DType::FLOATS, |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, of_two, by_conv2d)
    });

/// What our own convolution says of itself.
const BY_WINDOWS: &str = "hand-written: AVX-512, AVX2 or portable, weights packed before timing, windows packed where they are \
     multiplied, channels that are kept apart in registers";

/// Windows of a few results at a time are the right factor of a product. Of the inputs, `input` can be overwritten.
const FUSED_1D: Row<Conv1d> =
    fused_row::<Conv1d>("fused", BY_WINDOWS, &[DType::F32], |name, setting, params, inputs| {
        let Conv1dParams { batch, in_channels, out_channels, length, kernel_size, stride, padding, dilation, groups } =
            *params;
        let of = Convolution {
            channels: [in_channels, out_channels],
            groups,
            kernel: [1, kernel_size],
            stride: [1, stride],
            padding: [0, padding],
            dilation: [1, dilation],
        };
        let shape = |after: [usize; 2]| vec![batch, out_channels, after[1]];
        by_windows(name, setting, inputs, of, [batch, 1, length], shape)
    });

/// See [`FUSED_1D`].
const FUSED_2D: Row<Conv2d> =
    fused_row::<Conv2d>("fused", BY_WINDOWS, &[DType::F32], |name, setting, params, inputs| {
        let Conv2dParams { batch, in_channels, out_channels, height, width, groups, .. } = *params;
        let of = Convolution {
            channels: [in_channels, out_channels],
            groups,
            kernel: [params.kernel_size; 2],
            stride: [params.stride; 2],
            padding: [params.padding; 2],
            dilation: [params.dilation; 2],
        };
        let shape = |after: [usize; 2]| vec![batch, out_channels, after[0], after[1]];
        by_windows(name, setting, inputs, of, [batch, height, width], shape)
    });

/// Our own convolution of images, where `size` is batch, height and width; `shape` gives the shape of a result of so many rows and
/// columns.
fn by_windows(
    name: &'static str,
    setting: &Setting,
    inputs: &Inputs,
    of: Convolution,
    size: [usize; 3],
    shape: impl Fn([usize; 2]) -> Vec<usize>,
) -> Result<Box<dyn Subject>> {
    let after = of.after([size[1], size[2]]).map_err(|error| failed(name, &setting.device, &error.to_string()))?;
    let pack = || {
        let [weight, bias] = ["weight", "bias"].map(|name| inputs.numbers(name));
        ConvolutionWeights::new(of, weight, bias, Isa::detect())
    };
    let call =
        move |weights: &ConvolutionWeights, input: &[f32], out: &mut [f32]| convolution(weights, size, input, out);
    Ok(Box::new(fused::layer(name, setting, inputs, shape(after), pack, call)?))
}

/// Implementations of `patch-embedding`.
pub const PATCHES: [Row<PatchEmbedding>; 3] = [BY_CONV, BY_MATMUL, FUSED];

/// A convolution whose stride is its kernel.
const BY_CONV: Row<PatchEmbedding> = burn_row::<PatchEmbedding>(
    "conv",
    "burn's conv2d with the stride of a patch, transposed, beside the class token, positions added",
    &DType::FLOATS,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, kernels, by_conv),
)
.only(|device, dtype, params| {
    let by_amx = device.starts_with("libtorch") && dtype == DType::Bf16 && TileDot::Amx.present();
    if by_amx && is_wrong_by_amx(params) {
        return Support::No("oneDNN 3.7, which libtorch has, is wrong at this convolution in bf16 by AMX".into());
    }
    Support::Yes
});

/// Whether oneDNN 3.7.1 gives other numbers, some of them from memory that nobody has written: found at 841 of 13,248 shapes in bf16
/// on a Xeon with AMX, all of them with steps longer than one, and right at each of them where it is kept from AMX
/// (`ONEDNN_MAX_CPU_ISA`). PyTorch and OpenVINO are wrong in the same places.
fn is_wrong_by_amx(params: &PatchEmbeddingParams) -> bool {
    let [rows, columns] = params.grid();
    params.patch_size > 1 && (params.in_channels == 16 || (columns == 1 && rows > 4))
}

/// Pixels brought into the order of patches, and a product; the weights are brought into an order before timing.
const BY_MATMUL: Row<PatchEmbedding> = burn_row::<PatchEmbedding>(
    "matmul",
    "pixels moved into patches, matmul, beside the class token, positions added",
    &DType::FLOATS,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, columns, by_matmul),
);

/// Patches go from the image to where a product reads them. Class and positions can be overwritten too: they are read as they lie.
const FUSED: Row<PatchEmbedding> = fused_row::<PatchEmbedding>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing, patches packed from the image, positions added to sums \
     in the cache",
    &[DType::F32],
    |name, setting, params, inputs| {
        let PatchEmbeddingParams { batch, in_channels, height, width, patch_size, embed_dim } = *params;
        let room = [room::<f32>(vec![batch, params.seq(), embed_dim])];
        let copy = || -> simd::Result<Patches> {
            let sizes = [in_channels, patch_size, embed_dim];
            let weights = PatchWeights::new(sizes, inputs.numbers("weight"), Isa::detect())?;
            Ok((named(inputs, ["image", "class", "positions"]), weights))
        };
        let kernel = move |(held, weights): &mut Patches, [out]: &mut [Array; 1]| {
            let [image, class, positions] = numbers(held);
            let call = simd::PatchEmbedding { size: [batch, height, width], image, class, positions };
            patch_embedding(weights, &call, out.of_mut())
        };
        Ok(Box::new(Calls::new(name, setting, copy, &room, kernel)?))
    },
);

/// Inputs of our own embedding, and its weights.
type Patches = ([Named; 3], PatchWeights);

/// Inputs of a convolution.
struct Layer<const D: usize> {
    /// `[batch, in_channels, …]`
    input: Tensor<D>,
    /// `[out_channels, in_channels / groups, …]`
    weight: Tensor<D>,
    /// `[out_channels]`
    bias: Tensor<1>,
}

impl<const D: usize> NamedInputs for Layer<D> {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        match name {
            "input" => Some(&mut self.input),
            "weight" => Some(&mut self.weight),
            "bias" => Some(&mut self.bias),
            _ => None,
        }
    }
}

fn layer<const D: usize>(on: &Target, inputs: &Inputs) -> Layer<D> {
    let [input, weight] = ["input", "weight"].map(|name| on.upload(inputs.get(name)));
    Layer { input, weight, bias: on.upload(inputs.get("bias")) }
}

fn of_one(on: &Target, params: &Conv1dParams, inputs: &Inputs) -> Result<(Layer<3>, ConvOptions<1>)> {
    let Conv1dParams { stride, padding, dilation, groups, .. } = *params;
    Ok((layer(on, inputs), ConvOptions::new([stride], [padding], [dilation], groups)))
}

fn by_conv1d((layer, options): &(Layer<3>, ConvOptions<1>)) -> Result<[Tensor<3>; 1]> {
    Ok([conv1d(layer.input.clone(), layer.weight.clone(), Some(layer.bias.clone()), options.clone())])
}

fn of_two(on: &Target, params: &Conv2dParams, inputs: &Inputs) -> Result<(Layer<4>, ConvOptions<2>)> {
    let Conv2dParams { stride, padding, dilation, groups, .. } = *params;
    Ok((layer(on, inputs), ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], groups)))
}

fn by_conv2d((layer, options): &(Layer<4>, ConvOptions<2>)) -> Result<[Tensor<4>; 1]> {
    Ok([conv2d(layer.input.clone(), layer.weight.clone(), Some(layer.bias.clone()), options.clone())])
}

/// What patches are made of, and what is put beside them.
struct Image {
    /// `[batch, in_channels, height, width]`
    image: Tensor<4>,
    /// `[embed_dim]`
    class: Tensor<1>,
    /// `[1 + patches, embed_dim]`
    positions: Tensor<2>,
}

impl NamedInputs for Image {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        match name {
            "image" => Some(&mut self.image),
            "class" => Some(&mut self.class),
            "positions" => Some(&mut self.positions),
            _ => None,
        }
    }
}

impl Image {
    fn upload(on: &Target, inputs: &Inputs) -> Self {
        let [image, class, positions] = ["image", "class", "positions"].map(|name| inputs.get(name));
        Self { image: on.upload(image), class: on.upload(class), positions: on.upload(positions) }
    }

    /// Positions of `patches` `[batch, patches, embed_dim]`, behind the class.
    fn placed(&self, patches: Tensor<3>) -> Tensor<3> {
        let [batch, _, width] = patches.dims();
        let class = self.class.clone().unsqueeze::<3>().expand([batch, 1, width]);
        Tensor::cat(vec![class, patches], 1) + self.positions.clone().unsqueeze::<3>()
    }
}

/// An image, and kernels `[embed_dim, in_channels, patch_size, patch_size]`.
struct Kernels {
    image: Image,
    weight: Tensor<4>,
}

impl NamedInputs for Kernels {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "weight" { Some(&mut self.weight) } else { self.image.input(name) }
    }
}

fn kernels(on: &Target, _params: &PatchEmbeddingParams, inputs: &Inputs) -> Result<Kernels> {
    Ok(Kernels { image: Image::upload(on, inputs), weight: on.upload(inputs.get("weight")) })
}

fn by_conv(Kernels { image, weight }: &Kernels) -> Result<[Tensor<3>; 1]> {
    let [_, _, side, _] = weight.dims();
    let options = ConvOptions::new([side; 2], [0; 2], [1; 2], 1);
    let grid = conv2d(image.image.clone(), weight.clone(), None, options);
    Ok([image.placed(grid.flatten::<3>(2, 3).swap_dims(1, 2))])
}

/// An image, and weights `[in_channels · patch_size², embed_dim]`.
fn columns(on: &Target, params: &PatchEmbeddingParams, inputs: &Inputs) -> Result<((Image, Tensor<2>), usize)> {
    let (weight, [patch, width]) = (inputs.numbers("weight"), [params.patch(), params.embed_dim]);
    let numbers = (0..patch * width).map(|index| f64::from(weight[index % width * patch + index / width]));
    Ok(((Image::upload(on, inputs), on.upload_numbers(numbers, [patch, width])), params.patch_size))
}

fn by_matmul(((image, weight), side): &((Image, Tensor<2>), usize)) -> Result<[Tensor<3>; 1]> {
    let ([batch, channels, height, width], [patch, embed_dim], side) = (image.image.dims(), weight.dims(), *side);
    let [rows, columns] = [height, width].map(|length| length / side);
    let pixels = image.image.clone().reshape([batch, channels, rows, side, columns, side]);
    let patches = pixels.permute([0, 2, 4, 1, 3, 5]).reshape([batch * rows * columns, patch]);
    let embedded = patches.matmul(weight.clone()).reshape([batch, rows * columns, embed_dim]);
    Ok([image.placed(embedded)])
}
