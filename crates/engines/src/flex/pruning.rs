//! Which weights of a right factor are kept: those that are largest, alone, in blocks, two of every four, or by channels.

use benchbook_core::Inputs;
pub use benchbook_models::compress::{largest, squares};
use benchbook_models::compress::{singles, two_of_four};
use benchbook_workloads::matmul::MatmulParams;

/// What leaves weights out.
pub trait Pruning {
    /// The right factor `[k, n]`, with zeros in the place of what is left out.
    fn pruned(params: &MatmulParams, inputs: &Inputs) -> Vec<f32>;
}

/// Single weights; so many percent of all are left out (Han et al., arXiv 1506.02626).
pub struct Singles<const PERCENT: usize>;

impl<const PERCENT: usize> Pruning for Singles<PERCENT> {
    fn pruned(_params: &MatmulParams, inputs: &Inputs) -> Vec<f32> {
        let mut numbers = inputs.numbers("b").to_vec();
        singles(&mut numbers, PERCENT);
        numbers
    }
}

/// Columns of a block.
const BLOCK: usize = 16;

/// Blocks of sixteen columns and one step, by the sum of their squares; so many percent of all are left out.
pub struct Blocks<const PERCENT: usize>;

impl<const PERCENT: usize> Pruning for Blocks<PERCENT> {
    fn pruned(params: &MatmulParams, inputs: &Inputs) -> Vec<f32> {
        let mut numbers = inputs.numbers("b").to_vec();
        let sizes: Vec<f32> = numbers.chunks(params.n).flat_map(|row| row.chunks(BLOCK).map(squares)).collect();
        let blocks = numbers.chunks_mut(params.n).flat_map(|row| row.chunks_mut(BLOCK));
        blocks
            .zip(kept(&sizes, PERCENT))
            .for_each(|(block, kept)| block.iter_mut().for_each(|number| keep(number, kept)));
        numbers
    }
}

/// Two of every four weights along k: of equal ones the first.
pub struct TwoOfFour;

impl Pruning for TwoOfFour {
    fn pruned(params: &MatmulParams, inputs: &Inputs) -> Vec<f32> {
        let mut numbers = inputs.numbers("b").to_vec();
        two_of_four(&mut numbers, params.n);
        numbers
    }
}

/// Channels of the left factor, by the sum of the squares of their weights; so many percent of all are left out (Li et al.,
/// arXiv 1608.08710, with another norm).
pub struct Channels<const PERCENT: usize>;

impl<const PERCENT: usize> Channels<PERCENT> {
    /// The channels that are kept, in their order.
    pub fn kept(params: &MatmulParams, inputs: &Inputs) -> Vec<usize> {
        let sizes: Vec<f32> = inputs.numbers("b").chunks(params.n).map(squares).collect();
        let kept = kept(&sizes, PERCENT);
        (0..params.k).filter(|channel| kept[*channel]).collect()
    }
}

impl<const PERCENT: usize> Pruning for Channels<PERCENT> {
    fn pruned(params: &MatmulParams, inputs: &Inputs) -> Vec<f32> {
        let mut numbers = vec![0.0; params.k * params.n];
        for channel in Self::kept(params, inputs) {
            let row = channel * params.n..(channel + 1) * params.n;
            numbers[row.clone()].copy_from_slice(&inputs.numbers("b")[row]);
        }
        numbers
    }
}

fn keep(number: &mut f32, kept: bool) {
    if !kept {
        *number = 0.0;
    }
}

/// Whether each is among the largest: all but so many percent of them.
fn kept(sizes: &[f32], percent: usize) -> Vec<bool> {
    largest(sizes, (sizes.len() * (100 - percent)).div_ceil(100))
}

#[cfg(test)]
mod tests {
    use benchbook_core::Array;

    use super::*;

    fn of<P: Pruning>(shape: [usize; 2], numbers: &[f32]) -> Vec<f32> {
        let [k, n] = shape;
        P::pruned(&MatmulParams { m: 1, n, k }, &Inputs::from([("b", Array::new(shape.to_vec(), numbers))]))
    }

    #[test]
    fn the_largest_are_kept_and_of_equal_ones_the_first() {
        assert_eq!(of::<Singles<50>>([2, 3], &[1.0, -3.0, 2.0, -2.0, 0.5, 1.0]), [0.0, -3.0, 2.0, -2.0, 0.0, 0.0]);
        assert_eq!(of::<Singles<75>>([2, 2], &[1.0, -1.0, 1.0, 1.0]), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(of::<Singles<95>>([1, 1], &[3.0]), [3.0], "one is kept at least");
        assert_eq!(of::<Singles<0>>([1, 2], &[3.0, 0.0]), [3.0, 0.0]);
    }

    #[test]
    fn blocks_are_of_a_step_and_of_sixteen_columns() {
        // Two steps of eighteen columns: the narrow block of the second step has the largest sum of squares, then the wide one.
        let mut numbers = vec![0.5; 36];
        numbers[34..].fill(3.0);
        numbers[20] = 1.0;
        let mut right = vec![0.0; 36];
        right[18..].copy_from_slice(&numbers[18..]);
        assert_eq!(of::<Blocks<50>>([2, 18], &numbers), right);
    }

    #[test]
    fn two_of_four_go_along_the_steps() {
        // Two columns, six steps: the last two are fewer than four.
        let numbers = [1.0, 9.0, -4.0, 9.0, 2.0, 9.0, 3.0, 9.0, 0.1, 0.0, 0.2, 5.0];
        let right = [0.0, 9.0, -4.0, 9.0, 0.0, 0.0, 3.0, 0.0, 0.1, 0.0, 0.2, 5.0];
        assert_eq!(of::<TwoOfFour>([6, 2], &numbers), right);
    }

    #[test]
    fn channels_are_kept_as_a_whole() {
        let numbers = [1.0, 1.0, 0.0, 2.0, 0.5, 0.5, -3.0, 0.0];
        assert_eq!(of::<Channels<50>>([4, 2], &numbers), [0.0, 0.0, 0.0, 2.0, 0.0, 0.0, -3.0, 0.0]);
        assert_eq!(of::<Channels<25>>([4, 2], &numbers), [1.0, 1.0, 0.0, 2.0, 0.0, 0.0, -3.0, 0.0]);
    }
}
