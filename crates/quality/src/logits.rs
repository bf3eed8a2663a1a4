//! Estimates of logits: perplexity, how far a technique moves the distribution, whether its best token is the same.
//!
//! Logits are `[positions, vocabulary]`, row by row; a token that a model rules out has -∞.

use crate::{Error, Estimate, Of, Result};

/// The rows of logits, of which there is one at least.
fn rows(logits: &[f32], vocabulary: usize) -> Result<std::slice::ChunksExact<'_, f32>> {
    if vocabulary == 0 || logits.is_empty() {
        return Err(Error::Empty("logit"));
    }
    let over = logits.len() % vocabulary;
    if over > 0 {
        return Err(Error::Unequal { what: "the last position's logits", left: over, right: vocabulary });
    }
    Ok(logits.chunks_exact(vocabulary))
}

/// The rows of two models at the same positions.
fn beside<'a>(
    baseline: &'a [f32],
    candidate: &'a [f32],
    vocabulary: usize,
) -> Result<impl Iterator<Item = (usize, &'a [f32], &'a [f32])>> {
    if baseline.len() != candidate.len() {
        return Err(Error::Unequal { what: "logits", left: candidate.len(), right: baseline.len() });
    }
    let pairs = rows(baseline, vocabulary)?.zip(rows(candidate, vocabulary)?).enumerate();
    Ok(pairs.map(|(position, (b, c))| (position, b, c)))
}

/// A position's distribution, in `f64`: from its largest logit on, in which all that makes a difference could drown.
struct Distribution {
    largest: f64,
    /// The logarithm of the sum of exponentials, each beside that of the largest logit.
    log_sum: f64,
}

impl Distribution {
    /// ln p of the token with this logit.
    fn ln(&self, logit: f32) -> f64 {
        f64::from(logit) - self.largest - self.log_sum
    }
}

fn distribution(row: &[f32], position: usize) -> Result<Distribution> {
    let problem = |problem| Err(Error::Logits { position, problem });
    if row.iter().any(|x| x.is_nan() || *x == f32::INFINITY) {
        return problem("are not numbers");
    }
    let largest = row.iter().fold(f32::NEG_INFINITY, |most, x| most.max(*x));
    if largest == f32::NEG_INFINITY {
        return problem("rule out every token");
    }
    let largest = f64::from(largest);
    Ok(Distribution { largest, log_sum: row.iter().map(|x| (f64::from(*x) - largest).exp()).sum::<f64>().ln() })
}

/// The first of the largest logits.
fn best(row: &[f32]) -> usize {
    let better = |best: usize, (at, x): (usize, &f32)| if *x > row[best] { at } else { best };
    row.iter().enumerate().fold(0, better)
}

/// The loss -ln p(target) of each position, in nats.
///
/// # Errors
/// Lengths do not fit, a target is no token, logits are no distribution or rule the target out.
pub fn losses(logits: &[f32], targets: &[u32], vocabulary: usize) -> Result<Vec<f64>> {
    let rows = rows(logits, vocabulary)?;
    if rows.len() != targets.len() {
        return Err(Error::Unequal { what: "targets", left: targets.len(), right: rows.len() });
    }
    let one = |(position, (row, target)): (usize, (&[f32], &u32))| -> Result<f64> {
        let number = *target as usize;
        let Some(logit) = row.get(number) else {
            return Err(Error::Beyond { item: position, what: "token", number, count: vocabulary });
        };
        let loss = -distribution(row, position)?.ln(*logit);
        if loss.is_finite() { Ok(loss) } else { Err(Error::Logits { position, problem: "rule the target out" }) }
    };
    rows.zip(targets).enumerate().map(one).collect()
}

/// The Kullback-Leibler divergence Σ p ln(p / q) of each position, in nats: p is the baseline's distribution, q the
/// candidate's.
///
/// # Errors
/// Lengths do not fit, logits are no distribution, or the candidate rules out what the baseline does not.
pub fn divergences(baseline: &[f32], candidate: &[f32], vocabulary: usize) -> Result<Vec<f64>> {
    let one = |(position, p, q): (usize, &[f32], &[f32])| -> Result<f64> {
        let (of_p, of_q) = (distribution(p, position)?, distribution(q, position)?);
        let term = |(p, q): (&f32, &f32)| {
            let (ln_p, ln_q) = (of_p.ln(*p), of_q.ln(*q));
            // 0 ln 0 is 0, whatever the candidate says.
            if *p == f32::NEG_INFINITY { 0.0 } else { ln_p.exp() * (ln_p - ln_q) }
        };
        let sum: f64 = p.iter().zip(q).map(term).sum();
        let problem = "of the candidate rule out what the baseline allows";
        // Rounding may leave a sum a little below zero.
        if sum.is_finite() { Ok(sum.max(0.0)) } else { Err(Error::Logits { position, problem }) }
    };
    beside(baseline, candidate, vocabulary)?.map(one).collect()
}

/// Whether both have the same best token, position by position; of equal logits the first counts.
///
/// # Errors
/// Those of [`divergences`], but for what is ruled out.
pub fn agreements(baseline: &[f32], candidate: &[f32], vocabulary: usize) -> Result<Vec<bool>> {
    let one = |(position, p, q): (usize, &[f32], &[f32])| -> Result<bool> {
        distribution(p, position)?;
        distribution(q, position)?;
        Ok(best(p) == best(q))
    };
    beside(baseline, candidate, vocabulary)?.map(one).collect()
}

/// The first step at which two generations have different tokens, or where one has ended; `None` where they are equal.
pub fn diverges_at(baseline: &[u32], candidate: &[u32]) -> Option<usize> {
    let common = baseline.iter().zip(candidate).take_while(|(b, c)| b == c).count();
    if common == baseline.len().max(candidate.len()) { None } else { Some(common) }
}

