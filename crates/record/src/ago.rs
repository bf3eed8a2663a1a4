//! Moments before now, as people say them.

use crate::{Error, Result, RunEntry};

/// Words for a unit, and its seconds.
const UNITS: [(&[&str], i64); 5] = [
    (&["s", "sec", "second", "seconds"], 1),
    (&["m", "min", "minute", "minutes"], 60),
    (&["h", "hour", "hours"], 3_600),
    (&["d", "day", "days"], 86_400),
    (&["w", "week", "weeks"], 604_800),
];

/// The nanoseconds of `2 days ago` or `90m ago`; nothing for other text.
pub(crate) fn ago(text: &str) -> Option<i64> {
    let span = text.strip_suffix(" ago")?.trim();
    let (count, unit) = span.split_at(span.find(|c: char| !c.is_ascii_digit())?);
    let (_, seconds) = UNITS.iter().find(|(words, _)| words.contains(&unit.trim()))?;
    count.parse::<i64>().ok()?.checked_mul(*seconds)?.checked_mul(1_000_000_000)
}

/// The newest of `runs`, oldest first, that had begun at a moment, in nanoseconds since 1970 UTC.
pub(crate) fn begun_by(runs: &[RunEntry], selector: &str, at_ns: i64) -> Result<RunEntry> {
    let found = runs.iter().rev().find(|run| run.started_at_ns <= at_ns).cloned();
    found.ok_or_else(|| Error::NoRun {
        selector: selector.to_owned(),
        candidates: match runs.first() {
            Some(oldest) => format!("no run had begun by then, the oldest is {oldest}"),
            None => "the store is empty, `benchbook run` makes the first".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        let second = 1_000_000_000;
        for (text, seconds) in [("2 days ago", 172_800), ("90m ago", 5_400), ("1 week ago", 604_800), ("0s ago", 0)] {
            assert_eq!(ago(text), Some(seconds * second), "{text}");
        }
        for text in ["", "ago", " ago", "days ago", "2 ago", "2 days", "2 moons ago", "-1 days ago", "99999999999w ago"]
        {
            assert_eq!(ago(text), None, "{text}");
        }
    }
}
