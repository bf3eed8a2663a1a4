//! Gradients that take fewer bytes: beside plain loops, and calls that are refused.

use benchbook_simd::{Error, Feedback, Isa, PowerSgd, TopKRoom, compress_int8, power_sgd, top_k};

use crate::common::{close, numbers, present};

/// A gradient and what was left before, and their sums as they are rounded.
fn drawn(count: usize) -> [Vec<f32>; 3] {
    let [gradient, before] = [1, 2].map(|seed| numbers(count, seed));
    let sum = gradient.iter().zip(&before).map(|(one, other)| one + other).collect();
    [gradient, before, sum]
}

/// Places of the largest of some numbers, of equal ones the first, ascending.
fn largest(numbers: &[f32], wanted: usize) -> Vec<i64> {
    let mut places: Vec<usize> = (0..numbers.len()).collect();
    places.sort_by(|one, other| numbers[*other].abs().total_cmp(&numbers[*one].abs()));
    places.truncate(wanted);
    places.sort_unstable();
    places.into_iter().map(|place| place as i64).collect()
}

#[test]
fn the_largest_numbers_are_taken_and_the_others_left() {
    let mut room = TopKRoom::default();
    for (count, wanted) in [(1, 1), (100, 0), (1000, 1000), (1031, 17), (200_003, 2000), (200_003, 20)] {
        let [gradient, before, sum] = drawn(count);
        for isa in present() {
            let (mut indices, mut values) = (vec![-1; wanted], vec![f32::NAN; wanted]);
            let mut left = vec![f32::NAN; count];
            let feedback = Feedback { before: &before, left: &mut left };
            top_k(isa, &gradient, Some(feedback), &mut room, &mut indices, &mut values).unwrap();
            let right = largest(&sum, wanted);
            assert_eq!(indices, right, "{count} {wanted} {}", isa.name());
            let mut rest = sum.clone();
            for (index, value) in right.iter().zip(&values) {
                assert_eq!(sum[*index as usize], *value);
                rest[*index as usize] = 0.0;
            }
            assert_eq!(left, rest);
            top_k(isa, &gradient, None, &mut room, &mut indices, &mut values).unwrap();
            assert_eq!(indices, largest(&gradient, wanted), "{count} {wanted} {}", isa.name());
        }
    }
}

#[test]
fn what_a_sample_misses_is_found_all_the_same() {
    // Where a sample looks there is nothing large, and then nothing small, but less of it than is wanted.
    let count = 1 << 17;
    for (there, elsewhere) in [(0.0, 1.0), (1.0, 0.5)] {
        let gradient: Vec<f32> = (0..count).map(|place| if place % 8 == 0 { there } else { elsewhere }).collect();
        let (mut indices, mut values) = (vec![-1; 20_000], vec![f32::NAN; 20_000]);
        top_k(Isa::detect(), &gradient, None, &mut TopKRoom::default(), &mut indices, &mut values).unwrap();
        assert_eq!(indices, largest(&gradient, 20_000));
    }
}

#[test]
fn rows_in_eight_bits_have_the_scale_of_their_largest_number() {
    for (rows, width) in [(1, 1), (3, 17), (67, 33), (2, 20_000)] {
        let [mut gradient, mut before, mut sum] = drawn(rows * width);
        // A row of zeros, where there are several.
        if rows > 1 {
            for all in [&mut gradient, &mut before, &mut sum] {
                all[..width].fill(0.0);
            }
        }
        for isa in present() {
            let (mut codes, mut scales) = (vec![99_i8; rows * width], vec![f32::NAN; rows]);
            let mut left = vec![f32::NAN; rows * width];
            let feedback = Feedback { before: &before, left: &mut left };
            compress_int8(isa, &gradient, Some(feedback), &mut codes, &mut scales).unwrap();
            for (row, found) in scales.iter().enumerate() {
                let of = row * width..(row + 1) * width;
                let most = sum[of.clone()].iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                let scale = if most > 0.0 { most / 127.0 } else { 1.0 };
                assert_eq!(*found, scale);
                for place in of {
                    let code = (sum[place] / scale).round_ties_even();
                    assert_eq!(f32::from(codes[place]), code, "{place} of {rows}×{width} by {}", isa.name());
                    assert_eq!(left[place], sum[place] - code * scale);
                }
            }
            let before = codes.clone();
            compress_int8(isa, &sum, None, &mut codes, &mut scales).unwrap();
            assert_eq!(codes, before, "the sum without feedback");
        }
    }
}

