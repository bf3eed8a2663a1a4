//! The JSON of every figure, as committed, and what figures do with odd input.

use crate::common::{batch, comparisons, floats, samples, sizes, text};
use arrow::array::RecordBatch;
use benchbook_report::charts::{
    Error, Figure, MAX_POINTS_PER_FIGURE, MAX_POINTS_PER_STRIP, MAX_STRIPS, distribution, scaling, speedup,
};
use serde_json::Value;

fn pretty(figure: &Figure) -> String {
    serde_json::to_string_pretty(&rounded(figure.value())).expect("a JSON value is JSON")
}

/// The value with nine digits a number: the last ones depend on how the compiler orders a sum.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let text = format!("{:.8e}", number.as_f64().expect("an f64"));
            text.parse::<f64>().expect("a float reads back").into()
        }
        Value::Array(values) => values.iter().map(rounded).collect(),
        Value::Object(pairs) => pairs.iter().map(|(name, value)| (name.clone(), rounded(value))).collect(),
        other => other.clone(),
    }
}

/// All strings that a reader sees: title, axis titles, ticks, annotations, legend entries, hover texts.
fn shown(figure: &Figure) -> Vec<String> {
    fn walk(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(s) => out.push(s.clone()),
            Value::Array(all) => all.iter().for_each(|v| walk(v, out)),
            Value::Object(parts) => parts.values().for_each(|v| walk(v, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(figure.value(), &mut out);
    out
}

fn says(figure: &Figure, words: &str) -> bool {
    shown(figure).iter().any(|s| s.contains(words))
}

/// Number of points of the marker traces that are on the axis.
fn markers(figure: &Figure) -> usize {
    let traces = figure.value()["data"].as_array().expect("data is a list");
    traces
        .iter()
        .filter(|t| t["mode"] == "markers")
        .map(|t| t["x"].as_array().map_or(0, |x| x.iter().filter(|v| v.is_number()).count()))
        .sum()
}

#[test]
fn what_was_lost_says_why() {
    let lost = batch(vec![
        ("case_name", text(["a", "b"])),
        ("candidate", text(["flash"; 2])),
        ("ratio", floats([Some(1.5), None])),
        ("low", floats([Some(1.4), None])),
        ("high", floats([Some(1.6), None])),
        ("verdict", text(["faster", "undecided"])),
        ("reason", text(["direction-excludes-one", "candidate-failed"])),
    ]);
    let figure = speedup(&[lost]).expect("drawn");
    assert!(says(&figure, "no ratio: candidate failed") && !says(&figure, "direction"), "{}", figure.json());
    let lost = batch(vec![
        ("case_name", text(["a", "b"])),
        ("variant", text(["flash"; 2])),
        ("time_ns", floats([Some(5.0), None])),
        ("reason", text(["", "5 failed"])),
    ]);
    let figure = distribution(&[lost]).expect("drawn");
    assert!(says(&figure, "no data: 5 failed") && !says(&figure, "left out"), "{}", figure.json());
}

#[test]
fn distribution_json() {
    insta::assert_snapshot!(pretty(&distribution(&[samples()]).expect("drawn")));
}

#[test]
fn speedup_json() {
    insta::assert_snapshot!(pretty(&speedup(&[comparisons()]).expect("drawn")));
}

#[test]
fn scaling_json() {
    insta::assert_snapshot!(pretty(&scaling(&[sizes()]).expect("drawn")));
}

#[test]
fn no_data_json() {
    insta::assert_snapshot!(pretty(&distribution(&[]).expect("drawn")));
}

#[test]
fn row_order_and_batch_borders_do_not_matter() {
    let whole = samples();
    let rows: Vec<RecordBatch> = (0..whole.num_rows()).rev().map(|row| whole.slice(row, 1)).collect();
    assert_eq!(distribution(&rows).expect("drawn"), distribution(&[whole]).expect("drawn"));
    let whole = sizes();
    let rows: Vec<RecordBatch> = (0..whole.num_rows()).rev().map(|row| whole.slice(row, 1)).collect();
    assert_eq!(scaling(&rows).expect("drawn"), scaling(&[whole]).expect("drawn"));
}

#[test]
fn every_sample_is_drawn_and_what_is_left_out_is_counted() {
    let figure = distribution(&[samples()]).expect("drawn");
    assert_eq!(markers(&figure), 28);
    assert!(says(&figure, "3 samples left out"));
    assert!(says(&figure, "torch <span") && says(&figure, "no data"));
    assert!(says(&figure, "time per iteration (µs)") && says(&figure, "time per iteration (ms)"));
}

#[test]
fn a_large_strip_is_thinned_and_says_so() {
    let n = 50_000;
    let times = (0..n).map(|i| 1e6 + f64::from(i) * f64::from(i));
    let figure = distribution(&[batch(vec![("variant", text(vec!["flash"; n as usize])), ("time_ns", floats(times))])])
        .expect("drawn");
    assert_eq!(markers(&figure), MAX_POINTS_PER_STRIP);
    assert!(says(&figure, "20,000 of 50,000 shown"));
    let points = figure.value()["data"][0]["x"].as_array().expect("points").clone();
    // ms; both extremes are among those kept.
    assert_eq!(points.first().and_then(Value::as_f64), Some(1.0));
    assert_eq!(points.last().and_then(Value::as_f64), Some(2500.9));
}

#[test]
fn many_strips_share_the_points_and_end_somewhere() {
    let strips = MAX_STRIPS + 7;
    let each = 1000;
    let names: Vec<String> = (0..strips).map(|i| format!("variant {i}")).collect();
    let variants = names.iter().flat_map(|n| std::iter::repeat_n(n.as_str(), each));
    let times = (0..strips * each).map(|i| 1e3 + (i % 97) as f64);
    let figure = distribution(&[batch(vec![("variant", text(variants)), ("time_ns", floats(times))])]).expect("drawn");
    assert!(says(&figure, "120 of 127 strips shown"));
    assert!(markers(&figure) <= MAX_POINTS_PER_FIGURE, "{}", markers(&figure));
    assert!(says(&figure, "500 of 1,000 shown"));
}

#[test]
fn one_point_and_equal_points_are_drawn() {
    let one = distribution(&[batch(vec![("variant", text(["a"])), ("time_ns", floats([5.0]))])]).expect("drawn");
    assert_eq!(markers(&one), 1);
    let zero =
        distribution(&[batch(vec![("variant", text(["a", "a"])), ("time_ns", floats([0.0, 0.0]))])]).expect("drawn");
    assert_eq!(markers(&zero), 2);
    let range = |f: &Figure| {
        f.value()["layout"]["xaxis"]["range"].as_array().map(|r| r.iter().filter_map(Value::as_f64).collect::<Vec<_>>())
    };
    for figure in [&one, &zero] {
        let range = range(figure).expect("an explicit range");
        assert!(range.len() == 2 && range[0] < range[1], "{range:?}");
    }
    let scale = scaling(&[batch(vec![("variant", text(["a"])), ("x", floats([128.0])), ("time_ns", floats([1e6]))])])
        .expect("drawn");
    assert!(says(&scale, "a: no fit"));
    assert_eq!(markers(&scale), 1);
}

#[test]
fn a_wide_range_of_times_gets_a_log_axis() {
    let kind = |times: [f64; 2]| {
        let figure =
            distribution(&[batch(vec![("variant", text(["a", "b"])), ("time_ns", floats(times))])]).expect("drawn");
        figure.value()["layout"]["xaxis"]["type"].clone()
    };
    assert_eq!(kind([1e3, 1e6]), "log");
    assert_eq!(kind([1e3, 2e3]), Value::Null);
    assert_eq!(kind([0.0, 1e6]), Value::Null, "zero has no logarithm");
}

#[test]
fn input_without_a_number_says_no_data() {
    let empty = samples().slice(0, 0);
    let nothing = batch(vec![("variant", text(["a", "b"])), ("time_ns", floats([None, Some(f64::NAN)]))]);
    for input in [vec![], vec![empty], vec![nothing]] {
        let figure = distribution(&input).expect("a figure that says so");
        assert!(says(&figure, "no data"), "{}", figure.json());
        assert_eq!(figure.value()["data"], Value::Array(vec![]));
    }
    for figure in [speedup(&[]), speedup(&[comparisons().slice(5, 1)]), scaling(&[]), scaling(&[sizes().slice(0, 0)])] {
        assert!(says(&figure.expect("a figure that says so"), "no data"));
    }
    let zero = batch(vec![("variant", text(["a"])), ("x", floats([0.0])), ("time_ns", floats([1.0]))]);
    assert!(says(&scaling(&[zero]).expect("a figure that says so"), "1 point, none that a log axis can show"));
}

#[test]
fn speedup_keeps_rows_it_cannot_draw() {
    let figure = speedup(&[comparisons()]).expect("drawn");
    assert!(says(&figure, "no ratio") && says(&figure, "2.5×, no interval") && says(&figure, "1.52× [1.40, 1.71]"));
    assert!(says(&figure, "speedup over naive"));
    for verdict in ["faster", "slower", "equivalent", "undecided"] {
        assert!(figure.value()["data"].as_array().is_some_and(|d| d.iter().any(|t| t["name"] == verdict)), "{verdict}");
    }
    let whiskers: Vec<&Value> =
        figure.value()["data"].as_array().expect("traces").iter().filter(|t| t["mode"] == "lines+markers").collect();
    let ends: usize =
        whiskers.iter().map(|t| t["x"].as_array().map_or(0, |x| x.iter().filter(|v| v.is_number()).count())).sum();
    assert_eq!(ends, 8, "four whole intervals");
}

#[test]
fn scaling_names_exponents_and_intervals() {
    let figure = scaling(&[sizes()]).expect("drawn");
    assert!(says(&figure, "flash: n^1.93 [1.88, 1.98]"));
    assert!(says(&figure, "naive: n^2.00 [1.97, 2.03]"));
    assert!(says(&figure, "torch: no fit"));
    assert!(says(&figure, "n = seq_kv"));
}

#[test]
fn errors_name_the_column() {
    let told = |e: Error| e.to_string();
    let missing = speedup(&[samples()]).map_err(told).expect_err("no such columns");
    assert_eq!(
        missing,
        "speedup needs a column `candidate`, found case_name, variant, time_ns: name it with `AS candidate` in the query"
    );
    let typed = batch(vec![("variant", text(["a"])), ("time_ns", text(["1"]))]);
    let wrong = distribution(&[typed]).map_err(told).expect_err("text is no time");
    assert_eq!(wrong, "distribution needs column `time_ns` as a number, found Utf8: cast it in the query");
    let odd = batch(vec![
        ("candidate", text(["a"])),
        ("ratio", floats([1.0])),
        ("low", floats([1.0])),
        ("high", floats([1.0])),
        ("verdict", text(["quicker"])),
    ]);
    assert!(matches!(speedup(&[odd]), Err(Error::UnknownVerdict { found }) if found == "quicker"));
    let two = batch(vec![
        ("variant", text(["a", "a"])),
        ("x", floats([1.0, 2.0])),
        ("time_ns", floats([1.0, 2.0])),
        ("exponent", floats([1.0, 2.0])),
    ]);
    assert!(matches!(scaling(&[two]), Err(Error::FitDiffers { variant, column: "exponent" }) if variant == "a"));
}

#[test]
fn names_are_shown_literally() {
    let evil = "<script>alert(1)</script> & <b>bold</b> %{x} $x^2$";
    let [first, second, third] = [
        distribution(&[batch(vec![
            ("variant", text([evil])),
            ("case_name", text([evil])),
            ("time_ns", floats([1.0])),
        ])]),
        speedup(&[batch(vec![
            ("case_name", text([evil, "other"])),
            ("candidate", text([evil, "other"])),
            ("baseline", text([evil, evil])),
            ("ratio", floats([1.0, 1.0])),
            ("low", floats([1.0, 1.0])),
            ("high", floats([1.0, 1.0])),
            ("verdict", text(["faster", "faster"])),
        ])]),
        scaling(&[batch(vec![
            ("variant", text([evil])),
            ("x", floats([1.0])),
            ("time_ns", floats([1.0])),
            ("x_name", text([evil])),
        ])]),
    ]
    .map(|figure| figure.expect("drawn").with_title(evil));
    for figure in [first, second, third] {
        let all = shown(&figure);
        assert!(all.iter().any(|s| s.contains("&lt;script&gt;")));
        for s in all {
            assert!(
                !s.contains("<script") && !s.contains("<b>bold") && !s.contains("%{x} ") && !s.contains("$x"),
                "{s}"
            );
        }
    }
}
