//! What a calibration of the machine makes of verdicts: it may turn them into *undecided*, never widen a margin.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use benchbook_calibrate::{Calibration, read};
use benchbook_query::{Answer, Session};

use crate::Result;

/// The false-positive rate that verdicts at 95 % promise.
const NOMINAL_RATE: f64 = 0.05;

/// The reason that is then given.
const REASON: &str = "noisy-machine";

/// Paired comparisons of a run, seen with the calibrations that its store has of the same machine.
///
/// Where equal programs were called different more often than promised (the exact interval of the rate lies
/// above 5 %), a `faster` or `slower` no larger than what equal programs usually differ by becomes `undecided`.
///
/// # Errors
/// A store that cannot be read.
pub fn calibrated(session: &Session, run_id: &str, answer: Answer) -> Result<Answer> {
    let calibrations = read(session, &session.store().run_row(run_id)?)?;
    let Some(calibration) = nearest(&calibrations, sample_ns(session, run_id)?) else { return Ok(answer) };
    if calibration.rate_low <= NOMINAL_RATE {
        return Ok(answer);
    }
    let batches = answer.batches.iter().map(|batch| judged(batch, calibration.usual_difference)).collect();
    Ok(Answer { batches, ..answer })
}

/// The calibration whose samples are as long as those of the run, as nearly as there is one.
fn nearest(calibrations: &[Calibration], sample_ns: Option<f64>) -> Option<&Calibration> {
    let distance = |one: &&Calibration| sample_ns.map_or(0.0, |wanted| (one.sample_ns / wanted).ln().abs());
    calibrations.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// Median length of a run's samples, in nanoseconds.
fn sample_ns(session: &Session, run_id: &str) -> Result<Option<f64>> {
    let sql = format!("select median(cast(elapsed_ns as double)) from samples where run_id = '{run_id}' and valid");
    let answer = session.sql(&sql)?;
    let column = answer.batches.iter().find(|batch| batch.num_rows() > 0).map(|batch| batch.column(0).clone());
    let value = column.as_ref().and_then(|column| column.as_primitive_opt::<Float64Type>());
    Ok(value.and_then(|value| value.is_valid(0).then(|| value.value(0))).filter(|value| *value > 0.0))
}

/// The batch with verdicts on differences up to `usual` made undecided.
fn judged(batch: &RecordBatch, usual: f64) -> RecordBatch {
    let column = |name: &str| batch.column_by_name(name);
    let (Some(speedups), Some(verdicts), Some(reasons)) = (
        column("speedup").and_then(|column| column.as_primitive_opt::<Float64Type>()),
        column("verdict").and_then(|column| column.as_string_opt::<i32>()),
        column("reason").and_then(|column| column.as_string_opt::<i32>()),
    ) else {
        return batch.clone();
    };
    let doubtful = |row: usize| {
        let directed = verdicts.is_valid(row) && ["faster", "slower"].contains(&verdicts.value(row));
        directed && speedups.is_valid(row) && speedups.value(row).ln().abs() <= usual.ln_1p()
    };
    let replaced = |texts: &StringArray, word: &'static str| -> ArrayRef {
        let text = |row: usize| if doubtful(row) { Some(word) } else { texts.is_valid(row).then(|| texts.value(row)) };
        Arc::new((0..texts.len()).map(text).collect::<StringArray>())
    };
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| match field.name().as_str() {
        "verdict" => replaced(verdicts, "undecided"),
        "reason" => replaced(reasons, REASON),
        _ => Arc::clone(column),
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap_or_else(|_| batch.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Float64Array;

    fn calibration(sample_ns: f64) -> Calibration {
        Calibration {
            case_name: "x".into(),
            sample_ns,
            noise_floor: 0.01,
            verdicts: 100,
            significant: 20,
            false_positive_rate: 0.2,
            rate_low: 0.13,
            rate_high: 0.29,
            usual_difference: 0.02,
            detectable: [None; 3],
            spread: None,
        }
    }

    #[test]
    fn the_calibration_of_like_samples_counts() {
        let known = [calibration(1e5), calibration(1e6), calibration(1e7)];
        assert_eq!(nearest(&known, Some(2e6)).map(|one| one.sample_ns), Some(1e6));
        assert_eq!(nearest(&known, Some(9e9)).map(|one| one.sample_ns), Some(1e7));
        assert!(nearest(&[], Some(1.0)).is_none());
    }

    #[test]
    fn only_small_directed_differences_become_undecided() {
        let verdicts = ["faster", "slower", "faster", "equivalent", "undecided"];
        let batch = RecordBatch::try_from_iter([
            (
                "speedup",
                Arc::new(Float64Array::from(vec![Some(1.01), Some(0.99), Some(1.5), Some(1.0), None])) as ArrayRef,
            ),
            ("verdict", Arc::new(StringArray::from(verdicts.to_vec()))),
            ("reason", Arc::new(StringArray::from(vec!["r"; 5]))),
        ])
        .unwrap();
        let judged = judged(&batch, 0.02);
        let texts =
            |at: usize| judged.column(at).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(texts(1), ["undecided", "undecided", "faster", "equivalent", "undecided"]);
        assert_eq!(texts(2), [REASON, REASON, "r", "r", "r"]);
    }
}
