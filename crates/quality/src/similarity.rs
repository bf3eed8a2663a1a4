//! How far the similarities that a model sees go with those that people see.

use crate::data::Similarities;
use crate::{Error, Figure, Of, Result};
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
pub fn mean_cosine(baseline: &[Vec<f32>], candidate: &[Vec<f32>], of: Of<'_>) -> Result<Figure> {
    if baseline.len() != candidate.len() {
        return Err(Error::Unequal { what: "embeddings", left: baseline.len(), right: candidate.len() });
    }
    let cosines = baseline.iter().zip(candidate).map(|(a, b)| cosine(a, b)).collect::<Result<Vec<f64>>>()?;
    let mean = |items: &[usize]| Ok(items.iter().map(|item| cosines[*item]).sum::<f64>() / items.len() as f64);
    Figure::of_items("cosine_to_f32", "ratio", cosines.len(), of, mean)
}

/// Pearson's and Spearman's correlation of the cosines of `embeddings` with what people say, each with a bootstrap
/// interval over documents: pairs that share a document are not independent, so pairs are never drawn by themselves.
///
/// # Errors
/// There is not one embedding a document, one has no direction, or the cosines do not vary.
pub fn correlations(embeddings: &[Vec<f32>], people: &Similarities, data: &str) -> Result<[Figure; 2]> {
    let documents = people.documents.len();
    if embeddings.len() != documents {
        return Err(Error::Unequal { what: "embeddings", left: embeddings.len(), right: documents });
    }
    // Of each pair what the model and what people see, in both orders.
    let mut both = vec![None; documents * documents];
    for (item, &(a, b, rating)) in people.pairs.iter().enumerate() {
        if let Some(number) = [a, b].into_iter().find(|number| *number >= documents) {
            return Err(Error::Beyond { item, what: "document", number, count: documents });
        }
        let pair = Some((cosine(&embeddings[a], &embeddings[b])?, rating));
        both[a * documents + b] = pair;
        both[b * documents + a] = pair;
    }
    let of = Of { data, item: "document" };
    let figure = |name: &'static str, correlation: fn(&[f64], &[f64]) -> Statistics<f64>| {
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
        Figure::of_items(name, "ratio", documents, of, drawn)
    };
    Ok([figure("pearson", pearson)?, figure("spearman", spearman)?])
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
        for figure in [&pearson, &spearman] {
            let (low, high) = figure.bounds.expect("they vary");
            assert!(figure.value < 0.999 && low < figure.value && figure.value <= high && high <= 1.0, "{figure}");
            assert_eq!((figure.items, figure.item), (12, "document"));
        }
    }

    #[test]
    fn how_far_two_models_go_the_same_way_has_its_items_and_an_interval() {
        let of = Of { data: "made", item: "text" };
        let along = vec![vec![1.0, 0.0]; 4];
        // Cosines of 1, 0.6, 0.8 and 0.
        let other = [vec![2.0, 0.0], vec![3.0, 4.0], vec![4.0, 3.0], vec![0.0, 5.0]];
        let figure = mean_cosine(&along, &other, of).expect("directions");
        let (low, high) = figure.bounds.expect("they vary");
        assert!((figure.value - 0.6).abs() < 1e-12 && low < 0.6 && 0.6 < high && high <= 1.0, "{figure}");
        assert_eq!((figure.name, figure.items, figure.item), ("cosine_to_f32", 4, "text"));
        let same = mean_cosine(&along, &along, of).expect("directions");
        assert_eq!((same.value, same.bounds), (1.0, None));
        assert!(matches!(mean_cosine(&along, &other[1..], of), Err(Error::Unequal { left: 4, right: 3, .. })));
        assert!(matches!(mean_cosine(&[], &[], of), Err(Error::Empty("text"))));
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
