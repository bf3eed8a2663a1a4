//! The recurrences of RWKV-4, RWKV-6 and RWKV-7.

use benchbook_simd::{Isa, Rwkv4, Rwkv6, Rwkv7, RwkvSize, rwkv4, rwkv6, rwkv7};
use proptest::prelude::*;

use super::wide;
use crate::common::{close, numbers, present};

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Six inputs by steps (r, k, v and w, of version 7 kappa and a besides), the bonus of version 6, and the first state.
struct Drawn {
    size: RwkvSize,
    steps: [Vec<f32>; 6],
    bonus: Vec<f32>,
    start: Vec<f32>,
}

impl Drawn {
    fn new([batch, seq, heads, head_dim]: [usize; 4], seed: u64) -> Self {
        let of = |one: u64, stretch: f32| {
            numbers(batch * seq * heads * head_dim, seed ^ one).iter().map(|number| stretch * number).collect()
        };
        Self {
            size: RwkvSize { batch, seq, heads, head_dim },
            // The fourth makes decays: from a forgetting of all to one of almost nothing.
            steps: [of(1, 1.0), of(2, 1.0), of(3, 1.0), of(4, 5.0), of(5, 1.0), of(6, 3.0)],
            bonus: numbers(heads * head_dim, seed ^ 7),
            start: numbers(batch * heads * head_dim * head_dim, seed ^ 8),
        }
    }

    fn run6(&self, isa: Isa) -> [Vec<f32>; 2] {
        let (Self { size, start, bonus: u, .. }, [r, k, v, w, _, _]) = (self, &self.steps);
        let (mut out, mut end) = (vec![f32::NAN; v.len()], vec![f32::NAN; start.len()]);
        rwkv6(&Rwkv6 { size: *size, r, k, v, w, u, start, isa }, &mut out, &mut end).unwrap();
        [out, end]
    }

    fn run7(&self, isa: Isa) -> [Vec<f32>; 2] {
        let (Self { size, start, .. }, [r, k, v, w, kappa, a]) = (self, &self.steps);
        let (mut out, mut end) = (vec![f32::NAN; v.len()], vec![f32::NAN; start.len()]);
        rwkv7(&Rwkv7 { size: *size, r, w, k, v, kappa, a, start, isa }, &mut out, &mut end).unwrap();
        [out, end]
    }

    /// All steps of all heads: `one` takes where a step begins, its head, the state and room for the result.
    fn right(&self, one: impl Fn(usize, usize, &mut [f64], &mut [f64])) -> [Vec<f64>; 2] {
        let RwkvSize { seq, heads, head_dim, .. } = self.size;
        let mut end: Vec<f64> = self.start.iter().map(|number| f64::from(*number)).collect();
        let mut out = vec![0.0; self.steps[0].len()];
        for (index, state) in end.chunks_exact_mut(head_dim * head_dim).enumerate() {
            for step in 0..seq {
                let at = ((index / heads * seq + step) * heads + index % heads) * head_dim;
                one(at, index % heads, state, &mut out[at..at + head_dim]);
            }
        }
        [out, end]
    }

    fn right6(&self) -> [Vec<f64>; 2] {
        let (head_dim, [r, k, v, w, _, _]) = (self.size.head_dim, &self.steps);
        self.right(|at, head, state, out| {
            for (index, state) in state.iter_mut().enumerate() {
                let (key, value) = (index / head_dim, index % head_dim);
                let added = wide(k, at + key) * wide(v, at + value);
                out[value] += wide(r, at + key) * (*state + wide(&self.bonus, head * head_dim + key) * added);
                *state = (-wide(w, at + key).exp()).exp() * *state + added;
            }
        })
    }

    fn right7(&self) -> [Vec<f64>; 2] {
        let (head_dim, [r, k, v, w, kappa, a]) = (self.size.head_dim, &self.steps);
        self.right(|at, _, state, out| {
            let length = (0..head_dim).map(|key| wide(kappa, at + key).powi(2)).sum::<f64>().sqrt().max(1e-12);
            let unit = |key: usize| wide(kappa, at + key) / length;
            for (value, row) in state.chunks_exact_mut(head_dim).enumerate() {
                let known: f64 = row.iter().enumerate().map(|(key, state)| state * unit(key)).sum();
                for (key, state) in row.iter_mut().enumerate() {
                    let decay = (-(-0.5_f64).exp() * sigmoid(wide(w, at + key))).exp();
                    let removed = known * sigmoid(wide(a, at + key)) * unit(key);
                    *state = decay * *state - removed + wide(v, at + value) * wide(k, at + key);
                    out[value] += *state * wide(r, at + key);
                }
            }
        })
    }
}

