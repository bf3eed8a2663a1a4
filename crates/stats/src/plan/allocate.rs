//! The cheapest plan that is precise enough, or the most precise one that can be paid.

use super::{Components, inflation};
use crate::dist::{normal, student};
use crate::{Error, Result, check};

/// What measuring costs in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// To start, check and warm up the workers of one replicate of a case, in nanoseconds; not below zero.
    pub process_ns: f64,
    /// One block, in nanoseconds; above zero.
    pub block_ns: f64,
}

/// What a plan is wanted for, and what it may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The wanted half-width of the interval of the log ratio.
    pub half_width: f64,
    /// The confidence level of that interval: 0.95.
    pub level: f64,
    /// The fewest replicates: 5, from which a verdict may gate; at least 2.
    pub least_replicates: usize,
    /// The most replicates.
    pub most_replicates: usize,
    /// The fewest blocks of a replicate: 5; at least 1.
    pub least_blocks: usize,
    /// The most blocks of a replicate.
    pub most_blocks: usize,
    /// The time for all replicates, in nanoseconds; `None` where only the precision matters.
    pub budget_ns: Option<f64>,
}

/// A plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    /// How many replicates, those of the pilot included.
    pub replicates: usize,
    /// How many blocks in each replicate.
    pub blocks: usize,
    /// The half-width of the interval of the log ratio that is expected where the variance is as large as
    /// its upper bound.
    pub half_width: f64,
    /// What the plan costs, in nanoseconds.
    pub cost_ns: f64,
    /// Whether that half-width is the wanted one.
    pub reached: bool,
}

/// How sure a plan is to know enough of the variance.
const CONFIDENCE: f64 = 0.80;

/// The plan for less than what is wanted stops where more time would narrow it by less than this share.
const NOT_WORTH_IT: f64 = 0.01;

/// Replicates and blocks from which a verdict across replicates may be spoken.
const LEAST: usize = 5;

/// The cheapest plan for the wanted half-width (Kalibera & Jones 2013, section 6); where the budget or the
/// limits forbid that, the cheapest within 1 % of the smallest half-width that they allow.
///
/// The variance is planned with at its upper 80 % confidence bound, df × variance / χ²(0.2, df): the variance
/// of a pilot of eight is below the true one more often than not (its distribution is skewed), and a plan made
/// with it would miss the wanted half-width in half of all cases (Browne, *On the Use of a Pilot Sample for
/// Sample Size Determination*, 1995). The half-width is that of a verdict whose rules name the pilot
/// ([`Rules::pilot`](crate::verdict::Rules::pilot)).
///
/// # Errors
/// [`Error::OutOfRange`] for a component, a cost or a limit, and for a budget below the cost of the fewest
/// replicates and blocks; [`Error::Constant`] where both components are zero; [`Error::Overflow`].
pub fn allocate(components: &Components, costs: &Costs, limits: &Limits) -> Result<Planned> {
    check_limits(limits)?;
    let estimated = checked(components, costs)?;
    let factor = components.df / normal::chi_squared_quantile(1.0 - CONFIDENCE, components.df);
    let search = Search {
        variance: Variance {
            process: check::number(estimated.process * factor)?,
            block: check::number(estimated.block * factor)?,
        },
        costs,
        room: Room {
            replicates: (limits.least_replicates, limits.most_replicates),
            blocks: (limits.least_blocks, limits.most_blocks),
            budget_ns: limits.budget_ns.unwrap_or(f64::INFINITY),
        },
        multiplier: |r| student::critical(limits.level, df(r)) * inflation(components.replicates, r).sqrt(),
    };
    if let Some(plan) = search.cheapest(limits.half_width) {
        return planned(plan, true);
    }
    let narrowest = search.narrowest().ok_or_else(|| too_small(search.room.budget_ns))?;
    let nearly = search.cheapest(narrowest.width * (1.0 + NOT_WORTH_IT));
    planned(nearly.unwrap_or(narrowest), false)
}

/// The expected half-width of the interval of the log ratio after so much time, spent in the best way on at
/// least five replicates of at least five blocks, their number fixed beforehand. With the variance as
/// estimated: it describes, where [`allocate`] promises.
///
/// # Errors
/// Those of [`allocate`].
pub fn half_width_after(components: &Components, costs: &Costs, budget_ns: f64, level: f64) -> Result<f64> {
    check::level(level)?;
    narrowest_after(components, costs, budget_ns, |r| student::critical(level, df(r)))
}

