//! What lies between the products of a transformer, on the way back: beside slopes and plain loops, and calls that are refused.

use benchbook_simd::{
    Isa, NormBackward, Rotary, column_sums, cross_entropy, gelu, gelu_backward, layer_norm_backward, rms_norm_backward,
    swiglu_backward, transpose,
};

use crate::common::{BASE, close, numbers, present};

const EPSILON: f64 = 1e-5;

/// GELU by tanh, and its slope.
fn gelu_of(x: f64) -> [f64; 2] {
    let factor = (2.0 / std::f64::consts::PI).sqrt();
    let tanh = (factor * (x + 0.044715 * x.powi(3))).tanh();
    let slope = factor * (1.0 + 3.0 * 0.044715 * x * x);
    [0.5 * x * (1.0 + tanh), 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope]
}

#[test]
fn gelu_and_its_slope_are_their_formulas() {
    let from: Vec<f32> = (0..20_003).map(|index| (index as f32 - 10_000.0) / 800.0).collect();
    let grad = numbers(from.len(), 2);
    let right: Vec<[f64; 2]> = from.iter().map(|x| gelu_of(f64::from(*x))).collect();
    for isa in present() {
        let (mut out, mut back) = (vec![f32::NAN; from.len()], grad.clone());
        gelu(isa, &from, &mut out).unwrap();
        gelu_backward(isa, &from, &mut back).unwrap();
        for (place, [value, slope]) in right.iter().enumerate() {
            // Rounding of the exponent is a share of it of what it stands for.
            let bound = 2e-6 * (1.0 + value.abs());
            assert!((f64::from(out[place]) - value).abs() < bound, "{} by {}", from[place], isa.name());
            let found = f64::from(back[place]) - slope * f64::from(grad[place]);
            assert!(found.abs() < 4e-6, "slope of {} by {}: off by {found}", from[place], isa.name());
        }
    }
    assert!(gelu(Isa::Portable, &[0.0; 3], &mut [0.0; 2]).is_err());
    assert!(gelu_backward(Isa::Portable, &[0.0; 3], &mut [0.0; 2]).is_err());
}

#[test]
fn gradients_of_a_layer_norm_are_its_slopes() {
    for (rows, width) in [(1, 2), (3, 17), (67, 33), (5, 300)] {
        let [input, grad, past] = [1, 2, 3].map(|seed| numbers(rows * width, seed));
        let gain: Vec<f32> = numbers(width, 4).iter().map(|x| 1.0 + 0.1 * x).collect();
        let (mut of_input, mut of_gain, mut of_bias) = (Vec::new(), vec![0.0; width], vec![0.0; width]);
        for (row, (x, grad)) in input.chunks_exact(width).zip(grad.chunks_exact(width)).enumerate() {
            let x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            let count = width as f64;
            let mean = x.iter().sum::<f64>() / count;
            let scale = 1.0 / (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count + EPSILON).sqrt();
            let normal: Vec<f64> = x.iter().map(|x| (x - mean) * scale).collect();
            let inner: Vec<f64> = grad.iter().zip(&gain).map(|(grad, gain)| f64::from(grad * gain)).collect();
            let mean = inner.iter().sum::<f64>() / count;
            let along = inner.iter().zip(&normal).map(|(a, b)| a * b).sum::<f64>() / count;
            for (at, (inner, normal)) in inner.iter().zip(&normal).enumerate() {
                of_gain[at] += f64::from(grad[at]) * normal;
                of_bias[at] += f64::from(grad[at]);
                of_input.push(f64::from(past[row * width + at]) + scale * (inner - mean - normal * along));
            }
        }
        for isa in present() {
            let (mut to, mut gains, mut biases) = (past.clone(), vec![f32::NAN; width], vec![f32::NAN; width]);
            let norm = NormBackward { width, input: &input, gain: &gain, grad: &grad, epsilon: EPSILON, isa };
            layer_norm_backward(&norm, &mut to, [&mut gains, &mut biases]).unwrap();
            let name = format!("{rows}×{width} by {}", isa.name());
            close(&name, &to, &of_input, 2e-5);
            close(&name, &gains, &of_gain, 1e-5);
            close(&name, &biases, &of_bias, 1e-5);
        }
    }
    let norm = NormBackward {
        width: 2,
        input: &[0.0; 4],
        gain: &[1.0; 2],
        grad: &[0.0; 3],
        epsilon: EPSILON,
        isa: Isa::Portable,
    };
    let wrong = layer_norm_backward(&norm, &mut [0.0; 4], [&mut [0.0; 2], &mut [0.0; 2]]).unwrap_err();
    assert!(wrong.to_string().contains("the gradient of the result holds 3 numbers"));
}

