//! The queries about tails, about what a call costs, about what it costs beside its work, and about papers;
//! and how much fits into a service level.

use std::collections::BTreeMap;

use crate::common::{Fixture, add, assert_near, flags, floats, ints, one, sample, texts, trial};
use crate::metrics::{measure, stepped};
use benchbook_query::{Answer, Session};
use benchbook_record::{EventRow, Level, RunWriter, StepRow, StepValueRow};
use serde_json::json;

const REPLICATES: i64 = 5;

fn named(session: &Session, name: &str, pairs: &[(&str, &str)]) -> Answer {
    let given: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    session.named(name, &given).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn reasons(answer: &Answer) -> Vec<String> {
    texts(answer, "reason").into_iter().map(Option::unwrap_or_default).collect()
}

#[test]
fn a_tail_has_a_bound_from_as_many_calls_on_as_the_order_needs() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, calls) in (0..).zip([28, 29, 298, 299]) {
            add(writer, &trial(number, "naive", &format!("n={calls}"), 0, json!({})));
            for index in 0..calls {
                // From 1 to the number of calls, in another order.
                let elapsed = 11 * index % calls + 1;
                let row = sample(number, index, 1_000 * number + index, elapsed);
                writer.sample(&row).unwrap();
            }
            let mut row = sample(number, calls, 1_000 * number + calls, 1_000_000);
            (row.valid, row.invalid_reason) = (false, Some("starved"));
            writer.sample(&row).unwrap();
        }
    });
    let session = fixture.session();
    let answer = named(&session, "tails", &[]);
    assert_eq!(ints(&answer, "n"), [28, 29, 298, 299].map(Some), "what is not valid is left out");
    assert_eq!(floats(&answer, "worst_ns"), [28.0, 29.0, 298.0, 299.0].map(Some));
    // 0.9^28 and 0.99^298 lie above 0.05, the next powers below it.
    let ninetieth = floats(&answer, "p90_high_ns");
    assert_eq!((ninetieth[0], ninetieth[1]), (None, Some(29.0)));
    assert_eq!(floats(&answer, "p99_high_ns"), [None, None, None, Some(299.0)]);
    // DataFusion interpolates in millionths.
    let between = floats(&answer, "p90_ns")[3].unwrap();
    assert!((between - 269.2).abs() < 1e-5, "{between}");
    let high = ninetieth[3].unwrap();
    assert!((270.0..290.0).contains(&high), "{high}");
    assert_eq!(
        reasons(&answer),
        ["too few for a bound", "too few for a bound of p99", "too few for a bound of p99", ""]
    );
    let surer = named(&session, "tails", &[("confidence", "0.99")]);
    assert_eq!(floats(&surer, "p99_high_ns"), [None; 4]);
    assert!(floats(&surer, "p90_high_ns")[3].unwrap() > high);
}

#[test]
fn steps_have_tails_of_their_own_without_the_first() {
    let fixture = Fixture::new();
    let run_id = stepped(&fixture, "first", None);
    let answer = named(&fixture.session(), "tails", &[("run", run_id.as_str())]);
    let words = |name: &str| texts(&answer, name).into_iter().map(Option::unwrap).collect::<Vec<_>>();
    assert_eq!(words("kind"), ["call", "step", "call", "step"]);
    assert_eq!(ints(&answer, "n"), [10, 100, 10, 100].map(Some));
    // Nine of ten steps of flash take half a microsecond, the tenth twice that; the first of a sample does not count.
    assert_eq!((floats(&answer, "median_ns")[3], floats(&answer, "worst_ns")[3]), (Some(500.0), Some(1_000.0)));
    let between = floats(&answer, "p90_ns")[3].unwrap();
    assert!((between - 550.0).abs() < 1e-3, "between the ninetieth and the next: {between}");
    assert_eq!((floats(&answer, "p90_high_ns")[3], floats(&answer, "p99_high_ns")[3]), (Some(1_000.0), None));
    assert_eq!(floats(&answer, "worst_ns")[2], Some(12_500.0));
}

#[test]
fn several_calls_a_sample_are_told() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        add(writer, &trial(0, "naive", "a", 0, json!({})));
        for index in 0..3 {
            let mut row = sample(0, index, index, 4_000);
            row.iterations = if index == 0 { 4 } else { 2 };
            writer.sample(&row).unwrap();
        }
    });
    let answer = named(&fixture.session(), "tails", &[]);
    assert_eq!((ints(&answer, "calls_a_sample"), floats(&answer, "worst_ns")), (vec![Some(4)], vec![Some(2_000.0)]));
}

/// Replicates of which each call takes 2 ms and 10 steps of 0.1 ms, a token each; the energy is around 4 J.
fn speaking(writer: &mut RunWriter, replicates: i64, has_energy: bool) {
    for (number, factor) in (0..replicates).zip([1.0, 1.1, 1.0 / 1.1, 1.2, 1.0 / 1.2]) {
        add(writer, &trial(number, "naive", "a", number, json!({})));
        if has_energy {
            measure(writer, number, "cpu_energy_joules", 4.0 * factor, "joules");
        }
        for index in 0..3 {
            let started_ns = 10_000_000 * index;
            let mut row = sample(number, index, 3 * number + index, 2_000_000);
            row.started_ns = started_ns;
            writer.sample(&row).unwrap();
            for step in 0..10 {
                let started_ns = started_ns + 100_000 * step;
                let row =
                    StepRow { trial: number, sample: index, step, started_ns, elapsed_ns: 100_000, tokens: Some(1) };
                writer.step(&row).unwrap();
            }
        }
    }
}