/// The minimum detectable effect on the log ratio after so much time, spent in the best way: (t of the level
/// + t of the power) × the standard error, as in a verdict.
///
/// # Errors
/// Those of [`allocate`], and [`Error::OutOfRange`] for a power outside [0.5, 1).
pub fn minimum_detectable_effect_after(
    components: &Components,
    costs: &Costs,
    budget_ns: f64,
    level: f64,
    power: f64,
) -> Result<f64> {
    check::level(level)?;
    check::power(power)?;
    let multiplier = |r| student::critical(level, df(r)) + student::upper_quantile(1.0 - power, df(r));
    narrowest_after(components, costs, budget_ns, multiplier)
}

fn narrowest_after(
    components: &Components,
    costs: &Costs,
    budget_ns: f64,
    multiplier: impl Fn(usize) -> f64,
) -> Result<f64> {
    check::above_zero("budget_ns", budget_ns)?;
    let variance = checked(components, costs)?;
    let room = Room { replicates: (LEAST, usize::MAX), blocks: (LEAST, usize::MAX), budget_ns };
    let narrowest = Search { variance, costs, room, multiplier }.narrowest();
    check::number(narrowest.ok_or_else(|| too_small(budget_ns))?.width)
}

/// From a million degrees of freedom on, Student's quantiles are the normal ones to six digits.
fn df(replicates: usize) -> f64 {
    ((replicates - 1) as f64).min(1e6)
}

fn planned(plan: Plan, reached: bool) -> Result<Planned> {
    Ok(Planned {
        replicates: plan.replicates,
        blocks: plan.blocks as usize,
        half_width: check::number(plan.width)?,
        cost_ns: check::number(plan.cost_ns)?,
        reached,
    })
}

fn too_small(budget_ns: f64) -> Error {
    let range = "[the cost of the fewest replicates and blocks, ∞)";
    Error::OutOfRange { what: "budget_ns", value: budget_ns, range }
}

/// The variances, where they and the costs can be planned with.
fn checked(components: &Components, costs: &Costs) -> Result<Variance> {
    let Components { process, block, df, .. } = *components;
    check::not_negative("the process variance", process)?;
    check::not_negative("the block variance", block)?;
    if !(df >= 1.0 && df.is_finite()) {
        return Err(Error::OutOfRange { what: "df", value: df, range: "[1, ∞)" });
    }
    if process == 0.0 && block == 0.0 {
        return Err(Error::Constant);
    }
    check::not_negative("process_ns", costs.process_ns)?;
    check::above_zero("block_ns", costs.block_ns)?;
    Ok(Variance { process, block })
}

fn check_limits(limits: &Limits) -> Result<()> {
    check::above_zero("half_width", limits.half_width)?;
    check::level(limits.level)?;
    if let Some(budget_ns) = limits.budget_ns {
        check::above_zero("budget_ns", budget_ns)?;
    }
    let within = |what, value: usize, least: usize, range| {
        if value < least { Err(Error::OutOfRange { what, value: value as f64, range }) } else { Ok(()) }
    };
    within("least_replicates", limits.least_replicates, 2, "[2, ∞)")?;
    within("most_replicates", limits.most_replicates, limits.least_replicates, "[least_replicates, ∞)")?;
    within("least_blocks", limits.least_blocks, 1, "[1, ∞)")?;
    within("most_blocks", limits.most_blocks, limits.least_blocks, "[least_blocks, ∞)")
}

/// The variance at each level that is planned with.
#[derive(Debug, Clone, Copy)]
struct Variance {
    process: f64,
    block: f64,
}

/// What a plan may use: at least two replicates and one block.
#[derive(Debug, Clone, Copy)]
struct Room {
    replicates: (usize, usize),
    blocks: (usize, usize),
    /// Infinite where time does not matter.
    budget_ns: f64,
}

/// A plan: so many blocks in each of so many replicates. The width is the multiplier's × the standard error.
#[derive(Debug, Clone, Copy)]
struct Plan {
    replicates: usize,
    blocks: f64,
    width: f64,
    cost_ns: f64,
}

/// What a search is about; `multiplier` gives the multiple of the standard error that is to be small, by
/// the number of replicates.
struct Search<'a, M: Fn(usize) -> f64> {
    variance: Variance,
    costs: &'a Costs,
    room: Room,
    multiplier: M,
}

impl<M: Fn(usize) -> f64> Search<'_, M> {
    /// The cheapest plan of at most this width, if the room has one.
    ///
    /// For known variances and many replicates the best number of blocks is √(process cost / block cost ×
    /// block variance / process variance) (Kalibera & Jones 2013, section 6). Student's multiplier and whole
    /// numbers move it where replicates are few, so each number of replicates is tried with the fewest
    /// blocks that it needs, which includes that solution.
    fn cheapest(&self, width: f64) -> Option<Plan> {
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
    fn narrowest(&self) -> Option<Plan> {
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
