//! The search over replicates and blocks.

use super::Costs;

/// The variance at each level that is planned with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variance {
    pub(super) process: f64,
    pub(super) block: f64,
}

/// What a plan may use: at least two replicates and one block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) replicates: (usize, usize),
    pub(super) blocks: (usize, usize),
    /// Infinite where time does not matter.
    pub(super) budget_ns: f64,
}

/// A plan: so many blocks in each of so many replicates. The width is the multiplier's × the standard error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) replicates: usize,
    pub(super) blocks: f64,
    pub(super) width: f64,
    pub(super) cost_ns: f64,
}

/// What a search is about; `multiplier` gives the multiple of the standard error that is to be small, by
/// the number of replicates.
pub(super) struct Search<'a, M: Fn(usize) -> f64> {
    pub(super) variance: Variance,
    pub(super) costs: &'a Costs,
    pub(super) room: Room,
    pub(super) multiplier: M,
}

impl<M: Fn(usize) -> f64> Search<'_, M> {
    /// The cheapest plan of at most this width, if the room has one.
    ///
    /// For known variances and many replicates the best number of blocks is √(process cost / block cost ×
    /// block variance / process variance) (Kalibera & Jones 2013, section 6). Student's multiplier and whole
    /// numbers move it where replicates are few, so each number of replicates is tried with the fewest
    /// blocks that it needs, which includes that solution.
    pub(super) fn cheapest(&self, width: f64) -> Option<Plan> {
        let (least, most) = (self.room.blocks.0 as f64, self.room.blocks.1 as f64);
        let Variance { process, block } = self.variance;
        let mut best: Option<Plan> = None;
        for replicates in candidates(self.room.replicates) {
            let dearest = best.map_or(self.room.budget_ns, |plan| plan.cost_ns);
            // More replicates never cost less than with the fewest blocks.
            if self.cost(replicates, least) > dearest {
                break;
            }
            let error = width / (self.multiplier)(replicates);
            let spare = replicates as f64 * error * error - process;
            let mut blocks = if block > 0.0 { (block / spare).ceil() } else { least };
            // The last digit of the quotient may be a block short.
            if spare > 0.0 && self.plan(replicates, blocks.max(least)).width > width {
                blocks += 1.0;
            }
            let plan = self.plan(replicates, blocks.max(least));
            let fits = spare >= 0.0 && blocks <= most && plan.cost_ns <= self.room.budget_ns;
            if fits && plan.width <= width && best.is_none_or(|best| plan.cost_ns < best.cost_ns) {
                best = Some(plan);
            }
        }
        best
    }

    /// The plan of the smallest width that the room allows, if it allows any.
    pub(super) fn narrowest(&self) -> Option<Plan> {
        let (least, most) = (self.room.blocks.0 as f64, self.room.blocks.1 as f64);
        let mut best: Option<Plan> = None;
        for replicates in candidates(self.room.replicates) {
            if self.cost(replicates, least) > self.room.budget_ns {
                break;
            }
            let per_replicate = self.room.budget_ns / replicates as f64;
            let affordable = ((per_replicate - self.costs.process_ns) / self.costs.block_ns).floor();
            let mut blocks = affordable.clamp(least, most);
            if blocks > least && self.cost(replicates, blocks) > self.room.budget_ns {
                blocks -= 1.0;
            }
            let plan = self.plan(replicates, blocks);
            if best.is_none_or(|best| plan.width < best.width) {
                best = Some(plan);
            }
        }
        best
    }

    fn plan(&self, replicates: usize, blocks: f64) -> Plan {
        let squared_error = (self.variance.process + self.variance.block / blocks) / replicates as f64;
        let width = (self.multiplier)(replicates) * squared_error.sqrt();
        Plan { replicates, blocks, width, cost_ns: self.cost(replicates, blocks) }
    }

    fn cost(&self, replicates: usize, blocks: f64) -> f64 {
        replicates as f64 * (self.costs.process_ns + blocks * self.costs.block_ns)
    }
}

/// Each number of replicates up to 200, then steps of at most 1 %: there a step loses less than 1 % of
/// the cost.
fn candidates((least, most): (usize, usize)) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(least), move |&r| {
        let next = r.saturating_add((r / 100).max(1)).min(most);
        (r < most).then_some(next)
    })
}
