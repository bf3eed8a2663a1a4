//! A model in few bits beside itself in `f32`, on the same tokens.

use benchbook_core::Metric;
use benchbook_models::{Decoder, MOST_STEP, Session};
use benchbook_quality::{Error, Estimate, Of, PIECES, logits};

/// Pieces whose beginnings are gone on with greedily, tokens of such a beginning at most, and tokens that are made.
const BEGINNINGS: usize = 6;
const BEGINNING: usize = 16;
const MADE: usize = 32;

/// What is wrong with a comparison.
type Reason = String;

/// Losses, and what comes of the comparison with a baseline, token by token.
#[derive(Default)]
pub struct Beside {
    pub losses: Vec<f64>,
    baseline: Vec<f64>,
    divergences: Vec<f64>,
    agreements: Vec<bool>,
}

/// Losses of a decoder over pieces `[pieces, tokens + 1]`, and beside those of a baseline, where there is one.
pub fn beside(decoder: &Decoder, baseline: Option<&Decoder>, ids: &[i32]) -> Result<Beside, Reason> {
    let (vocabulary, length) = (decoder.text().vocabulary, ids.len() / PIECES);
    let said = |error: Error| error.to_string();
    let mut found = Beside::default();
    let session = |decoder: &Decoder| Session::new(decoder, length, MOST_STEP).map_err(|error| error.to_string());
    let mut own = session(decoder)?;
    let mut other = baseline.map(session).transpose()?;
    for piece in ids.chunks_exact(length) {
        own.keep(0);
        other.iter_mut().for_each(|other| other.keep(0));
        for (given, targets) in steps(piece) {
            let logits = own.step(decoder, given).map_err(|error| error.to_string())?;
            found.losses.extend(logits::losses(logits, &targets, vocabulary).map_err(said)?);
            let (Some(baseline), Some(other)) = (baseline, &mut other) else { continue };
            let plain = other.step(baseline, given).map_err(|error| error.to_string())?;
            found.baseline.extend(logits::losses(plain, &targets, vocabulary).map_err(said)?);
            found.divergences.extend(logits::divergences(plain, logits, vocabulary).map_err(said)?);
            found.agreements.extend(logits::agreements(plain, logits, vocabulary).map_err(said)?);
        }
    }
    Ok(found)
}

/// Tokens of a piece that are given together, and those that follow each.
pub fn steps(piece: &[i32]) -> impl Iterator<Item = (&[i32], Vec<u32>)> {
    let given = piece[..piece.len() - 1].chunks(MOST_STEP);
    let next = piece[1..].chunks(MOST_STEP);
    given.zip(next).map(|(given, next)| (given, next.iter().map(|id| id.cast_unsigned()).collect()))
}

impl Beside {
    /// The estimates of a real model, each with its interval and its number of tokens.
    pub fn estimates(&self, data: &str) -> Result<Vec<Metric>, Reason> {
        let mut estimates = vec![logits::perplexity(&self.losses, data)];
        if !self.divergences.is_empty() {
            estimates.push(logits::perplexity_ratio(&self.baseline, &self.losses, data));
            estimates.push(logits::divergence(&self.divergences, data));
            estimates.push(logits::agreement(&self.agreements, data));
        }
        let estimates: Result<Vec<_>, Error> = estimates.into_iter().collect();
        Ok(estimates.map_err(|error| error.to_string())?.iter().flat_map(|estimate| estimate.metrics()).collect())
    }

    /// What a seeded model tells, under names that no verdict knows.
    pub fn seeded(&self) -> Vec<Metric> {
        if self.divergences.is_empty() {
            return Vec::new();
        }
        let tokens = self.divergences.len() as f64;
        let agreed = self.agreements.iter().filter(|same| **same).count() as f64;
        vec![
            Metric::measured("seeded_kl_divergence", self.divergences.iter().sum::<f64>() / tokens, "nats"),
            Metric::measured("seeded_top1_agreement", agreed / tokens, "share"),
        ]
    }
}

/// After how many tokens greedy generation by two decoders parts, on average over some beginnings; as many as are made, where it
/// does not.
pub fn parts_at(decoders: [&Decoder; 2], ids: &[i32], data: &str) -> Result<Estimate, Reason> {
    let length = ids.len() / PIECES;
    let mut parted = Vec::with_capacity(BEGINNINGS);
    for piece in ids.chunks_exact(length).take(BEGINNINGS) {
        let beginning = &piece[..BEGINNING.min(length)];
        let [baseline, candidate] = decoders.map(|decoder| generated(decoder, beginning));
        parted.push(logits::diverges_at(&baseline?, &candidate?).unwrap_or(MADE) as f64);
    }
    let of = Of { data, item: "beginning" };
    Estimate::of_mean("greedy_parts_at", "count", &parted, of).map_err(|error| error.to_string())
}

fn generated(decoder: &Decoder, beginning: &[i32]) -> Result<Vec<u32>, Reason> {
    let said = |error: benchbook_models::Error| error.to_string();
    let mut session = Session::new(decoder, beginning.len() + MADE, MOST_STEP).map_err(said)?;
    let mut made: Vec<u32> = Vec::with_capacity(MADE);
    while made.len() < MADE {
        let logits = match made.last() {
            None => session.prefill(decoder, beginning),
            Some(last) => session.step(decoder, &[last.cast_signed()]),
        };
        let logits = logits.map_err(said)?;
        let best = (1..logits.len()).fold(0, |best, token| if logits[token] > logits[best] { token } else { best });
        made.push(best as u32);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use benchbook_models::weights::{Seeded, Source};

    use super::super::chosen::{Chosen, Which};
    use super::super::corpus::Corpus;
    use super::*;

    #[test]
    fn where_generation_parts_says_over_how_many_beginnings() {
        let Chosen { model, source } = Which::Seeded.chosen().unwrap();
        let load = |source: &dyn Source| Decoder::load(&model, source, 64).unwrap();
        let [one, other] = [load(source.as_ref()), load(&Seeded { seed: 20 })];
        let ids = Which::Seeded.ids(Corpus::Brown, BEGINNING + 1, 3).unwrap();
        let same = parts_at([&one, &one], &ids, "drawn tokens").unwrap();
        assert_eq!((same.value, same.items, same.bounds), (MADE as f64, BEGINNINGS, None));
        let parted = parts_at([&one, &other], &ids, "drawn tokens").unwrap();
        assert!(parted.value < MADE as f64, "{parted}");
        let names: Vec<String> = parted.metrics().into_iter().map(|metric| metric.name).collect();
        assert_eq!(names[..2], ["greedy_parts_at", "greedy_parts_at_items"]);
    }
}
