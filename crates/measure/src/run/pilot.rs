//! What a pilot has shown: how many replicates a wanted half-width takes.

use benchbook_core::Plan;
use benchbook_stats::plan::{Costs, Limits, Planned, allocate, components};

use super::group::MIN_BLOCKS;

/// Confidence level of the interval whose half-width is wanted.
const LEVEL: f64 = 0.95;

/// One replicate of a cell: for each variant, the logarithm of the time of each valid block.
#[derive(Debug, Default)]
pub struct Measured {
    /// By the variant's place in the cell: number of the block, logarithm of its time in nanoseconds.
    pub log_times: Vec<Vec<(i64, f64)>>,
    /// From the first request to the first block, in nanoseconds.
    pub setup_ns: i64,
    /// All blocks together, in nanoseconds.
    pub blocks_ns: i64,
    /// Blocks taken, disturbed ones included.
    pub blocks: u64,
}

/// What the pilot has shown of one cell.
#[derive(Debug, Default)]
pub struct Pilot(Vec<Measured>);

impl Pilot {
    pub fn push(&mut self, measured: Measured) {
        self.0.push(measured);
    }

    /// The replicates and blocks that the plan's half-width takes, for the comparison with the cell's first
    /// variant that needs most; an error says in words why nothing can be planned.
    ///
    /// `left_ns` is the time that is left for this cell.
    pub fn plan(&self, plan: &Plan, half_width: f64, left_ns: Option<f64>) -> Result<Planned, String> {
        let variants = self.0.iter().map(|replicate| replicate.log_times.len()).max().unwrap_or(0);
        if variants < 2 {
            return Err("there is nothing to compare it with".into());
        }
        let (taken, spent_ns) = self.costs();
        let limits = Limits {
            half_width: half_width.ln_1p(),
            level: LEVEL,
            least_replicates: plan.first_replicates() as usize,
            most_replicates: plan.most_replicates as usize,
            least_blocks: MIN_BLOCKS as usize,
            most_blocks: plan.sampling.blocks.max(MIN_BLOCKS) as usize,
            budget_ns: left_ns.map(|left| left + spent_ns),
        };
        let plans = (1..variants).map(|candidate| self.comparison(candidate, &taken, &limits));
        let planned: Vec<Planned> = plans.collect::<Result<_, String>>()?;
        let costliest = planned.into_iter().max_by(|a, b| a.cost_ns.total_cmp(&b.cost_ns));
        costliest.ok_or_else(|| "there is nothing to compare it with".into())
    }

    fn comparison(&self, candidate: usize, costs: &Costs, limits: &Limits) -> Result<Planned, String> {
        let series: Vec<Vec<f64>> =
            self.0.iter().map(|replicate| replicate.log_ratios(candidate)).filter(|series| series.len() >= 2).collect();
        let series: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
        let text = |error: benchbook_stats::Error| format!("the pilot bears no plan: {error}");
        let found = components(&series).map_err(text)?;
        allocate(&found, costs, limits).map_err(text)
    }

    /// Mean costs of a replicate, and what the pilot has taken altogether.
    fn costs(&self) -> (Costs, f64) {
        let total = |of: fn(&Measured) -> f64| self.0.iter().map(of).sum::<f64>();
        let (setup, blocks) = (total(|m| m.setup_ns as f64), total(|m| m.blocks_ns as f64));
        let costs = Costs {
            process_ns: (setup / self.0.len().max(1) as f64).max(1.0),
            block_ns: (blocks / total(|m| m.blocks as f64).max(1.0)).max(1.0),
        };
        (costs, setup + blocks)
    }
}

impl Measured {
    /// Log ratios of the blocks in which both the first variant and the candidate are valid.
    fn log_ratios(&self, candidate: usize) -> Vec<f64> {
        let (Some(first), Some(other)) = (self.log_times.first(), self.log_times.get(candidate)) else {
            return Vec::new();
        };
        let paired = other.iter().filter_map(|(block, time)| {
            let place = first.binary_search_by_key(block, |(block, _)| *block).ok()?;
            Some(first.get(place)?.1 - time)
        });
        paired.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicate(ratios: &[f64]) -> Measured {
        let first = (0..).map(|block| (block, 1.0)).take(ratios.len()).collect();
        let other = (0..).zip(ratios).map(|(block, ratio)| (block, 1.0 - ratio)).collect();
        Measured { log_times: vec![first, other], setup_ns: 1_000, blocks_ns: 10_000, blocks: ratios.len() as u64 }
    }

    fn pilot(spread: f64) -> Pilot {
        let mut pilot = Pilot::default();
        for number in 0..8 {
            let centre = spread * f64::from(number % 4);
            pilot.push(replicate(&[centre + 0.001, centre - 0.001, centre + 0.002, centre - 0.002, centre, centre]));
        }
        pilot
    }

    #[test]
    fn only_shared_blocks_are_paired() {
        let mut one = replicate(&[0.1, 0.2, 0.3]);
        one.log_times[0].remove(1);
        let ratios = one.log_ratios(1);
        assert!(ratios.len() == 2 && (ratios[0] - 0.1).abs() < 1e-12 && (ratios[1] - 0.3).abs() < 1e-12, "{ratios:?}");
        assert!(one.log_ratios(2).is_empty());
    }

    #[test]
    fn processes_that_differ_take_more_replicates() {
        let plan = Plan { half_width: Some(0.005), ..Plan::quick("x") };
        let (calm, wild) = (pilot(0.0001), pilot(0.01));
        let (calm, wild) = (calm.plan(&plan, 0.005, None).unwrap(), wild.plan(&plan, 0.005, None).unwrap());
        assert_eq!(calm.replicates, 8, "{calm:?}");
        assert!(wild.replicates > 16 && wild.reached, "{wild:?}");
        let short = pilot(0.01).plan(&plan, 0.005, Some(20_000.0)).unwrap();
        assert!(!short.reached && short.replicates < wild.replicates, "{short:?}");
    }

    #[test]
    fn a_pilot_without_pairs_says_why_it_bears_no_plan() {
        let plan = Plan::quick("x");
        assert!(Pilot::default().plan(&plan, 0.01, None).unwrap_err().contains("nothing to compare"));
        let mut alone = Pilot::default();
        alone.push(Measured { log_times: vec![vec![(0, 1.0)], Vec::new()], ..Measured::default() });
        assert!(alone.plan(&plan, 0.01, None).unwrap_err().contains("no plan"));
    }
}