#[test]
fn gradients_of_an_rms_norm_are_its_slopes() {
    for (rows, width) in [(1, 2), (3, 17), (67, 33), (5, 300)] {
        let [input, grad, past] = [1, 2, 3].map(|seed| numbers(rows * width, seed));
        let gain: Vec<f32> = numbers(width, 4).iter().map(|x| 1.0 + 0.1 * x).collect();
        let (mut of_input, mut of_gain) = (Vec::new(), vec![0.0; width]);
        for (row, (x, grad)) in input.chunks_exact(width).zip(grad.chunks_exact(width)).enumerate() {
            let square = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / width as f64;
            let scale = 1.0 / (square + EPSILON).sqrt();
            let normal: Vec<f64> = x.iter().map(|x| f64::from(*x) * scale).collect();
            let inner: Vec<f64> = grad.iter().zip(&gain).map(|(grad, gain)| f64::from(grad * gain)).collect();
            let along = inner.iter().zip(&normal).map(|(a, b)| a * b).sum::<f64>() / width as f64;
            for (at, (inner, normal)) in inner.iter().zip(&normal).enumerate() {
                of_gain[at] += f64::from(grad[at]) * normal;
                of_input.push(f64::from(past[row * width + at]) + scale * (inner - normal * along));
            }
        }
        for isa in present() {
            let (mut to, mut gains) = (past.clone(), vec![f32::NAN; width]);
            let norm = NormBackward { width, input: &input, gain: &gain, grad: &grad, epsilon: EPSILON, isa };
            rms_norm_backward(&norm, &mut to, &mut gains).unwrap();
            let name = format!("{rows}×{width} by {}", isa.name());
            close(&name, &to, &of_input, 2e-5);
            close(&name, &gains, &of_gain, 1e-5);
            let short = rms_norm_backward(&norm, &mut to, &mut gains[1..]).unwrap_err();
            assert!(short.to_string().contains("the gradient of the gain"));
        }
    }
}

#[test]
fn gradients_of_gate_and_up_are_the_slopes_of_their_product() {
    for (rows, hidden) in [(1, 1), (3, 5), (7, 33), (40, 257)] {
        let both: Vec<f32> = numbers(rows * 2 * hidden, 1).iter().map(|x| 6.0 * x).collect();
        let grad = numbers(rows * hidden, 2);
        let mut right = Vec::new();
        for (both, grad) in both.chunks_exact(2 * hidden).zip(grad.chunks_exact(hidden)) {
            let of = |at: usize| [f64::from(both[at]), f64::from(both[hidden + at]), f64::from(grad[at])];
            let share = |gate: f64| 1.0 / (1.0 + (-gate).exp());
            let of_gate = |[gate, up, grad]: [f64; 3]| grad * up * share(gate) * (1.0 + gate * (1.0 - share(gate)));
            right.extend((0..hidden).map(|at| of_gate(of(at))));
            right.extend((0..hidden).map(of).map(|[gate, _, grad]| grad * gate * share(gate)));
        }
        for isa in present() {
            let mut to = vec![f32::NAN; both.len()];
            swiglu_backward(isa, hidden, &both, &grad, &mut to).unwrap();
            close(&format!("{rows}×{hidden} by {}", isa.name()), &to, &right, 2e-6);
        }
    }
    assert!(swiglu_backward(Isa::Portable, 2, &[0.0; 4], &[0.0; 2], &mut [0.0; 3]).is_err());
    assert!(swiglu_backward(Isa::Portable, 0, &[], &[], &mut []).is_err());
}

