//! Sharing the time of a run among its groups.

use benchbook_core::counted;

use super::progress::about;
use super::stop::StopReason;

/// What is left of a run's time, shared equally among the groups that are left.
pub struct Budget {
    start_ns: i64,
    /// The budget of the whole run.
    seconds: Option<f64>,
    /// The share of it that may be used.
    share: f64,
    /// Trials that it has cut short, or that were not begun.
    short: u64,
}

/// Share of a group's time that warm-up is given, all variants together; it may take four times as long to settle.
const WARMUP_SHARE: f64 = 0.125;

impl Budget {
    /// A share of a budget of `seconds` from `start_ns` on; without one, groups take what they need.
    pub fn new(start_ns: i64, seconds: Option<f64>, share: f64) -> Self {
        Self { start_ns, seconds, share, short: 0 }
    }

    fn end_ns(&self) -> Option<i64> {
        self.seconds.map(|seconds| self.start_ns.saturating_add((seconds * self.share * 1e9) as i64))
    }

    /// Allows the whole of it.
    pub fn allow_all(&mut self) {
        self.share = 1.0;
    }

    /// Whether the time is used up.
    pub fn is_used_up(&self, now_ns: i64) -> bool {
        self.end_ns().is_some_and(|end| now_ns >= end)
    }

    /// Why a trial is not begun, where the time was used up when its group began.
    pub fn not_begun(&mut self, group_started_ns: i64) -> Option<StopReason> {
        if !self.is_used_up(group_started_ns) {
            return None;
        }
        self.short += 1;
        Some(StopReason::NotBegun { pilot: self.share < 1.0 })
    }

    /// Counts a trial that has fewer blocks than planned for lack of time.
    pub fn cut_short(&mut self) {
        self.short += 1;
    }

    /// Trials that were cut short, or not begun.
    pub fn short(&self) -> u64 {
        self.short
    }

    /// Why trials were cut short, in words, where any was: the whole budget was used up at `now_ns`, or only their shares
    /// of it.
    pub fn spent(&self, now_ns: i64) -> Option<String> {
        if self.short == 0 {
            return None;
        }
        let seconds = self.seconds.unwrap_or_default();
        let trials = counted(usize::try_from(self.short).unwrap_or(usize::MAX), "trial");
        let took = (now_ns - self.start_ns).max(0) as f64;
        if took >= seconds * 1e9 {
            return Some(format!(
                "the budget of {seconds} s is used up: {trials} with fewer blocks than planned, or none; give more time, \
                 or fewer cases, replicates or blocks"
            ));
        }
        Some(format!(
            "{trials} used up their share of the budget of {seconds} s and have fewer blocks than planned, or none; the \
             run took {}: more time gives each a larger share",
            about(took)
        ))
    }

    /// What is left at `now_ns`, in nanoseconds.
    pub fn left_ns(&self, now_ns: i64) -> Option<i64> {
        Some((self.end_ns()? - now_ns).max(0))
    }

    /// When a group that begins now must end, with `groups_left` to go, itself included.
    pub fn deadline_ns(&self, now_ns: i64, groups_left: usize) -> Option<i64> {
        let left = self.left_ns(now_ns)?;
        Some(now_ns + left / groups_left.max(1) as i64)
    }

    /// The warm-up that each of `variants` may take before `deadline_ns`.
    pub fn warmup_ns(wanted: u64, now_ns: i64, deadline_ns: Option<i64>, variants: usize) -> u64 {
        let Some(deadline) = deadline_ns else { return wanted };
        let share = (deadline - now_ns).max(0) as f64 * WARMUP_SHARE / variants.max(1) as f64;
        wanted.min(share as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_a_group_leaves_goes_to_the_others() {
        let budget = Budget::new(0, Some(10.0), 1.0);
        assert_eq!(budget.deadline_ns(0, 5), Some(2_000_000_000));
        assert_eq!(budget.deadline_ns(1_000_000_000, 4), Some(3_250_000_000));
        assert_eq!(budget.deadline_ns(12_000_000_000, 2), Some(12_000_000_000));
        assert_eq!(Budget::new(0, None, 1.0).deadline_ns(5, 1), None);
        assert!(budget.is_used_up(10_000_000_000) && !budget.is_used_up(9_999_999_999));
    }

    #[test]
    fn three_hundred_years_are_not_over_at_once() {
        let budget = Budget::new(5_000_000_000, Some(300.0 * 365.25 * 86_400.0), 1.0);
        assert!(!budget.is_used_up(6_000_000_000));
        assert!(budget.deadline_ns(6_000_000_000, 2).is_some_and(|deadline| deadline > 1 << 61));
    }

    #[test]
    fn a_budget_is_called_used_up_only_where_it_is() {
        let mut budget = Budget::new(1_000_000_000, Some(180.0), 1.0);
        assert_eq!(budget.spent(181_000_000_000), None, "all had time enough");
        budget.cut_short();
        let late = budget.spent(181_000_000_000).unwrap();
        assert!(late.starts_with("the budget of 180 s is used up: 1 trial with fewer blocks"), "{late}");
        budget.cut_short();
        budget.cut_short();
        let early = budget.spent(58_000_000_000).unwrap();
        assert!(early.starts_with("3 trials used up their share of the budget of 180 s"), "{early}");
        // Whether others needed less, or the run was interrupted, is not known here.
        assert!(early.contains("; the run took 57 s: more time") && !early.contains("is used up"), "{early}");
    }

    #[test]
    fn a_pilot_ends_with_its_share_and_the_rest_is_for_what_follows() {
        let mut budget = Budget::new(0, Some(10.0), 0.4);
        assert_eq!(budget.not_begun(3_999_999_999), None);
        assert_eq!(budget.not_begun(4_000_000_000), Some(StopReason::NotBegun { pilot: true }));
        budget.allow_all();
        assert_eq!((budget.not_begun(4_000_000_000), budget.left_ns(4_000_000_000)), (None, Some(6_000_000_000)));
        assert_eq!(budget.not_begun(10_000_000_000), Some(StopReason::NotBegun { pilot: false }));
        assert_eq!(budget.short(), 2);
    }

    #[test]
    fn warm_up_is_given_an_eighth_at_most() {
        assert_eq!(Budget::warmup_ns(200, 0, None, 3), 200);
        assert_eq!(Budget::warmup_ns(1_000_000, 0, Some(800), 2), 50);
        assert_eq!(Budget::warmup_ns(1_000_000, 900, Some(800), 2), 0);
    }
}
