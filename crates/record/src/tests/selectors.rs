//! Choosing a run by name.

use super::*;
use crate::select::choose;

fn entry(run_id: &str, at: i64, tags: &[&str]) -> RunEntry {
    RunEntry {
        run_id: run_id.into(),
        started_at_ns: at,
        suite: "attention".into(),
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
        state: RunState::Finished,
        files: Vec::new(),
    }
}

fn runs() -> Vec<RunEntry> {
    vec![
        entry("0190aa00", 1, &["nightly"]),
        entry("0190ab00", 2, &["baseline", "0190aa"]),
        entry("0191cc00", 3, &["nightly"]),
    ]
}

#[test]
fn every_kind_of_selector_finds_its_run() {
    for (selector, expected) in [
        ("latest", "0191cc00"),
        ("latest~0", "0191cc00"),
        ("latest~1", "0190ab00"),
        ("latest~2", "0190aa00"),
        ("0190ab00", "0190ab00"),
        ("0190ab", "0190ab00"),
        ("0191", "0191cc00"),
        ("baseline", "0190ab00"),
        ("nightly", "0191cc00"),
        ("nightly~1", "0190aa00"),
    ] {
        assert_eq!(choose(&runs(), selector).unwrap().run_id, expected, "{selector}");
    }
}

#[test]
fn what_fits_nothing_or_too_much_lists_candidates() {
    for selector in ["latest~3", "nightly~2", "latest~", "latest~-1", "zzz", "", "baseline~99999999999999999999"] {
        let error = choose(&runs(), selector).unwrap_err();
        assert!(matches!(error, Error::NoRun { .. }), "{selector}: {error}");
        assert!(error.to_string().contains("0191cc00"), "{selector}: {error}");
    }
    for selector in ["0190", "0190aa"] {
        let error = choose(&runs(), selector).unwrap_err();
        assert!(matches!(error, Error::Ambiguous { .. }), "{selector}: {error}");
        let message = error.to_string();
        assert!(message.contains("0190aa00") && message.contains("0190ab00"), "{message}");
    }
    let message = choose(&[], "latest").unwrap_err().to_string();
    assert!(message.contains("benchbook run"), "{message}");
}

#[test]
fn a_tag_that_looks_like_a_step_back_never_means_another_run() {
    let mut runs = runs();
    runs.push(entry("0192dd00", 4, &["v1~1"]));
    assert_eq!(choose(&runs, "v1~1").unwrap().run_id, "0192dd00");
    runs.extend([entry("0193ee00", 5, &["v1"]), entry("0194ff00", 6, &["v1"])]);
    let error = choose(&runs, "v1~1").unwrap_err();
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("0192dd00") && message.contains("0193ee00"), "{message}");
}

#[test]
fn a_tag_that_looks_like_a_moment_never_means_another_run() {
    let now = crate::now_ns();
    let minutes_ago = |minutes: i64| now - minutes * 60_000_000_000;
    let mut runs = vec![entry("0190aa00", minutes_ago(90), &["1h ago"])];
    // The run that was the newest then is the one that carries the tag.
    assert_eq!(choose(&runs, "1h ago").unwrap().run_id, "0190aa00");
    runs.push(entry("0190bb00", minutes_ago(75), &[]));
    let error = choose(&runs, "1h ago").unwrap_err();
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("0190aa00") && message.contains("0190bb00"), "{message}");
    // None had begun by then.
    runs = vec![entry("0190cc00", minutes_ago(1), &["2 days ago"])];
    assert_eq!(choose(&runs, "2 days ago").unwrap().run_id, "0190cc00");
}

#[test]
fn a_store_resolves_in_the_order_of_time() {
    let scratch = scratch();
    let newer = run_row();
    let older = RunRow { started_at: newer.started_at - chrono::TimeDelta::hours(1), ..run_row() };
    finished(&scratch.store, &newer);
    finished(&scratch.store, &older);
    let store = scratch.store.reader().unwrap();
    assert_eq!(store.resolve("latest").unwrap().run_id, newer.run_id);
    assert_eq!(store.resolve("latest~1").unwrap().run_id, older.run_id);
}

#[test]
fn a_time_before_now_is_the_run_that_was_newest_then() {
    let scratch = scratch();
    let newer = run_row();
    let at = |hours| newer.started_at - chrono::TimeDelta::hours(hours);
    let older = RunRow { started_at: at(30), ..run_row() };
    let oldest = RunRow { started_at: at(80), ..run_row() };
    for row in [&newer, &older, &oldest] {
        finished(&scratch.store, row);
    }
    let store = scratch.store.reader().unwrap();
    for (selector, row) in [("1 day ago", &older), ("36h ago", &oldest), ("2 days ago", &oldest), ("0s ago", &newer)] {
        assert_eq!(store.resolve(selector).unwrap().run_id, row.run_id, "{selector}");
    }
    let error = store.resolve("2 weeks ago").unwrap_err();
    assert!(matches!(error, Error::NoRun { .. }) && error.to_string().contains(&oldest.run_id), "{error}");
}
