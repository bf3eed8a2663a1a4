//! References that are computed row by row.

use benchbook_core::{Reference, sample_rows};
use rayon::prelude::*;

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
pub const BUDGET: usize = 1 << 27;

/// Rows of the only output, which has this shape, as `one` computes them, each by `cost` multiply-adds: all of them, or as
/// many as the budget allows, 16 at least.
pub fn by_rows(shape: Vec<usize>, cost: usize, seed: u64, one: impl Fn(usize) -> Vec<f64> + Sync) -> Reference {
    let rows = sample_rows(shape.iter().rev().skip(1).product(), (BUDGET / cost).max(16), seed);
    let values = rows.par_iter().flat_map_iter(|row| one(*row)).collect();
    Reference::of(shape, rows, values)
}

/// Positions of sequences that a reference computes, each of which needs something of its whole sequence.
pub struct Positions {
    seq: usize,
    /// Sequences of the batch, ascending.
    sequences: Vec<usize>,
    /// Positions among those of these sequences, ascending.
    chosen: Vec<usize>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The first position of its sequence, among those of [`Positions::all`].
    pub first: usize,
    /// Its place in its sequence.
    pub step: usize,
    /// Its place in the batch.
    pub row: usize,
}

impl Positions {
    /// Some of `batch` sequences of `seq` positions: as many sequences as the budget allows where each takes `shared`
    /// multiply-adds, and of their positions those that it allows where each takes `own` more, 16 at least.
    pub fn choose([batch, seq]: [usize; 2], shared: usize, own: usize, seed: u64) -> Self {
        let sequences = sample_rows(batch, (BUDGET / shared).max(1), seed);
        let chosen = sample_rows(sequences.len() * seq, (BUDGET / own).max(16), seed);
        Self { seq, sequences, chosen }
    }

    /// The places in the batch of all positions of the sequences, one sequence after another.
    pub fn rows(&self) -> Vec<usize> {
        (0..self.sequences.len() * self.seq).map(|index| self.place(index).row).collect()
    }

    /// What `one` makes of each of [`Positions::rows`], one after another.
    pub fn all(&self, one: impl Fn(usize) -> Vec<f64> + Sync) -> Vec<f64> {
        self.rows().into_par_iter().flat_map_iter(&one).collect()
    }

    /// The places in the batch of the positions that were chosen, and what `one` makes of each.
    pub fn solve(&self, one: impl Fn(Place) -> Vec<f64> + Sync) -> (Vec<usize>, Vec<f64>) {
        let rows = self.chosen.iter().map(|index| self.place(*index).row).collect();
        (rows, self.chosen.par_iter().flat_map_iter(|index| one(self.place(*index))).collect())
    }

    fn place(&self, index: usize) -> Place {
        let (sequence, step) = (index / self.seq, index % self.seq);
        Place { first: index - step, step, row: self.sequences[sequence] * self.seq + step }
    }
}

/// A row times `weights` `[_, columns]`.
pub fn times(row: impl Iterator<Item = f64>, weights: &[f32], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    add_product(&mut sums, row, weights);
    sums
}

/// A row times `weights` `[_, columns]`, added to what `sums` holds, one for each column.
pub fn add_product(sums: &mut [f64], row: impl Iterator<Item = f64>, weights: &[f32]) {
    for (left, right) in row.zip(weights.chunks_exact(sums.len())) {
        sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * f64::from(*right));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_belong_to_whole_sequences() {
        // A sequence may be computed, and the first and the last always are; of positions, 16 and the ends.
        let positions = Positions::choose([5, 64], BUDGET, BUDGET, 3);
        let all = positions.rows();
        assert!((128..=192).contains(&all.len()) && all.len().is_multiple_of(64), "{}", all.len());
        assert_eq!((all[0], all[all.len() - 1]), (0, 319));
        let kept = positions.all(|row| vec![row as f64]);
        let (rows, found) = positions.solve(|Place { first, step, row }| {
            assert_eq!((kept[first] as usize, row % 64), (row - step, step));
            vec![kept[first + step]]
        });
        assert!((16..=18).contains(&rows.len()) && rows.is_sorted());
        assert_eq!(rows.iter().map(|row| *row as f64).collect::<Vec<f64>>(), found);
        let whole = Positions::choose([2, 3], 1, 1, 3);
        assert_eq!(whole.solve(|place| vec![place.first as f64]).1, [0.0, 0.0, 0.0, 3.0, 3.0, 3.0]);
        assert_eq!(whole.rows(), [0, 1, 2, 3, 4, 5]);
    }
}
