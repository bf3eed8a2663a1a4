//! Every number of `f32` in eight bits, beside what ml_dtypes makes of it: `crates/formats/fixtures/make_every_f32.py`.

use benchbook_formats::{Cut, E4M3FN, E5M2, Minifloat, Overflow};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;
use xtask::error::{Error, Result};

/// A line for each upper eight bits of `f32`, with a checksum of the codes of all numbers that have them in each column.
const EXPECTED: &str = include_str!("../../formats/fixtures/every_f32.txt");

/// The columns of [`EXPECTED`].
const COLUMNS: [(&str, Minifloat, Overflow); 4] = [
    ("e4m3fn/special", E4M3FN, Overflow::Special),
    ("e4m3fn/saturate", E4M3FN, Overflow::Saturate),
    ("e5m2/special", E5M2, Overflow::Special),
    ("e5m2/saturate", E5M2, Overflow::Saturate),
];

/// Numbers that share their upper eight bits.
const EACH: u32 = 1 << 24;

pub fn measure() -> Result<String> {
    let expected = expected(EXPECTED)?;
    let (next, wrong) = (AtomicU32::new(0), Mutex::new(Vec::<String>::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let upper = next.fetch_add(1, Ordering::Relaxed);
                    let Some(expected) = expected.get(&upper) else { return };
                    let found = wrong_columns(upper, EACH, expected);
                    wrong.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    if wrong.is_empty() {
        let seconds = started.elapsed().as_secs_f64();
        return Ok(format!(
            "Each of the 2³² numbers of `f32` has the code that ml_dtypes gives it in e4m3fn and in e5m2, rounded to\n\
             nearest even, and also where it was first clipped to the largest: {seconds:.0} s on {threads} threads."
        ));
    }
    Err(Error::Requirement {
        problem: format!("codes of f32 differ from those of ml_dtypes: {}", wrong.join("; ")),
        remedy: "mend the encoder of crates/formats/src/minifloat.rs; its tests may show a number".to_owned(),
    })
}

/// The checksums of every line, by the upper bits.
fn expected(text: &str) -> Result<BTreeMap<u32, [u32; 4]>> {
    let line = |line: &str| -> Option<(u32, [u32; 4])> {
        let words: Option<Vec<u32>> = line.split(' ').map(|word| u32::from_str_radix(word, 16).ok()).collect();
        let [upper, checks @ ..] = words.as_deref()? else { return None };
        Some((*upper, checks.try_into().ok()?))
    };
    let lines: Option<BTreeMap<u32, [u32; 4]>> = text.lines().skip(1).map(line).collect();
    lines.filter(|lines| lines.keys().copied().eq(0..256)).ok_or_else(|| Error::Content {
        path: "crates/formats/fixtures/every_f32.txt".into(),
        problem: "is not 256 lines of five words: make it again by make_every_f32.py".to_owned(),
    })
}

/// The columns in which the first `count` numbers with these upper bits have other codes.
fn wrong_columns(upper: u32, count: u32, expected: &[u32; 4]) -> Vec<String> {
    let found = COLUMNS.iter().map(|(name, format, overflow)| (name, checksum(upper, count, format, *overflow)));
    let wrong = found.zip(expected).filter(|((_, found), expected)| found != *expected);
    wrong.map(|((name, _), _)| format!("{name} of {upper:02x}xxxxxx")).collect()
}

/// The checksum of the codes of the first `count` numbers with these upper bits.
fn checksum(upper: u32, count: u32, format: &Minifloat, overflow: Overflow) -> u32 {
    let code = |low: u32| {
        let code = format.encode(f32::from_bits((upper << 24) | low), overflow, Cut::NearestEven);
        // Both formats have a code for whatever there is.
        code.map_or(0, |code| code as u8)
    };
    crc32fast::hash(&(0..count).map(code).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_there_and_a_wrong_one_is_found() -> Result<()> {
        let all = expected(EXPECTED)?;
        // All numbers from 2⁶⁵ on are too large for either format, and have one code in each column.
        let codes = [0x7f_u8, 0x7e, 0x7c, 0x7b].map(|code| crc32fast::hash(&vec![code; EACH as usize]));
        assert_eq!(all[&0x60], codes);
        let few = COLUMNS.map(|(_, format, overflow)| checksum(0x60, 9, &format, overflow));
        assert!(wrong_columns(0x60, 9, &few).is_empty());
        assert_eq!(wrong_columns(0x60, 9, &[few[0], few[1], few[0], few[3]]), ["e5m2/special of 60xxxxxx"]);
        Ok(())
    }

    #[test]
    fn a_damaged_table_is_refused() {
        let whole: Vec<&str> = EXPECTED.lines().collect();
        for damaged in [&whole[..256], &whole[1..], &[whole[0], "00 1 2 3"]] {
            let message = expected(&damaged.join("\n")).expect_err("a line is missing").to_string();
            assert!(message.contains("make_every_f32.py"), "{message}");
        }
    }

    #[test]
    fn columns_are_those_of_the_head() {
        let head: Vec<&str> = EXPECTED.lines().next().unwrap_or_default().split(' ').skip(1).collect();
        assert_eq!(head, COLUMNS.map(|(name, ..)| name));
    }
}
