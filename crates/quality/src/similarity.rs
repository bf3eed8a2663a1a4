//! How far the similarities that a model sees go with those that people see.

use crate::data::Similarities;
use crate::retrieval::{Query, mean_reciprocal_rank, ndcg_at, ranking, recall_at};
use crate::{Error, Estimate, Of, Result};
use benchbook_stats::{Error as Statistic, Result as Statistics, pearson, spearman};

/// The cosine of two embeddings, in [-1, 1].
///
/// # Errors
/// They differ in length, are empty, or one has no direction.
pub fn cosine(a: &[f32], b: &[f32]) -> Result<f64> {
    if a.len() != b.len() {
        return Err(Error::Unequal { what: "numbers of an embedding", left: a.len(), right: b.len() });
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let size = (dot(a, a) * dot(b, b)).sqrt();
    if size > 0.0 && size.is_finite() {
        Ok((dot(a, b) / size).clamp(-1.0, 1.0))
    } else {
        Err(Error::Empty("direction of an embedding"))
    }
}

/// How far embeddings of the same items by two models go the same way, in [-1, 1]: the mean of their cosines, by the name
/// `cosine_to_f32` where the first is a model in `f32`.
///
/// # Errors
/// There is no item, there are more of one side, or one has no direction.
pub fn mean_cosine(baseline: &[Vec<f32>], candidate: &[Vec<f32>], of: Of<'_>) -> Result<Estimate> {
    if baseline.len() != candidate.len() {
        return Err(Error::Unequal { what: "embeddings", left: baseline.len(), right: candidate.len() });
    }
    let cosines = baseline.iter().zip(candidate).map(|(a, b)| cosine(a, b)).collect::<Result<Vec<f64>>>()?;
    Estimate::of_mean("cosine_to_f32", "ratio", &cosines, of)
}

/// Pearson's and Spearman's correlation of the cosines of `embeddings` with what people say, each with a bootstrap
/// interval over documents: pairs that share a document are not independent, so pairs are never drawn by themselves.
///
/// # Errors
/// There is not one embedding a document, one has no direction, or the cosines do not vary.
pub fn correlations(embeddings: &[Vec<f32>], people: &Similarities, data: &str) -> Result<[Estimate; 2]> {
    let documents = fitting(embeddings, people)?;
    // Of each pair what the model and what people see, in both orders.
    let mut both = vec![None; documents * documents];
    for &(a, b, rating) in &people.pairs {
        let pair = Some((cosine(&embeddings[a], &embeddings[b])?, rating));
        both[a * documents + b] = pair;
        both[b * documents + a] = pair;
    }
    let of = Of { data, item: "document" };
    let estimate = |name: &'static str, correlation: fn(&[f64], &[f64]) -> Statistics<f64>| {
        let drawn = |items: &[usize]| {
            // A document that was drawn twice makes no pair with itself.
            let after = |at: usize| items[at + 1..].iter().map(move |b| items[at] * documents + b);
            let pairs = (0..items.len()).flat_map(after).filter_map(|place| both[place]);
            let (seen, rated): (Vec<f64>, Vec<f64>) = pairs.unzip();
            if seen.is_empty() {
                return Err(Statistic::TooFew { needed: 2, got: 0 });
            }
            correlation(&seen, &rated)
        };
        Estimate::of_items(name, "ratio", documents, of, drawn)
    };
    Ok([estimate("pearson", pearson)?, estimate("spearman", spearman)?])
}

/// From which similarity on people find one text relevant to another: half of the way from none to the same.
const RELEVANT: f64 = 0.5;

/// Documents that are looked at of a ranking.
const FIRST: usize = 10;

/// How well texts are found that people see as similar: each document asks for the others by the cosines of `embeddings`. Recall and nDCG
/// of the first ten, whose gains are the similarities that people gave from 0.5 on, and the mean reciprocal rank, each with a bootstrap
/// interval over queries; a document that is like none is no query.
///
/// # Errors
/// There is not one embedding a document, one has no direction, or no two documents are similar.
pub fn retrieval(embeddings: &[Vec<f32>], people: &Similarities, data: &str) -> Result<[Estimate; 3]> {
    let documents = fitting(embeddings, people)?;
    let mut gains = vec![0.0; documents * documents];
    for &(a, b, rating) in people.pairs.iter().filter(|(.., rating)| *rating >= RELEVANT) {
        gains[a * documents + b] = rating;
        gains[b * documents + a] = rating;
    }
    let mut queries = Vec::new();
    for (asked, own) in embeddings.iter().enumerate() {
        let others: Vec<usize> = (0..documents).filter(|other| *other != asked).collect();
        let gains: Vec<f64> = others.iter().map(|other| gains[asked * documents + other]).collect();
        if gains.iter().any(|gain| *gain > 0.0) {
            let scores = others.iter().map(|other| cosine(own, &embeddings[*other]));
            queries.push(Query::new(ranking(&scores.collect::<Result<Vec<f64>>>()?), gains)?);
        }
    }
    let of = Of { data, item: "query" };
    Ok([recall_at(&queries, FIRST, of)?, mean_reciprocal_rank(&queries, of)?, ndcg_at(&queries, FIRST, of)?])
}

