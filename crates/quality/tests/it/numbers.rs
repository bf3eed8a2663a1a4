//! Estimates of logits, labels and rankings against SciPy, NumPy and scikit-learn.

use crate::help::{cases, close};
use benchbook_quality::Of;
use benchbook_quality::labels::{Confusion, Scores, accuracy, macro_estimates};
use benchbook_quality::logits::{agreement, agreements, divergence, divergences, losses, perplexity};
use benchbook_quality::retrieval::{Query, mean_reciprocal_rank, ndcg_at, ranking, recall_at};
use serde::Deserialize;

const OF: Of<'static> = Of { data: "a fixture", item: "item" };

#[derive(Deserialize)]
struct Logits {
    vocabulary: usize,
    targets: Vec<u32>,
    baseline: Vec<f32>,
    candidate: Vec<f32>,
    losses: Vec<f64>,
    perplexity: f64,
    divergences: Vec<f64>,
    agreements: Vec<bool>,
}

#[test]
fn logits_agree() {
    for case in cases::<Logits>("logits") {
        let lost = losses(&case.baseline, &case.targets, case.vocabulary).unwrap();
        for (got, wanted) in lost.iter().zip(&case.losses) {
            close(*got, *wanted, "loss");
        }
        close(perplexity(&lost, "a fixture").unwrap().value, case.perplexity, "perplexity");
        let moved = divergences(&case.baseline, &case.candidate, case.vocabulary).unwrap();
        for (got, wanted) in moved.iter().zip(&case.divergences) {
            close(*got, *wanted, "divergence");
        }
        let mean = case.divergences.iter().sum::<f64>() / case.divergences.len() as f64;
        close(divergence(&moved, "a fixture").unwrap().value, mean, "mean divergence");
        let same = agreements(&case.baseline, &case.candidate, case.vocabulary).unwrap();
        assert_eq!(same, case.agreements);
        let share = same.iter().filter(|same| **same).count() as f64 / same.len() as f64;
        close(agreement(&same, "a fixture").unwrap().value, share, "agreement");
    }
}

#[derive(Deserialize)]
struct Labels {
    classes: usize,
    truth: Vec<usize>,
    predicted: Vec<usize>,
    accuracy: f64,
    micro_f1: f64,
    each: Vec<[f64; 3]>,
    mean: [f64; 3],
}

fn same(got: Scores, wanted: [f64; 3], what: &str) {
    for (got, wanted) in [got.precision, got.recall, got.f1].into_iter().zip(wanted) {
        close(got, wanted, what);
    }
}

#[test]
fn labels_agree() {
    for case in cases::<Labels>("labels") {
        let all = Confusion::of(&case.truth, &case.predicted, case.classes).unwrap();
        close(all.accuracy(), case.accuracy, "accuracy");
        close(all.accuracy(), case.micro_f1, "micro F1");
        for (class, wanted) in case.each.iter().enumerate() {
            same(all.class(class), *wanted, &format!("class {class}"));
        }
        same(all.macro_scores(), case.mean, "macro");
        let estimate = accuracy(&case.truth, &case.predicted, OF).unwrap();
        close(estimate.value, case.accuracy, "accuracy");
        assert_eq!(estimate.items, case.truth.len());
        let estimates = macro_estimates(&case.truth, &case.predicted, case.classes, OF).unwrap();
        assert_eq!(estimates.each_ref().map(|estimate| estimate.name), ["precision_macro", "recall_macro", "f1_macro"]);
        for (estimate, wanted) in estimates.iter().zip(case.mean) {
            close(estimate.value, wanted, estimate.name);
            assert!(estimate.bounds.is_some_and(|(low, high)| low < high), "{estimate}");
        }
    }
}

#[derive(Deserialize)]
struct Ranked {
    scores: Vec<f64>,
    gains: Vec<f64>,
    k: usize,
    ndcg: f64,
    reciprocal_rank: f64,
    recall: f64,
}

#[test]
fn rankings_agree() {
    let cases = cases::<Ranked>("retrieval");
    let queries: Vec<Query> =
        cases.iter().map(|case| Query::new(ranking(&case.scores), case.gains.clone()).unwrap()).collect();
    for (query, case) in queries.iter().zip(&cases) {
        close(query.ndcg(case.k), case.ndcg, "nDCG");
        close(query.reciprocal_rank(), case.reciprocal_rank, "reciprocal rank");
        close(query.recall(case.k), case.recall, "recall");
    }
    let mean = |of: fn(&Ranked) -> f64| cases.iter().map(of).sum::<f64>() / cases.len() as f64;
    close(mean_reciprocal_rank(&queries, OF).unwrap().value, mean(|case| case.reciprocal_rank), "MRR");
    let (third, best) = (recall_at(&queries, 3, OF).unwrap(), ndcg_at(&queries, usize::MAX, OF).unwrap());
    assert!(third.value < recall_at(&queries, 10, OF).unwrap().value && best.items == queries.len());
}
