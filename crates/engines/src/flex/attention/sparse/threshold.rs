//! Scores below a threshold of their row, which follows from the moments of the keys.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use benchbook_simd::{Attend, Isa, Place, Product, ScoreMod, attention_with_score_mod, matmul};

use crate::flex::fused::Select;

/// Standard deviations above the mean at which a share of normally distributed scores is left out: the logistic
/// approximation of the normal quantile, off by less than 0.01 of the share.
pub fn deviations(sparsity: f64) -> f64 {
    (sparsity / (1.0 - sparsity)).ln() / 1.702
}

/// Leaves out scores below mean + deviations · standard deviation of their row; a query sees its own key in any case.
///
/// Mean and variance of a query's scores are q · mean(k) and qᵀ Cov(k) q: known before any score is computed.
pub struct Threshold {
    /// How far above the mean.
    pub deviations: f64,
    /// Memory, kept between calls.
    pub room: Mutex<Moments>,
}

/// What thresholds are computed with.
#[derive(Debug, Default)]
pub struct Moments {
    /// `[head_dim]`
    mean: Vec<f64>,
    /// `[seq, head_dim]`: keys less their mean.
    centred: Vec<f32>,
    /// `[head_dim, seq]`: the same, transposed.
    turned: Vec<f32>,
    /// `[head_dim, head_dim]`: covariance times seq.
    second: Vec<f32>,
    /// `[seq, head_dim]`: queries times `second`.
    product: Vec<f32>,
    /// `[units, seq]`: the least score that is computed on.
    least: Vec<f32>,
}

impl Moments {
    fn fill(&mut self, call: &Attend, deviations: f64) -> benchbook_simd::Result<()> {
        let (seq, d) = (call.heads.seq_kv, call.heads.head_dim);
        let scale = 1.0 / (d as f64).sqrt();
        self.mean.resize(d, 0.0);
        for (room, length) in [
            (&mut self.centred, seq * d),
            (&mut self.turned, seq * d),
            (&mut self.second, d * d),
            (&mut self.product, seq * d),
            (&mut self.least, call.query.len() / d),
        ] {
            room.resize(length, 0.0);
        }
        let units = call.query.chunks_exact(seq * d).zip(call.key.chunks_exact(seq * d));
        for ((query, key), least) in units.zip(self.least.chunks_exact_mut(seq)) {
            self.mean.fill(0.0);
            for row in key.chunks_exact(d) {
                self.mean.iter_mut().zip(row).for_each(|(sum, number)| *sum += f64::from(*number));
            }
            self.mean.iter_mut().for_each(|sum| *sum /= seq as f64);
            for (at, (to, from)) in self.centred.chunks_exact_mut(d).zip(key.chunks_exact(d)).enumerate() {
                for (column, (to, from)) in to.iter_mut().zip(from).enumerate() {
                    *to = (f64::from(*from) - self.mean[column]) as f32;
                    self.turned[column * seq + at] = *to;
                }
            }
            let isa = Isa::detect();
            let second = Product { size: [d, seq, d], left: &self.turned, right: &self.centred, isa };
            matmul(&second, &mut self.second)?;
            let product = Product { size: [seq, d, d], left: query, right: &self.second, isa };
            matmul(&product, &mut self.product)?;
            let rows = query.chunks_exact(d).zip(self.product.chunks_exact(d));
            for (least, (query, product)) in least.iter_mut().zip(rows) {
                let mut sums = [0.0; 2];
                for (column, (query, product)) in query.iter().zip(product).enumerate() {
                    sums[0] += f64::from(*query) * self.mean[column];
                    sums[1] += f64::from(*query) * f64::from(*product);
                }
                let deviation = (sums[1] / seq as f64).max(0.0).sqrt();
                *least = (scale * (sums[0] + deviations * deviation)) as f32;
            }
        }
        Ok(())
    }
}

impl Select for Threshold {
    fn select(&self, call: &Attend, then: &mut dyn FnMut(&dyn ScoreMod)) -> benchbook_simd::Result<()> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.fill(call, self.deviations)?;
        then(&Above { least: &room.least, heads: call.heads.heads, seq: call.heads.seq_q });
        Ok(())
    }

    fn left_out(&self, call: &Attend) -> benchbook_simd::Result<[f64; 2]> {
        let mut out = vec![0.0; call.query.len()];
        let hidden = AtomicU64::new(0);
        let mut done = Ok(());
        self.select(call, &mut |score_mod| {
            done = attention_with_score_mod(call, &Counting { score_mod, hidden: &hidden }, &mut out);
        })?;
        done?;
        let [seq, d] = [call.heads.seq_kv, call.heads.head_dim].map(|size| size as f64);
        let scores = (call.query.len() / call.heads.head_dim) as f64 * seq;
        // Every score is still computed, and every value still weighed, with zero: what is saved is less than nothing by the
        // two products of the moments, 4 · seq · head_dim² beside 4 · seq² · head_dim.
        Ok([hidden.into_inner() as f64 / scores, -d / seq])
    }
}

/// The thresholds as a score_mod.
struct Above<'a> {
    least: &'a [f32],
    heads: usize,
    seq: usize,
}

impl ScoreMod for Above<'_> {
    fn change(&self, first: Place, scores: &mut [f32]) {
        let row = (first.batch * self.heads + first.head) * self.seq + first.query;
        // Nobody sees nothing: a query keeps its own key, where it is among these.
        let own = first.key.checked_sub(first.query).filter(|own| *own < scores.len()).map(|own| (own, scores[own]));
        for (score, least) in scores.iter_mut().zip(&self.least[row..]) {
            *score = if *score < *least { f32::NEG_INFINITY } else { *score };
        }
        if let Some((own, score)) = own {
            scores[own] = score;
        }
    }
}

/// Counts what a score_mod hides.
struct Counting<'a> {
    score_mod: &'a dyn ScoreMod,
    hidden: &'a AtomicU64,
}

impl ScoreMod for Counting<'_> {
    fn change(&self, first: Place, scores: &mut [f32]) {
        self.score_mod.change(first, scores);
        let hidden = scores.iter().filter(|score| **score == f32::NEG_INFINITY).count();
        self.hidden.fetch_add(hidden as u64, Ordering::Relaxed);
    }
}
