//! The heat map: a colour, a number and a letter for each pair, and what has none.

use crate::common::{batch, browser, floats, integers, text};
use arrow::array::RecordBatch;
use benchbook_report::charts::{Error, Figure, heat_map};
use serde_json::{Value, json};

/// Three engines on two workloads: one pair failed, of another nobody knows anything.
fn pairs() -> RecordBatch {
    batch(vec![
        ("down", text(["torch", "torch", "flex", "flex", "onnx"])),
        ("down_place", integers([2, 2, 1, 1, 3])),
        ("across", text(["matmul", "attention", "matmul", "attention", "matmul"])),
        ("baseline", text(["eager"; 5])),
        ("ratio", floats([Some(0.25), Some(1.0), Some(2.0), Some(16.0), None])),
        ("low", floats([Some(0.24), Some(0.99), Some(1.9), None, None])),
        ("high", floats([Some(0.26), Some(1.01), Some(2.1), None, None])),
        ("verdict", text(["slower", "equivalent", "faster", "undecided", "undecided"])),
        ("reason", text(["direction", "margin", "direction", "few", "candidate-failed"])),
    ])
}

fn drawn(rows: RecordBatch) -> Figure {
    heat_map(&[rows]).expect("drawn")
}

fn notes(figure: &Figure) -> String {
    figure.value()["layout"]["title"]["text"].as_str().unwrap_or_default().to_owned()
}

/// What stands in the cells, row by row.
fn written(figure: &Figure) -> Vec<&str> {
    let annotations = figure.value()["layout"]["annotations"].as_array().expect("annotations");
    annotations.iter().filter_map(|one| one["text"].as_str()).collect()
}

#[test]
fn a_cell_has_a_colour_a_number_and_a_letter() {
    let figure = drawn(pairs());
    let trace = &figure.value()["data"][0];
    // Rows stand as their places say, columns by name; a colour is as deep as the logarithm of its ratio.
    assert_eq!(trace["z"], json!([[4.0, 1.0], [0.0, -2.0], [null, null]]));
    assert_eq!((&trace["zmin"], &trace["zmax"]), (&json!(-2.0), &json!(2.0)), "16 is as deep as 4");
    assert_eq!(figure.value()["layout"]["yaxis"]["ticktext"], json!(["flex", "torch", "onnx"]));
    assert_eq!(figure.value()["layout"]["xaxis"]["ticktext"], json!(["attention", "matmul"]));
    assert_eq!(written(&figure), ["16.0<br>?", "2.00<br>▲", "1.00<br>=", "0.25<br>▼", "–", "–"]);
    let notes = notes(&figure);
    assert!(
        notes.contains("ratio over eager") && notes.contains("▲ faster") && notes.contains("≈ equivalent in"),
        "{notes}"
    );
    assert!(notes.contains("– no ratio: 1 candidate failed, 1 not measured"), "{notes}");
    // On what has no colour a letter has that of the page.
    let colors: Vec<&Value> = figure.value()["layout"]["annotations"]
        .as_array()
        .expect("annotations")
        .iter()
        .map(|one| &one["font"]["color"])
        .collect();
    assert!(colors[0] == colors[3] && colors[3] != colors[4], "{colors:?}");
}

#[test]
fn as_text_it_tells_of_each_pair() {
    let text = drawn(pairs()).text();
    for told in ["flex, attention, 16×, no interval: undecided", "torch, matmul, 0.250× [0.240, 0.260]: slower"] {
        assert!(text.contains(told), "{text}");
    }
    assert!(
        text.contains("onnx, matmul, no ratio: candidate failed") && text.contains("onnx, attention, not measured")
    );
}

#[test]
fn row_order_and_batch_borders_do_not_matter() {
    let whole = pairs();
    let rows: Vec<RecordBatch> = (0..whole.num_rows()).rev().map(|row| whole.slice(row, 1)).collect();
    assert_eq!(heat_map(&rows).expect("drawn"), drawn(whole));
}

#[test]
fn two_rows_of_a_pair_and_too_many_names_are_told() {
    let twice = batch(vec![
        ("down", text(["a", "a"])),
        ("across", text(["w", "w"])),
        ("ratio", floats([Some(3.0), Some(2.0)])),
    ]);
    let figure = drawn(twice);
    assert_eq!(written(&figure), ["3.00<br>◇"]);
    assert!(notes(&figure).contains("1 row left out"), "{}", notes(&figure));
    let names: Vec<String> = (0..70).map(|place| format!("engine {place}")).collect();
    let many = batch(vec![
        ("down", text(names.iter().map(String::as_str))),
        ("across", text(vec!["w"; 70])),
        ("ratio", floats(vec![1.5; 70])),
    ]);
    let figure = drawn(many);
    assert!(notes(&figure).contains("60 of 70 rows shown") && written(&figure).len() == 60, "{}", notes(&figure));
}

#[test]
fn what_cannot_be_drawn_says_so() {
    let odd = batch(vec![
        ("down", text(["a", "b", "c"])),
        ("across", text(["w"; 3])),
        ("ratio", floats([Some(f64::INFINITY), Some(0.0), Some(f64::NAN)])),
    ]);
    for input in [vec![], vec![pairs().slice(0, 0)], vec![odd]] {
        let figure = heat_map(&input).expect("a figure that says so");
        assert!(figure.json().contains("no data") && figure.value()["data"] == json!([]), "{}", figure.json());
    }
    let lacking = batch(vec![("down", text(["a"])), ("ratio", floats([1.0]))]);
    assert!(matches!(heat_map(&[lacking]), Err(Error::MissingColumn { column, .. }) if column == "across"));
    let strange = batch(vec![
        ("down", text(["a"])),
        ("across", text(["w"])),
        ("ratio", floats([1.0])),
        ("verdict", text(["quicker"])),
    ]);
    assert!(matches!(heat_map(&[strange]), Err(Error::UnknownVerdict { .. })));
}

#[test]
fn names_are_shown_literally() {
    let evil = "<b>x</b> %{y} $z$";
    let figure = drawn(batch(vec![
        ("down", text([evil])),
        ("across", text([evil])),
        ("baseline", text([evil])),
        ("reason", text([evil])),
        ("ratio", floats([1.0])),
    ]));
    let json = figure.json();
    assert!(json.contains("&lt;b&gt;x") && !json.contains("<b>x") && !json.contains("%{y}") && !json.contains("$z"));
}

#[test]
fn a_browser_draws_it() {
    let Some(browser) = browser() else { return };
    let svg = drawn(pairs()).svg(&browser).expect("an SVG");
    assert!(svg.contains("<image"), "the colours are there");
    for word in ["16.0", "▲", "attention", "onnx"] {
        assert!(svg.contains(word), "{word}");
    }
}
