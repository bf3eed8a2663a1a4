//! Estimates of rankings: recall at k, mean reciprocal rank, normalized discounted cumulative gain.

use crate::{Error, Estimate, Of, Result};

/// One query: what was found, best first, and how much each document is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    ranking: Vec<usize>,
    gains: Vec<f64>,
}

/// Documents by their score, best first; of equal scores the first document comes first.
pub fn ranking(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

impl Query {
    /// `gains` has one number a document, 0 or above: above 0 a document is relevant. A ranking may be shorter.
    ///
    /// # Errors
    /// No document is relevant, a gain is negative or not finite, the ranking names no document or one twice.
    pub fn new(ranking: Vec<usize>, gains: Vec<f64>) -> Result<Self> {
        if let Some(index) = gains.iter().position(|gain| !gain.is_finite()) {
            return Err(benchbook_stats::Error::NotFinite { index }.into());
        }
        if let Some(&value) = gains.iter().find(|gain| **gain < 0.0) {
            return Err(benchbook_stats::Error::OutOfRange { what: "a gain", value, range: "[0, ∞)" }.into());
        }
        if !gains.iter().any(|gain| *gain > 0.0) {
            return Err(Error::Empty("relevant document"));
        }
        let mut seen = vec![false; gains.len()];
        for (item, &number) in ranking.iter().enumerate() {
            match seen.get_mut(number) {
                None => return Err(Error::Beyond { item, what: "document", number, count: gains.len() }),
                Some(seen) if *seen => return Err(Error::Twice(number)),
                Some(seen) => *seen = true,
            }
        }
        Ok(Self { ranking, gains })
    }

    fn found(&self, k: usize) -> impl Iterator<Item = f64> {
        self.ranking.iter().take(k).map(|&document| self.gains[document])
    }

    /// The share of relevant documents that are among the first k.
    pub fn recall(&self, k: usize) -> f64 {
        let relevant = self.gains.iter().filter(|gain| **gain > 0.0).count();
        self.found(k).filter(|gain| *gain > 0.0).count() as f64 / relevant as f64
    }

    /// One over the rank of the first relevant document; 0 where none was found.
    pub fn reciprocal_rank(&self) -> f64 {
        let first = self.found(usize::MAX).position(|gain| gain > 0.0);
        first.map_or(0.0, |before| 1.0 / (before + 1) as f64)
    }

    /// The discounted gain of the first k over that of the best ranking: gains as they are, over log2(rank + 1)
    /// (Järvelin & Kekäläinen, *Cumulated Gain-Based Evaluation of IR Techniques*, 2002).
    pub fn ndcg(&self, k: usize) -> f64 {
        let mut best = self.gains.clone();
        best.sort_unstable_by(|a, b| b.total_cmp(a));
        let ideal = discounted(best.into_iter().take(k));
        // The first 0 documents gain nothing.
        if ideal > 0.0 { discounted(self.found(k)) / ideal } else { 0.0 }
    }
}

fn discounted(gains: impl Iterator<Item = f64>) -> f64 {
    gains.enumerate().map(|(before, gain)| gain / ((before + 2) as f64).log2()).sum()
}

/// Mean recall at k with a bootstrap interval over queries.
///
/// # Errors
/// There is no query.
pub fn recall_at(queries: &[Query], k: usize, of: Of<'_>) -> Result<Estimate> {
    mean("recall_at_k", queries, of, |query| query.recall(k))
}

/// The mean reciprocal rank with a bootstrap interval over queries.
///
/// # Errors
/// There is no query.
pub fn mean_reciprocal_rank(queries: &[Query], of: Of<'_>) -> Result<Estimate> {
    mean("mrr", queries, of, Query::reciprocal_rank)
}

/// Mean nDCG at k with a bootstrap interval over queries.
///
/// # Errors
/// There is no query.
pub fn ndcg_at(queries: &[Query], k: usize, of: Of<'_>) -> Result<Estimate> {
    mean("ndcg_at_k", queries, of, |query| query.ndcg(k))
}

fn mean(name: &'static str, queries: &[Query], of: Of<'_>, score: impl Fn(&Query) -> f64) -> Result<Estimate> {
    let scores: Vec<f64> = queries.iter().map(score).collect();
    Estimate::of_mean(name, "share", &scores, of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_keep_their_order() {
        assert_eq!(ranking(&[0.5, 0.9, 0.5, f64::NEG_INFINITY, 0.9]), [1, 4, 0, 2, 3]);
    }

    #[test]
    fn rankings_that_cannot_be_are_named() {
        assert!(matches!(Query::new(vec![0], vec![0.0, 0.0]), Err(Error::Empty("relevant document"))));
        assert!(matches!(Query::new(vec![1, 1], vec![0.0, 1.0]), Err(Error::Twice(1))));
        assert!(matches!(Query::new(vec![0, 2], vec![0.0, 1.0]), Err(Error::Beyond { item: 1, number: 2, .. })));
        assert!(Query::new(vec![0], vec![f64::NAN, 1.0]).is_err() && Query::new(vec![0], vec![-1.0, 1.0]).is_err());
    }

    #[test]
    fn what_was_not_found_counts() {
        let query = Query::new(vec![2, 0], vec![0.0, 1.0, 3.0]).expect("a ranking");
        assert_eq!((query.recall(0), query.recall(1), query.recall(9)), (0.0, 0.5, 0.5));
        assert_eq!((query.reciprocal_rank(), query.ndcg(1), query.ndcg(0)), (1.0, 1.0, 0.0));
        let nothing = Query::new(vec![], vec![1.0]).expect("a ranking");
        assert_eq!((nothing.reciprocal_rank(), nothing.ndcg(3), nothing.recall(3)), (0.0, 0.0, 0.0));
    }
}
