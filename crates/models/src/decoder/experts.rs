//! Experts in the place of a feed-forward network: a position goes through a few of them, those with the largest scores, weighted by the
//! softmax of these (Qwen3: arXiv 2505.09388, section 2).

use benchbook_simd::{Activation, Isa};

use super::Feed;
use super::matrix::{Held, Matrix};
use crate::description::Text;
use crate::error::Result;

/// The experts of a layer.
#[derive(Debug)]
pub struct Experts {
    /// From a position to the score of each; its numbers stay as they are.
    pub router: Matrix,
    /// A feed-forward network each.
    pub each: Vec<Feed>,
    /// Experts of a position.
    pub chosen: usize,
    /// Numbers between the products of one.
    pub hidden: usize,
}

/// Room for what experts compute of some positions.
#[derive(Debug, Default)]
pub struct Room {
    scores: Vec<f32>,
    order: Vec<usize>,
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
            order: Vec::with_capacity(experts.count),
            taken: (0..experts.count).map(|_| Vec::with_capacity(rows)).collect(),
            input: vec![0.0; rows * text.width],
            wide: vec![0.0; rows * 2 * experts.hidden],
            between: vec![0.0; rows * experts.hidden],
            made: vec![0.0; rows * text.width],
        }
    }
}

impl Experts {
    /// What all of them take.
    pub fn held(&self) -> Held {
        self.router.held() + self.each.iter().map(Feed::held).sum::<Held>()
    }

    /// What a position reads of it: the router, and as many experts as it goes through, of the mean size.
    pub fn read(&self) -> Held {
        let all = self.each.iter().map(Feed::held).sum::<Held>();
        let some = |of_all: usize| of_all * self.chosen / self.each.len();
        self.router.held() + Held { bytes: some(all.bytes), numbers: some(all.numbers) }
    }

    /// Of positions `[rows, width]`, into `out` of that form.
    pub fn apply(&self, isa: Isa, input: &[f32], room: &mut Room, out: &mut [f32]) -> Result<()> {
        let Room { scores, order, taken, input: gathered, wide, between, made } = room;
        let (width, count) = (self.router.inner(), self.each.len());
        let scores = &mut scores[..input.len() / width * count];
        self.router.apply(Activation::None, input, scores)?;
        taken.iter_mut().for_each(Vec::clear);
        for (row, scores) in scores.chunks_exact(count).enumerate() {
            order.clear();
            order.extend(0..count);
            order.sort_unstable_by(|one, other| scores[*other].total_cmp(&scores[*one]).then(one.cmp(other)));
            let chosen = &order[..self.chosen];
            let share = |expert: &usize| (scores[*expert] - scores[chosen[0]]).exp();
            let sum: f32 = chosen.iter().map(share).sum();
            chosen.iter().for_each(|expert| taken[*expert].push((row, share(expert) / sum)));
        }
        out.fill(0.0);
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
