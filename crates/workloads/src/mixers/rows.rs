//! References of recurrences, channel by channel or head by head: a step needs all steps before it.

use benchbook_core::{Answer, Check, Reference, sample_rows};
use rayon::prelude::*;

use crate::rows::BUDGET;

/// Numbers of a result that are kept at most, but for 16 rows of any width.
pub const KEPT: usize = 1 << 20;

fn answer(name: &'static str, shape: Vec<usize>, rows: Vec<usize>, values: Vec<f64>) -> Answer {
    Answer { name: name.into(), shape, rows, values, check: Check::Near }
}

/// `output` `[batch, seq, channels]` and `state` `[batch, channels, numbers]`, where `one` tells of a channel of a sequence all
/// steps and the numbers of its last state. Every channel is computed; of the steps, as many are kept as memory allows.
pub fn by_channels(
    [batch, seq, channels]: [usize; 3],
    numbers: usize,
    seed: u64,
    one: impl Fn(usize, usize) -> (Vec<f64>, Vec<f64>) + Sync,
) -> Reference {
    let rows = sample_rows(batch * seq, (KEPT / channels).max(16), seed);
    let solve = |index: usize| {
        let (sequence, channel) = (index / channels, index % channels);
        let (output, state) = one(sequence, channel);
        let kept = rows.iter().filter(|row| **row / seq == sequence);
        (kept.map(|row| output[row % seq]).collect::<Vec<f64>>(), state)
    };
    let solved: Vec<(Vec<f64>, Vec<f64>)> = (0..batch * channels).into_par_iter().map(solve).collect();
    // Rows of one sequence after another, each with all of its channels.
    let sequences = solved.chunks(channels);
    let by_rows = |sequence: &[(Vec<f64>, Vec<f64>)]| -> Vec<f64> {
        (0..sequence[0].0.len()).flat_map(|row| sequence.iter().map(move |(kept, _)| kept[row])).collect()
    };
    let values = sequences.flat_map(by_rows).collect();
    let states = solved.iter().flat_map(|(_, state)| state.iter().copied()).collect();
    Reference {
        answers: vec![
            answer("output", vec![batch, seq, channels], rows, values),
            answer("state", vec![batch, channels, numbers], (0..batch * channels).collect(), states),
        ],
    }
}

/// `output` `[batch, seq, heads, width]` and `state` `[batch, heads, rows, columns]`, of which `start` is the first. `step` takes a
/// state on, with the position in all sequences `[batch · seq]` and the head, and gives a row of the output. A head takes `cost`
/// multiply-adds; where all take too many, a seeded subset is computed.
pub fn by_heads(
    [batch, seq, heads, width]: [usize; 4],
    [rows, columns]: [usize; 2],
    cost: usize,
    seed: u64,
    start: &[f32],
    step: impl Fn(&mut [f64], usize, usize) -> Vec<f64> + Sync,
) -> Reference {
    let numbers = rows * columns;
    let one = |index: &usize| -> (Vec<f64>, Vec<f64>) {
        let (sequence, head) = (index / heads, index % heads);
        let mut state: Vec<f64> = start[index * numbers..][..numbers].iter().map(|number| f64::from(*number)).collect();
        let positions = sequence * seq..(sequence + 1) * seq;
        let output = positions.flat_map(|position| step(&mut state, position, head)).collect();
        (output, state)
    };
    let limit = (BUDGET / cost.max(1)).clamp(1, (KEPT / (seq * width)).max(1));
    let chosen = sample_rows(batch * heads, limit, seed);
    let solved: Vec<(Vec<f64>, Vec<f64>)> = chosen.par_iter().map(one).collect();
    let (mut kept, mut values) = (Vec::new(), Vec::new());
    for sequence in 0..batch {
        for step in 0..seq {
            let of_sequence = chosen.iter().zip(&solved).filter(|(index, _)| **index / heads == sequence);
            for (index, (output, _)) in of_sequence {
                kept.push((sequence * seq + step) * heads + index % heads);
                values.extend_from_slice(&output[step * width..][..width]);
            }
        }
    }
    let states = chosen.iter().flat_map(|index| index * rows..(index + 1) * rows).collect();
    let of_states = solved.iter().flat_map(|(_, state)| state.iter().copied()).collect();
    Reference {
        answers: vec![
            answer("output", vec![batch, seq, heads, width], kept, values),
            answer("state", vec![batch, heads, rows, columns], states, of_states),
        ],
    }
}

