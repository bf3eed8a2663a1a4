//! The causal convolution.

use benchbook_simd::{CausalConv, ConvSize, Isa, causal_conv};
use proptest::prelude::*;

use super::{silu, wide};
use crate::common::{close, numbers, present};

/// Results and last states of every instruction set against a plain loop.
fn compare([batch, seq, channels, width]: [usize; 4], gated: bool, seed: u64) {
    let [x, start] = [batch * seq, batch * (width - 1)].map(|rows| numbers(rows * channels, seed ^ rows as u64));
    let (weight, bias) = (numbers(width * channels, seed ^ 1), numbers(channels, seed ^ 2));
    let row = |sequence: usize, step: usize, channel: usize| {
        if step < width - 1 {
            wide(&start, (sequence * (width - 1) + step) * channels + channel)
        } else {
            wide(&x, (sequence * seq + step + 1 - width) * channels + channel)
        }
    };
    let one = |index: usize| {
        let (sequence, step, channel) = (index / channels / seq, index / channels % seq, index % channels);
        let product = |tap: usize| wide(&weight, tap * channels + channel) * row(sequence, step + tap, channel);
        let sum = wide(&bias, channel) + (0..width).map(product).sum::<f64>();
        if gated { silu(sum) } else { sum }
    };
    let right: Vec<f64> = (0..batch * seq * channels).map(one).collect();
    let last = |index: usize| {
        let (row_of_all, channel) = (index / channels, index % channels);
        row(row_of_all / (width - 1), seq + row_of_all % (width - 1), channel)
    };
    let state: Vec<f64> = (0..start.len()).map(last).collect();
    for isa in present() {
        let size = ConvSize { batch, seq, channels, width };
        let call = CausalConv { size, x: &x, weight: &weight, bias: &bias, start: &start, silu: gated, isa };
        let (mut out, mut end) = (vec![f32::NAN; x.len()], vec![f32::NAN; start.len()]);
        causal_conv(&call, &mut out, &mut end).unwrap();
        close(&format!("out by {}", isa.name()), &out, &right, 1e-6);
        close(&format!("state by {}", isa.name()), &end, &state, 0.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn a_convolution_is_its_sum(
        batch in 1..4_usize,
        seq in 0..80_usize,
        channels in 1..90_usize,
        width in 1..12_usize,
        gated in any::<bool>(),
        seed in any::<u64>(),
    ) {
        compare([batch, seq, channels, width], gated, seed);
    }
}

#[test]
fn what_is_infinite_is_seen_for_as_many_steps_as_the_width_has() {
    let (size, at) = (ConvSize { batch: 1, seq: 40, channels: 21, width: 4 }, 7 * 21 + 5);
    let mut x = numbers(40 * 21, 1);
    x[at] = f32::INFINITY;
    let (weight, bias, start) = (numbers(4 * 21, 2), numbers(21, 3), numbers(3 * 21, 4));
    for isa in present() {
        let call = CausalConv { size, x: &x, weight: &weight, bias: &bias, start: &start, silu: false, isa };
        let (mut out, mut end) = (vec![0.0; x.len()], vec![0.0; start.len()]);
        causal_conv(&call, &mut out, &mut end).unwrap();
        for (index, found) in out.iter().enumerate() {
            let sees = index % 21 == 5 && (7..11).contains(&(index / 21));
            assert_eq!(found.is_finite(), !sees, "{index} by {}: {found}", isa.name());
        }
    }
}

#[test]
fn a_width_of_nothing_is_refused() {
    let size = ConvSize { batch: 1, seq: 1, channels: 1, width: 0 };
    let call = CausalConv { size, x: &[1.0], weight: &[], bias: &[0.0], start: &[], silu: false, isa: Isa::Portable };
    let said = causal_conv(&call, &mut [0.0], &mut []).unwrap_err().to_string();
    assert!(said.contains("width 0"), "{said}");
    let short = CausalConv { size: ConvSize { width: 3, ..size }, weight: &[1.0; 3], ..call };
    let said = causal_conv(&short, &mut [0.0], &mut [0.0; 2]).unwrap_err().to_string();
    assert_eq!(said, "the first state holds 0 numbers, its shape [1, 2, 1] needs 2");
}