#[test]
fn energy_carbon_and_money_of_tokens() {
    let fixture = Fixture::new();
    fixture.run(|writer| speaking(writer, REPLICATES, true));
    let session = fixture.session();
    let answer = named(&session, "cost", &[("price_per_hour", "3.6"), ("grams_per_kwh", "300")]);
    for (name, wanted) in [
        ("joules", 4.0),
        ("watts", 2_000.0),
        ("tokens_per_second", 10_000.0),
        ("tokens_per_joule", 2.5),
        ("co2_grams", 4.0 / 3.6e6 * 300.0),
        // A thousandth a second, for 100 seconds.
        ("cost_per_million_tokens", 0.1),
    ] {
        assert_near(floats(&answer, name)[0].unwrap(), wanted, name);
    }
    for name in ["joules", "tokens_per_joule", "co2_grams"] {
        let of = |name: &str| floats(&answer, name)[0].unwrap();
        assert!(of(&format!("{name}_low")) < of(name) && of(name) < of(&format!("{name}_high")), "{name}");
    }
    assert_eq!(reasons(&answer), [""]);
    let nobody_says = named(&session, "cost", &[]);
    let without = "no CO2: grams_per_kwh was not given; no cost: price_per_hour was not given";
    assert_eq!(reasons(&nobody_says), [without]);
    assert_eq!([floats(&nobody_says, "co2_grams"), floats(&nobody_says, "cost_per_million_tokens")], [[None], [None]]);
}

#[test]
fn what_costs_are_not_known_of_has_its_reason() {
    let fixture = Fixture::new();
    fixture.tagged("unread", |writer| {
        let (kind, message) = ("energy".to_owned(), "no counter is shown".to_owned());
        writer.event(&EventRow { at_ns: 1, trial: None, level: Level::Info, kind, message }).unwrap();
        speaking(writer, 2, false);
    });
    fixture.tagged("silent", |writer| {
        add(writer, &trial(0, "naive", "a", 0, json!({})));
        writer.sample(&sample(0, 0, 0, 100)).unwrap();
    });
    let session = fixture.session();
    let answer = named(&session, "cost", &[("run", "unread"), ("price_per_hour", "3.6")]);
    assert_eq!(reasons(&answer), ["no energy: no counter is shown; no interval: too few replicates"]);
    assert_eq!([floats(&answer, "joules"), floats(&answer, "tokens_per_joule")], [[None], [None]]);
    assert_near(floats(&answer, "cost_per_million_tokens")[0].unwrap(), 0.1, "money needs no energy");
    let answer = named(&session, "cost", &[("run", "silent"), ("price_per_hour", "3.6")]);
    let reason = reasons(&answer).remove(0);
    assert!(reason.contains("it was measured before energy was read; no tokens: no step made any"), "{reason}");
}

#[test]
fn a_small_case_is_held_to_the_rate_of_a_large_one() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for replicate in 0..REPLICATES {
            let cases = [("small", 1_000.0, 1_000 + 10 * replicate), ("large", 100_000.0, 10_000)];
            for (place, (case, flops, time_ns)) in (0..).zip(cases) {
                let number = 10 * replicate + place;
                let mut row = trial(number, "naive", case, replicate, json!({}));
                row.flops = Some(flops);
                add(writer, &row);
                writer.sample(&sample(number, 0, number, time_ns)).unwrap();
            }
            let number = 10 * replicate + 2;
            add(writer, &trial(number, "alone", "small", replicate, json!({})));
            writer.sample(&sample(number, 0, number, 500)).unwrap();
        }
    });
    let answer = named(&fixture.session(), "overhead", &[]);
    assert_eq!(answer.rows(), 2, "a row for each variant");
    assert_eq!(texts(&answer, "case_name")[0].as_deref(), Some("small"));
    // Ten operations a nanosecond on the large one.
    assert_near(floats(&answer, "work_ns")[0].unwrap(), 100.0, "work");
    let of = |name: &str| floats(&answer, name)[0].unwrap();
    assert!((900.0..940.0).contains(&of("overhead_ns")), "{}", of("overhead_ns"));
    assert!(of("overhead_low_ns") < of("overhead_ns") && of("overhead_ns") < of("overhead_high_ns"));
    assert_eq!(reasons(&answer), ["", "one case only"]);
    assert_eq!(floats(&answer, "overhead_ns")[1], None);
}

