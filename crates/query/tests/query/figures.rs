//! Figures over items, such as a perplexity over tokens: judged by pieces of their data.

use crate::common::{Fixture, add, assert_near, floats, sample, texts, trial};
use crate::metrics::{SIDES, judged, measure, word, words};
use benchbook_record::{StepRow, StepValueRow};
use serde_json::json;

/// Two processes with a perplexity over 960 tokens, the same in both: 20 and a little less, by so many pieces of the text, whose
/// difficulty differs by much more, for the baseline and for the candidate.
fn with_figure(fixture: &Fixture, tag: &str, pieces: [i64; 2]) -> String {
    fixture.tagged(tag, |writer| {
        let mut number = 0;
        for replicate in 0..2 {
            for (is_candidate, name) in SIDES {
                add(writer, &trial(number, name, "a", replicate, json!({})));
                let whole = if is_candidate { 19.0 } else { 20.0 };
                for (what, value, unit) in [
                    ("perplexity", whole, "ratio"),
                    ("perplexity_items", 960.0, "count"),
                    ("perplexity_low", whole - 5.0, "ratio"),
                    ("perplexity_high", whole + 5.0, "ratio"),
                ] {
                    measure(writer, number, what, value, unit);
                }
                writer.sample(&sample(number, 0, number / 2, 1_000_000)).unwrap();
                for step in 0..pieces[usize::from(is_candidate)] {
                    let started_ns = 10_000 * step;
                    let row =
                        StepRow { trial: number, sample: 0, step, started_ns, elapsed_ns: 10_000, tokens: Some(40) };
                    writer.step(&row).unwrap();
                    // Hard and easy pieces; the candidate is 5 % better, by 1 % more or less.
                    let gain = if is_candidate { 0.95 + 0.01 * (step % 3 - 1) as f64 } else { 1.0 };
                    let value = gain * (10.0 + 3.0 * (step % 7) as f64);
                    let name = "perplexity".to_owned();
                    writer
                        .step_value(&StepValueRow { trial: number, sample: 0, step, name, value, unit: "ratio".into() })
                        .unwrap();
                }
                number += 1;
            }
        }
    })
}

#[test]
fn a_figure_over_items_is_judged_by_pieces_of_its_data() {
    let fixture = Fixture::new();
    let run_id = with_figure(&fixture, "first", [24, 24]);
    let session = fixture.session();
    let told = session
        .sql("SELECT metric, value, items, low, high FROM metric_values WHERE trial = 0 AND metric LIKE 'perplexity%'")
        .unwrap();
    assert_eq!(texts(&told, "metric"), [Some("perplexity".to_owned())]);
    let of = |name| floats(&told, name)[0].unwrap();
    assert_eq!((of("value"), of("items"), of("low"), of("high")), (20.0, 960.0, 15.0, 25.0));

    // Two processes say the same: only 24 pieces tell how sure that is.
    let answer = judged(&session, &run_id, "perplexity");
    assert_eq!(words(&answer), [word("better", "direction-excludes-one")]);
    let ratio = (-(0.94_f64.ln() + 0.95_f64.ln() + 0.96_f64.ln()) / 3.0).exp();
    assert_near(floats(&answer, "ratio")[0].unwrap(), ratio, "ratio");
    let (low, high) = (floats(&answer, "low")[0].unwrap(), floats(&answer, "high")[0].unwrap());
    assert!(low < ratio && ratio < high && high - low > 0.005, "{low} to {high}");
}

#[test]
fn a_figure_whose_pieces_are_not_all_there_is_never_sure() {
    for (pieces, reason) in [
        ([0, 0], "baseline-no-pieces, candidate-no-pieces"),
        ([24, 0], "candidate-no-pieces"),
        ([0, 24], "baseline-no-pieces"),
        ([24, 20], "candidate-lacks-4-of-24-pieces"),
        ([20, 24], "baseline-lacks-4-of-24-pieces"),
    ] {
        let fixture = Fixture::new();
        let run_id = with_figure(&fixture, "first", pieces);
        let answer = judged(&fixture.session(), &run_id, "perplexity");
        assert_eq!(words(&answer), [word("undecided", reason)], "{pieces:?}");
    }
}
