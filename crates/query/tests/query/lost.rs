//! Comparisons that are lost: rows with what became of their sides.

use std::collections::BTreeMap;

use crate::common::{Fixture, add, check, floats, ints, sample, texts, trial};
use benchbook_query::{Answer, Session};
use benchbook_record::{OutcomeRow, Phase, RunWriter, Status};
use serde_json::json;

const REPLICATES: i64 = 5;
const BLOCKS: i64 = 4;

/// What becomes of the trials of a side.
#[derive(Clone, Copy)]
enum Fate {
    Fine,
    /// Ends so, without a sample.
    Ends(Status),
    /// Both checks passed and every sample marked by the machine.
    Disturbed,
    /// Never checked again.
    Cut,
    /// As fine, in blocks of its own.
    Apart,
}

fn side(writer: &mut RunWriter, number: i64, name: &str, case: &str, replicate: i64, fate: Fate) {
    let row = trial(number, name, case, replicate, json!({}));
    match fate {
        Fate::Ends(_) => writer.trial(&row).unwrap(),
        Fate::Cut => {
            writer.trial(&row).unwrap();
            writer.check(&check(number, Phase::Before, true)).unwrap();
        }
        _ => add(writer, &row),
    }
    let status = match fate {
        Fate::Ends(status) => status,
        Fate::Disturbed => Status::Invalid,
        _ => Status::Ok,
    };
    writer.outcome(&OutcomeRow { trial: Some(number), at_ns: 9, status, stop_reason: None, prepare_ns: None }).unwrap();
    if matches!(fate, Fate::Ends(_)) {
        return;
    }
    let first = 1_000 * replicate + if matches!(fate, Fate::Apart) { 500 } else { 0 };
    for index in 0..BLOCKS {
        let time = if name == "naive" { 2_000 } else { 1_000 } + 10 * index + replicate;
        let mut row = sample(number, index, first + index, time);
        if matches!(fate, Fate::Disturbed) {
            (row.valid, row.invalid_reason) = (false, Some("preempted"));
        }
        writer.sample(&row).unwrap();
    }
}

/// A run of naive and flash in which each case goes as said.
fn run(fixture: &Fixture, tag: &str, cases: &[(&str, Fate, Fate)]) -> String {
    fixture.tagged(tag, |writer| {
        let mut number = 0;
        for replicate in 0..REPLICATES {
            for (case, naive, flash) in cases {
                side(writer, number, "naive", case, replicate, *naive);
                side(writer, number + 1, "flash", case, replicate, *flash);
                number += 2;
            }
        }
    })
}

