//! The blocks of models, by hand and beside PyTorch.

use benchbook_core::{Array, DType, Inputs, Metric, Problem};
use benchbook_workloads::attention::LatentAttention;
use benchbook_workloads::blocks::{
    Conv1d, Conv1dParams, Conv2d, Conv2dParams, Embedding, EmbeddingParams, LayerNorm, LayerNormParams, Linear,
    LinearParams, Mlp, MlpParams, PatchEmbedding, PatchEmbeddingParams, RmsNorm, RmsNormParams, Rotary, RotaryParams,
    Softmax, SoftmaxParams, TransformerBlock,
};

use crate::pytorch::agrees;

fn array(shape: &[usize], numbers: &[f32]) -> Array {
    Array::new(shape.to_vec(), numbers)
}

#[track_caller]
fn near<P: Problem>(params: &P::Params, inputs: &Inputs, right: &[f64]) {
    let found = P::reference(params, inputs, 0).answers.remove(0).values;
    let off = found.iter().zip(right).map(|(found, right)| (found - right).abs()).fold(0.0, f64::max);
    assert!(found.len() == right.len() && off < 1e-12, "{found:?}");
}

#[test]
fn a_linear_layer_adds_its_bias_before_what_follows() {
    // [1 2] · [3 -4; 5 0] = [13 -4]; with [-1 1] it is [12 -3].
    let inputs = Inputs::from([
        ("input", array(&[1, 2], &[1.0, 2.0])),
        ("weight", array(&[2, 2], &[3.0, -4.0, 5.0, 0.0])),
        ("bias", array(&[2], &[-1.0, 1.0])),
    ]);
    let params = |activation: &str| LinearParams { rows: 1, inner: 2, outer: 2, activation: activation.to_owned() };
    near::<Linear>(&params("none"), &inputs, &[12.0, -3.0]);
    near::<Linear>(&params("relu"), &inputs, &[12.0, 0.0]);
    let work = Linear::work(&params("none"), DType::F32);
    assert_eq!((work.flops, work.bytes), (8.0, 40.0));
}

#[test]
fn norms_divide_by_what_their_papers_say() {
    // Mean 2, variance 2; mean square 6.
    let inputs = |width: usize| {
        Inputs::from([
            ("input", array(&[1, width], &[1.0, 1.0, 4.0])),
            ("gain", array(&[width], &[1.0, 2.0, 1.0])),
            ("bias", array(&[width], &[0.0, 0.0, 10.0])),
        ])
    };
    let deviation = (2.0_f64 + 1e-5).sqrt();
    let right = [-1.0 / deviation, -2.0 / deviation, 10.0 + 2.0 / deviation];
    near::<LayerNorm>(&LayerNormParams { rows: 1, width: 3 }, &inputs(3), &right);
    let root = (6.0_f64 + 1e-5).sqrt();
    near::<RmsNorm>(&RmsNormParams { rows: 1, width: 3 }, &inputs(3), &[1.0 / root, 2.0 / root, 4.0 / root]);
}

#[test]
fn a_softmax_takes_the_largest_off() {
    let inputs = Inputs::from([("input", array(&[1, 2], &[1000.0, 1000.0]))]);
    near::<Softmax>(&SoftmaxParams { rows: 1, width: 2 }, &inputs, &[0.5, 0.5]);
    let drawn = Softmax::inputs(&SoftmaxParams { rows: 2, width: 9 }, 1);
    assert!(drawn.numbers("input").iter().all(|number| number.fract() == 0.0 && *number > 50.0));
    let metrics = Softmax::metrics(&SoftmaxParams { rows: 2, width: 9 }, &drawn);
    assert_eq!(metrics, [Metric::modelled("exponentials", 18.0, "count")]);
}

