//! Experts in the place of a feed-forward network: a position goes through a few of them, those with the largest scores, weighted by the
//! softmax of these (Qwen3: arXiv 2505.09388, section 2), or by their shares of the logistic functions of these (GLM: arXiv 2508.06471,
//! section 2.1, as DeepSeek-V3, arXiv 2412.19437, section 2.1.2), beside one that every position goes through.

use benchbook_simd::{Activation, Isa, Router, Scoring, route};

use super::Feed;
use super::matrix::{Held, Matrix};
use crate::description::Text;
use crate::error::Result;

/// The experts of a layer.
#[derive(Debug)]
pub struct Experts {
    /// From a position to the score of each; its numbers stay as they are.
    pub router: Matrix,
    /// What a choice by logistic functions adds to each score; where there is none, scores are weighted by their softmax.
    pub bias: Option<Vec<f32>>,
    /// A feed-forward network each.
    pub each: Vec<Feed>,
    /// The one that every position goes through.
    pub shared: Option<Feed>,
    /// What the weights of those that are chosen are multiplied by.
    pub scale: f32,
    /// Experts of a position.
    pub chosen: usize,
    /// Numbers between the products of one.
    pub hidden: usize,
    /// The same of the one that all go through.
    pub hidden_of_shared: usize,
}

/// Room for what experts compute of some positions.
#[derive(Debug, Default)]
pub struct Room {
    scores: Vec<f32>,
    /// Of each position the experts that were chosen, and their weights.
    ids: Vec<i32>,
    weights: Vec<f32>,
    /// By expert, the rows that go through it, with their weights.
    taken: Vec<Vec<(usize, f32)>>,
    input: Vec<f32>,
    wide: Vec<f32>,
    between: Vec<f32>,
    made: Vec<f32>,
}

impl Room {
    /// Room for `rows` positions at a time; none where there are no experts.
    pub fn new(text: &Text, rows: usize) -> Self {
        let Some(experts) = &text.experts else { return Self::default() };
        Self {
            scores: vec![0.0; rows * experts.count],
            ids: vec![0; rows * experts.chosen],
            weights: vec![0.0; rows * experts.chosen],
            taken: (0..experts.count).map(|_| Vec::with_capacity(rows)).collect(),
            input: vec![0.0; rows * text.width],
            wide: vec![0.0; rows * 2 * experts.hidden * experts.shared.max(1)],
            between: vec![0.0; rows * experts.hidden * experts.shared.max(1)],
            made: vec![0.0; rows * text.width],
        }
    }
}

impl Experts {
    /// What all of them take.
    pub fn held(&self) -> Held {
        self.router.held() + self.each.iter().chain(&self.shared).map(Feed::held).sum::<Held>()
    }

    /// What a position reads of it: the router, the shared expert, and as many others as it goes through, of the mean size.
    pub fn read(&self) -> Held {
        let all = self.each.iter().map(Feed::held).sum::<Held>();
        let some = |of_all: usize| of_all * self.chosen / self.each.len();
        let shared = self.shared.iter().map(Feed::held).sum::<Held>();
        self.router.held() + shared + Held { bytes: some(all.bytes), numbers: some(all.numbers) }
    }

    /// Of positions `[rows, width]`, into `out` of that form.
    pub fn apply(&self, isa: Isa, input: &[f32], room: &mut Room, out: &mut [f32]) -> Result<()> {
        let Room { scores, ids, weights, taken, input: gathered, wide, between, made } = room;
        let (width, count) = (self.router.inner(), self.each.len());
        let rows = input.len() / width;
        let scores = &mut scores[..rows * count];
        let (ids, weights) = (&mut ids[..rows * self.chosen], &mut weights[..rows * self.chosen]);
        self.router.apply(Activation::None, input, scores)?;
        let scoring = if self.bias.is_some() { Scoring::Sigmoid } else { Scoring::TopkSoftmax };
        let (renormalised, bias) = (self.bias.is_some(), self.bias.as_deref());
        route(&Router { experts: count, chosen: self.chosen, scoring, renormalised, bias }, scores, ids, weights)?;
        taken.iter_mut().for_each(Vec::clear);
        for (row, (ids, weights)) in ids.chunks_exact(self.chosen).zip(weights.chunks_exact(self.chosen)).enumerate() {
            for (expert, weight) in ids.iter().zip(weights) {
                taken[*expert as usize].push((row, self.scale * weight));
            }
        }
        match &self.shared {
            Some(shared) => {
                let hidden = self.hidden_of_shared;
                shared.apply(isa, input, [&mut wide[..rows * 2 * hidden], &mut between[..rows * hidden]], out)?;
            }
            None => out.fill(0.0),
        }
        for (feed, taken) in self.each.iter().zip(taken.iter()).filter(|(_, taken)| !taken.is_empty()) {
            let rows = taken.len();
            for (to, (row, _)) in gathered.chunks_exact_mut(width).zip(taken) {
                to.copy_from_slice(&input[row * width..][..width]);
            }
            let (wide, between) = (&mut wide[..rows * 2 * self.hidden], &mut between[..rows * self.hidden]);
            let made = &mut made[..rows * width];
            feed.apply(isa, &gathered[..rows * width], [wide, between], made)?;
            for (made, (row, weight)) in made.chunks_exact(width).zip(taken) {
                out[row * width..][..width].iter_mut().zip(made).for_each(|(out, made)| *out += weight * made);
            }
        }
        Ok(())
    }
}