#[test]
fn factors_are_those_of_the_power_method() {
    for size in [[1, 1, 1], [3, 17, 1], [67, 33, 2], [40, 1300, 4], [300, 70, 8]] {
        let [rows, columns, rank] = size;
        let [gradient, before, _] = drawn(rows * columns);
        let start = numbers(columns * rank, 3);
        let sum: Vec<f64> = gradient.iter().zip(&before).map(|(a, b)| f64::from(*a) + f64::from(*b)).collect();
        let mut first: Vec<Vec<f64>> = (0..rank)
            .map(|r| {
                let dot = |row: &[f64]| -> f64 { (0..columns).map(|j| row[j] * f64::from(start[j * rank + r])).sum() };
                sum.chunks_exact(columns).map(dot).collect()
            })
            .collect();
        for r in 0..rank {
            for s in 0..r {
                let dot: f64 = (0..rows).map(|i| first[s][i] * first[r][i]).sum();
                (0..rows).for_each(|i| first[r][i] -= dot * first[s][i]);
            }
            let norm = first[r].iter().map(|x| x * x).sum::<f64>().sqrt();
            first[r].iter_mut().for_each(|x| *x /= norm);
        }
        let second = |j: usize, r: usize| -> f64 { (0..rows).map(|i| sum[i * columns + j] * first[r][i]).sum() };
        let p: Vec<f64> = (0..rows).flat_map(|i| first.iter().map(move |column| column[i])).collect();
        let q: Vec<f64> =
            (0..columns).flat_map(|j| (0..rank).map(move |r| (j, r))).map(|(j, r)| second(j, r)).collect();
        let product = |i: usize, j: usize| -> f64 { (0..rank).map(|r| p[i * rank + r] * q[j * rank + r]).sum() };
        let rest: Vec<f64> =
            (0..rows * columns).map(|place| sum[place] - product(place / columns, place % columns)).collect();
        for isa in present() {
            let name = format!("{size:?} by {}", isa.name());
            let (mut a, mut b) = (vec![f32::NAN; rows * rank], vec![f32::NAN; columns * rank]);
            let mut left = vec![f32::NAN; rows * columns];
            let call = PowerSgd { size, gradient: &gradient, start: &start, isa };
            power_sgd(&call, Some(Feedback { before: &before, left: &mut left }), [&mut a, &mut b]).unwrap();
            close(&name, &a, &p, 1e-4);
            close(&name, &b, &q, 1e-4);
            // Of the size of the gradient, where hardly anything is left.
            let most = sum.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            let off = left.iter().zip(&rest).map(|(found, right)| (f64::from(*found) - right).abs());
            assert!(off.fold(0.0, f64::max) < 1e-4 * most, "{name}");
        }
    }
}

#[test]
fn what_cannot_be_compressed_is_refused() {
    let isa = Isa::Portable;
    let said = |found: Result<(), Error>| found.unwrap_err().to_string();
    let (mut indices, mut values, mut room) = ([0; 4], [0.0; 4], TopKRoom::default());
    let more = top_k(isa, &[1.0; 3], None, &mut room, &mut indices, &mut values);
    assert!(said(more).contains("the largest 4 of 3 numbers"));
    let mut left = [0.0; 3];
    let feedback = Feedback { before: &[0.0; 2], left: &mut left };
    let short = compress_int8(isa, &[1.0; 3], Some(feedback), &mut [0; 3], &mut [0.0; 1]);
    assert!(said(short).contains("what was left before holds 2 numbers"));
    let none = compress_int8(isa, &[], None, &mut [], &mut []);
    assert_eq!(none, Ok(()));
    let call = PowerSgd { size: [2, 3, 3], gradient: &[1.0; 6], start: &[1.0; 9], isa };
    assert!(said(power_sgd(&call, None, [&mut [0.0; 6], &mut [0.0; 9]])).contains("2 × 3 has no 3 orthonormal"));
}
