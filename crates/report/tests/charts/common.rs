//! Small record batches, and the browser if there is one.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use benchbook_report::charts::{Browser, Figure, distribution, scaling, speedup};

/// A batch of named columns, all nullable.
pub fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("columns of one length")
}

/// A text column.
pub fn text<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<StringArray>())
}

/// A float column, `None` as NULL.
pub fn floats(values: impl IntoIterator<Item = impl Into<Option<f64>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<Float64Array>())
}

/// An integer column.
pub fn integers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// Two cases of three variants: seven samples each, one NULL, one not finite, and a strip without any time.
pub fn samples() -> RecordBatch {
    let (mut cases, mut variants, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (case, base) in [("seq=1024", 4.0e6), ("seq=128", 60_000.0)] {
        for (variant, factor) in [("naive", 2.0), ("flash", 1.0)] {
            for i in 0..7 {
                cases.push(case);
                variants.push(variant);
                times.push(Some(base * factor * (1.0 + 0.01 * f64::from(i * i))));
            }
        }
    }
    cases.extend(["seq=128", "seq=128", "seq=128"]);
    variants.extend(["torch", "naive", "naive"]);
    times.extend([None, Some(f64::INFINITY), Some(-5.0)]);
    batch(vec![("case_name", text(cases)), ("variant", text(variants)), ("time_ns", floats(times))])
}

/// One comparison of each verdict, one without interval, one without ratio.
pub fn comparisons() -> RecordBatch {
    batch(vec![
        ("case_name", text(["seq=128", "seq=128", "seq=128", "seq=1024", "seq=1024", "seq=1024"])),
        ("baseline", text(["naive"; 6])),
        ("candidate", text(["flash", "torch", "twin", "flash", "torch", "twin"])),
        ("ratio", floats([Some(1.52), Some(0.81), Some(1.0005), Some(1.2), Some(2.5), None])),
        ("low", floats([Some(1.40), Some(0.78), Some(0.997), Some(0.9), None, Some(1.0)])),
        ("high", floats([Some(1.71), Some(0.85), Some(1.004), Some(1.7), Some(3.0), Some(2.0)])),
        (
            "verdict",
            Arc::new(StringArray::from(vec![
                Some("faster"),
                Some("slower"),
                Some("equivalent"),
                Some("undecided"),
                Some("faster"),
                None,
            ])),
        ),
        ("level", floats([0.95; 6])),
    ])
}

/// Two variants with fits, one without, over four sizes.
pub fn sizes() -> RecordBatch {
    let (mut variants, mut x, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (variant, coefficient, exponent) in [("naive", 3.0, 2.0), ("flash", 9.0, 1.93), ("torch", 2000.0, 1.0)] {
        for n in [128_i32, 256, 512, 1024] {
            variants.push(variant);
            x.push(i64::from(n));
            times.push(coefficient * f64::from(n).powf(exponent));
        }
    }
    let fit = |values: [Option<f64>; 3]| {
        floats(
            variants
                .iter()
                .map(|v| values[["naive", "flash", "torch"].iter().position(|n| n == v).expect("one of three")]),
        )
    };
    batch(vec![
        ("variant", text(variants.iter().copied())),
        ("x", integers(x)),
        ("time_ns", floats(times.iter().copied())),
        ("low_ns", floats(times.iter().map(|t| t * 0.95))),
        ("high_ns", floats(times.iter().map(|t| t * 1.1))),
        ("exponent", fit([Some(2.0), Some(1.93), None])),
        ("exponent_low", fit([Some(1.97), Some(1.88), None])),
        ("exponent_high", fit([Some(2.03), Some(1.98), None])),
        ("coefficient_ns", fit([Some(3.0), None, None])),
        ("x_name", text(vec!["seq_kv"; variants.len()])),
        ("level", floats(vec![0.95; variants.len()])),
    ])
}

/// The three figures of the batches above.
pub fn figures() -> [Figure; 3] {
    [
        distribution(&[samples()]).expect("samples have the columns"),
        speedup(&[comparisons()]).expect("comparisons have the columns"),
        scaling(&[sizes()]).expect("sizes have the columns"),
    ]
}

/// A browser; without one the test ends early and says why, except in CI, where it fails.
pub fn browser() -> Option<Browser> {
    match Browser::find() {
        Ok(browser) => Some(browser),
        Err(why) => {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must draw the figures: {why}");
            eprintln!("skipped: {why}");
            None
        }
    }
}
