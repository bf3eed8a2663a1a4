//! Numbers with which a worker computes in the place of those that it was sent, such as weights of few bits.

use benchbook_core::{DType, Inputs, Rounding};

use crate::frame::Arrays;

/// How far numbers may be from those in whose place they stand, as a share of these (Euclidean). The best four levels lose 0.343
/// of normal numbers, and the best two 0.603 (Max, Quantizing for Minimum Distortion, IRE Transactions on Information Theory 6,
/// 1960, table I): so weights of two bits are an approximation, and nothing, or another matrix, is not.
const MOST_LOST: f64 = 0.5;

/// The same inputs with these numbers in the place of those of their names, or why they cannot stand there.
pub fn with(inputs: &Inputs, numbers: Arrays) -> Result<Inputs, String> {
    if numbers.is_empty() {
        return Err("its worker says that numbers stand for inputs, and tells none".into());
    }
    let (mut all, real) = (inputs.clone(), inputs.real());
    for (name, array) in numbers {
        if !real.contains(&name) {
            return Err(format!("its worker says that numbers stand for `{name}`, which is no input of real numbers"));
        }
        let given = inputs.get(&name);
        if array.dtype() != DType::F32 || array.shape() != given.shape() {
            let (dtype, shape, right) = (array.dtype(), array.shape(), given.shape());
            return Err(format!(
                "the numbers that stand for `{name}` have the shape {shape:?} in {dtype}, and {right:?} in f32 is right"
            ));
        }
        let lost = lost(given.of(), array.of());
        if !lost.is_finite() || lost > MOST_LOST {
            return Err(format!(
                "the numbers that stand for `{name}` are {lost:.3} of it away, which is no approximation: {MOST_LOST} is"
            ));
        }
        all.insert(&name, array);
    }
    Ok(all)
}

/// Refuses a rounding that nobody makes.
pub fn check(rounding: Rounding) -> Result<(), String> {
    let Rounding { bits, .. } = rounding;
    if Rounding::BITS.contains(&bits) {
        return Ok(());
    }
    let (least, most) = (*Rounding::BITS.start(), *Rounding::BITS.end());
    Err(format!("its worker says that it rounds to {bits} bits: {least} to {most} can be"))
}

/// ‖others − numbers‖ over ‖numbers‖.
fn lost(numbers: &[f32], others: &[f32]) -> f64 {
    let square = |number: f64| number * number;
    let all: f64 = numbers.iter().map(|number| square(f64::from(*number))).sum();
    let pairs = numbers.iter().zip(others);
    let off: f64 = pairs.map(|(number, other)| square(f64::from(*number) - f64::from(*other))).sum();
    if all > 0.0 { (off / all).sqrt() } else { off.sqrt() }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Array;

    use super::*;

    fn inputs() -> Inputs {
        let ids = Array::new(vec![2], &[1_i32, 2]);
        Inputs::from([
            ("a", Array::normal(vec![8, 4], 5, 1)),
            ("zero", Array::new(vec![2], &[0.0_f32; 2])),
            ("ids", ids),
        ])
    }

    fn of(name: &str, shape: &[usize], numbers: &[f32]) -> Arrays {
        vec![(name.to_owned(), Array::new(shape.to_vec(), numbers))]
    }

    /// The numbers of `a`, each so many times as large.
    fn scaled(by: f32) -> Vec<f32> {
        inputs().numbers("a").iter().map(|number| by * number).collect()
    }

    #[test]
    fn numbers_take_the_place_of_those_that_they_are_near_to() {
        for by in [1.0, 0.75, 1.25] {
            let found = with(&inputs(), of("a", &[8, 4], &scaled(by))).unwrap();
            assert_eq!(found.numbers("a"), scaled(by));
            assert_eq!([found.get("zero"), found.get("ids")], [inputs().get("zero"), inputs().get("ids")]);
        }
        assert!(with(&inputs(), of("zero", &[2], &[0.0; 2])).is_ok());
    }

    #[test]
    fn roundings_have_few_bits_and_some() {
        let of = |bits| check(Rounding { bits, group: 32 });
        assert_eq!([of(3), of(8), of(16)], [Ok(()), Ok(()), Ok(())]);
        for bits in [0, 1, 2, 17, 64] {
            assert!(of(bits).unwrap_err().contains(&format!("rounds to {bits} bits: 3 to 16 can be")));
        }
    }

    #[test]
    fn what_is_no_approximation_is_refused() {
        let mut nan = scaled(1.0);
        nan[3] = f32::NAN;
        let mut infinite = scaled(1.0);
        infinite[31] = f32::INFINITY;
        let ids = vec![("ids".to_owned(), Array::new(vec![2], &[1_i32, 2]))];
        for (numbers, part) in [
            (Arrays::new(), "tells none"),
            (of("a", &[8, 4], &scaled(0.0)), "1.000 of it away"),
            (of("a", &[8, 4], &scaled(0.49)), "0.510 of it away"),
            (of("a", &[8, 4], &nan), "NaN of it away"),
            (of("a", &[8, 4], &infinite), "inf of it away"),
            (of("zero", &[2], &[0.0, 1.0]), "`zero` are 1.000"),
            (of("a", &[4, 8], &scaled(1.0)), "the shape [4, 8] in f32, and [8, 4]"),
            (of("b", &[8, 4], &scaled(1.0)), "`b`, which is no input of real numbers"),
            (ids, "`ids`, which is no input of real numbers"),
        ] {
            let reason = with(&inputs(), numbers).unwrap_err();
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }
}
