//! What cargo's own report of a build says: which crates took long.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Seconds of each crate, its build script included.
pub type Seconds = BTreeMap<String, f64>;

/// The report that the newest build with `--timings` has left; nothing where there is none.
pub fn newest(target: &Path) -> Seconds {
    let report = std::fs::read_to_string(target.join("cargo-timings/cargo-timing.html"));
    report.map_or_else(|_| Seconds::new(), |html| read(&html))
}

/// The units stand in the page as JSON.
fn read(html: &str) -> Seconds {
    let mut seconds = Seconds::new();
    let Some((_, data)) = html.split_once("UNIT_DATA = ") else { return seconds };
    let units = serde_json::Deserializer::from_str(data).into_iter::<Value>().next().and_then(Result::ok);
    for unit in units.as_ref().and_then(Value::as_array).into_iter().flatten() {
        if let (Some(name), Some(took)) = (unit["name"].as_str(), unit["duration"].as_f64()) {
            *seconds.entry(name.to_owned()).or_default() += took;
        }
    }
    seconds
}

/// The crates that took longest, longest first.
pub fn longest(seconds: &Seconds, count: usize) -> Vec<(&str, f64)> {
    let mut all: Vec<_> = seconds.iter().map(|(name, took)| (name.as_str(), *took)).collect();
    all.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_added_up_by_crate() {
        let html = "<script>\nconst UNIT_DATA = [\n  {\"i\": 0, \"name\": \"a\", \"duration\": 1.5},\n  {\"i\": 1, \"name\": \"b\", \
                    \"duration\": 9.0},\n  {\"i\": 2, \"name\": \"a\", \"duration\": 2.0}\n];\nconst CONCURRENCY_DATA = [];";
        let seconds = read(html);
        assert_eq!(longest(&seconds, 9), [("b", 9.0), ("a", 3.5)]);
        assert_eq!(longest(&seconds, 1), [("b", 9.0)]);
    }

    #[test]
    fn a_page_that_is_made_otherwise_says_nothing() {
        for html in ["", "UNIT_DATA = ", "UNIT_DATA = [{]", "UNIT_DATA = 3;", "UNIT_DATA = [{\"name\": 1}];"] {
            assert!(read(html).is_empty(), "{html}");
        }
        assert!(newest(Path::new("/no/such/folder")).is_empty());
    }
}
