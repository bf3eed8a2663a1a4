//! Shares and sizes as people write them.

/// `0.5%` or `0.5 %` as a share.
///
/// # Errors
/// What to write instead.
pub fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(percent / 100.0),
        _ => Err("write a percentage above 0, such as 0.5%".into()),
    }
}

/// `500`, `64kB`, `10MB`, `1GiB`: a number of bytes.
///
/// # Errors
/// What to write instead.
pub fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("b", 1),
        ("", 1),
    ];
    let text = text.trim().to_ascii_lowercase();
    let wrong = || "write a size such as 500kB, 10MB or 1GiB".to_owned();
    let (digits, unit) =
        UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or_else(wrong)?;
    let size = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(*unit)).ok_or_else(wrong)?;
    if size == 0 { Err("must be more than nothing".into()) } else { Ok(size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_shares() {
        for (text, share) in [("0.5%", 0.005), ("1 %", 0.01), ("2", 0.02)] {
            assert_eq!(parse_percent(text), Ok(share), "{text}");
        }
        for text in ["", "%", "0", "-1%", "100%", "nan", "inf"] {
            assert!(parse_percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        let cases = [("500", 500), ("64 kB", 64_000), ("10MB", 10_000_000), ("1GiB", 1 << 30), ("7b", 7)];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "1.5MB", "0", "10 TB", "99999999999999999999", "99999999999999GB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
