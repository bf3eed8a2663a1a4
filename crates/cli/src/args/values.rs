//! Values as people write them: durations, sizes, percentages, parameters.

use std::collections::BTreeMap;
use std::time::Duration;

use benchbook_core::CacheRegime;
use benchbook_show::By;

use crate::error::Failure;

pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error} (write 30s, 5m, 1h)"))?;
    if duration.is_zero() { Err("must be longer than nothing".into()) } else { Ok(duration) }
}

/// `0.5%` or `0.5 %` as a share.
pub fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(percent / 100.0),
        _ => Err("write a percentage above 0, such as 0.5%".into()),
    }
}

/// `500`, `64kB`, `10MB`, `1GiB`: a number of bytes.
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

/// `2GiB`, or `50%` of the memory of this machine: a number of bytes.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    if text.trim_end().ends_with('%') {
        return Ok((parse_percent(text)? * benchbook_query::machine_memory_bytes() as f64) as u64);
    }
    parse_size(text).map_err(|error| format!("{error}, or a share of the machine's memory such as 50%"))
}

pub fn parse_cache(text: &str) -> Result<CacheRegime, String> {
    match text {
        "hot" => Ok(CacheRegime::Hot),
        "cold" => Ok(CacheRegime::Cold),
        _ => Err("hot or cold".into()),
    }
}

pub fn parse_by(text: &str) -> Result<By, String> {
    By::ALL.into_iter().find(|by| by.name() == text).ok_or_else(|| By::ALL.map(By::name).join(" or "))
}

pub fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// Values by name, each given once.
///
/// # Errors
/// A name that is given twice: neither value is more likely to be meant. `instead` says what to write.
pub fn once<T: Clone>(option: &str, pairs: &[(String, T)], instead: &str) -> Result<BTreeMap<String, T>, Failure> {
    let mut values = BTreeMap::new();
    for (name, value) in pairs {
        if values.insert(name.clone(), value.clone()).is_some() {
            let instead = instead.replace("NAME", name);
            return Err(Failure::say(format!("{option} {name} is given twice, {instead}")));
        }
    }
    Ok(values)
}

/// `seq_q=128,256` as an axis; each value is read as TOML would read it, and as text otherwise.
pub fn parse_axis(text: &str) -> Result<(String, benchbook_core::Axis), String> {
    let (name, values) = parse_pair(text)?;
    let names = |word: &str| word.split_once('=').is_some_and(|(name, _)| is_name(name.trim()));
    if values.split(',').skip(1).any(names) {
        return Err(format!("give each parameter a --set of its own: {}", apart(text)));
    }
    let one = |word: &str| {
        let document = format!("v = {word}").parse::<toml::Table>().ok();
        let value = document.and_then(|mut table| table.remove("v"));
        value.unwrap_or_else(|| toml::Value::String(word.to_owned()))
    };
    let list = toml::Value::Array(values.split(',').map(|word| one(word.trim())).collect());
    Ok((name, benchbook_core::Axis::try_from(list)?))
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `a=1,2,b=3` as it should have been written: `--set a=1,2 --set b=3`.
fn apart(text: &str) -> String {
    let mut options = String::new();
    for word in text.split(',') {
        let start = if word.contains('=') { " --set " } else { "," };
        options += start;
        options += word.trim();
    }
    options.trim_start().to_owned()
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
    fn two_parameters_are_no_sweep_of_one() {
        for text in ["batch=4,heads=12", "batch=4, heads=12"] {
            assert_eq!(
                parse_axis(text),
                Err("give each parameter a --set of its own: --set batch=4 --set heads=12".into())
            );
        }
        let told = parse_axis("batch=4,8,heads=12").unwrap_err();
        assert!(told.ends_with("--set batch=4,8 --set heads=12"), "{told}");
        for fine in ["batch=4,8", "program=a", "about=x==y", "about=a,<=b"] {
            assert!(parse_axis(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn memory_is_a_size_or_a_share() {
        assert_eq!(parse_memory("2GiB"), Ok(2 << 30));
        let (all, half) = (benchbook_query::machine_memory_bytes(), parse_memory("50 %").unwrap());
        assert!(half.abs_diff(all / 2) <= 1, "{half} of {all}");
        for text in ["0", "100%", "much"] {
            assert!(parse_memory(text).is_err(), "{text}");
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
