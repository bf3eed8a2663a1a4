//! A rotation that spreads what is large.

/// Rotates numbers, as many as a power of two, by the Walsh–Hadamard matrix, whose rows are orthonormal: what is large in one
/// becomes a little of all. Twice, it gives them back.
///
/// # Panics
/// If their number is no power of two.
pub fn hadamard(numbers: &mut [f32]) {
    let count = numbers.len();
    assert!(count.is_power_of_two(), "{count} numbers are not as many as a power of two");
    let mut half = 1;
    while half < count {
        for both in numbers.chunks_exact_mut(2 * half) {
            let (low, high) = both.split_at_mut(half);
            for (one, other) in low.iter_mut().zip(high) {
                (*one, *other) = (*one + *other, *one - *other);
            }
        }
        half *= 2;
    }
    let share = 1.0 / (count as f32).sqrt();
    numbers.iter_mut().for_each(|number| *number *= share);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_back_what_it_took_and_keeps_lengths() {
        let mut one = [0.0, 2.0, 0.0, 0.0];
        hadamard(&mut one);
        assert_eq!(one, [1.0, -1.0, 1.0, -1.0]);
        let numbers: Vec<f32> = (0..64).map(|at| (at as f32 * 0.7).sin()).collect();
        let mut turned = numbers.clone();
        hadamard(&mut turned);
        let squares = |numbers: &[f32]| numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>();
        assert!((squares(&turned) - squares(&numbers)).abs() < 1e-4 && turned != numbers);
        hadamard(&mut turned);
        assert!(turned.iter().zip(&numbers).all(|(one, other)| (one - other).abs() < 1e-6));
        let mut alone = [3.0];
        hadamard(&mut alone);
        assert_eq!(alone, [3.0]);
    }
}
