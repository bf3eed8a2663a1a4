//! The fixtures, and the numbers that they are about.

use benchbook_formats::{Cut, Rounding};

const FIXTURES: &str = include_str!("../../fixtures/formats.txt");

/// The words of a line of the fixtures.
pub fn fixture(name: &str) -> Vec<u32> {
    let line = FIXTURES.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let words = line.unwrap_or_else(|| panic!("the fixtures have no line {name}")).split(' ');
    words.map(|word| u32::from_str_radix(word, 16).unwrap()).collect()
}

/// The bits that stochastic rounding draws at a place.
pub fn draw(seed: u64, place: usize) -> u32 {
    match (Rounding::Stochastic { seed }).at(place) {
        Cut::Random(bits) => bits,
        Cut::NearestEven => panic!("this rounding is a draw"),
    }
}

/// A matrix whose columns have their own sizes; some have zeros, or one sign.
pub fn matrix(rows: usize, columns: usize, seed: u64) -> Vec<f32> {
    let one = |place: usize| {
        let column = place % columns;
        let share = f64::from(draw(seed, place)) / 2.0_f64.powi(31) - 1.0;
        let number = share * 2.0_f64.powi(column as i32 % 20 - 10);
        match column {
            7 => 0.0,
            8 => number.abs() as f32,
            9 => -number.abs() as f32,
            _ => number as f32,
        }
    };
    (0..rows * columns).map(one).collect()
}

/// The checksum of numbers by their bytes.
pub fn crc_of(numbers: &[f32]) -> u32 {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    crc32fast::hash(&bytes)
}