/// The perplexity exp(mean loss) of a text, with a block-bootstrap interval over its tokens.
///
/// # Errors
/// There is no loss, or one is not finite.
pub fn perplexity(losses: &[f64], data: &str) -> Result<Estimate> {
    let of = Of { data, item: "token" };
    Ok(Estimate::of_series("perplexity", "nats", losses, of)?.scaled("perplexity", "ratio", f64::exp))
}

/// The ratio of perplexities candidate / baseline on the same tokens: above 1 the candidate is worse. Paired: what makes
/// a token hard for both does not widen its interval.
///
/// # Errors
/// The texts differ in length, and those of [`perplexity`].
pub fn perplexity_ratio(baseline: &[f64], candidate: &[f64], data: &str) -> Result<Estimate> {
    if baseline.len() != candidate.len() {
        return Err(Error::Unequal { what: "losses", left: candidate.len(), right: baseline.len() });
    }
    let differences: Vec<f64> = baseline.iter().zip(candidate).map(|(b, c)| c - b).collect();
    let of = Of { data, item: "token" };
    Ok(Estimate::of_series("perplexity_ratio", "nats", &differences, of)?.scaled("perplexity_ratio", "ratio", f64::exp))
}

/// The mean of [`divergences`], in nats a token, with a block-bootstrap interval.
///
/// # Errors
/// There is no divergence.
pub fn divergence(divergences: &[f64], data: &str) -> Result<Estimate> {
    Estimate::of_series("kl_divergence", "nats", divergences, Of { data, item: "token" })
}

/// The share of positions with the same best token, with a block-bootstrap interval: neighbours are not independent.
///
/// # Errors
/// There is no position.
pub fn agreement(agreements: &[bool], data: &str) -> Result<Estimate> {
    let shares: Vec<f64> = agreements.iter().map(|same| f64::from(u8::from(*same))).collect();
    Estimate::of_series("top1_agreement", "share", &shares, Of { data, item: "token" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: f32 = f32::NEG_INFINITY;

    #[test]
    fn what_is_no_distribution_is_named() {
        let said = |error: Error| error.to_string();
        assert!(said(losses(&[0.0, f32::NAN], &[0], 2).expect_err("NaN")).contains("position 0 are not numbers"));
        assert!(said(losses(&[0.0, 1.0, NEVER, NEVER], &[0, 0], 2).expect_err("none")).contains("position 1 rule out"));
        assert!(said(losses(&[0.0, NEVER], &[1], 2).expect_err("target")).contains("rule the target out"));
        assert!(said(losses(&[0.0, 1.0], &[2], 2).expect_err("token")).contains("names token 2, of which there are 2"));
        assert!(said(losses(&[0.0, 1.0, 2.0], &[0], 2).expect_err("rest")).contains("1 of the last position's logits"));
        assert!(said(losses(&[0.0, 1.0], &[0, 1], 2).expect_err("targets")).contains("2 of targets stand beside 1"));
        assert!(matches!(losses(&[], &[], 2), Err(Error::Empty("logit"))));
        assert!(matches!(losses(&[], &[], 0), Err(Error::Empty("logit"))));
        assert!(matches!(divergences(&[1.0], &[1.0, 2.0], 1), Err(Error::Unequal { left: 2, right: 1, .. })));
        assert!(
            said(divergences(&[0.0, 0.0], &[0.0, NEVER], 2).expect_err("∞")).contains("rule out what the baseline")
        );
    }

    #[test]
    fn the_largest_logits_do_not_overflow() {
        let logits = [f32::MAX, f32::MAX, -f32::MAX];
        assert!((losses(&logits, &[1], 3).expect("finite")[0] - std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(divergences(&[NEVER, 0.0], &[NEVER, 0.0], 2).expect("finite"), [0.0]);
        // The candidate may allow what the baseline rules out.
        let apart = divergences(&[NEVER, 0.0], &[0.0, 0.0], 2).expect("finite")[0];
        assert!((apart - std::f64::consts::LN_2).abs() < 1e-12);
    }

    #[test]
    fn the_first_of_equals_is_best() {
        assert_eq!(agreements(&[1.0, 1.0, 0.0, 2.0], &[3.0, 0.0, 5.0, 2.0], 2).expect("finite"), [true, false]);
    }

    #[test]
    fn generations_part_at_a_step_or_at_the_end_of_one() {
        assert_eq!(diverges_at(&[1, 2, 3], &[1, 2, 3]), None);
        assert_eq!(diverges_at(&[1, 2, 3], &[1, 9, 3]), Some(1));
        assert_eq!(diverges_at(&[1, 2], &[1, 2, 3]), Some(2));
        assert_eq!(diverges_at(&[], &[]), None);
    }

    #[test]
    fn a_paired_interval_is_narrower_than_what_the_text_varies_by() {
        // Hard and easy tokens by a linear congruence (Lehmer 1951); the candidate loses a hundredth at every third.
        let mut state = 1_u64;
        let mut hard = || {
            state = state * 48_271 % 2_147_483_647;
            2.0 + 7.0 * state as f64 / 2_147_483_647.0
        };
        let baseline: Vec<f64> = (0..300).map(|_| hard()).collect();
        let candidate: Vec<f64> =
            (0..300).zip(&baseline).map(|(i, b)| if i % 3 == 0 { b + 0.01 } else { *b }).collect();
        let ratio = perplexity_ratio(&baseline, &candidate, "made").expect("finite");
        let (low, high) = ratio.bounds.expect("varies");
        assert!(low > 1.0 && high < 1.01 && ratio.items == 300, "{ratio}");
        let (low, high) = perplexity(&baseline, "made").expect("finite").bounds.expect("varies");
        assert!(high / low > 1.1);
    }
}