fn both(name: &str, found: &[Vec<f32>; 2], right: &[Vec<f64>; 2]) {
    close(&format!("out of {name}"), &found[0], &right[0], 3e-6);
    close(&format!("state of {name}"), &found[1], &right[1], 3e-6);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn versions_6_and_7_are_their_recurrences(
        (batch, heads) in (1..3_usize, 1..4_usize),
        // The state where it lies, one chunk, and several.
        seq in prop_oneof![0..3_usize, 3..33_usize, 33..100_usize],
        head_dim in 1..70_usize,
        seed in any::<u64>(),
    ) {
        let drawn = Drawn::new([batch, seq, heads, head_dim], seed);
        for isa in present() {
            both(&format!("6 by {}", isa.name()), &drawn.run6(isa), &drawn.right6());
            both(&format!("7 by {}", isa.name()), &drawn.run7(isa), &drawn.right7());
        }
    }

    #[test]
    fn version_4_is_an_average_of_all_steps_before(
        (batch, seq) in (1..3_usize, 0..80_usize),
        channels in 1..60_usize,
        empty in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let [r, k, v] = [1, 2, 3].map(|one| numbers(batch * seq * channels, seed ^ one));
        let k: Vec<f32> = k.iter().map(|number| 5.0 * number).collect();
        let [decay, u] = [4, 5].map(|one| numbers(channels, seed ^ one).iter().map(|x| 3.0 * x).collect::<Vec<f32>>());
        let mut start = numbers(2 * batch * channels, seed ^ 6);
        if empty {
            start.chunks_exact_mut(2).for_each(|state| state.copy_from_slice(&[0.0, f32::NEG_INFINITY]));
        }
        // Every average from all that came before it.
        let average = |sequence: usize, channel: usize, steps: usize, own: bool| {
            let at = |step: usize| (sequence * seq + step) * channels + channel;
            let fade = wide(&decay, channel).exp();
            let first = 2 * (sequence * channels + channel);
            let since = steps as f64 - if own { 1.0 } else { 0.0 };
            let mut all = vec![[wide(&start, first), wide(&start, first + 1) - since * fade]];
            for step in 0..steps {
                let last = own && step + 1 == steps;
                let ago = if last { 0.0 } else { since - 1.0 - step as f64 };
                let more = if last { wide(&u, channel) } else { 0.0 };
                all.push([wide(&v, at(step)), wide(&k, at(step)) + more - ago * fade]);
            }
            let most = all.iter().fold(f64::NEG_INFINITY, |most, [_, weight]| most.max(*weight));
            let weight: f64 = all.iter().map(|[_, weight]| (weight - most).exp()).sum();
            let sum: f64 = all.iter().map(|[value, weight]| value * (weight - most).exp()).sum();
            [sum / weight, most + weight.ln()]
        };
        let one = |index: usize| {
            let (sequence, step, channel) = (index / channels / seq, index / channels % seq, index % channels);
            sigmoid(wide(&r, index)) * average(sequence, channel, step + 1, true)[0]
        };
        let right: Vec<f64> = (0..r.len()).map(one).collect();
        let states = (0..batch * channels).flat_map(|index| average(index / channels, index % channels, seq, false));
        let states: Vec<f64> = states.collect();
        for isa in present() {
            let (mut out, mut end) = (vec![f32::NAN; r.len()], vec![f32::NAN; start.len()]);
            let (size, decay, u, start) = ([batch, seq, channels], &decay, &u, &start);
            rwkv4(&Rwkv4 { size, r: &r, k: &k, v: &v, decay, u, start, isa }, &mut out, &mut end).unwrap();
            // An exponent of some 5 rounds by 2e-7 in every step.
            close(&format!("out by {}", isa.name()), &out, &right, 2e-5);
            if seq > 0 {
                close(&format!("state by {}", isa.name()), &end, &states, 2e-5);
            }
        }
    }
}

