//! Browsers that hang, fail or say nothing. Played by small scripts, so no browser is needed.
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::common::figures;
use benchbook_report::charts::{Browser, Error};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browsers").join(name)
}

/// True if the process runs; one that only waits to be reaped does not.
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

#[cfg(target_os = "linux")]
#[test]
fn a_browser_that_hangs_is_killed_with_its_helpers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("page.html");
    std::fs::write(&page, "<p>").expect("written");
    let limit = Duration::from_secs(2);
    let started = Instant::now();
    let ended = Browser::at(script("hangs.sh")).with_limit(limit).dom(&page);
    assert!(matches!(ended, Err(Error::BrowserTimedOut { limit: told, .. }) if told == limit), "{ended:?}");
    assert!(started.elapsed() < Duration::from_secs(60));
    let pids = std::fs::read_to_string(folder.path().canonicalize().expect("there").join("page.html.pids"))
        .expect("the script began");
    let pids: Vec<&str> = pids.split_whitespace().collect();
    assert_eq!(pids.len(), 2);
    // A signal is delivered soon, not at once.
    while pids.iter().any(|pid| runs(pid)) && started.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    assert!(!pids.iter().any(|pid| runs(pid)), "{pids:?} still run");
}

#[test]
fn a_browser_that_fails_is_quoted() {
    let [figure, ..] = figures();
    let told = figure.png(&Browser::at(script("fails.sh"))).map_err(|e| e.to_string()).expect_err("it fails");
    assert!(told.contains("fails.sh drew no picture (exit status: 3): cannot open display"), "{told}");
}

#[test]
fn a_browser_that_says_nothing_is_an_error() {
    let [figure, ..] = figures();
    let silent = Browser::at(script("silent.sh"));
    assert!(matches!(figure.png(&silent), Err(Error::BrowserFailed { status, .. }) if status == "no PNG"));
    assert!(matches!(figure.svg(&silent), Err(Error::BrowserFailed { status, .. }) if status == "an empty page"));
    let absent = figure.png(&Browser::at("/no/such/browser"));
    assert!(matches!(absent, Err(Error::BrowserFailed { status, .. }) if status == "it did not start"));
}
