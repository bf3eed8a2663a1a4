//! Named queries over suites and stores: many comparisons, the health of trials, the history of cases.

use std::collections::BTreeMap;

use crate::common::{Fixture, Numbers, add, assert_near, flags, floats, ints, sample, texts, trial};
use benchbook_query::{Answer, Session};
use benchbook_record::{MeasureRow, Provenance, RunRow, RunWriter, to_parquet};
use serde_json::json;

const REPLICATES: i64 = 6;
const BLOCKS: i64 = 5;

fn named(session: &Session, name: &str, pairs: &[(&str, &str)]) -> Answer {
    let given: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    session.named(name, &given).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A run of naive and flash whose log ratio has this mean in each case, and the spread ±0.1 between replicates.
///
/// With six replicates at mean ± 0.1 the standard deviation is 0.1 √(6/5), so that t = √5 · mean / 0.1.
fn suite(fixture: &Fixture, tag: &str, means: &[f64]) {
    fixture.tagged(tag, |writer| {
        let (mut number, mut block) = (0, 0);
        for replicate in 0..REPLICATES {
            for (case, mean) in means.iter().enumerate() {
                let sign = if replicate % 2 == 0 { 1.0 } else { -1.0 };
                let naive = 1_000_000 + 1_000 * replicate;
                let flash = (naive as f64 / (mean + 0.1 * sign).exp()).round() as i64;
                for (index, name, time) in [(0, "naive", naive), (1, "flash", flash)] {
                    add(writer, &trial(number + index, name, &format!("case={case}"), replicate, json!({})));
                    for sample_number in 0..BLOCKS {
                        writer.sample(&sample(number + index, sample_number, block + sample_number, time)).unwrap();
                    }
                }
                number += 2;
                block += BLOCKS;
            }
        }
    });
}

/// t = 3.0 with 5 degrees of freedom: p = 0.03.
const WEAK: f64 = 0.134;
/// t = 0.3: p = 0.8.
const NOTHING: f64 = 0.0134;
/// t = 45: p = 1e-7.
const STRONG: f64 = 2.0;

#[test]
fn among_many_comparisons_a_weak_one_is_undecided() {
    let fixture = Fixture::new();
    suite(&fixture, "alone", &[WEAK]);
    suite(&fixture, "many", &[WEAK, NOTHING, -NOTHING, STRONG]);
    suite(&fixture, "lost", &[WEAK, NOTHING, -NOTHING, NOTHING]);
    let session = fixture.session();
    let alone = named(&session, "speedup", &[("run", "alone")]);
    assert_eq!(texts(&alone, "verdict"), [Some("faster".to_owned())]);
    assert!((0.02..0.05).contains(&floats(&alone, "q_value")[0].unwrap()));

    let lost = named(&session, "speedup", &[("run", "lost")]);
    assert_eq!(texts(&lost, "verdict"), vec![Some("undecided".to_owned()); 4]);
    let reasons = texts(&lost, "reason");
    assert_eq!(reasons[0].as_deref(), Some("fdr"));
    assert!(reasons[1..].iter().all(|reason| reason.as_deref() == Some("too-noisy")), "{reasons:?}");
    assert!((0.08..0.2).contains(&floats(&lost, "q_value")[0].unwrap()));

    let many = named(&session, "speedup", &[("run", "many")]);
    // Two of four at 0.03 or below: 0.03 · 4 / 2 is still above 0.05.
    let verdicts = texts(&many, "verdict");
    assert_eq!((verdicts[0].as_deref(), verdicts[3].as_deref()), (Some("undecided"), Some("faster")));
    assert!(texts(&many, "category").iter().all(Option::is_some));
    let names: Vec<&str> = many.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(&names[names.len() - 2..], ["q_value", "category"]);
}

#[test]
fn evidence_stands_beside_every_verdict() {
    let fixture = Fixture::new();
    suite(&fixture, "first", &[STRONG, NOTHING, -STRONG, -NOTHING]);
    let session = fixture.session();
    let evidence = named(&session, "evidence", &[]);
    let speedup = named(&session, "speedup", &[]);
    assert_eq!(texts(&evidence, "case_name"), texts(&speedup, "case_name"));
    assert_eq!(floats(&evidence, "speedup"), floats(&speedup, "speedup"));
    assert_eq!(floats(&evidence, "q_value"), floats(&speedup, "q_value"));
    let selected: Vec<bool> = flags(&evidence, "selected").into_iter().map(Option::unwrap).collect();
    assert_eq!(selected, [true, false, true, false]);
    let (low, high) = (floats(&evidence, "adjusted_low"), floats(&evidence, "adjusted_high"));
    let (plain_low, plain_high) = (floats(&speedup, "low"), floats(&speedup, "high"));
    for row in 0..4 {
        assert_eq!((low[row].is_some(), high[row].is_some()), (selected[row], selected[row]), "row {row}");
        if let (Some(low), Some(high)) = (low[row], high[row]) {
            // Two of four are selected: their level is 97.5 %, which is wider.
            assert!(low < plain_low[row].unwrap() && high > plain_high[row].unwrap(), "row {row}");
        }
    }
    let (p, q) = (floats(&evidence, "p_value"), floats(&evidence, "q_value"));
    assert!(p.iter().zip(&q).all(|(p, q)| p.unwrap() <= q.unwrap()));
    for name in ["welch_p", "mann_whitney_p"] {
        let p = floats(&evidence, name);
        assert!(p.iter().all(|p| (0.0..=1.0).contains(&p.unwrap())), "{name}: {p:?}");
        assert!(p[0] < p[1] && p[2] < p[3], "{name}: {p:?}");
    }
    let d = floats(&evidence, "cohens_d");
    // The candidate of case 0 takes less time, that of case 2 more.
    assert!(d[0].unwrap() < 0.0 && d[2].unwrap() > 0.0, "{d:?}");
}

#[test]
fn evidence_of_one_replicate_is_null_where_it_cannot_be_given() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, name) in [(0, "naive"), (1, "flash")] {
            add(writer, &trial(number, name, "a", 0, json!({})));
            writer.sample(&sample(number, 0, 0, 100 + number)).unwrap();
        }
    });
    let session = fixture.session();
    let evidence = named(&session, "evidence", &[]);
    assert_eq!(evidence.rows(), 1);
    for name in ["p_value", "q_value", "adjusted_low", "adjusted_high", "welch_p", "cohens_d"] {
        assert_eq!(floats(&evidence, name), [None], "{name}");
    }
    assert_eq!(flags(&evidence, "selected"), [Some(false)]);
}