/// The number of documents, each of which has an embedding, and of which pairs are.
fn fitting(embeddings: &[Vec<f32>], people: &Similarities) -> Result<usize> {
    let count = people.documents.len();
    if embeddings.len() != count {
        return Err(Error::Unequal { what: "embeddings", left: embeddings.len(), right: count });
    }
    for (item, &(a, b, _)) in people.pairs.iter().enumerate() {
        if let Some(number) = [a, b].into_iter().find(|number| *number >= count) {
            return Err(Error::Beyond { item, what: "document", number, count });
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directions in a plane, whose cosines are known, and people who agree but for one pair.
    fn made(count: usize) -> (Vec<Vec<f32>>, Similarities) {
        let angle = |i: usize| 0.1 * (i * i) as f32 / count as f32;
        let embeddings: Vec<Vec<f32>> = (0..count).map(|i| vec![2.0 * angle(i).cos(), 2.0 * angle(i).sin()]).collect();
        let rating = |i: usize, j: usize| if (i, j) == (0, 1) { 0.2 } else { f64::from((angle(i) - angle(j)).cos()) };
        let pairs = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j))).map(|(i, j)| (i, j, rating(i, j)));
        let documents = (0..count).map(|i| i.to_string()).collect();
        (embeddings, Similarities { documents, pairs: pairs.collect() })
    }

    #[test]
    fn people_who_agree_but_once_have_a_correlation_below_one() {
        let (embeddings, people) = made(12);
        let [pearson, spearman] = correlations(&embeddings, &people, "made").expect("they vary");
        for estimate in [&pearson, &spearman] {
            let (low, high) = estimate.bounds.expect("they vary");
            assert!(
                estimate.value < 0.999 && low < estimate.value && estimate.value <= high && high <= 1.0,
                "{estimate}"
            );
            assert_eq!((estimate.items, estimate.item), (12, "document"));
        }
    }

    #[test]
    fn how_far_two_models_go_the_same_way_has_its_items_and_an_interval() {
        let of = Of { data: "made", item: "text" };
        let along = vec![vec![1.0, 0.0]; 4];
        // Cosines of 1, 0.6, 0.8 and 0.
        let other = [vec![2.0, 0.0], vec![3.0, 4.0], vec![4.0, 3.0], vec![0.0, 5.0]];
        let estimate = mean_cosine(&along, &other, of).expect("directions");
        let (low, high) = estimate.bounds.expect("they vary");
        assert!((estimate.value - 0.6).abs() < 1e-12 && low < 0.6 && 0.6 < high && high <= 1.0, "{estimate}");
        assert_eq!((estimate.name, estimate.items, estimate.item), ("cosine_to_f32", 4, "text"));
        let same = mean_cosine(&along, &along, of).expect("directions");
        assert_eq!((same.value, same.bounds), (1.0, None));
        assert!(matches!(mean_cosine(&along, &other[1..], of), Err(Error::Unequal { left: 4, right: 3, .. })));
        assert!(matches!(mean_cosine(&[], &[], of), Err(Error::Empty("text"))));
    }

    #[test]
    fn who_sees_what_people_see_finds_it_first() {
        let at = |angle: f32| vec![angle.cos(), angle.sin()];
        let mut embeddings = Vec::from([0.0, 0.1, 1.5, 1.6, 0.8].map(at));
        let rated = |(a, b): (usize, usize)| match (a, b) {
            (0, 1) => (a, b, 0.9),
            (2, 3) => (a, b, 0.6),
            _ => (a, b, 0.4),
        };
        let pairs = (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b))).map(rated).collect();
        let mut people = Similarities { documents: vec![String::new(); 5], pairs };
        let told = |estimates: &[Estimate; 3]| {
            estimates.each_ref().map(|estimate| (estimate.name, estimate.value, estimate.items))
        };
        // The last one is like none, and asks for nothing.
        let found = retrieval(&embeddings, &people, "made").expect("directions");
        assert_eq!(told(&found), [("recall_at_k", 1.0, 4), ("mrr", 1.0, 4), ("ndcg_at_k", 1.0, 4)]);
        embeddings.swap(1, 2);
        let [recall, rank, gain] = retrieval(&embeddings, &people, "made").expect("directions");
        assert!(recall.value > 0.999 && rank.value < 0.7 && gain.value < 0.8, "{recall} {rank} {gain}");
        people.pairs.retain(|(.., rating)| *rating < RELEVANT);
        assert!(matches!(retrieval(&embeddings, &people, "made"), Err(Error::Empty("query"))));
        embeddings.pop();
        assert!(matches!(retrieval(&embeddings, &people, "made"), Err(Error::Unequal { left: 4, right: 5, .. })));
    }

    #[test]
    fn embeddings_that_do_not_fit_are_named() {
        let (mut embeddings, mut people) = made(6);
        people.pairs.push((2, 6, 0.5));
        let said = correlations(&embeddings, &people, "made").expect_err("a document too many").to_string();
        assert!(said.contains("names document 6, of which there are 6"), "{said}");
        people.pairs.pop();
        embeddings[3] = vec![0.0, 0.0];
        assert!(matches!(correlations(&embeddings, &people, "made"), Err(Error::Empty("direction of an embedding"))));
        embeddings.pop();
        assert!(matches!(correlations(&embeddings, &people, "made"), Err(Error::Unequal { left: 5, right: 6, .. })));
        assert!(matches!(cosine(&[1.0], &[1.0, 2.0]), Err(Error::Unequal { .. })));
        assert!(matches!(cosine(&[f32::NAN], &[1.0]), Err(Error::Empty(_))));
    }
}
