//! What training adds: beside plain loops, the same bits on every instruction set, and calls that are refused.

use benchbook_simd::{
    AdamWStep, ChainBackward, CodedMoments, Fusion, Isa, adamw, adamw_coded, chain_backward, chain_backward_in_passes,
};

use crate::common::{close, numbers, present};

fn step(step: usize, isa: Isa) -> AdamWStep {
    AdamWStep { rate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.01, step, isa }
}

/// Parameters, gradients, first moments and roots of second ones, none of which is near zero.
fn drawn(count: usize) -> [Vec<f32>; 4] {
    let root = numbers(count, 4).iter().map(|x| 0.5 + 0.25 * x).collect();
    [numbers(count, 1), numbers(count, 2), numbers(count, 3), root]
}

#[test]
fn a_step_of_adamw_is_its_formula_with_the_same_bits_everywhere() {
    for (count, number) in [(1, 1), (17, 2), (1031, 7), (40_000, 1000)] {
        let [parameter, gradient, first, root] = drawn(count);
        let second: Vec<f32> = root.iter().map(|root| root * root).collect();
        let by = |isa: Isa| {
            let mut found = [parameter.clone(), first.clone(), second.clone()];
            adamw(&step(number, isa), found.each_mut().map(|numbers| &mut numbers[..]), &gradient).unwrap();
            found
        };
        let found = by(Isa::Portable);
        let right = |place: usize| {
            let [p, g, m, v] = [&parameter, &gradient, &first, &second].map(|all| f64::from(all[place]));
            let (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g);
            let by = |beta: f64| 1.0 - beta.powi(number as i32);
            [p * (1.0 - 1e-5) - 1e-3 * m / by(0.9) / ((v / by(0.999)).sqrt() + 1e-8), m, v]
        };
        for (which, name) in ["parameter", "first", "second"].into_iter().enumerate() {
            let wanted: Vec<f64> = (0..count).map(|place| right(place)[which]).collect();
            close(name, &found[which], &wanted, 1e-6);
        }
        for isa in present() {
            assert_eq!(by(isa), found, "{} {count}", isa.name());
        }
    }
}

#[test]
fn moments_of_eight_bits_are_the_same_everywhere_and_near_those_of_thirty_two() {
    let count = 20_003;
    let [parameter, gradient, first, root] = drawn(count);
    let by = |isa: Isa| {
        let (mut parameter, mut moments) = (parameter.clone(), CodedMoments::new(&first, &root).unwrap());
        adamw_coded(&step(10, isa), &mut parameter, &mut moments, &gradient).unwrap();
        let [first, root] = moments.numbers();
        [parameter, first, root]
    };
    let found = by(Isa::Portable);
    for isa in present() {
        assert_eq!(by(isa), found, "{}", isa.name());
    }
    for (found, (first, gradient)) in found[1].iter().zip(first.iter().zip(&gradient)) {
        let wanted = 0.9 * first + 0.1 * gradient;
        // Rounded twice to three bits behind the point: by 2⁻⁴ of the number each time, or by half of the smallest step.
        let most = 0.13 * first.abs().max(wanted.abs()) + 1e-5;
        assert!((found - wanted).abs() < most, "{found} for {wanted}");
    }
}

#[test]
fn what_no_step_takes_is_refused() {
    let mut three = [[1.0; 3]; 3];
    let [parameter, first, second] = three.each_mut();
    let said = |error: benchbook_simd::Error| error.to_string();
    let short = adamw(&step(1, Isa::Portable), [parameter, first, &mut second[..2]], &[1.0; 3]).unwrap_err();
    assert!(said(short).contains("second moments"));
    let zero = adamw(&step(0, Isa::Portable), [parameter, first, second], &[1.0; 3]).unwrap_err();
    assert!(said(zero).contains("counted from 1"));
    let mut moments = CodedMoments::new(&[1.0; 2], &[1.0; 2]).unwrap();
    let short = adamw_coded(&step(1, Isa::Portable), parameter, &mut moments, &[1.0; 3]).unwrap_err();
    assert!(said(short).contains("the moments"));
}

#[test]
fn the_way_back_through_a_chain_has_the_bits_of_its_passes() {
    for (rows, width) in [(1, 2), (3, 17), (40, 1031)] {
        let count = rows * width;
        let ([sum, past, grad, gain], gate) = (drawn(count), numbers(count, 6));
        let gain = &gain[..width];
        for isa in present() {
            let chain =
                ChainBackward { width, sum: &sum, gate: &gate, gain, past: &past, grad: &grad, epsilon: 1e-5, isa };
            let empty = || [vec![0.0_f32; count], vec![0.0_f32; count], vec![0.0_f32; width]];
            let (mut fused, mut passes, [mut one, mut other, _]) = (empty(), empty(), empty());
            chain_backward(&chain, Fusion::Conservative, fused.each_mut().map(|to| &mut to[..])).unwrap();
            let to = passes.each_mut().map(|to| &mut to[..]);
            chain_backward_in_passes(&chain, [&mut one, &mut other], to).unwrap();
            assert_eq!(fused, passes, "{} {rows}×{width}", isa.name());
            let short = ChainBackward { gain: &gain[1..], ..chain };
            let refused = chain_backward(&short, Fusion::Aggressive, fused.each_mut().map(|to| &mut to[..]));
            assert!(refused.unwrap_err().to_string().contains("the gain"));
        }
    }
}