#[test]
fn an_embedding_takes_rows_by_ids() {
    let inputs = Inputs::from([
        ("ids", Array::new(vec![3], &[2_i32, 0, 2])),
        ("table", array(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
    ]);
    let params = EmbeddingParams { tokens: 3, vocabulary: 3, width: 2 };
    near::<Embedding>(&params, &inputs, &[5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
    assert_eq!(Embedding::tokens(&params), [("ids", 3)]);
    let bytes = |tokens: usize| Embedding::work(&EmbeddingParams { tokens, vocabulary: 2, width: 3 }, DType::F32).bytes;
    // Of two rows, one token reads one, two read 1½ as is to be expected, and a thousand both.
    assert_eq!((bytes(1), bytes(2), bytes(1000)), (28.0, 50.0, 24.0 + 16_000.0));
}

#[test]
fn a_feed_forward_network_goes_up_and_down() {
    let one = |number: f32| array(&[1, 1], &[number]);
    let mut inputs = Inputs::from([("input", one(1.0)), ("w_up", one(1.0)), ("w_down", one(3.0))]);
    let params = |form: &str| MlpParams { rows: 1, width: 1, hidden: 1, form: form.to_owned() };
    // By Python's math.tanh and math.exp: gelu(1) and silu(1).
    near::<Mlp>(&params("gelu"), &inputs, &[3.0 * 0.841_191_990_608_276_8]);
    inputs.insert("w_gate", one(1.0));
    near::<Mlp>(&params("swiglu"), &inputs, &[3.0 * 0.731_058_578_630_004_9]);
}

#[test]
fn a_rotation_turns_pairs_by_their_position() {
    // Positions 0 and 1 of a head of width 2, which turns by 1 a position.
    let inputs = Inputs::from([("input", array(&[1, 1, 2, 2], &[1.0, 0.0, 1.0, 0.0]))]);
    let params = RotaryParams { batch: 1, heads: 1, seq: 2, head_dim: 2 };
    near::<Rotary>(&params, &inputs, &[1.0, 0.0, 1.0_f64.cos(), 1.0_f64.sin()]);
}

#[test]
fn a_convolution_sees_zeros_around_its_input() {
    let inputs = |weight: &[usize]| {
        Inputs::from([
            ("input", array(&[1, 1, 4], &[1.0, 2.0, 3.0, 4.0])),
            ("weight", array(weight, &[1.0, 10.0])),
            ("bias", array(&[1], &[0.5])),
        ])
    };
    let of = |stride, padding, dilation| Conv1dParams {
        batch: 1,
        in_channels: 1,
        out_channels: 1,
        length: 4,
        kernel_size: 2,
        stride,
        padding,
        dilation,
        groups: 1,
    };
    near::<Conv1d>(&of(1, 0, 1), &inputs(&[1, 1, 2]), &[21.5, 32.5, 43.5]);
    near::<Conv1d>(&of(2, 1, 1), &inputs(&[1, 1, 2]), &[10.5, 32.5, 4.5]);
    near::<Conv1d>(&of(1, 1, 3), &inputs(&[1, 1, 2]), &[30.5, 41.5, 2.5]);
    let work = Conv1d::work(&of(2, 1, 1), DType::F32);
    // Three sums of two; four numbers, two weights and a bias, and three results.
    assert_eq!((work.flops, work.bytes), (12.0, 40.0));
}

#[test]
fn a_group_of_channels_sees_its_own_part() {
    // Two channels of 1 × 2, two groups, kernels of 1 × 1.
    let inputs = Inputs::from([
        ("input", array(&[1, 2, 1, 2], &[1.0, 2.0, 3.0, 4.0])),
        ("weight", array(&[4, 1, 1, 1], &[1.0, 10.0, 100.0, 1000.0])),
        ("bias", array(&[4], &[0.0; 4])),
    ]);
    let image = Conv2dParams { in_channels: 2, out_channels: 4, height: 1, width: 2, ..Conv2dParams::default() };
    let params = Conv2dParams { kernel_size: 1, padding: 0, groups: 2, ..image };
    near::<Conv2d>(&params, &inputs, &[1.0, 2.0, 10.0, 20.0, 300.0, 400.0, 3000.0, 4000.0]);
    assert_eq!(Conv2d::work(&params, DType::F32).flops, 16.0);
}

#[test]
fn patches_go_row_by_row_behind_the_class() {
    // An image of 2 × 4 has two patches of 2 × 2.
    let inputs = Inputs::from([
        ("image", array(&[1, 1, 2, 4], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])),
        ("weight", array(&[1, 1, 2, 2], &[1.0, 10.0, 100.0, 1000.0])),
        ("class", array(&[1], &[9.0])),
        ("positions", array(&[3, 1], &[0.25, 0.5, 0.75])),
    ]);
    let params = PatchEmbeddingParams { batch: 1, in_channels: 1, height: 2, width: 4, patch_size: 2, embed_dim: 1 };
    near::<PatchEmbedding>(&params, &inputs, &[9.25, 6521.5, 8743.75]);
    let work = PatchEmbedding::work(&params, DType::F32);
    // Two products of four, and three sums; eight pixels, four weights, a class, three positions and three results.
    assert_eq!((work.flops, work.bytes), (19.0, 4.0 * 19.0));
}

#[test]
fn references_agree_with_pytorch() {
    let fixture = serde_json::from_str(include_str!("../../fixtures/blocks.json")).unwrap();
    agrees::<Conv1d>(&fixture);
    agrees::<Conv2d>(&fixture);
    agrees::<PatchEmbedding>(&fixture);
    agrees::<LatentAttention>(&fixture);
    agrees::<TransformerBlock>(&fixture);
}
