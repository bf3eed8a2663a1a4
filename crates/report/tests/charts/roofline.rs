//! The roofline: a point for each variant, and a line for each roof that was measured.

use crate::common::{batch, browser, floats, text};
use arrow::array::RecordBatch;
use benchbook_report::charts::{Error, Figure, roofline};
use serde_json::{Value, json};

/// What the query says of two products, one in whole numbers, of reads of two buffers, and of nothing but multiply-adds.
fn rows() -> RecordBatch {
    batch(vec![
        ("workload", text(["matmul", "matmul", "read", "read", "fma"])),
        ("case_name", text(["1×2·2×3", "1×2·2×3", "1 MiB", "512 MiB", "chains"])),
        ("variant", text(["tiled", "w4a8", "sums", "sums", "chains"])),
        ("flops_a_byte", floats([Some(0.5), Some(4.0), Some(0.25), Some(0.25), None])),
        ("gflops", floats([10.0, 2.0, 25.0, 5.0, 200.0])),
        ("int8_gops", floats([None, Some(50.0), None, None, None])),
        ("peak_gflops", floats([200.0; 5])),
        ("peak_int8_gops", floats([800.0; 5])),
        ("memory_gb_s", floats([Some(20.0), Some(100.0), Some(100.0), Some(20.0), None])),
        (
            "memory_bytes",
            floats([Some(536_870_912.0), Some(1_048_576.0), Some(1_048_576.0), Some(536_870_912.0), None]),
        ),
        ("of_the_roof", floats([Some(0.95), Some(0.13), Some(1.0), Some(1.0), Some(1.0)])),
    ])
}

fn drawn(rows: RecordBatch) -> Figure {
    roofline(&[rows]).expect("drawn")
}

fn trace<'a>(figure: &'a Figure, name: &str) -> &'a Value {
    let traces = figure.value()["data"].as_array().expect("traces");
    traces.iter().find(|trace| trace["name"] == name).unwrap_or_else(|| panic!("{name} is drawn"))
}

#[test]
fn variants_stand_below_the_roofs_that_were_measured() {
    let figure = drawn(rows());
    let [tiled, whole] = ["tiled", "w4a8"].map(|name| trace(&figure, name));
    assert_eq!((&tiled["x"], &tiled["y"]), (&json!([0.5]), &json!([10.0])));
    assert_eq!((&whole["x"], &whole["y"]), (&json!([4.0]), &json!([52.0])), "operations of both kinds");
    assert!(tiled["marker"]["symbol"] != whole["marker"]["symbol"], "nothing hangs on colour");
    assert!(tiled["hovertext"][0].as_str().is_some_and(|told| told.contains("95 &#37; of the roof")), "{tiled}");
    // Memory rises by its rate to the highest roof; arithmetic is level from where the fastest memory meets it.
    let far = trace(&figure, "memory, 512 MiB: 20 GB/s");
    assert_eq!((far["x"][1].as_f64(), far["y"][1].as_f64()), (Some(40.0), Some(800.0)));
    let top = trace(&figure, "f32: 200 G operations/s");
    assert_eq!((&top["x"][0], &top["y"]), (&json!(2.0), &json!([200.0, 200.0])));
    assert!(trace(&figure, "memory, 1 MiB: 100 GB/s")["line"]["dash"] != far["line"]["dash"]);
    trace(&figure, "bytes added up: 800 G operations/s");
    let axes = ["xaxis", "yaxis"].map(|axis| &figure.value()["layout"][axis]["type"]);
    assert_eq!(axes, [&json!("log"); 2]);
    let names = figure.value()["data"].as_array().expect("traces").len();
    assert_eq!(names, 6, "roofs are no points");
}

#[test]
fn without_roofs_there_are_points_alone() {
    let figure = drawn(batch(vec![
        ("workload", text(["matmul", "matmul"])),
        ("variant", text(["<b>", "b"])),
        ("flops_a_byte", floats([Some(0.5), None])),
        ("gflops", floats([10.0, 10.0])),
        ("peak_gflops", floats([None::<f64>, None])),
        ("memory_gb_s", floats([None::<f64>, None])),
    ]));
    assert_eq!(figure.value()["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(figure.value()["data"][0]["name"], "&lt;b&gt;");
    assert!(figure.json().contains("1 row left out"), "{}", figure.json());
}

#[test]
fn what_cannot_be_drawn_says_so() {
    for input in [vec![], vec![rows().slice(0, 0)], vec![rows().slice(2, 3)]] {
        let figure = roofline(&input).expect("a figure that says so");
        assert!(figure.json().contains("no data"), "{}", figure.json());
    }
    let lacking = batch(vec![("workload", text(["matmul"])), ("variant", text(["a"])), ("gflops", floats([1.0]))]);
    assert!(matches!(roofline(&[lacking]), Err(Error::MissingColumn { column, .. }) if column == "flops_a_byte"));
}

#[test]
fn a_browser_draws_it() {
    let Some(browser) = browser() else { return };
    let svg = drawn(rows()).svg(&browser).expect("an SVG");
    for word in ["operations for each byte", "tiled", "512 MiB"] {
        assert!(svg.contains(word), "{word}");
    }
}
