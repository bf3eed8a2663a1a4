//! The selective scan.

use benchbook_simd::{Isa, ScanGradients, ScanSize, SelectiveScan, selective_scan, selective_scan_backward};
use proptest::prelude::*;

use super::{silu, softplus};
use crate::common::{close, numbers, present};

/// Drawn inputs of a scan.
struct Drawn {
    size: ScanSize,
    x: Vec<f32>,
    delta: Vec<f32>,
    delta_bias: Vec<f32>,
    a_log: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
    d: Vec<f32>,
    z: Vec<f32>,
    start: Vec<f32>,
}

impl Drawn {
    fn new([batch, seq, channels, state]: [usize; 4], seed: u64) -> Self {
        let [x, delta, z] = [1, 2, 3].map(|one| numbers(batch * seq * channels, seed ^ one));
        let [b, c] = [4, 5].map(|one| numbers(batch * seq * state, seed ^ one));
        let [delta_bias, d] = [6, 7].map(|one| numbers(channels, seed ^ one));
        Self {
            size: ScanSize { batch, seq, channels, state },
            x,
            // From a forgetting of all to one of almost nothing.
            delta: delta.iter().map(|number| 6.0 * number - 3.0).collect(),
            delta_bias,
            a_log: numbers(channels * state, seed ^ 8).iter().map(|number| 2.0 * number).collect(),
            b,
            c,
            d,
            z: z.iter().map(|number| 4.0 * number).collect(),
            start: numbers(batch * channels * state, seed ^ 9),
        }
    }

    fn call(&self, isa: Isa) -> SelectiveScan<'_> {
        let Self { size, x, delta, delta_bias, a_log, b, c, d, z, start } = self;
        SelectiveScan { size: *size, x, delta, delta_bias, a_log, b, c, d, z, start, isa }
    }

    fn run(&self, isa: Isa) -> [Vec<f32>; 2] {
        let mut found = [vec![f32::NAN; self.x.len()], vec![f32::NAN; self.start.len()]];
        let [out, end] = &mut found;
        selective_scan(&self.call(isa), out, end).unwrap();
        found
    }

    /// Its numbers in `f64`: x, Δ, z, B, C, A's logarithm, the bias, D and the first state.
    fn wide(&self) -> [Vec<f64>; 9] {
        let Self { x, delta, z, b, c, a_log, delta_bias, d, start, .. } = self;
        [x, delta, z, b, c, a_log, delta_bias, d, start]
            .map(|all| all.iter().map(|number| f64::from(*number)).collect())
    }

    fn right(&self) -> [Vec<f64>; 2] {
        forward(self.size, &self.wide())
    }
}

/// Step by step.
fn forward(size: ScanSize, [x, delta, z, b, c, a_log, bias, d, start]: &[Vec<f64>; 9]) -> [Vec<f64>; 2] {
    let ScanSize { seq, channels, state, .. } = size;
    let (mut out, mut end) = (vec![0.0; x.len()], start.clone());
    for (index, h) in end.chunks_exact_mut(state).enumerate() {
        let (sequence, channel) = (index / channels, index % channels);
        for step in 0..seq {
            let (at, row) = ((sequence * seq + step) * channels + channel, (sequence * seq + step) * state);
            let delta = softplus(delta[at] + bias[channel]);
            let mut sum = d[channel] * x[at];
            for (n, h) in h.iter_mut().enumerate() {
                let rate = -a_log[channel * state + n].exp();
                *h = (delta * rate).exp() * *h + delta * b[row + n] * x[at];
                sum += c[row + n] * *h;
            }
            out[at] = sum * silu(z[at]);
        }
    }
    [out, end]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_scan_is_its_recurrence(
        batch in 1..3_usize,
        // States as lanes, one chunk, and several.
        seq in prop_oneof![0..5_usize, 5..33_usize, 33..150_usize],
        channels in 1..150_usize,
        state in 1..40_usize,
        seed in any::<u64>(),
    ) {
        let drawn = Drawn::new([batch, seq, channels, state], seed);
        let right = drawn.right();
        for isa in present() {
            let found = drawn.run(isa);
            for (name, (found, right)) in ["out", "state"].into_iter().zip(found.iter().zip(&right)) {
                close(&format!("{name} by {}", isa.name()), found, right, 2e-6);
            }
        }
    }
}