#[test]
fn sizes_at_the_ends_of_their_ranges_are_right() {
    for size in [[1, 1, 3, 1], [1, 40, 2, 1], [1, 1, 2, 256], [1, 35, 1, 256], [0, 3, 2, 4], [2, 3, 0, 4]] {
        let drawn = Drawn::new(size, 11);
        for isa in present() {
            both(&format!("6 of {size:?} by {}", isa.name()), &drawn.run6(isa), &drawn.right6());
            both(&format!("7 of {size:?} by {}", isa.name()), &drawn.run7(isa), &drawn.right7());
        }
    }
}

/// An average and the logarithm of its weight after `value` has joined it by e^`key`.
fn joined([average, weight]: [f64; 2], value: f64, key: f64) -> [f64; 2] {
    let apart = key - weight;
    [average + (value - average) * sigmoid(apart), weight.max(key) + (-apart.abs()).exp().ln_1p()]
}

#[test]
fn a_channel_of_version_4_may_forget_all_or_nothing() {
    let (seq, channels) = (40, 19);
    let [r, k, mut v] = [1, 2, 3].map(|one| numbers(seq * channels, one));
    // Numbers that are too small to be normal.
    v.iter_mut().step_by(5).for_each(|number| *number = 1e-41);
    let (u, start) = (numbers(channels, 4), numbers(2 * channels, 5));
    let decay: Vec<f32> = (0..channels).map(|channel| [20.0, -200.0, 0.0][channel % 3]).collect();
    let (mut right, mut states) = (vec![0.0; r.len()], vec![0.0; start.len()]);
    for channel in 0..channels {
        let mut state = [wide(&start, 2 * channel), wide(&start, 2 * channel + 1)];
        for at in (channel..seq * channels).step_by(channels) {
            right[at] = sigmoid(wide(&r, at)) * joined(state, wide(&v, at), wide(&u, channel) + wide(&k, at))[0];
            let faded = [state[0], state[1] - wide(&decay, channel).exp()];
            state = joined(faded, wide(&v, at), wide(&k, at));
        }
        states[2 * channel..][..2].copy_from_slice(&state);
    }
    for isa in present() {
        let (mut out, mut end) = (vec![f32::NAN; r.len()], vec![f32::NAN; start.len()]);
        let (size, r, k, v, decay, u, start) = ([1, seq, channels], &r, &k, &v, &decay, &u, &start);
        rwkv4(&Rwkv4 { size, r, k, v, decay, u, start, isa }, &mut out, &mut end).unwrap();
        close(&format!("out by {}", isa.name()), &out, &right, 1e-5);
        close(&format!("state by {}", isa.name()), &end, &states, 1e-5);
    }
}

#[test]
fn an_infinite_key_has_all_of_the_average_from_then_on() {
    let (seq, channels, at) = (7, 21, 2 * 21 + 4);
    let [r, mut k, v] = [1, 2, 3].map(|one| numbers(seq * channels, one));
    k[at] = f32::INFINITY;
    let [decay, u] = [4, 5].map(|one| numbers(channels, one));
    let start = numbers(2 * channels, 6);
    for isa in present() {
        let (mut out, mut end) = (vec![f32::NAN; r.len()], vec![f32::NAN; start.len()]);
        let (size, r, k, v, decay, u, start) = ([1, seq, channels], &r, &k, &v, &decay, &u, &start);
        rwkv4(&Rwkv4 { size, r, k, v, decay, u, start, isa }, &mut out, &mut end).unwrap();
        for later in (at..seq * channels).step_by(channels) {
            let right = sigmoid(wide(r, later)) * wide(v, at);
            assert!((f64::from(out[later]) - right).abs() < 1e-6, "{later} by {}: {}", isa.name(), out[later]);
        }
        assert_eq!(end[2 * 4..][..2], [v[at], f32::INFINITY], "{}", isa.name());
        assert!(out.iter().all(|number| number.is_finite()), "{}: other channels do not see it", isa.name());
    }
}

#[test]
fn recurrences_go_on_where_they_ended() {
    let (seq, heads, head_dim) = (37, 3, 20);
    let whole = Drawn::new([1, seq, heads, head_dim], 5);
    let part = |from: usize, to: usize, start: &[f32]| {
        let width = heads * head_dim;
        Drawn {
            size: RwkvSize { seq: to - from, ..whole.size },
            steps: whole.steps.each_ref().map(|numbers| numbers[from * width..to * width].to_vec()),
            bonus: whole.bonus.clone(),
            start: start.to_vec(),
        }
    };
    let goes_on = |run: &dyn Fn(&Drawn) -> [Vec<f32>; 2]| {
        // A prompt, and then one step after another.
        let mut found = run(&part(0, seq - 3, &whole.start));
        for step in seq - 3..seq {
            let [out, end] = run(&part(step, step + 1, &found[1]));
            found[0].extend(out);
            found[1] = end;
        }
        found
    };
    for isa in present() {
        both("6", &goes_on(&|drawn: &Drawn| drawn.run6(isa)), &whole.right6());
        both("7", &goes_on(&|drawn: &Drawn| drawn.run7(isa)), &whole.right7());
    }
}

