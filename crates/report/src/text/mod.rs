//! Answers as text: numbers with their units, cells, and tables for terminals.

mod cells;
mod fit;
mod terminal;

pub use cells::{Cells, texts};
pub use fit::wrapped;
pub use terminal::{WIDE, comparison, fitted, table};

/// Nanoseconds as a time with four digits.
pub fn duration(ns: f64) -> String {
    let (scale, unit) = match ns.abs() {
        size if size < 1e3 => (1.0, "ns"),
        size if size < 1e6 => (1e3, "µs"),
        size if size < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let value = ns / scale;
    let decimals = if value.abs() < 10.0 {
        3
    } else if value.abs() < 100.0 {
        2
    } else {
        1
    };
    format!("{value:.decimals$} {unit}")
}

/// Bytes as a size.
pub(crate) fn size(bytes: f64) -> String {
    indicatif::BinaryBytes(bytes.max(0.0) as u64).to_string()
}

/// A float for people: six significant digits, whole numbers whole.
pub fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let magnitude = value.abs().log10().floor();
    if (-5.0..15.0).contains(&magnitude) {
        let decimals = (5.0 - magnitude).clamp(0.0, 10.0) as usize;
        let text = format!("{value:.decimals$}");
        if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
    } else {
        format!("{value:.5e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_six_digits() {
        let cases = [
            (0.0, "0"),
            (3.0, "3"),
            (1.0 / 3.0, "0.333333"),
            (1234567.25, "1234567"),
            (0.000012345678, "0.0000123457"),
            (1e-9, "1.00000e-9"),
            (1e20, "1.00000e20"),
            (f64::NAN, "NaN"),
            (-2.5, "-2.5"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_take_the_unit_that_reads_best() {
        let cases = [
            (0.5, "0.500 ns"),
            (19_300_000.0, "19.30 ms"),
            (1.5e9, "1.500 s"),
            (4_321.0, "4.321 µs"),
            (0.0, "0.000 ns"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
    }
}