#[test]
fn sizes_at_the_ends_of_their_ranges_are_right() {
    for size in
        [[1, 1, 1, 1], [1, 2, 3, 256], [1, 100, 1, 256], [2, 9, 700, 3], [0, 3, 4, 5], [2, 3, 0, 5], [1, 700, 2, 2]]
    {
        let drawn = Drawn::new(size, 11);
        let right = drawn.right();
        for isa in present() {
            let found = drawn.run(isa);
            (0..2).for_each(|one| close(&format!("{size:?} by {}", isa.name()), &found[one], &right[one], 2e-6));
        }
    }
}

#[test]
fn a_scan_goes_on_where_another_ended() {
    let whole = Drawn::new([1, 90, 37, 16], 5);
    let part = |from: usize, to: usize, start: &[f32]| {
        let cut = |numbers: &[f32], width: usize| numbers[from * width..to * width].to_vec();
        Drawn {
            size: ScanSize { seq: to - from, ..whole.size },
            x: cut(&whole.x, 37),
            delta: cut(&whole.delta, 37),
            z: cut(&whole.z, 37),
            b: cut(&whole.b, 16),
            c: cut(&whole.c, 16),
            delta_bias: whole.delta_bias.clone(),
            a_log: whole.a_log.clone(),
            d: whole.d.clone(),
            start: start.to_vec(),
        }
    };
    let right = whole.right();
    for isa in present() {
        // A prompt, and then one step after another.
        let mut found = part(0, 85, &whole.start).run(isa);
        for step in 85..90 {
            let [out, end] = part(step, step + 1, &found[1]).run(isa);
            found[0].extend(out);
            found[1] = end;
        }
        (0..2).for_each(|one| close(isa.name(), &found[one], &right[one], 2e-6));
    }
}

#[test]
fn a_decay_may_forget_all_or_nothing() {
    for seq in [3, 60] {
        let mut drawn = Drawn::new([1, seq, 19, 16], 3);
        for (step, row) in drawn.delta.chunks_exact_mut(19).enumerate() {
            // exp(ΔA) underflows; Δ is 0 in `f32`; Δ is as it was.
            row.iter_mut().for_each(|number| *number += [1000.0, -1000.0, 0.0][step % 3]);
        }
        // Numbers that are too small to be normal.
        drawn.x.iter_mut().step_by(5).for_each(|number| *number = 1e-41);
        let right = drawn.right();
        for isa in present() {
            let found = drawn.run(isa);
            (0..2).for_each(|one| close(&format!("{seq} by {}", isa.name()), &found[one], &right[one], 2e-6));
        }
    }
}

#[test]
fn what_is_infinite_stays_in_its_channel() {
    for seq in [2, 40] {
        let mut drawn = Drawn::new([1, seq, 21, 9], 3);
        drawn.x[21 + 4] = f32::INFINITY;
        let right = drawn.right();
        for isa in present() {
            let [out, _] = drawn.run(isa);
            for (at, (found, right)) in out.iter().zip(&right[0]).enumerate() {
                let reached = at % 21 == 4 && at / 21 >= 1;
                assert_eq!(reached, !right.is_finite(), "{at}");
                assert_eq!(found.is_finite(), right.is_finite(), "{at} by {}: {found} for {right}", isa.name());
            }
        }
    }
}

#[test]
fn slices_that_do_not_fit_are_refused() {
    let drawn = Drawn::new([1, 3, 4, 5], 1);
    let call = drawn.call(Isa::Portable);
    let said = |call: SelectiveScan, out: usize| {
        selective_scan(&call, &mut vec![0.0; out], &mut [0.0; 20]).unwrap_err().to_string()
    };
    assert_eq!(said(call, 11), "the result holds 11 numbers, its shape [1, 3, 4] needs 12");
    assert!(
        said(SelectiveScan { b: &drawn.b[1..], ..call }, 12).starts_with("b holds 14 numbers, its shape [1, 3, 5]")
    );
    assert!(said(SelectiveScan { a_log: &drawn.b, ..call }, 12).contains("[4, 5] needs 20"));
}

impl Drawn {
    /// Gradients where `grad` is that of the result.
    fn back(&self, grad: &[f32], isa: Isa) -> [Vec<f32>; 9] {
        let mut found = self.wide().map(|numbers| vec![f32::NAN; numbers.len()]);
        let [x, delta, z, b, c, a_log, delta_bias, d, start] = found.each_mut().map(|numbers| &mut numbers[..]);
        let gradients = ScanGradients { x, delta, z, b, c, a_log, delta_bias, d, start };
        selective_scan_backward(&self.call(isa), grad, gradients).unwrap();
        found
    }
}