fn named(session: &Session, name: &str, pairs: &[(&str, &str)]) -> Answer {
    let given: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    session.named(name, &given).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const CASES: [(&str, Fate, Fate); 8] = [
    ("a", Fate::Fine, Fate::Fine),
    ("b", Fate::Ends(Status::Failed), Fate::Fine),
    ("c", Fate::Fine, Fate::Ends(Status::Wrong)),
    ("d", Fate::Disturbed, Fate::Disturbed),
    ("e", Fate::Fine, Fate::Cut),
    ("f", Fate::Fine, Fate::Ends(Status::Interrupted)),
    ("g", Fate::Fine, Fate::Apart),
    ("h", Fate::Fine, Fate::Ends(Status::Unsupported)),
];

#[test]
fn a_comparison_that_is_lost_is_an_undecided_row_with_the_reason() {
    let fixture = Fixture::new();
    run(&fixture, "first", &CASES);
    let session = fixture.session();
    let answer = named(&session, "speedup", &[]);
    let of = |name| texts(&answer, name).into_iter().map(Option::unwrap);
    let told: Vec<[String; 3]> = of("case_name")
        .zip(of("verdict"))
        .zip(of("reason"))
        .map(|((case, verdict), reason)| [case, verdict, reason])
        .collect();
    // What a variant says it cannot do is not lost: nobody asked it to.
    let wanted = [
        ["a", "faster", "direction-excludes-one"],
        ["b", "undecided", "baseline-failed"],
        ["c", "undecided", "candidate-wrong"],
        ["d", "undecided", "baseline-invalid, candidate-invalid"],
        ["e", "undecided", "candidate-unchecked"],
        ["f", "undecided", "candidate-not-begun"],
        ["g", "undecided", "no-common-block"],
    ];
    assert_eq!(told, wanted);
    let (ratios, replicates) = (floats(&answer, "speedup"), ints(&answer, "replicates"));
    assert!(ratios[0].is_some() && ratios[1..].iter().all(Option::is_none), "{ratios:?}");
    assert_eq!(replicates, [5, 0, 0, 0, 0, 0, 0].map(Some));
    assert_eq!(texts(&answer, "said")[1].as_deref(), Some("undecided"));
    // Every way to a verdict has the same rows, and what is lost changes no other verdict.
    assert_eq!(texts(&named(&session, "evidence", &[]), "case_name"), texts(&answer, "case_name"));
    let mut ruled = texts(&named(&session, "rules", &[]), "case_name");
    ruled.dedup();
    assert_eq!(ruled.pop(), Some(None), "the last row is of the whole");
    assert_eq!(ruled, texts(&answer, "case_name"));
    run(&fixture, "alone", &CASES[..1]);
    let alone = named(&fixture.session(), "speedup", &[("run", "alone")]);
    for name in ["speedup", "low", "high", "q_value"] {
        assert_eq!(floats(&alone, name)[0], floats(&answer, name)[0], "{name}");
    }
}

#[test]
fn times_name_what_has_none() {
    let fixture = Fixture::new();
    run(&fixture, "first", &CASES[..4]);
    let answer = named(&fixture.session(), "summary", &[]);
    let rows: Vec<(Option<i64>, Option<String>)> =
        ints(&answer, "replicates").into_iter().zip(texts(&answer, "reason")).collect();
    let lost = |reason: &str| (Some(0), Some(reason.to_owned()));
    let fine = (Some(REPLICATES), None);
    // In the order of trials: naive before flash.
    assert_eq!(
        rows,
        [
            fine.clone(),
            fine.clone(),
            lost("failed"),
            fine.clone(),
            fine,
            lost("wrong"),
            lost("invalid"),
            lost("invalid")
        ]
    );
    assert_eq!(floats(&answer, "median_ns")[2], None);
}

#[test]
fn every_table_has_one_word_for_what_became_of_a_trial() {
    let fixture = Fixture::new();
    let [cut, skipped, unable] = [CASES[4], CASES[5], CASES[7]];
    let before = run(&fixture, "before", &[cut, skipped].map(|(case, ..)| (case, Fate::Fine, Fate::Fine)));
    let after = run(&fixture, "after", &[cut, skipped, unable]);
    let session = fixture.session();
    let words = texts(&session.sql("SELECT DISTINCT reason FROM unusable ORDER BY 1").unwrap(), "reason");
    assert_eq!(words, ["not-begun", "unchecked", "unsupported"].map(|word| Some(word.to_owned())));
    // In the order of trials: naive before flash. What a variant says it cannot do has no row.
    let times = texts(&named(&session, "summary", &[("run", &after)]), "reason");
    assert_eq!(times, [None, Some("unchecked"), None, Some("not-begun"), None].map(|word| word.map(str::to_owned)));
    let across = named(&session, "sequential", &[("baseline", &before), ("candidate", &after)]);
    let told: Vec<String> = texts(&across, "reason").into_iter().flatten().take(2).collect();
    assert_eq!(told, ["candidate-unchecked", "candidate-not-begun"]);
}

#[test]
fn two_runs_name_what_became_of_either_side() {
    let fixture = Fixture::new();
    let before = run(&fixture, "before", &[CASES[0], CASES[3]]);
    let after = run(&fixture, "after", &[("a", Fate::Ends(Status::Failed), Fate::Fine), CASES[3], CASES[1]]);
    let answer = named(&fixture.session(), "sequential", &[("baseline", &before), ("candidate", &after)]);
    let told: Vec<(String, Option<String>)> = texts(&answer, "verdict")
        .into_iter()
        .map(Option::unwrap)
        .zip(texts(&answer, "reason"))
        .filter(|(verdict, _)| verdict == "not in both")
        .collect();
    let reasons: Vec<&str> = told.iter().filter_map(|(_, reason)| reason.as_deref()).collect();
    assert_eq!(
        reasons,
        [
            "candidate-failed",
            "baseline-invalid, candidate-invalid",
            "baseline-invalid, candidate-invalid",
            "baseline-missing, candidate-failed",
            "baseline-missing",
        ]
    );
}

#[test]
fn how_a_question_to_tables_is_planned_asks_no_view() {
    let fixture = Fixture::new();
    run(&fixture, "disturbed", &[("a", Fate::Fine, Fate::Disturbed)]);
    let session = fixture.session();
    let left_out = |sql: &str| session.sql(sql).unwrap().left_out.clone();
    assert!(left_out("EXPLAIN SELECT elapsed_ns FROM samples").is_empty());
    assert!(!left_out("EXPLAIN SELECT time_ns FROM results").is_empty());
}
