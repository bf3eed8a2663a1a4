//! What is measured in which order, and by which numbers.

use benchbook_core::Plan;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::expand::Cell;

/// Blocks that a case gets once it is set up, even when the time is used up: fewer bear no verdict.
pub const MIN_BLOCKS: u64 = 5;

/// The seeded random order of a run, and the numbers of its blocks and trials.
pub struct Schedule {
    order: Order,
    /// Blocks numbered so far.
    blocks: i64,
    /// Number of the first trial of each cell, and the trials of one replicate.
    trials: Vec<(i64, i64)>,
}

impl Schedule {
    /// The schedule of these cells; it follows from the plan's seed.
    ///
    /// Trials are numbered as the plan lists them, by case, then by replicate, then by variant, whatever the order in
    /// which they are measured: who sorts by them shows the order of the plan.
    pub fn new(plan: &Plan, cells: &[Cell]) -> Self {
        let most = if plan.half_width.is_some() { plan.most_replicates } else { 0 };
        let replicates = i64::from(most.max(plan.first_replicates()));
        let mut next = 0;
        let numbers = |cell: &Cell| {
            let (first, variants) = (next, cell.variants.len() as i64);
            next += replicates * variants;
            (first, variants)
        };
        Self { order: Order::new(plan.seed), blocks: 0, trials: cells.iter().map(numbers).collect() }
    }

    /// Number of the trial of a cell's first variant in a replicate; the others follow.
    pub fn first_trial(&self, cell: usize, replicate: u32) -> i64 {
        let (first, variants) = self.trials[cell];
        first + i64::from(replicate) * variants
    }

    /// A random order of `members`: each once, so that none is always the first or the last.
    pub fn shuffled(&mut self, members: usize) -> Vec<usize> {
        self.order.next(members)
    }

    /// The number of the next block, and the order of `members` in it.
    pub fn next_block(&mut self, members: usize) -> (i64, Vec<usize>) {
        self.blocks += 1;
        (self.blocks - 1, self.order.next(members))
    }

    /// Blocks begun so far.
    pub fn blocks(&self) -> i64 {
        self.blocks
    }
}

/// Orders of randomised complete blocks: each member once a block.
pub struct Order(ChaCha8Rng);

impl Order {
    /// The orders of a run follow from its seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The order of the next block of `members`.
    pub fn next(&mut self, members: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..members).collect();
        order.shuffle(&mut self.0);
        order
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::{Case, DType, Params, Variant};

    use super::*;

    #[test]
    fn trials_are_numbered_by_case_then_by_replicate() {
        let variant = |name: &str| Variant {
            implementation: name.into(),
            device: "d".into(),
            dtype: DType::F32,
            threads: 1,
            build: None,
        };
        let case = Case { workload: "w".into(), name: "c".into(), params: Params::default() };
        let cell = |names: &[&str]| Cell {
            case: case.clone(),
            variants: names.iter().map(|name| variant(name)).collect(),
            seeds: 3,
        };
        let cells = [cell(&["a", "b", "c"]), cell(&["a"]), cell(&["a", "b"])];
        let first = |plan: &Plan| {
            let schedule = Schedule::new(plan, &cells);
            [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)].map(|(cell, replicate)| schedule.first_trial(cell, replicate))
        };
        let plan = Plan::quick("w").replicates(2);
        assert_eq!(first(&plan), [0, 3, 6, 7, 8]);
        // A second stage may lead to as many replicates as the plan allows.
        let planned = Plan { half_width: Some(0.01), most_replicates: 20, ..plan };
        assert_eq!(first(&planned), [0, 3, 60, 61, 80]);
    }

    #[test]
    fn blocks_are_numbered_through() {
        let mut schedule = Schedule::new(&Plan::quick("w"), &[]);
        let numbers: Vec<i64> = [3, 1, 2].into_iter().map(|members| schedule.next_block(members).0).collect();
        assert_eq!((numbers, schedule.blocks()), (vec![0, 1, 2], 3));
    }

    #[test]
    fn every_member_stands_once_in_each_block_and_at_each_place_equally_often() {
        let (members, blocks) = (4, 4_000);
        let mut order = Order::new(11);
        let mut at = vec![vec![0_u32; members]; members];
        for _ in 0..blocks {
            let block = order.next(members);
            let mut sorted = block.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            block.iter().enumerate().for_each(|(place, member)| at[*member][place] += 1);
        }
        // Binomial(4000, 1/4): sd 27.4; five of them, over 16 cells, is a chance below 1e-5.
        let bound = 5.0 * (f64::from(blocks) * 0.25 * 0.75).sqrt();
        for count in at.iter().flatten() {
            assert!((f64::from(*count) - f64::from(blocks) / 4.0).abs() < bound, "{at:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_orders_again() {
        let (mut first, mut second) = (Order::new(5), Order::new(5));
        assert!((0..20).all(|_| first.next(6) == second.next(6)));
    }
}
