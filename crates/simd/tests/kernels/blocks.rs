//! The blocks of models: every instruction set against plain loops in `f64`, where numbers end, and calls that must be refused.

use benchbook_simd::{
    Activation, Attend, Embedding, Gate, Heads, Isa, LinearWeights, MlpWeights, Norm, Rotary, Softmax, activate, copy,
    embedding, gated_rms_norm, layer_norm, linear, mlp, rms_norm, rotary_attention, softmax,
};
use proptest::prelude::*;

use crate::common::{Drawn, exact_gelu, numbers, present};

const EPSILON: f64 = 1e-5;

/// A rounding of `f32`.
const UNIT: f64 = 1.0 / (1 << 24) as f64;

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| f64::from(*number)).collect()
}

/// Panics where a number is farther from the right one than `tolerance` times the largest of its row; what is no number or
/// infinite has to be just that.
fn same(name: &str, width: usize, found: &[f32], right: &[f64], tolerance: f64) {
    assert_eq!(found.len(), right.len(), "{name}");
    for (row, (found, right)) in found.chunks(width).zip(right.chunks(width)).enumerate() {
        let scale = right.iter().filter(|x| x.is_finite()).fold(0.0_f64, |most, x| most.max(x.abs()));
        for (at, (found, right)) in found.iter().zip(right).enumerate() {
            let found = f64::from(*found);
            let near =
                (found - right).abs() <= tolerance * scale || found == *right || (found.is_nan() && right.is_nan());
            assert!(near, "{name} row {row} at {at}: {found} for {right}");
        }
    }
}

/// A norm of rows by its formula; a mean is taken off where there is a bias.
fn normal(width: usize, input: &[f64], gain: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
    let row = |x: &[f64]| -> Vec<f64> {
        let mean = bias.map_or(0.0, |_| x.iter().sum::<f64>() / width as f64);
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        let scale = 1.0 / (variance + EPSILON).sqrt();
        let one = |(at, x): (usize, &f64)| {
            (x - mean) * scale * f64::from(gain[at]) + bias.map_or(0.0, |bias| f64::from(bias[at]))
        };
        x.iter().enumerate().map(one).collect()
    };
    input.chunks(width).flat_map(row).collect()
}

/// All norms of these rows on every instruction set.
fn norms(name: &str, width: usize, input: &[f32], tolerance: f64) {
    let gain: Vec<f32> = numbers(width, 3).iter().map(|x| 1.0 + x / 4.0).collect();
    let (bias, gates, x) = (numbers(width, 4), numbers(input.len(), 5), wide(input));
    let gated =
        |numbers: &[f64]| -> Vec<f64> { numbers.iter().zip(&gates).map(|(x, gate)| x * f64::from(*gate)).collect() };
    for isa in present() {
        let norm = Norm { width, input, gain: &gain, epsilon: EPSILON, isa };
        let mut out = vec![-7.0; input.len()];
        layer_norm(&norm, &bias, &mut out).unwrap();
        let right = normal(width, &x, &gain, Some(&bias));
        same(&format!("{name}: layer norm by {}", isa.name()), width, &out, &right, tolerance);
        rms_norm(&norm, &mut out).unwrap();
        let right = normal(width, &x, &gain, None);
        same(&format!("{name}: RMS norm by {}", isa.name()), width, &out, &right, tolerance);
        for (gate, right) in [(Gate::Before, normal(width, &gated(&x), &gain, None)), (Gate::After, gated(&right))] {
            gated_rms_norm(&norm, gate, &gates, &mut out).unwrap();
            same(&format!("{name}: gated {gate:?} by {}", isa.name()), width, &out, &right, tolerance);
        }
    }
}

