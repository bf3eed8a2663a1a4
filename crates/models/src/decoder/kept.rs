//! Keys and values of the positions so far: which of them a query sees, and how their numbers are held.

use super::scan::State;
use crate::description::Text;
use crate::store::{Coded, Store};

/// What a decoder keeps of a text, where that is less than everything as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeps {
    /// The first positions that every query sees, and how many of the newest it sees, its own included: what nobody sees any more is
    /// overwritten (attention sinks: StreamingLLM, Xiao et al., arXiv 2309.17453, section 3.2). A position keeps its place in the
    /// text, by which keys are turned.
    pub window: Option<[usize; 2]>,
    /// Whole numbers of so many bits, 8 or 4, with a scale for each head of a position.
    pub bits: Option<u32>,
}

impl Keeps {
    /// Rows that `room` positions take.
    pub fn rows(&self, room: usize) -> usize {
        self.window.map_or(room, |[sinks, window]| room.min(sinks.saturating_add(window)))
    }

    /// The row of a position: among the first as many rows as positions are seen, all are seen, in whatever order.
    pub fn row(&self, position: usize) -> usize {
        match self.window {
            Some([sinks, window]) if position >= sinks => sinks + (position - sinks) % window.max(1),
            _ => position,
        }
    }
}

/// Keys and values of a layer.
#[derive(Debug)]
pub struct Kept {
    pub keeps: Keeps,
    /// Positions that there are rows for.
    pub rows: usize,
    pub numbers: Numbers,
}

/// How keys and values are held.
#[derive(Debug)]
pub enum Numbers {
    /// As they are, each `[kv_heads, rows, head_dim]`: a head's positions lie together.
    Plain { keys: Vec<f32>, values: Vec<f32> },
    /// In whole numbers of eight bits, `[rows, kv_heads, head_dim]`.
    Eight(Coded<8>),
    /// The same of four bits.
    Four(Coded<4>),
    /// None of them: what a scan keeps of all.
    State(State),
}

impl Kept {
    /// Room for so many positions.
    pub fn new(text: &Text, keeps: Keeps, room: usize) -> Self {
        let (rows, [_, kv]) = (keeps.rows(room), text.projected());
        let numbers = match keeps.bits {
            Some(8) => Numbers::Eight(Coded::new(rows, kv, text.kv_heads)),
            Some(_) => Numbers::Four(Coded::new(rows, kv, text.kv_heads)),
            None => Numbers::Plain { keys: vec![0.0; rows * kv], values: vec![0.0; rows * kv] },
        };
        Self { keeps, rows, numbers }
    }

    /// The state of a scan over as many positions.
    pub fn scan(text: &Text, room: usize) -> Self {
        Self { keeps: Keeps::default(), rows: room, numbers: Numbers::State(State::new(text)) }
    }

    /// Whether it is that of a scan, which knows of no position any more where it was.
    pub fn is_scan(&self) -> bool {
        matches!(self.numbers, Numbers::State(_))
    }

    /// Forgets all positions, where they would be seen again.
    pub fn forget(&mut self) {
        if let Numbers::State(state) = &mut self.numbers {
            state.forget();
        }
    }

    /// Bytes that it takes, whatever was kept.
    pub fn bytes(&self) -> usize {
        match &self.numbers {
            Numbers::Plain { keys, values } => size_of_val(&keys[..]) + size_of_val(&values[..]),
            Numbers::Eight(store) => store.bytes(),
            Numbers::Four(store) => store.bytes(),
            Numbers::State(state) => state.bytes(),
        }
    }

    /// Whole numbers, where they are held so.
    pub fn store(&self) -> Option<&dyn Store> {
        match &self.numbers {
            Numbers::Plain { .. } | Numbers::State(_) => None,
            Numbers::Eight(store) => Some(store),
            Numbers::Four(store) => Some(store),
        }
    }

    /// Puts positions from `first` on, whose keys and values are `[positions, kv_heads · head_dim]` each.
    pub fn put(&mut self, text: &Text, first: usize, [keys, values]: [&[f32]; 2]) {
        let (d, [_, kv]) = (text.head_dim, text.projected());
        for (position, both) in (first..).zip(keys.chunks_exact(kv).zip(values.chunks_exact(kv))) {
            let row = self.keeps.row(position);
            match &mut self.numbers {
                Numbers::Plain { keys, values } => {
                    for (to, from) in [keys, values].into_iter().zip([both.0, both.1]) {
                        for (head, from) in from.chunks_exact(d).enumerate() {
                            to[(head * self.rows + row) * d..][..d].copy_from_slice(from);
                        }
                    }
                }
                Numbers::Eight(store) => store.put(row, [both.0, both.1]),
                Numbers::Four(store) => store.put(row, [both.0, both.1]),
                Numbers::State(state) => state.add(text, both.0, both.1),
            }
        }
    }

    /// The attention of one query `[heads, head_dim]` to the first `seen` rows in whole numbers, each decoded as it is read, by plain
    /// loops; `scores` has room for a score of each.
    pub fn attend(store: &dyn Store, text: &Text, seen: usize, query: &[f32], scores: &mut [f32], out: &mut [f32]) {
        let (d, together) = (text.head_dim, text.heads / text.kv_heads);
        let (scale, scores) = (1.0 / (d as f32).sqrt(), &mut scores[..seen]);
        out.fill(0.0);
        for (head, (query, out)) in query.chunks_exact(d).zip(out.chunks_exact_mut(d)).enumerate() {
            let head = head / together;
            let mut most = f32::NEG_INFINITY;
            for (row, score) in scores.iter_mut().enumerate() {
                *score = scale * store.score(row, head, query);
                most = most.max(*score);
            }
            let mut sum = 0.0;
            for score in scores.iter_mut() {
                *score = (*score - most).exp();
                sum += *score;
            }
            for (row, score) in scores.iter().enumerate() {
                store.add(row, head, score / sum, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_stay_and_the_window_is_overwritten() {
        let keeps = Keeps { window: Some([2, 3]), bits: None };
        assert_eq!((keeps.rows(100), keeps.rows(4), Keeps::default().rows(100)), (5, 4, 100));
        let rows: Vec<usize> = (0..9).map(|position| keeps.row(position)).collect();
        assert_eq!(rows, [0, 1, 2, 3, 4, 2, 3, 4, 2]);
        assert_eq!(Keeps::default().row(7), 7);
        // The rows that the query of position 8 sees hold positions 0 and 1, and the newest three.
        let mut held = [usize::MAX; 5];
        (0..9).for_each(|position| held[keeps.row(position)] = position);
        held.sort_unstable();
        assert_eq!(held, [0, 1, 6, 7, 8]);
    }
}