/// A step of a channel of Mamba, with `[Δ, Δ x]` and `[B, C]`: h ← exp(Δ A) h + Δ x B, and then C h.
pub fn scan_step<T: Copy + Into<f64>>(
    h: &mut [f64],
    rates: &[f64],
    [delta, added]: [f64; 2],
    [b, c]: [&[T]; 2],
) -> f64 {
    let mut sum = 0.0;
    for ((h, rate), (b, c)) in h.iter_mut().zip(rates).zip(b.iter().zip(c)) {
        let (b, c): (f64, f64) = ((*b).into(), (*c).into());
        *h = (delta * rate).exp() * *h + added * b;
        sum += c * *h;
    }
    sum
}

/// A step of a head of a duality, with what it leaves and Δ, x, and `[B, C]`: h ← left h + Δ x Bᵀ of `[x, B]`, and then h C.
pub fn ssd_step<T: Copy + Into<f64>>(h: &mut [f64], [left, delta]: [f64; 2], x: &[T], [b, c]: [&[T]; 2]) -> Vec<f64> {
    let row = |(h, x): (&mut [f64], &T)| {
        let (x, mut sum): (f64, f64) = ((*x).into(), 0.0);
        for (h, (b, c)) in h.iter_mut().zip(b.iter().zip(c)) {
            let (b, c): (f64, f64) = ((*b).into(), (*c).into());
            *h = left * *h + delta * x * b;
            sum += c * *h;
        }
        sum
    };
    h.chunks_exact_mut(b.len()).zip(x).map(row).collect()
}

/// A step of a channel of RWKV-4 before its receptance, of a state that is an average and the logarithm of its weight: with
/// `[k, v]` and `[decay, u]`, see [`Rwkv4`](super::Rwkv4).
pub fn rwkv4_step(state: &mut [f64], [k, v]: [f64; 2], [decay, u]: [f64; 2]) -> f64 {
    let (average, weight) = (state[0], state[1]);
    let [out, _] = joined([average, weight], [v, u + k]);
    state.copy_from_slice(&joined([average, weight - decay.exp()], [v, k]));
    out
}

/// The average of two averages, and the logarithm of the weight of both.
fn joined([one, of_one]: [f64; 2], [other, of_other]: [f64; 2]) -> [f64; 2] {
    // The share of the other, and ln(e^a + e^b), by what they are apart.
    let apart = of_other - of_one;
    [one + (other - one) * sigmoid(apart), of_one.max(of_other) + (-apart.abs()).exp().ln_1p()]
}

/// A step of a head of RWKV-6, with `[r, k, v, w]` and the bonus u: y = r (S + diag(u) k ⊗ v), S ← diag(exp(−exp(w))) S + k ⊗ v.
pub fn rwkv6_step<T: Copy + Into<f64>>(state: &mut [f64], [r, k, v, w]: [&[T]; 4], u: &[f32]) -> Vec<f64> {
    let mut out = vec![0.0; v.len()];
    for (key, row) in state.chunks_exact_mut(v.len()).enumerate() {
        let [r, k, w]: [f64; 3] = [r, k, w].map(|all| all[key].into());
        let (decay, bonus) = ((-w.exp()).exp(), f64::from(u[key]));
        for ((state, out), v) in row.iter_mut().zip(&mut out).zip(v) {
            let v: f64 = (*v).into();
            let added = k * v;
            *out += r * (*state + bonus * added);
            *state = decay * *state + added;
        }
    }
    out
}

/// A step of a head of RWKV-7, with `[r, w, k, v, kappa, a]`, see [`Rwkv7`](super::Rwkv7).
pub fn rwkv7_step<T: Copy + Into<f64>>(state: &mut [f64], of_step: [&[T]; 6]) -> Vec<f64> {
    let [r, w, k, v, kappa, a] = of_step.map(|all| all.iter().map(|number| (*number).into()).collect::<Vec<f64>>());
    let length = kappa.iter().map(|number| number * number).sum::<f64>().sqrt().max(1e-12);
    let row = |(row, value): (&mut [f64], &f64)| {
        let known: f64 = row.iter().zip(&kappa).map(|(state, kappa)| state * kappa / length).sum();
        let mut out = 0.0;
        for (key, state) in row.iter_mut().enumerate() {
            let decay = (-(-0.5_f64).exp() * sigmoid(w[key])).exp();
            let removed = known * sigmoid(a[key]) * kappa[key] / length;
            *state = *state * decay - removed + value * k[key];
            out += *state * r[key];
        }
        out
    };
    state.chunks_exact_mut(k.len()).zip(&v).map(row).collect()
}

/// The logistic function.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(1 + e^x).
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