#[test]
fn papers_to_try_have_their_month_and_the_newest_stands_first() {
    let fixture = Fixture::new();
    let session = fixture.session();
    let months = |since: &str| -> Vec<String> {
        texts(&named(&session, "papers", &[("since", since)]), "published").into_iter().map(Option::unwrap).collect()
    };
    let all = months("2000-01");
    assert!(all.len() > 5 && all.is_sorted_by(|newer, older| newer >= older), "{all:?}");
    assert!(all.iter().all(|month| month.len() == 7 && month.starts_with("20")), "{all:?}");
    assert!(months(&all[0]).iter().all(|month| *month == all[0]) && months("2999-01").is_empty());
}

#[test]
fn a_service_level_holds_the_batches_that_keep_it() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for replicate in 0..REPLICATES {
            // Sequences of a batch, and how long a step of all of them takes.
            for (place, (sequences, step_ns)) in (0..).zip([(1, 1_000_000), (4, 2_000_000), (8, 8_000_000)]) {
                let number = 3 * replicate + place;
                add(writer, &trial(number, "kv-cache", &format!("b{sequences}"), replicate, json!({})));
                let elapsed_ns = step_ns + 10_000 * replicate;
                let mut row = sample(number, 0, number, 5 * elapsed_ns);
                row.started_ns = 0;
                writer.sample(&row).unwrap();
                for step in 0..5 {
                    let (started_ns, tokens) = (step * elapsed_ns, Some(sequences));
                    writer.step(&StepRow { trial: number, sample: 0, step, started_ns, elapsed_ns, tokens }).unwrap();
                }
            }
        }
    });
    let session = fixture.session();
    let marks = |pairs: &[(&str, &str)]| {
        let answer = named(&session, "capacity", pairs);
        (flags(&answer, "within"), flags(&answer, "is_capacity"))
    };
    let none = [Some(false); 3].to_vec();
    assert_eq!(marks(&[]), (vec![None; 3], none.clone()));
    let level = ("most_step_ms", "3");
    let kept = vec![Some(true), Some(true), Some(false)];
    assert_eq!(marks(&[level]), (kept, vec![Some(false), Some(true), Some(false)]));
    assert_eq!(marks(&[level, ("most_first_ms", "0.5")]), (none.clone(), none));
    let answer = named(&session, "capacity", &[]);
    let rates = floats(&answer, "tokens_per_second");
    // Four tokens each two milliseconds and a little.
    assert!(rates[1].is_some_and(|rate| (1_960.0..2_000.0).contains(&rate)), "{rates:?}");
    assert_near(floats(&answer, "step_p99_ns")[1].unwrap(), floats(&answer, "first_token_ns")[1].unwrap(), "a step");
}

#[test]
fn requests_a_second_are_those_that_the_steps_have_finished() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for replicate in 0..REPLICATES {
            // How long a step takes, of which each finishes so many requests.
            for (place, (name, step_ns)) in (0..).zip([("static", 2_000_000), ("continuous", 1_000_000)]) {
                let number = 2 * replicate + place;
                add(writer, &trial(number, name, "a", replicate, json!({})));
                for turn in 0..2 {
                    let elapsed_ns = step_ns + 1_000 * replicate;
                    let mut row = sample(number, turn, 2 * replicate + turn, 4 * elapsed_ns);
                    row.started_ns = turn * 5 * elapsed_ns;
                    // What is not valid does not count.
                    (row.valid, row.invalid_reason) = if turn == 0 { (true, None) } else { (false, Some("starved")) };
                    writer.sample(&row).unwrap();
                    for (step, finished) in (0..).zip([0.0, 1.0, 0.0, 2.0]) {
                        let started_ns = row.started_ns + step * elapsed_ns;
                        let steps =
                            StepRow { trial: number, sample: turn, step, started_ns, elapsed_ns, tokens: Some(2) };
                        writer.step(&steps).unwrap();
                        let (name, unit) = ("finished".to_owned(), "count".to_owned());
                        let value = if turn == 0 { finished } else { 9.0 };
                        writer
                            .step_value(&StepValueRow { trial: number, sample: turn, step, name, value, unit })
                            .unwrap();
                    }
                }
            }
        }
    });
    let run_id = stepped(&fixture, "second", None);
    let session = fixture.session();
    let first = "SELECT value FROM metric_values WHERE metric = 'requests_per_second' AND trial = 1";
    let first = one(&session, first);
    // Three in four steps of a millisecond.
    assert_near(first.unwrap(), 750.0, "continuous");
    let none =
        one(&session, &format!("SELECT count(*) FROM metric_values WHERE run_id = '{run_id}' AND metric LIKE 'req%'"));
    assert_eq!(none, Some(0.0), "a loop that answers no requests has none");
    let pairs = [("run", "first"), ("metric", "requests_per_second"), ("baseline", "static")];
    let judged = named(&session, "metrics", &pairs);
    assert_eq!(texts(&judged, "verdict"), [Some("better".to_owned())]);
    let steps = named(&session, "steps", &[("run", "first")]);
    let rates = floats(&steps, "requests_per_second");
    assert!(rates[0].is_some_and(|rate| (374.0..=375.0).contains(&rate)), "{rates:?}");
    let steps = named(&session, "steps", &[("run", &run_id)]);
    assert_eq!(floats(&steps, "requests_per_second"), [None; 2]);
}
