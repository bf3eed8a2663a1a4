//! The figure of a history: points, levels, the ring and text of a change, and odd input.

use crate::common::{batch, browser, floats, integers, text};
use arrow::array::RecordBatch;
use benchbook_report::charts::{Error, Figure, document, history};
use serde_json::Value;

/// Twenty runs of two variants: flash gets a tenth slower at run 11, naive stays.
fn runs() -> RecordBatch {
    let rows: Vec<(&str, i64)> = ["naive", "flash"].iter().flat_map(|v| (1..=20).map(move |run| (*v, run))).collect();
    let level = |(variant, run): &(&str, i64)| match (*variant, *run) {
        ("naive", _) => 4e6,
        (_, 1..=10) => 2e6,
        _ => 2.2e6,
    };
    batch(vec![
        ("variant", text(rows.iter().map(|row| row.0))),
        ("run_number", integers(rows.iter().map(|row| row.1))),
        ("run_id", text(rows.iter().map(|_| "0190-ab"))),
        ("time_ns", floats(rows.iter().map(|row| level(row) + 1e3 * (row.1 % 3) as f64))),
        ("level_ns", floats(rows.iter().map(level))),
        ("change_percent", floats(rows.iter().map(|row| (*row == ("flash", 11)).then_some(10.0)))),
    ])
}

/// Marker traces with this symbol.
fn marked(figure: &Figure, symbol: &str) -> Vec<Value> {
    let traces = figure.value()["data"].as_array().expect("data is a list");
    traces.iter().filter(|t| t["mode"] == "markers" && t["marker"]["symbol"] == symbol).cloned().collect()
}

fn says_no_data(figure: &Figure) -> bool {
    figure.json().contains("no data")
}

#[test]
fn a_change_has_a_ring_and_its_percent() {
    let figure = history(&[runs()]).expect("drawn");
    let rings = marked(&figure, "circle-open");
    assert_eq!(rings.len(), 1);
    assert_eq!(rings[0]["x"], serde_json::json!([11.0]));
    let annotations = figure.value()["layout"]["annotations"].as_array().expect("annotations");
    assert_eq!(annotations.len(), 1);
    assert_eq!(annotations[0]["text"], "+10\u{a0}&#37;");
    // On a log axis it stands at the logarithm of 2.202 ms.
    let place = annotations[0]["y"].as_f64().expect("a number");
    assert!((place - 2.202_f64.log10()).abs() < 1e-9, "{place}");
    let levels: Vec<&Value> = figure.value()["data"]
        .as_array()
        .expect("traces")
        .iter()
        .filter(|trace| trace["mode"] == "lines" && trace["line"]["shape"] == "hv")
        .collect();
    assert_eq!(levels.len(), 2, "a step line for each variant");
    assert!(levels.iter().all(|trace| trace["x"].as_array().is_some_and(|x| x.len() == 20)));
}

#[test]
fn row_order_and_batch_borders_do_not_matter() {
    let whole = runs();
    let rows: Vec<RecordBatch> = (0..whole.num_rows()).rev().map(|row| whole.slice(row, 1)).collect();
    assert_eq!(history(&rows).expect("drawn"), history(&[whole]).expect("drawn"));
}

#[test]
fn only_what_a_log_axis_can_show_is_drawn() {
    let odd = batch(vec![
        ("variant", text(["a"; 5])),
        ("run_number", floats([Some(1.0), Some(2.0), Some(3.0), None, Some(5.0)])),
        ("time_ns", floats([Some(1e6), None, Some(f64::INFINITY), Some(1e6), Some(-1.0)])),
        ("change_percent", floats([Some(f64::NAN), None, None, None, None])),
    ]);
    let figure = history(std::slice::from_ref(&odd)).expect("drawn");
    assert!(figure.json().contains("4 points left out"), "{}", figure.json());
    assert!(marked(&figure, "circle-open").is_empty(), "NaN is no change");
    for input in [vec![], vec![runs().slice(0, 0)], vec![odd.slice(1, 4)]] {
        assert!(says_no_data(&history(&input).expect("a figure that says so")));
    }
}

#[test]
fn errors_name_the_column() {
    let lacking = batch(vec![("variant", text(["a"])), ("time_ns", floats([1.0]))]);
    assert!(matches!(history(&[lacking]), Err(Error::MissingColumn { column, .. }) if column == "run_number"));
}

#[test]
fn names_are_shown_literally() {
    let evil = "<b>x</b> %{y} $z$";
    let figure = history(&[batch(vec![
        ("variant", text([evil])),
        ("run_id", text([evil])),
        ("run_number", integers([1])),
        ("time_ns", floats([1.0])),
    ])]);
    let json = figure.expect("drawn").json();
    assert!(json.contains("&lt;b&gt;x") && !json.contains("<b>x") && !json.contains("%{y}") && !json.contains("$z"));
}

#[test]
fn a_browser_draws_it() {
    let Some(browser) = browser() else { return };
    let figure = history(&[runs()]).expect("drawn");
    let svg = figure.svg(&browser).expect("an SVG");
    // 40 runs, and a ring.
    assert!(svg.matches("class=\"point\"").count() >= 41, "{}", svg.matches("class=\"point\"").count());
    assert!(svg.contains("+10"), "the change is written");
    assert!(document("history", &[figure], "").contains("benchbook-figure"));
}