/// Samples of about 100 µs, rising by `rise` ns each.
fn samples(
    writer: &mut RunWriter,
    number: i64,
    count: i64,
    rise: i64,
    mark: impl Fn(i64) -> (bool, Option<&'static str>),
) {
    let mut numbers = Numbers::new(u64::try_from(number).unwrap() + 1);
    for index in 0..count {
        let mut row = sample(number, index, 1_000 * number + index, numbers.next(100_000 + rise * index, 100));
        (row.valid, row.invalid_reason) = mark(index);
        writer.sample(&row).unwrap();
    }
}

#[test]
fn health_names_what_is_wrong() {
    let fixture = Fixture::new();
    let fine = |_| (true, None);
    fixture.run(|writer| {
        for number in 0..6 {
            add(writer, &trial(number, "naive", "a", number, json!({})));
            for (name, value) in [("warmup_iterations", 40.0), ("warmup_settled", f64::from(u8::from(number != 3)))] {
                let measure = MeasureRow {
                    trial: number,
                    sample: None,
                    device: None,
                    name: name.into(),
                    value,
                    unit: "count".into(),
                    provenance: Provenance::Measured,
                };
                writer.measure(&measure).unwrap();
            }
        }
        samples(writer, 0, 100, 0, fine);
        samples(writer, 1, 100, 100, fine);
        // 12 are invalid, 8 are marked but kept.
        samples(writer, 2, 100, 0, |index| match index % 100 {
            0..12 => (false, Some("preempted")),
            12..20 => (true, Some("core_migrated")),
            _ => (true, None),
        });
        samples(writer, 3, 100, 0, fine);
        samples(writer, 5, 3, 0, |_| (false, Some("throttled")));
    });
    let session = fixture.session();
    let health = named(&session, "health", &[]);
    assert_eq!(ints(&health, "samples"), [100, 100, 100, 100, 0, 3].map(Some));
    assert_eq!(ints(&health, "valid_samples"), [100, 100, 88, 100, 0, 0].map(Some));
    assert_eq!(floats(&health, "warmup_iterations"), [Some(40.0); 6]);
    assert_eq!(flags(&health, "warmup_settled"), [true, true, true, false, true, true].map(Some));
    let marks = texts(&health, "marks");
    assert_eq!((marks[0].as_deref(), marks[2].as_deref()), (None, Some("core_migrated 8, preempted 12")));
    let notes = texts(&health, "note");
    let notes: Vec<Option<&str>> = notes.iter().map(Option::as_deref).collect();
    assert!(notes[1].is_some_and(|note| note.starts_with("drifts +")), "{notes:?}");
    assert_eq!((notes[0], notes[2]), (None, Some("8 % core migrated, 12 % preempted")));
    assert_eq!((notes[3], notes[4]), (Some("warm-up had not settled"), Some("no samples")));
    assert_eq!(notes[5], Some("no valid samples; 100 % throttled"));
    assert_eq!(floats(&health, "cpu_share"), [None; 6], "processor time was not recorded");
    for name in ["autocorrelation", "effective_n", "drift", "drift_p"] {
        let values = floats(&health, name);
        assert!(values[..4].iter().all(Option::is_some), "{name}: {values:?}");
        assert_eq!(values[4..], [None, None], "{name}");
    }
}

#[test]
fn processors_in_use_stand_beside_the_verdict_and_in_the_health_of_a_trial() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, name, cpus) in [(0, "naive", 1.5), (1, "flash", 2.0)] {
            add(writer, &trial(number, name, "a", 0, json!({})));
            for index in 0..8 {
                let mut row = sample(number, index, index, 100_000 + 1_000 * index);
                row.cpu_user_ns = Some((cpus * row.elapsed_ns as f64) as i64 - 10_000);
                row.cpu_system_ns = Some(10_000);
                // Samples that are left out count nowhere.
                row.valid = index > 0;
                row.invalid_reason = (index == 0).then_some("starved");
                if index == 0 {
                    row.cpu_user_ns = Some(1);
                }
                writer.sample(&row).unwrap();
            }
        }
    });
    let session = fixture.session();
    let speedup = named(&session, "speedup", &[]);
    assert_near(floats(&speedup, "baseline_cpus")[0].unwrap(), 1.5, "CPUs in use");
    assert_near(floats(&speedup, "candidate_cpus")[0].unwrap(), 2.0, "CPUs in use");
    let health = named(&session, "health", &[]);
    let shares = floats(&health, "cpu_share");
    assert_near(shares[0].unwrap(), 1.0, "CPUs in use");
    assert_near(shares[1].unwrap(), 0.75, "CPUs in use");
}

