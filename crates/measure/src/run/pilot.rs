//! What a pilot has shown: how many replicates a wanted half-width takes.

use benchbook_core::{Plan, Variant, baseline_of};
use benchbook_stats::plan::{Costs, Limits, Planned, allocate, components};

use super::schedule::MIN_BLOCKS;

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

/// A comparison, by the places of its variants in the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    pub baseline: usize,
    pub candidate: usize,
}

/// The comparisons of a cell that are shown when nobody names a baseline, which is `of_run` in the whole run.
///
/// A candidate is compared with the variant of the baseline on its own device and in its own dtype, where there is one.
/// Two builds are compared variant by variant, the first being the baseline. A cell in which nothing has the run's
/// baseline, or nothing else, is compared by its own, or by its first variant.
pub fn comparisons(variants: &[Variant], of_run: Option<&str>) -> Vec<Sides> {
    let with = |is_baseline: &dyn Fn(usize) -> bool| -> Vec<Sides> {
        let (baselines, candidates): (Vec<usize>, Vec<usize>) = (0..variants.len()).partition(|at| is_baseline(*at));
        let apart =
            |sides: &Sides| variants.get(sides.baseline).zip(variants.get(sides.candidate)).map(|(b, c)| b.apart(c));
        let of = |candidate: usize| {
            let all: Vec<Sides> = baselines.iter().map(|baseline| Sides { baseline: *baseline, candidate }).collect();
            let least = all.iter().map(apart).min();
            all.into_iter().filter(|sides| Some(apart(sides)) == least).collect::<Vec<Sides>>()
        };
        candidates.into_iter().flat_map(of).collect()
    };
    let implemented = |name: Option<&str>| with(&|at| variants.get(at).map(|v| v.implementation.as_str()) == name);
    if variants.iter().all(|variant| variant.build.is_none()) {
        let own = baseline_of(variants.iter().map(|variant| variant.implementation.as_str()));
        let named = [of_run, own].into_iter().map(implemented).find(|found| !found.is_empty());
        if let Some(found) = named {
            return found;
        }
    }
    with(&|at| at == 0)
}

/// What the pilot has shown of one cell.
#[derive(Debug, Default)]
pub struct Pilot(Vec<Measured>);

impl Pilot {
    pub fn push(&mut self, measured: Measured) {
        self.0.push(measured);
    }

    /// The replicates and blocks that the plan's half-width takes, for that of the `comparisons` that needs most; an
    /// error says in words why nothing can be planned.
    ///
    /// `left_ns` is the time that is left for this cell.
    pub fn plan(
        &self,
        plan: &Plan,
        half_width: f64,
        left_ns: Option<f64>,
        comparisons: &[Sides],
    ) -> Result<Planned, String> {
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
        let plans = comparisons.iter().map(|sides| self.comparison(*sides, &taken, &limits));
        let planned: Vec<Planned> = plans.collect::<Result<_, String>>()?;
        let costliest = planned.into_iter().max_by(|a, b| a.cost_ns.total_cmp(&b.cost_ns));
        costliest.ok_or_else(|| "there is nothing to compare it with".into())
    }

    fn comparison(&self, sides: Sides, costs: &Costs, limits: &Limits) -> Result<Planned, String> {
        let series: Vec<Vec<f64>> =
            self.0.iter().map(|replicate| replicate.log_ratios(sides)).filter(|series| series.len() >= 2).collect();
        let series: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
        let text = |error: benchbook_stats::Error| format!("the pilot bears no plan: {error}");
        let found = components(&series).map_err(text)?;
        allocate(&found, costs, limits).map_err(text)
    }

