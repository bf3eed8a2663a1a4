//! Goals for counts of answers: each is set for a planned number, and judged for any other by the bound that is as strict.

use super::binomial::at_most;

/// Fewer answers than one in so many of the planned ones are not judged.
const LEAST_PART: usize = 4;

/// How many of the planned answers are to be so.
pub struct Goal {
    /// The share of answers that are so where the promise is just kept.
    rate: f64,
    least: usize,
    most: usize,
    planned: usize,
}

/// Equal programs that are called different, at a level of 5 %.
pub const FALSE_POSITIVES: Goal = Goal { rate: 0.05, least: 0, most: 15, planned: 200 };

/// The same of real kernels.
pub const SAME_KERNEL: Goal = Goal { rate: 0.05, least: 0, most: 10, planned: 100 };

/// Differences that are found, at a power of 90 %.
pub const POWER: Goal = Goal { rate: 0.9, least: 34, most: 40, planned: 40 };

/// Intervals at 95 % that hold the truth.
pub const COVERAGE: Goal = Goal { rate: 0.95, least: 183, most: 197, planned: 200 };

impl Goal {
    /// The least and the most of `all` answers: who just keeps the promise goes beyond either as seldom as with the planned
    /// number.
    fn bounds(&self, all: usize) -> (usize, usize) {
        let below = |least: usize, all: usize| if least == 0 { 0.0 } else { at_most(least - 1, all, self.rate) };
        let above = |most: usize, all: usize| 1.0 - at_most(most, all, self.rate);
        let (too_few, too_many) = (below(self.least, self.planned), above(self.most, self.planned));
        let least = (0..=all).rev().find(|least| below(*least, all) <= too_few).unwrap_or(0);
        let most = (0..all).find(|most| self.most < self.planned && above(*most, all) <= too_many).unwrap_or(all);
        (least, most)
    }

    /// What the goal makes of `hits` of `all` answers.
    pub fn judged(&self, hits: usize, all: usize) -> String {
        let set = words((self.least, self.most), self.planned);
        if LEAST_PART * all < self.planned {
            return format!("goal {set}: {all} are too few to judge");
        }
        let (least, most) = self.bounds(all);
        let verdict = if (least..=most).contains(&hits) { "met" } else { "**missed**" };
        if all == self.planned {
            return format!("goal {set}: {verdict}");
        }
        format!("goal {} (set as {set}): {verdict}", words((least, most), all))
    }
}

fn words((least, most): (usize, usize), all: usize) -> String {
    if least == 0 {
        format!("at most {most} of {all}")
    } else if most == all {
        format!("at least {least} of {all}")
    } else {
        format!("{least} to {most} of {all}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_as_strict_for_any_number_of_answers() {
        // By binomials of whole numbers: the bound whose tail is at most that of the planned one.
        for (goal, all, bounds) in [
            (&FALSE_POSITIVES, 200, (0, 15)),
            (&FALSE_POSITIVES, 140, (0, 12)),
            (&FALSE_POSITIVES, 50, (0, 5)),
            (&FALSE_POSITIVES, 400, (0, 28)),
            (&SAME_KERNEL, 100, (0, 10)),
            (&SAME_KERNEL, 102, (0, 11)),
            (&SAME_KERNEL, 76, (0, 9)),
            (&POWER, 40, (34, 40)),
            (&POWER, 27, (22, 27)),
            (&POWER, 10, (8, 10)),
            (&COVERAGE, 200, (183, 197)),
            (&COVERAGE, 140, (127, 139)),
            (&COVERAGE, 70, (62, 70)),
        ] {
            assert_eq!(goal.bounds(all), bounds, "{all} of {} planned", goal.planned);
        }
    }

    #[test]
    fn a_verdict_says_for_how_many_it_is() {
        assert_eq!(FALSE_POSITIVES.judged(15, 200), "goal at most 15 of 200: met");
        assert_eq!(FALSE_POSITIVES.judged(16, 200), "goal at most 15 of 200: **missed**");
        assert_eq!(FALSE_POSITIVES.judged(13, 140), "goal at most 12 of 140 (set as at most 15 of 200): **missed**");
        assert_eq!(FALSE_POSITIVES.judged(0, 49), "goal at most 15 of 200: 49 are too few to judge");
        assert_eq!(POWER.judged(22, 27), "goal at least 22 of 27 (set as at least 34 of 40): met");
        assert_eq!(COVERAGE.judged(140, 140), "goal 127 to 139 of 140 (set as 183 to 197 of 200): **missed**");
    }
}