/// Softmax of rows by its formula.
fn shares(width: usize, input: &[f32]) -> Vec<f64> {
    let row = |row: &[f32]| -> Vec<f64> {
        let most = row.iter().fold(f64::NEG_INFINITY, |most, x| most.max(f64::from(*x)));
        let powers: Vec<f64> = row.iter().map(|x| (f64::from(*x) - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    };
    input.chunks(width).flat_map(row).collect()
}

fn softmaxes(name: &str, width: usize, input: &[f32], tolerance: f64) {
    let right = shares(width, input);
    for isa in present() {
        let mut out = vec![-7.0; input.len()];
        softmax(&Softmax { width, input, isa }, &mut out).unwrap();
        same(&format!("{name}: softmax by {}", isa.name()), width, &out, &right, tolerance);
    }
}

/// A number of no particular size, and one that is no multiple of any tile.
fn widths() -> impl Strategy<Value = usize> {
    prop_oneof![1..70_usize, 250..1100_usize, 4090..4200_usize, Just(9001_usize)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn norms_are_their_formulas(
        width in widths(),
        rows in 0..12_usize,
        (size, middle) in (-3..4_i32, -2000.0..2000.0_f32),
        seed in any::<u64>(),
    ) {
        let size = 10.0_f32.powi(size);
        let input: Vec<f32> = numbers(rows * width, seed).iter().map(|x| size * (x + middle)).collect();
        // What is far from 0 loses nothing, since it is taken as far from a number of its row.
        norms("drawn", width, &input, 5e-6);
    }

    #[test]
    fn softmax_is_its_formula(
        width in widths(),
        rows in 0..12_usize,
        (size, middle) in (-3..3_i32, -2000.0..2000.0_f32),
        seed in any::<u64>(),
    ) {
        let size = 10.0_f32.powi(size);
        let input: Vec<f32> = numbers(rows * width, seed).iter().map(|x| size * x + middle).collect();
        softmaxes("drawn", width, &input, 3e-6);
    }

    #[test]
    fn rotation_is_its_formula(
        (sequences, seq, half) in (1..9_usize, 1..90_usize, 1..70_usize),
        first in 0..50_usize,
        seed in any::<u64>(),
    ) {
        let (width, rotary) = (2 * half, Rotary::new(140, 2 * half, 10_000.0).unwrap());
        let input = numbers(sequences * seq * width, seed);
        let one = |index: usize| {
            let (row, pair) = (index / width, index % half);
            let angle = (first + row % seq) as f64 * 10_000.0_f64.powf(-2.0 * pair as f64 / width as f64);
            let [x, y] = [0, half].map(|side| f64::from(input[row * width + side + pair]));
            if index % width < half { x * angle.cos() - y * angle.sin() } else { y * angle.cos() + x * angle.sin() }
        };
        let right: Vec<f64> = (0..input.len()).map(one).collect();
        for isa in present() {
            let mut out = vec![f32::NAN; input.len()];
            rotary.rotate(isa, seq, first, &input, &mut out).unwrap();
            same(isa.name(), width, &out, &right, 1e-6);
        }
    }

    #[test]
    fn rows_of_a_table_are_those_of_their_ids(
        (vocabulary, width, tokens) in (1..90_usize, 1..200_usize, 0..200_usize),
        seed in any::<u64>(),
    ) {
        let table = numbers(vocabulary * width, seed);
        let drawn = numbers(tokens, !seed).into_iter().map(|x| ((x + 1.0) / 2.0 * vocabulary as f32) as usize);
        let ids: Vec<i32> = drawn.map(|id| id.min(vocabulary - 1) as i32).collect();
        let right: Vec<f32> = ids.iter().flat_map(|id| table[*id as usize * width..][..width].to_vec()).collect();
        for isa in present() {
            let mut out = vec![f32::NAN; right.len()];
            embedding(&Embedding { width, table: &table, ids: &ids, isa }, &mut out).unwrap();
            prop_assert_eq!(&out, &right, "{}", isa.name());
        }
    }

    #[test]
    fn a_copy_is_the_same(length in prop_oneof![0..200_usize, 30_000..40_000_usize], seed in any::<u64>()) {
        let from = numbers(length, seed);
        for isa in present() {
            let mut out = vec![f32::NAN; length];
            copy(isa, &from, &mut out).unwrap();
            prop_assert_eq!(&out, &from, "{}", isa.name());
        }
    }
}

#[test]
fn norms_of_ugly_rows_are_their_formulas() {
    let far = |first: f32| {
        let mut row = numbers(4096, 9);
        row[..16].fill(first);
        row
    };
    let cases: [(&str, usize, Vec<f32>); 9] = [
        ("one number", 1, vec![3.0, -3.0, 0.0, 1e30]),
        ("all equal", 33, vec![7.5; 66]),
        ("all equal and large", 3, vec![1e10; 9]),
        ("nearly equal", 67, (0..67).map(|index| 1e4 + (index % 3) as f32 / 1024.0).collect()),
        ("the first ones far from the others", 4096, far(1000.0)),
        ("the first ones very far", 4096, far(-1e6)),
        ("huge", 37, numbers(74, 5).iter().map(|x| 3e38 * x).collect()),
        ("squares beyond f32", 130, numbers(260, 6).iter().map(|x| 1e25 * (x + 3.0)).collect()),
        ("denormal", 17, numbers(34, 7).iter().map(|x| 1e-39 * x).collect()),
    ];
    for (name, width, input) in cases {
        norms(name, width, &input, 1e-5);
    }
}

#[test]
fn norms_of_what_is_no_number_are_none() {
    for strange in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in [0, 16, 36] {
            // The row after it is as it was.
            let mut input = numbers(3 * 37, 8);
            input[37 + at] = strange;
            norms(&format!("{strange} at {at}"), 37, &input, 1e-5);
        }
    }
}

#[test]
fn softmax_of_ugly_rows_is_its_formula() {
    const LOW: f32 = f32::NEG_INFINITY;
    let mut hidden = numbers(3 * 37, 2);
    hidden.iter_mut().step_by(3).for_each(|x| *x = LOW);
    let cases: [(&str, usize, Vec<f32>); 11] = [
        ("one number", 1, vec![3.0, -3e38, 0.0, LOW, f32::INFINITY]),
        ("all equal", 33, vec![-7.5; 66]),
        ("some hidden", 37, hidden),
        ("all hidden but the last", 5, vec![LOW, LOW, LOW, LOW, -3.0]),
        ("all hidden", 67, [vec![LOW; 67], numbers(67, 3)].concat()),
        ("infinite", 19, [vec![1.0; 18], vec![f32::INFINITY], numbers(19, 4)].concat()),
        ("NaN", 19, [vec![1.0; 18], vec![f32::NAN], numbers(19, 5), vec![f32::NAN], vec![2.0; 18]].concat()),
        ("NaN alone", 3, vec![f32::NAN; 3]),
        ("huge", 37, numbers(74, 6).iter().map(|x| 3e38 * x).collect()),
        ("denormal", 17, numbers(34, 7).iter().map(|x| 1e-39 * x).collect()),
        ("beyond what counts", 4, vec![0.0, -87.0, -88.0, -1e9]),
    ];
    for (name, width, input) in cases {
        softmaxes(name, width, &input, 3e-6);
    }
}

const ACTIVATIONS: [Activation; 5] =
    [Activation::None, Activation::Relu, Activation::Gelu, Activation::ExactGelu, Activation::Silu];

/// Its value by its formula.
fn activated(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Activation::Gelu => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()),
        Activation::ExactGelu => exact_gelu(x),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

/// `left` `[_, k]` times `right` `[k, columns]`.
fn product(left: &[f64], right: &[f64], k: usize, columns: usize) -> Vec<f64> {
    let row = |left: &[f64]| -> Vec<f64> {
        let mut sums = vec![0.0; columns];
        for (left, right) in left.iter().zip(right.chunks_exact(columns)) {
            sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * right);
        }
        sums
    };
    left.chunks(k).flat_map(row).collect()
}

fn sizes() -> impl Strategy<Value = (usize, usize, usize)> {
    prop_oneof![
        (0..40_usize, 1..70_usize, 1..90_usize),
        // More steps than a run has, more columns than a task.
        (1..4_usize, 250..600_usize, 250..600_usize),
        // More rows than a task, none of them a whole tile.
        (140..420_usize, 1..20_usize, 1..40_usize),
    ]
}

/// Absolute values.
fn absolute(numbers: &[f64]) -> Vec<f64> {
    numbers.iter().map(|number| number.abs()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_linear_layer_is_its_formula(
        (rows, inner, outer) in sizes(),
        (which, with_bias) in (0..ACTIVATIONS.len(), any::<bool>()),
        seed in any::<u64>(),
    ) {
        let (input, weight) = (numbers(rows * inner, seed), numbers(inner * outer, seed ^ 1));
        let (drawn, activation) = (numbers(outer, seed ^ 2), ACTIVATIONS[which]);
        let bias = with_bias.then_some(&drawn[..]);
        let [x, w] = [&input, &weight].map(|numbers| wide(numbers));
        let added = |column: usize| bias.map_or(0.0, |bias| f64::from(bias[column]));
        let sums = product(&x, &w, inner, outer);
        let scale = product(&absolute(&x), &absolute(&w), inner, outer);
        for isa in present() {
            let weights = LinearWeights::new([inner, outer], &weight, bias, isa).unwrap();
            let mut out = vec![f32::NAN; rows * outer];
            linear(&weights, activation, &input, &mut out).unwrap();
            for (at, found) in out.iter().enumerate() {
                let (sum, scale) = (sums[at] + added(at % outer), scale[at] + added(at % outer).abs());
                // A sum rounds as often as it has terms, no slope is above 1.13, and 2^x is off by some units of the last place.
                let bound = 1.13 * (inner as f64 + 20.0) * UNIT * scale;
                let right = activated(activation, sum);
                prop_assert!((f64::from(*found) - right).abs() <= bound, "{} at {at}: {found} for {right}", isa.name());
            }
        }
    }

    #[test]
    fn a_feed_forward_network_is_its_formula(
        (rows, width, hidden) in sizes(),
        gated in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let size = [width, hidden];
        let input = numbers(rows * width, seed);
        let [gate, up, down] = [1, 2, 3].map(|other| numbers(width * hidden, seed ^ other));
        let of = |form: fn(&[f64]) -> Vec<f64>, exact: bool| {
            let [x, g, u, d] = [&input, &gate, &up, &down].map(|numbers| form(&wide(numbers)));
            let [gates, ups] = [g, u].map(|weights| product(&x, &weights, width, hidden));
            let after = |x: f64, activation: Activation| if exact { activated(activation, x) } else { x };
            let between: Vec<f64> = if gated {
                gates.into_iter().zip(ups).map(|(g, u)| after(g, Activation::Silu) * u).collect()
            } else {
                ups.into_iter().map(|u| after(u, Activation::Gelu)).collect()
            };
            product(&between, &d, hidden, width)
        };
        let (right, scale) = (of(<[f64]>::to_vec, true), of(absolute, false));
        // As of a linear layer; two factors are off, each by the roundings of its sum.
        let bound = 1.02 * (2.13 * width as f64 + hidden as f64 + 40.0) * UNIT;
        for isa in present() {
            let weights = if gated {
                MlpWeights::swiglu(size, &gate, &up, &down, isa).unwrap()
            } else {
                MlpWeights::gelu(size, &up, &down, isa).unwrap()
            };
            let mut out = vec![f32::NAN; input.len()];
            mlp(&weights, &input, &mut out).unwrap();
            for ((found, right), scale) in out.iter().zip(&right).zip(&scale) {
                let off = (f64::from(*found) - right).abs();
                prop_assert!(off <= bound * scale, "{}: {found} for {right}", isa.name());
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_company() {
    let (rows, width, hidden) = (310, 300, 90);
    let input = numbers(rows * width, 6);
    let [up, down, gate] = [1, 2, 3].map(|seed| numbers(width * hidden, seed));
    for isa in present() {
        let layer = LinearWeights::new([width, hidden], &up, Some(&gate[..hidden]), isa).unwrap();
        let network = MlpWeights::swiglu([width, hidden], &gate, &up, &down, isa).unwrap();
        let of = |first: usize, count: usize| {
            let input = &input[first * width..][..count * width];
            let (mut one, mut other) = (vec![f32::NAN; count * hidden], vec![f32::NAN; count * width]);
            linear(&layer, Activation::Gelu, input, &mut one).unwrap();
            mlp(&network, input, &mut other).unwrap();
            (one, other)
        };
        let all = of(0, rows);
        for row in (0..rows).step_by(31) {
            let (one, other) = of(row, 1);
            assert_eq!(one, all.0[row * hidden..][..hidden], "{} {row}", isa.name());
            assert_eq!(other, all.1[row * width..][..width], "{} {row}", isa.name());
        }
        for _ in 0..3 {
            assert_eq!(of(0, rows), all, "{}", isa.name());
        }
    }
}

#[test]
fn many_rows_go_through_in_waves() {
    // A row takes 272 numbers as a left factor, and 2^23 of them are kept at a time: two waves of the layer, three of the network,
    // which keeps two left factors. None of the parts needs a second one.
    let (rows, width, hidden) = (31_000, 3, 2);
    let input = numbers(rows * width, 7);
    let [up, down] = [1, 2].map(|seed| numbers(width * hidden, seed));
    for isa in present() {
        let layer = LinearWeights::new([width, hidden], &up, None, isa).unwrap();
        let network = MlpWeights::gelu([width, hidden], &up, &down, isa).unwrap();
        let of = |input: &[f32]| {
            let count = input.len() / width;
            let (mut one, mut other) = (vec![f32::NAN; count * hidden], vec![f32::NAN; count * width]);
            linear(&layer, Activation::Relu, input, &mut one).unwrap();
            mlp(&network, input, &mut other).unwrap();
            [one, other]
        };
        let parts: Vec<[Vec<f32>; 2]> = input.chunks(10_000 * width).map(of).collect();
        let [one, other] = [0, 1].map(|which| parts.iter().flat_map(|part| part[which].clone()).collect::<Vec<f32>>());
        assert_eq!(of(&input), [one, other], "{}", isa.name());
    }
}

#[test]
fn activations_answer_where_numbers_end() {
    let mut input = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, 1e-40, -1e-40, 1e-20];
    input.extend([3e38, -3e38, 1e20, -1e20, 200.0, -200.0, 89.0, -89.0, 12.0, -12.0, 1.0, -1.0]);
    for isa in present() {
        let one = LinearWeights::new([1, 1], &[1.0], None, isa).unwrap();
        for activation in ACTIVATIONS {
            let mut out = vec![-7.0; input.len()];
            linear(&one, activation, &input, &mut out).unwrap();
            // In their place, behind enough others for several threads, and the same bits.
            let mut in_place = [vec![1.5; 20_011], input.clone()].concat();
            activate(isa, activation, &mut in_place).unwrap();
            let (before, behind) = in_place.split_at(20_011);
            assert!(before.iter().all(|number| number.to_bits() == before[0].to_bits()), "{activation:?}");
            let alike = |(one, other): (&f32, &f32)| one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan();
            assert!(behind.iter().zip(&out).all(alike), "{activation:?}: {behind:?} {out:?}");
            for (x, found) in input.iter().zip(&out) {
                let (right, found) = (activated(activation, f64::from(*x)), f64::from(*found));
                // What is below 1e-9 here is left of a number of the size of one.
                let near = (found - right).abs() <= 4e-6 * right.abs() + 1e-9 || found == right;
                assert!(near || (found.is_nan() && right.is_nan()), "{activation:?} of {x}: {found}, not {right}");
            }
        }
    }
}

#[test]
fn rotations_that_do_not_fit_are_refused() {
    let heads = Heads { batch: 1, heads: 2, kv_heads: 2, seq_q: 3, seq_kv: 3, head_dim: 8 };
    let (drawn, mut out) = (Drawn::new(heads, 1.0, 1), vec![0.0; 48]);
    let mut attended = |positions: usize, head_dim: usize, heads: Heads| {
        let rotary = Rotary::new(positions, head_dim, 10_000.0).unwrap();
        let call = Attend { heads, ..drawn.plain() };
        rotary_attention(&call, &rotary, &mut out).map_err(|error| error.to_string())
    };
    assert_eq!(attended(3, 8, heads), Ok(()));
    // As many numbers as two heads of 8 are four of 4.
    assert_eq!(attended(3, 4, heads), Err("heads are 8 wide, angles are known for 4".into()));
    assert_eq!(attended(2, 8, heads), Err("positions up to 3 are asked, angles are known for 2".into()));
    let more = Heads { seq_q: 4, ..heads };
    assert_eq!(attended(9, 8, more), Err("4 queries have no position among 3 keys".into()));
    assert_eq!(Rotary::new(2, 3, 10_000.0).unwrap_err().to_string(), "head_dim 3 is odd: numbers are rotated in pairs");
    let rotary = Rotary::new(4, 2, 10_000.0).unwrap();
    let turned = |seq: usize, from: &[f32], to: &mut [f32]| {
        rotary.rotate(Isa::Portable, seq, 1, from, to).map_err(|error| error.to_string())
    };
    assert_eq!(turned(3, &[0.0; 12], &mut [0.0; 12]), Ok(()));
    assert_eq!(turned(3, &[0.0; 10], &mut [0.0; 10]), Err("10 numbers are no whole number of [3, 2]".into()));
    assert!(turned(3, &[0.0; 12], &mut [0.0; 10]).unwrap_err().contains("the rotated numbers holds 10"));
    assert_eq!(turned(4, &[0.0; 8], &mut [0.0; 8]), Err("positions up to 5 are asked, angles are known for 4".into()));
}

#[test]
fn what_cannot_be_is_refused_with_its_shape() {
    let isa = Isa::Portable;
    let said = |result: benchbook_simd::Result<()>| result.unwrap_err().to_string();
    let norm = Norm { width: 3, input: &[0.0; 6], gain: &[1.0; 3], epsilon: EPSILON, isa };
    let mut out = [0.0; 6];
    assert_eq!(layer_norm(&norm, &[0.0; 3], &mut out), Ok(()));
    assert_eq!(said(layer_norm(&norm, &[0.0; 2], &mut out)), "the bias holds 2 numbers, its shape [3] needs 3");
    assert_eq!(
        said(rms_norm(&Norm { input: &[0.0; 5], ..norm }, &mut out)),
        "the input holds 5 numbers, its shape [1, 3] needs 3"
    );
    assert_eq!(
        said(rms_norm(&Norm { gain: &[], ..norm }, &mut out)),
        "the gain holds 0 numbers, its shape [3] needs 3"
    );
    assert_eq!(
        said(gated_rms_norm(&norm, Gate::After, &[0.0; 5], &mut out)),
        "the gate holds 5 numbers, its shape [6] needs 6"
    );
    assert_eq!(rms_norm(&Norm { width: 0, input: &[], gain: &[], ..norm }, &mut []), Ok(()));
    assert!(rms_norm(&Norm { width: 0, gain: &[], ..norm }, &mut out).is_err());
    assert!(said(softmax(&Softmax { width: 4, input: &[0.0; 6], isa }, &mut out)).contains("[1, 4] needs 4"));
    assert_eq!(softmax(&Softmax { width: 4, input: &[], isa }, &mut []), Ok(()));
    assert!(said(softmax(&Softmax { width: 3, input: &[0.0; 6], isa }, &mut out[1..])).contains("the result holds 5"));
    let table = Embedding { width: 2, table: &[0.0; 6], ids: &[2, 0], isa };
    assert_eq!(embedding(&table, &mut out[..4]), Ok(()));
    for id in [3, -1] {
        let wrong = said(embedding(&Embedding { ids: &[0, id], ..table }, &mut out[..4]));
        assert_eq!(wrong, format!("row {id} is asked, the table has 3"));
    }
    assert!(said(embedding(&Embedding { table: &[0.0; 5], ..table }, &mut out[..4])).contains("[2, 2] needs 4"));
    assert!(said(copy(isa, &[0.0; 3], &mut out)).contains("the copy holds 6 numbers"));
    let layer = |size, weight: &[f32], bias| LinearWeights::new(size, weight, bias, isa).map(drop);
    assert_eq!(said(layer([2, 0], &[], None)), "a layer from 2 to 0 numbers has no weights");
    assert_eq!(said(layer([2, 3], &[0.0; 5], None)), "the weight holds 5 numbers, its shape [2, 3] needs 6");
    assert!(said(layer([2, 3], &[0.0; 6], Some(&[0.0; 2]))).contains("the bias holds 2"));
    let weights = LinearWeights::new([2, 3], &[0.0; 6], None, isa).unwrap();
    assert!(said(linear(&weights, Activation::None, &[0.0; 3], &mut out[..3])).contains("the input holds 3"));
    assert!(said(linear(&weights, Activation::None, &[0.0; 4], &mut out[..5])).contains("the result holds 5"));
    let network = |up: &[f32], down: &[f32]| MlpWeights::gelu([2, 3], up, down, isa).map(drop);
    assert_eq!(said(network(&[0.0; 5], &[0.0; 6])), "the up weights holds 5 numbers, its shape [2, 3] needs 6");
    assert_eq!(said(network(&[0.0; 6], &[0.0; 5])), "the down weights holds 5 numbers, its shape [3, 2] needs 6");
    assert!(MlpWeights::swiglu([2, 3], &[0.0; 5], &[0.0; 6], &[0.0; 6], isa).is_err());
    let weights = MlpWeights::gelu([2, 3], &[0.0; 6], &[0.0; 6], isa).unwrap();
    assert!(said(mlp(&weights, &[0.0; 3], &mut out[..4])).contains("the input holds 3"));
}