    /// What the pilot has taken, in nanoseconds.
    pub fn spent_ns(&self) -> f64 {
        self.costs().1
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
    /// Log ratios of the blocks in which both sides are valid.
    fn log_ratios(&self, sides: Sides) -> Vec<f64> {
        let (Some(baseline), Some(other)) = (self.log_times.get(sides.baseline), self.log_times.get(sides.candidate))
        else {
            return Vec::new();
        };
        let paired = other.iter().filter_map(|(block, time)| {
            let place = baseline.binary_search_by_key(block, |(block, _)| *block).ok()?;
            Some(baseline.get(place)?.1 - time)
        });
        paired.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Sides = Sides { baseline: 0, candidate: 1 };

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
        let ratios = one.log_ratios(FIRST);
        assert!(ratios.len() == 2 && (ratios[0] - 0.1).abs() < 1e-12 && (ratios[1] - 0.3).abs() < 1e-12, "{ratios:?}");
        assert!(one.log_ratios(Sides { baseline: 0, candidate: 2 }).is_empty());
    }

    #[test]
    fn processes_that_differ_take_more_replicates() {
        let plan = Plan { half_width: Some(0.005), ..Plan::quick("x") };
        let (calm, wild) = (pilot(0.0001), pilot(0.01));
        let of = |pilot: &Pilot, left_ns| pilot.plan(&plan, 0.005, left_ns, &[FIRST]).unwrap();
        let (calm, wild) = (of(&calm, None), of(&wild, None));
        assert_eq!(calm.replicates, 8, "{calm:?}");
        assert!(wild.replicates > 16 && wild.reached, "{wild:?}");
        let short = of(&pilot(0.01), Some(20_000.0));
        assert!(!short.reached && short.replicates < wild.replicates, "{short:?}");
    }

    #[test]
    fn a_pilot_without_pairs_says_why_it_bears_no_plan() {
        let plan = Plan::quick("x");
        assert!(Pilot::default().plan(&plan, 0.01, None, &[]).unwrap_err().contains("nothing to compare"));
        let mut alone = Pilot::default();
        alone.push(Measured { log_times: vec![vec![(0, 1.0)], Vec::new()], ..Measured::default() });
        assert!(alone.plan(&plan, 0.01, None, &[FIRST]).unwrap_err().contains("no plan"));
    }

    fn variant(implementation: &str, device: &str, build: Option<&str>) -> Variant {
        Variant {
            implementation: implementation.into(),
            device: device.into(),
            dtype: benchbook_core::DType::F32,
            threads: 1,
            build: build.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_planned_is_what_is_shown() {
        let places = |variants: &[Variant], of_run: &str| -> Vec<(usize, usize)> {
            comparisons(variants, Some(of_run)).iter().map(|sides| (sides.baseline, sides.candidate)).collect()
        };
        // Registered first is not compared with.
        let three = ["flash", "naive", "torch"].map(|name| variant(name, "flex", None));
        assert_eq!(places(&three, "naive"), [(1, 0), (1, 2)]);
        // On two devices it is two baselines, and no candidate: each is compared with the one on its own device, or with
        // both where it has none there.
        let devices = [("flash", "a"), ("naive", "a"), ("naive", "b"), ("flash", "b"), ("torch", "c")];
        let devices = devices.map(|(name, device)| variant(name, device, None));
        assert_eq!(places(&devices, "naive"), [(1, 0), (2, 3), (1, 4), (2, 4)]);
        // A cell without the run's baseline has its own.
        let others = ["torch", "flash"].map(|name| variant(name, "flex", None));
        assert_eq!(places(&others, "naive"), [(1, 0)]);
        let alike = ["a", "b"].map(|device| variant("naive", device, None));
        assert_eq!(places(&alike, "naive"), [(0, 1)]);
        let builds = ["old", "new"].map(|build| variant("flash", "flex", Some(build)));
        assert_eq!(places(&builds, "flash"), [(0, 1)]);
        assert!(places(&three[..1], "naive").is_empty());
    }

    #[test]
    fn a_wild_variant_that_is_compared_with_nothing_costs_nothing() {
        let plan = Plan { half_width: Some(0.005), ..Plan::quick("x") };
        let mut pilot = Pilot::default();
        for number in 0..8 {
            let mut one = replicate(&[0.001, -0.001, 0.002, -0.002, 0.0, 0.001]);
            // The first variant differs from process to process, the other two run along.
            let wild = 0.1 * f64::from(number % 4);
            one.log_times.insert(0, (0..).map(|block| (block, wild)).take(6).collect());
            pilot.push(one);
        }
        let of = |baseline, candidate| pilot.plan(&plan, 0.005, None, &[Sides { baseline, candidate }]).unwrap();
        assert_eq!(of(1, 2).replicates, 8);
        assert!(of(0, 1).replicates > 16 && of(0, 2).replicates > 16);
    }
}
