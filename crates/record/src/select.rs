//! Runs by name: `latest`, `latest~2`, `2 days ago`, a tag, an id, the beginning of an id.

use crate::{Error, Result, RunEntry, Store, now_ns};

/// How many runs an error lists at most.
const LISTED: usize = 8;

impl Store {
    /// The run that `selector` names.
    ///
    /// `latest` is the newest run and `latest~N` the N-th before it; a tag is the newest run that
    /// carries it and `tag~N` the N-th such run before; `2 days ago` is the newest run that had begun
    /// by then; everything else is an id or the beginning of exactly one.
    ///
    /// # Errors
    /// No run fits, or several do: the message lists candidates. The store cannot be listed.
    pub fn resolve(&self, selector: &str) -> Result<RunEntry> {
        choose(&self.runs()?, selector)
    }
}

/// The choice among `runs`, oldest first.
pub(crate) fn choose(runs: &[RunEntry], selector: &str) -> Result<RunEntry> {
    if let Some(run) = runs.iter().find(|run| run.run_id == selector) {
        return Ok(run.clone());
    }
    let refuse_among = |fitting: Vec<&RunEntry>| {
        Err(Error::Ambiguous { selector: selector.to_owned(), candidates: list(fitting.into_iter()) })
    };
    // A record may hold a tag that reads as a moment or a step back; it must not mean another run than it did.
    let literal = runs.iter().rev().find(|run| run.tags.iter().any(|tag| tag == selector));
    if let Some(span) = ago(selector) {
        return match (literal, begun_by(runs, selector, now_ns().saturating_sub(span))) {
            (Some(literal), Ok(other)) if other.run_id != literal.run_id => refuse_among(vec![literal, &other]),
            (Some(literal), _) => Ok(literal.clone()),
            (None, begun) => begun,
        };
    }
    let (name, back) = match selector.rsplit_once('~').and_then(|(name, back)| Some((name, back.parse().ok()?))) {
        Some((name, back)) => (name, Some(back)),
        None => (selector, None),
    };
    let newest_first = runs.iter().rev();
    let named: Vec<&RunEntry> =
        newest_first.filter(|run| name == "latest" || run.tags.iter().any(|tag| tag == name)).collect();
    let begun: Vec<&RunEntry> = match back {
        None if !name.is_empty() => runs.iter().rev().filter(|run| run.run_id.starts_with(name)).collect(),
        _ => Vec::new(),
    };
    if let Some(literal) = literal.filter(|_| back.is_some()) {
        return match named.get(back.unwrap_or(0)) {
            Some(other) if other.run_id != literal.run_id => refuse_among(vec![literal, *other]),
            _ => Ok(literal.clone()),
        };
    }
    match (named.get(back.unwrap_or(0)), begun.as_slice()) {
        (Some(run), begun) if begun.iter().all(|other| other.run_id == run.run_id) => Ok((*run).clone()),
        (Some(run), begun) => refuse_among([*run].into_iter().chain(begun.iter().copied()).collect()),
        (None, [run]) => Ok((*run).clone()),
        (None, []) => Err(Error::NoRun { selector: selector.to_owned(), candidates: known(runs, &named) }),
        (None, begun) => refuse_among(begun.to_vec()),
    }
}

fn known(runs: &[RunEntry], named: &[&RunEntry]) -> String {
    if runs.is_empty() {
        return "the store is empty, `benchbook run` makes the first".into();
    }
    if !named.is_empty() {
        return format!("only {} fit the name, newest first: {}", named.len(), list(named.iter().copied()));
    }
    format!("give latest, latest~1, a tag or the beginning of an id; the newest are {}", list(runs.iter().rev()))
}

fn list<'a>(runs: impl Iterator<Item = &'a RunEntry>) -> String {
    runs.take(LISTED).map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

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