/// A run of one replicate: naive always takes the same time, flash the time given.
fn run_with(fixture: &Fixture, flash_ns: i64, environment_id: Option<&str>) {
    let run = RunRow { environment_id: environment_id.map(str::to_owned), ..RunRow::new("test") };
    let mut writer = RunWriter::create(&fixture.store, &run).unwrap();
    for (number, name, time) in [(0, "naive", 5_000), (1, "flash", flash_ns)] {
        add(&mut writer, &trial(number, name, "a", 0, json!({})));
        for index in 0..3 {
            writer.sample(&sample(number, index, index, time + index - 1)).unwrap();
        }
    }
    writer.finish(to_parquet).unwrap();
}

#[test]
fn history_finds_the_run_that_changed() {
    let fixture = Fixture::new();
    for run in 0..20 {
        let base = if run < 10 { 1_000 } else { 2_000 };
        run_with(&fixture, base + run % 3, None);
    }
    run_with(&fixture, 9_000, Some("elsewhere"));
    let session = fixture.session();
    let history = named(&session, "history", &[]);
    assert_eq!(history.rows(), 42);
    let here: Vec<usize> = texts(&history, "environment_id")
        .iter()
        .enumerate()
        .filter(|(_, id)| id.as_deref() != Some("elsewhere"))
        .map(|(row, _)| row)
        .collect();
    let variants = texts(&history, "variant");
    let of = |name: &str| -> Vec<usize> {
        here.iter().copied().filter(|row| variants[*row].as_deref().unwrap().starts_with(name)).collect()
    };
    let (runs, medians) = (ints(&history, "run_number"), floats(&history, "median_ns"));
    let (levels, changes) = (floats(&history, "level_ns"), floats(&history, "change_percent"));
    let flash = of("flash");
    assert_eq!(flash.iter().map(|row| runs[*row].unwrap()).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    let found: Vec<(i64, f64)> =
        flash.iter().filter_map(|row| changes[*row].map(|change| (runs[*row].unwrap(), change))).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, 11);
    assert!((98.0..102.0).contains(&found[0].1), "{found:?}");
    assert!((999.0..1_003.0).contains(&levels[flash[0]].unwrap()));
    assert!(floats(&history, "change_p")[flash[10]].unwrap() <= 0.05);
    for row in of("naive") {
        assert_near(medians[row].unwrap(), 5_000.0, "median");
        assert_eq!((levels[row], changes[row]), (Some(5_000.0), None));
    }
    let elsewhere: Vec<usize> = (0..history.rows()).filter(|row| !here.contains(row)).collect();
    assert!(elsewhere.iter().all(|row| runs[*row] == Some(1) && levels[*row] == medians[*row]));
    assert_eq!(named(&session, "history", &[("workload", "attention")]).rows(), 42);
    assert_eq!(named(&session, "history", &[("workload", "nothing")]).rows(), 0);
}