#[test]
fn a_decay_may_forget_all_or_nothing() {
    for seq in [3, 40] {
        let mut drawn = Drawn::new([1, seq, 2, 9], 3);
        for (step, row) in drawn.steps[3].chunks_exact_mut(18).enumerate() {
            // Of exp(−exp(w)): 0, 1 in `f32`, as it was.
            match step % 3 {
                0 => row.fill(20.0),
                1 => row.fill(-200.0),
                _ => {}
            }
        }
        // Numbers that are too small to be normal.
        drawn.steps[2].iter_mut().step_by(5).for_each(|number| *number = 1e-41);
        for isa in present() {
            both(&format!("{seq} by {}", isa.name()), &drawn.run6(isa), &drawn.right6());
        }
    }
}

/// A value that is infinite reaches nothing but its own sums, from its step on.
fn infinity_stays(run: fn(&Drawn, Isa) -> [Vec<f32>; 2], right: fn(&Drawn) -> [Vec<f64>; 2]) {
    let mut drawn = Drawn::new([1, 45, 2, 9], 3);
    let at = (20 * 2 + 1) * 9 + 3;
    drawn.steps[2][at] = f32::INFINITY;
    let [right, _] = right(&drawn);
    for isa in present() {
        let [out, _] = run(&drawn, isa);
        for (index, (found, right)) in out.iter().zip(&right).enumerate() {
            assert_eq!(right.is_finite(), index % 18 != at % 18 || index < at, "{index}");
            assert_eq!(found.is_finite(), right.is_finite(), "{index} by {}: {found}", isa.name());
        }
    }
}

#[test]
fn what_is_infinite_stays_with_its_value_and_reaches_nothing_before_it() {
    infinity_stays(Drawn::run6, Drawn::right6);
    infinity_stays(Drawn::run7, Drawn::right7);
}

#[test]
fn version_7_may_keep_and_remove_all_or_nothing() {
    for seq in [1, 3, 40] {
        let mut drawn = Drawn::new([1, seq, 2, 9], 3);
        // Decays and rates, by the logistic function: 1, 0, and as they were.
        for (step, which) in (0..seq).flat_map(|step| [(step, 3), (step, 5)]) {
            let row = &mut drawn.steps[which][step * 18..][..18];
            match (step + which) % 3 {
                0 => row.fill(200.0),
                1 => row.fill(-200.0),
                _ => {}
            }
        }
        // Numbers that are too small to be normal.
        drawn.steps[2].iter_mut().step_by(5).for_each(|number| *number = 1e-41);
        for isa in present() {
            both(&format!("{seq} by {}", isa.name()), &drawn.run7(isa), &drawn.right7());
        }
    }
}

#[test]
fn a_removal_key_of_nothing_removes_nothing() {
    let mut drawn = Drawn::new([1, 34, 1, 19], 5);
    drawn.steps[4].fill(0.0);
    for isa in present() {
        both(isa.name(), &drawn.run7(isa), &drawn.right7());
    }
}

#[test]
fn slices_that_do_not_fit_are_refused() {
    let drawn = Drawn::new([1, 2, 3, 4], 1);
    let (size, [r, k, v, w, kappa, a]) = (drawn.size, &drawn.steps);
    let (u, start, isa) = (&drawn.bonus[1..], &drawn.start[..], Isa::Portable);
    let said = rwkv6(&Rwkv6 { size, r, k, v, w, u, start, isa }, &mut [0.0; 24], &mut [0.0; 48]).unwrap_err();
    assert_eq!(said.to_string(), "u holds 11 numbers, its shape [3, 4] needs 12");
    let said = rwkv7(&Rwkv7 { size, r, w, k, v, kappa, a, start, isa }, &mut [0.0; 24], &mut [0.0; 47]).unwrap_err();
    assert_eq!(said.to_string(), "the last state holds 47 numbers, its shape [1, 3, 4, 4] needs 48");
}
