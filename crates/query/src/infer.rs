//! The type of a column of text: the narrowest one that keeps what was written.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};

/// Floats that are no decimal numbers.
const WORDS: [&str; 4] = ["NaN", "nan", "inf", "-inf"];

/// A float has no more digits worth keeping: what is longer stays text.
const MOST_DIGITS: usize = 40;

/// Characters of a short commit hash as git prints it: fewer are a number.
const HASH_CHARS: usize = 7;

/// The values in the type that all of them have; text where another type would lose something of one.
pub(crate) fn typed(texts: &StringArray) -> ArrayRef {
    let all = |fits: fn(&str) -> bool| texts.iter().flatten().all(fits);
    let any = |fits: fn(&str) -> bool| texts.iter().flatten().any(fits);
    if texts.null_count() == texts.len() {
        return Arc::new(texts.clone());
    }
    if all(is_flag) {
        let flag = |text: Option<&str>| text.map(|text| text.eq_ignore_ascii_case("true"));
        return Arc::new(texts.iter().map(flag).collect::<BooleanArray>());
    }
    if all(is_integer) {
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        return Arc::new(texts.iter().map(number).collect::<Int64Array>());
    }
    // A column of commit hashes may look like one of powers of ten, but none of them has a point.
    if all(is_float) && (any(|text| text.contains('.')) || !any(may_be_a_hash)) {
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
        return Arc::new(texts.iter().map(number).collect::<Float64Array>());
    }
    let moments: [(fn(&str) -> bool, DataType); 2] =
        [(is_date, DataType::Date32), (is_time, DataType::Timestamp(TimeUnit::Nanosecond, None))];
    for (fits, kind) in moments {
        // What looks like a moment and is none becomes NULL.
        if all(fits)
            && let Ok(values) = cast(texts, &kind)
            && values.null_count() == texts.null_count()
        {
            return values;
        }
    }
    Arc::new(texts.clone())
}

fn is_flag(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

fn is_integer(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

/// Whether a float, written with as many digits, reads the same.
fn is_float(text: &str) -> bool {
    if WORDS.contains(&text) {
        return true;
    }
    let Some(digits) = significant_digits(text) else { return false };
    let Some(value) = text.parse::<f64>().ok().filter(|value| value.is_finite()) else { return false };
    // A whole number above 2^53 is an identifier or a seed, and is shown with other digits.
    let whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if digits.len() > MOST_DIGITS || whole && value.abs() > (1_u64 << 53) as f64 {
        return false;
    }
    let Some(after_first) = digits.len().checked_sub(1) else { return true };
    let shown = format!("{:.after_first$e}", value.abs());
    shown.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).eq(digits.bytes())
}

/// The digits of a decimal number from the first that is not 0; nothing for other text, and for leading zeros,
/// which a number would lose.
fn significant_digits(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let padded = whole.len() > 1 && whole.starts_with('0');
    let no_digits = whole.is_empty() && fraction.is_empty() || exponent.is_some_and(str::is_empty);
    let all_digits = [whole, fraction, exponent.unwrap_or_default()].into_iter().all(is_digits);
    (all_digits && !no_digits && !padded).then(|| format!("{whole}{fraction}").trim_start_matches('0').to_owned())
}

/// Digits, an `e` and digits, as many as a hash has.
fn may_be_a_hash(text: &str) -> bool {
    text.len() >= HASH_CHARS
        && text.split_once('e').is_some_and(|(before, after)| is_digits(before) && is_digits(after))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `2026-01-31`.
fn is_date(text: &str) -> bool {
    let part = |(index, byte): (usize, u8)| if index == 4 || index == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(part)
}

/// `2026-01-31 23:59:59.5` or with a `T`, without a time zone, which a timestamp would lose.
fn is_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once([' ', 'T']) else { return false };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let part = |(index, byte): (usize, u8)| if index == 2 || index == 5 { byte == b':' } else { byte.is_ascii_digit() };
    is_date(date)
        && clock.len() == 8
        && clock.bytes().enumerate().all(part)
        && (1..=9).contains(&fraction.len())
        && is_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(values: &[&str]) -> DataType {
        typed(&StringArray::from(values.to_vec())).data_type().clone()
    }

    #[test]
    fn a_type_is_given_only_where_it_loses_nothing() {
        let time = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let cases: [(&[&str], DataType); 30] = [
            (&["1", "-2", "9223372036854775807"], DataType::Int64),
            (&["12e4567"], DataType::Utf8),
            (&["1234567", "12e4567"], DataType::Utf8),
            (&["1234567", "1234e56"], DataType::Utf8),
            (&["1e9", "2e9"], DataType::Float64),
            (&["1234567", "123e45"], DataType::Float64),
            (&["1e-3", "NaN", "2"], DataType::Float64),
            (&["1e16", "0.5"], DataType::Float64),
            (&["007", "12"], DataType::Utf8),
            (&["00.5"], DataType::Utf8),
            (&["+5"], DataType::Utf8),
            (&["9223372036854775808"], DataType::Utf8),
            (&["9007199254740993", "0.5"], DataType::Utf8),
            (&["0.1300", "-0", "5.", ".5"], DataType::Float64),
            (&["0.10000000000000001", "1.000000000000000056e-01"], DataType::Float64),
            (&["0.12345678901234567890123"], DataType::Utf8),
            (&["1e-400"], DataType::Utf8),
            (&["1e999", "0.5"], DataType::Utf8),
            (&["0.0000", "0"], DataType::Float64),
            (&["", "-", "."], DataType::Utf8),
            (&["e5"], DataType::Utf8),
            (&["True", "false"], DataType::Boolean),
            (&["true", "1"], DataType::Utf8),
            (&["2026-01-31"], DataType::Date32),
            (&["2026-02-30"], DataType::Utf8),
            (&["2026-01-31 23:59:59", "2026-01-31T00:00:00.25"], time),
            (&["2026-01-31T00:00:00+02:00"], DataType::Utf8),
            (&["1500-01-31T00:00:00"], DataType::Utf8),
            (&["1,5"], DataType::Utf8),
            (&["٣"], DataType::Utf8),
        ];
        for (values, wanted) in cases {
            assert_eq!(kind(values), wanted, "{values:?}");
        }
    }
}
