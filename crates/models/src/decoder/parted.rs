//! A feed-forward network whose channels are parted into experts, of which a position goes through those with the largest gates (experts out
//! of a dense network: MoEfication, Zhang et al., arXiv 2110.01786, section 3; channels that lie together are one, and the router is the
//! norms of the gates themselves, which foretells nothing and misses nothing).

use benchbook_simd::Activation;

use super::matrix::{Held, Matrix};
use crate::compress::squares;
use crate::error::Result;

/// Which layer is parted, and into what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The layer.
    pub layer: usize,
    /// Experts, 64 at most.
    pub experts: usize,
    /// Experts of a position.
    pub chosen: usize,
}

impl Split {
    /// The channels before each expert, and at last all of so many.
    pub fn bounds(&self, hidden: usize) -> Vec<usize> {
        (0..=self.experts).map(|expert| expert * hidden / self.experts).collect()
    }
}

/// The network of a layer.
#[derive(Debug)]
pub struct Parted {
    /// From a position to the gates of all channels.
    pub gate: Matrix,
    /// From a position to the channels of each expert, and back.
    pub each: Vec<[Matrix; 2]>,
    /// The channels before each expert, and all.
    pub bounds: Vec<usize>,
    /// Experts of a position.
    pub chosen: usize,
}

/// Room for what it computes of some positions, and what was chosen for all of them.
#[derive(Debug, Default)]
pub struct Room {
    gates: Vec<f32>,
    norms: Vec<f32>,
    order: Vec<usize>,
    /// By expert, the rows that go through it.
    taken: Vec<Vec<usize>>,
    input: Vec<f32>,
    between: Vec<f32>,
    made: Vec<f32>,
    /// Of each position the experts that it went through, the lowest bit the first.
    pub went: Vec<u64>,
}

impl Room {
    /// Room for `rows` positions at a time, of `positions`; none where there are no experts.
    pub fn new(parted: Option<&Parted>, rows: usize, positions: usize) -> Self {
        let Some(parted) = parted else { return Self::default() };
        let (width, experts) = (parted.gate.inner(), parted.each.len());
        let widest = (0..experts).map(|expert| parted.channels(expert)[1]).max().unwrap_or(0);
        Self {
            gates: vec![0.0; rows * parted.hidden()],
            norms: Vec::with_capacity(experts),
            order: Vec::with_capacity(experts),
            taken: (0..experts).map(|_| Vec::with_capacity(rows)).collect(),
            input: vec![0.0; rows * width],
            between: vec![0.0; rows * widest],
            made: vec![0.0; rows * width],
            went: vec![0; positions],
        }
    }
}

impl Parted {
    /// All channels.
    fn hidden(&self) -> usize {
        self.bounds[self.each.len()]
    }

    /// The first channel of an expert, and how many it has.
    fn channels(&self, expert: usize) -> [usize; 2] {
        [self.bounds[expert], self.bounds[expert + 1] - self.bounds[expert]]
    }

    /// What up and down of all experts take.
    fn held_by_experts(&self) -> Held {
        self.each.iter().flatten().map(Matrix::held).sum()
    }

    /// What all of it takes.
    pub fn held(&self) -> Held {
        self.gate.held() + self.held_by_experts()
    }

    /// What a position reads of it: all gates, and as many experts as it goes through, of the mean size.
    pub fn read(&self) -> Held {
        let (all, experts) = (self.held_by_experts(), self.each.len());
        let some = |of_all: usize| of_all * self.chosen / experts;
        self.gate.held() + Held { bytes: some(all.bytes), numbers: some(all.numbers) }
    }

    /// Of positions `[rows, width]` from position `first` on, into `out` of that form.
    pub fn apply(&self, first: usize, input: &[f32], room: &mut Room, out: &mut [f32]) -> Result<()> {
        let Room { gates, norms, order, taken, input: gathered, between, made, went } = room;
        let (width, hidden, experts) = (self.gate.inner(), self.hidden(), self.each.len());
        let gates = &mut gates[..input.len() / width * hidden];
        self.gate.apply(Activation::Silu, input, gates)?;
        taken.iter_mut().for_each(Vec::clear);
        for (row, gates) in gates.chunks_exact(hidden).enumerate() {
            let norm = |expert: usize| {
                let [at, own] = self.channels(expert);
                squares(&gates[at..][..own])
            };
            norms.clear();
            norms.extend((0..experts).map(norm));
            order.clear();
            order.extend(0..experts);
            order.sort_unstable_by(|one, other| norms[*other].total_cmp(&norms[*one]).then(one.cmp(other)));
            let chosen = &order[..self.chosen];
            went[first + row] = chosen.iter().fold(0_u64, |went, expert| went | (1_u64 << *expert));
            chosen.iter().for_each(|expert| taken[*expert].push(row));
        }
        out.fill(0.0);
        for (expert, (taken, [up, down])) in taken.iter().zip(&self.each).enumerate() {
            let ([at, own], rows) = (self.channels(expert), taken.len());
            if rows == 0 {
                continue;
            }
            for (to, row) in gathered.chunks_exact_mut(width).zip(taken) {
                to.copy_from_slice(&input[row * width..][..width]);
            }
            let (between, made) = (&mut between[..rows * own], &mut made[..rows * width]);
            up.apply(Activation::None, &gathered[..rows * width], between)?;
            for (between, row) in between.chunks_exact_mut(own).zip(taken) {
                between.iter_mut().zip(&gates[row * hidden + at..]).for_each(|(up, gate)| *up *= gate);
            }
            down.apply(Activation::None, between, made)?;
            for (made, row) in made.chunks_exact(width).zip(taken) {
                out[row * width..][..width].iter_mut().zip(made).for_each(|(out, made)| *out += made);
            }
        }
        Ok(())
    }
}