/// Every gradient beside a difference of results: the slope of a straight line through two points on either side.
#[test]
fn gradients_are_the_slopes_of_the_scan() {
    // More states than a register has, a channel more than a group has, and more steps than are kept apart.
    for size in [[1, 1, 1, 1], [2, 3, 17, 19], [1, 131, 2, 3]] {
        let drawn = Drawn::new(size, 7);
        let grad = numbers(drawn.x.len(), 8);
        let result = |inputs: &[Vec<f64>; 9]| -> f64 {
            forward(drawn.size, inputs)[0].iter().zip(&grad).map(|(out, grad)| out * f64::from(*grad)).sum()
        };
        let mut inputs = drawn.wide();
        let mut slopes: [Vec<f64>; 9] = Default::default();
        for (which, slopes) in slopes.iter_mut().enumerate() {
            for at in 0..inputs[which].len() {
                let (middle, apart) = (inputs[which][at], 1e-4);
                let mut beside = |by: f64| {
                    inputs[which][at] = middle + by * apart;
                    result(&inputs)
                };
                // Five points: what is left is of the fourth order (Abramowitz & Stegun, 25.3.6).
                let slope = (8.0 * (beside(1.0) - beside(-1.0)) - beside(2.0) + beside(-2.0)) / (12.0 * apart);
                inputs[which][at] = middle;
                slopes.push(slope);
            }
        }
        for isa in present() {
            for (which, (found, slopes)) in drawn.back(&grad, isa).iter().zip(&slopes).enumerate() {
                close(&format!("gradient {which} of {size:?} by {}", isa.name()), found, slopes, 1e-5);
            }
        }
    }
}

#[test]
fn gradients_do_not_depend_on_threads_and_need_room() {
    let drawn = Drawn::new([2, 70, 300, 5], 3);
    let grad = numbers(drawn.x.len(), 4);
    for isa in present() {
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(alone.install(|| drawn.back(&grad, isa)), drawn.back(&grad, isa), "{}", isa.name());
    }
    let said = |grad: &[f32], cut: usize| {
        let mut found = drawn.wide().map(|numbers| vec![0.0; numbers.len()]);
        let [x, delta, z, b, c, a_log, delta_bias, d, start] = found.each_mut().map(|numbers| &mut numbers[..]);
        let gradients = ScanGradients { x, delta, z, b, c: &mut c[cut..], a_log, delta_bias, d, start };
        selective_scan_backward(&drawn.call(Isa::Portable), grad, gradients).unwrap_err().to_string()
    };
    assert!(said(&grad[1..], 0).starts_with("the gradient of the result holds 41999 numbers"));
    assert_eq!(said(&grad, 1), "c holds 699 numbers, its shape [2, 70, 5] needs 700");
}

#[test]
fn gradients_of_no_steps_are_nothing() {
    for size in [[1, 0, 3, 5], [0, 3, 4, 5], [2, 3, 0, 4]] {
        let drawn = Drawn::new(size, 3);
        for isa in present() {
            for (which, found) in drawn.back(&[], isa).iter().enumerate() {
                assert!(found.iter().all(|number| *number == 0.0), "{which} of {size:?} by {}", isa.name());
            }
        }
    }
}

#[test]
fn an_infinite_gradient_stays_in_its_channel() {
    // More steps than are kept apart, and more channels than a group has.
    let (seq, channels, state) = (70, 21, 9);
    let mut drawn = Drawn::new([1, seq, channels, state], 3);
    let grad = numbers(drawn.x.len(), 4);
    let usual: Vec<[Vec<f32>; 9]> = present().map(|isa| drawn.back(&grad, isa)).collect();
    drawn.x[channels + 4] = f32::INFINITY;
    for (isa, usual) in present().zip(&usual) {
        let found = drawn.back(&grad, isa);
        // Channels share B and C alone.
        for (which, each) in [(0, 1), (1, 1), (2, 1), (5, state), (6, 1), (7, 1), (8, state)] {
            for (at, (found, usual)) in found[which].iter().zip(&usual[which]).enumerate() {
                assert!(at / each % channels == 4 || found == usual, "{which} at {at} by {}: {found}", isa.name());
            }
        }
        assert!(!found[7][4].is_finite(), "{}: D has it", isa.name());
    }
}