#[test]
fn angles_the_other_way_round_turn_back() {
    let (seq, head_dim) = (9, 6);
    let rotary = Rotary::new(seq, head_dim, BASE).unwrap();
    let from = numbers(2 * seq * head_dim, 1);
    let wanted: Vec<f64> = from.iter().map(|x| f64::from(*x)).collect();
    for isa in present() {
        let (mut turned, mut back) = (vec![0.0; from.len()], vec![0.0; from.len()]);
        rotary.rotate(isa, seq, 0, &from, &mut turned).unwrap();
        assert_ne!(turned, from);
        rotary.reversed().rotate(isa, seq, 0, &turned, &mut back).unwrap();
        close("turned back", &back, &wanted, 1e-6);
    }
}

#[test]
fn cross_entropies_and_their_gradients_are_their_formulas() {
    for (rows, columns) in [(1, 2), (5, 17), (40, 1031)] {
        let logits: Vec<f32> = numbers(rows * columns, 1).iter().map(|x| 20.0 * x).collect();
        let wanted: Vec<i32> = (0..rows).map(|row| (row * 7 % columns) as i32).collect();
        let (mut right, mut of_logits) = (Vec::new(), Vec::new());
        for (row, id) in logits.chunks_exact(columns).zip(&wanted) {
            let sum: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
            right.push(sum.ln() - f64::from(row[*id as usize]));
            let share = |(at, logit): (usize, &f32)| {
                (f64::from(*logit).exp() / sum - if at == *id as usize { 1.0 } else { 0.0 }) / rows as f64
            };
            of_logits.extend(row.iter().enumerate().map(share));
        }
        for isa in present() {
            let (mut found, mut losses) = (logits.clone(), vec![f32::NAN; rows]);
            cross_entropy(isa, columns, &wanted, &mut found, &mut losses).unwrap();
            let name = format!("{rows}×{columns} by {}", isa.name());
            close(&name, &losses, &right, 1e-6);
            close(&name, &found, &of_logits, 5e-6);
        }
    }
    let strange = cross_entropy(Isa::Portable, 3, &[3], &mut [0.0; 3], &mut [0.0; 1]).unwrap_err();
    assert!(strange.to_string().contains("3 is wanted of 3 logits"));
    let mut losses = [0.0];
    cross_entropy(Isa::Portable, 2, &[0], &mut [f32::NAN, 0.0], &mut losses).unwrap();
    assert!(losses[0].is_nan(), "what is no number has no loss");
}

#[test]
fn rows_are_turned_and_columns_added_up() {
    for (rows, columns) in [(1, 1), (3, 17), (67, 33), (16, 300), (500, 2)] {
        let from = numbers(rows * columns, 5);
        let (mut to, mut sums) = (vec![f32::NAN; from.len()], vec![f32::NAN; columns]);
        transpose([rows, columns], &from, &mut to).unwrap();
        for (place, number) in from.iter().enumerate() {
            assert_eq!(to[place % columns * rows + place / columns], *number);
        }
        column_sums(columns, &from, &mut sums).unwrap();
        let right: Vec<f64> = to.chunks_exact(rows).map(|column| column.iter().map(|x| f64::from(*x)).sum()).collect();
        close("sums", &sums, &right, 1e-5);
    }
    assert!(transpose([2, 3], &[0.0; 6], &mut [0.0; 5]).is_err());
    assert!(column_sums(3, &[0.0; 7], &mut [0.0; 3]).is_err());
}
