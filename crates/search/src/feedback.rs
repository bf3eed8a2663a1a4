//! A loop that is closed by measurements: how demanding the next setting is, from what the last one took.

use crate::{Error, Result};

/// How often the time of a ban is doubled at most: so a level that has failed is tried again now and then for ever.
const MOST_DOUBLINGS: u32 = 6;

/// By what a loop decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// What is measured may be this much, in any unit, above zero.
    pub bound: f64,
    /// The next level is tried where what was measured lies below the bound by this share at least: between the two, nothing
    /// changes (hysteresis).
    pub slack: f64,
    /// Turns after a change before the next step up, and the shortest ban of a level that has failed; at least 1.
    pub patience: u32,
}

/// What a turn has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// To the next level, since there is room.
    Up,
    /// To the level before, since the bound is exceeded or the level failed.
    Down,
    /// None: the bound is met without much room, or there is no higher level.
    Keep,
    /// None, although there is room: the last change was too short ago.
    Wait,
    /// None, although there is room: the next level has failed before, and is banned for a while.
    Banned,
    /// None: the lowest level exceeds the bound.
    Stuck,
}

/// A turn of the loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Its number, from 0.
    pub turn: u64,
    /// The level that was measured.
    pub from: usize,
    /// What was measured; nothing where that failed.
    pub value: Option<f64>,
    /// The level of the next turn.
    pub to: usize,
    /// Why.
    pub why: Move,
}

/// A loop over levels, each more demanding than the one before.
///
/// Against oscillation it goes up only where there is room to spare, not soon after a change, and not to a level that has
/// just failed: that is banned for `patience` turns times two to the number of failures in a row, as in the exponential
/// back-off of networks (Metcalfe & Boggs, "Ethernet", CACM 19, 1976, section 4.4).
#[derive(Debug, Clone)]
pub struct Feedback {
    rule: Rule,
    at: usize,
    turn: u64,
    /// The first turn at which it may go up.
    ready: u64,
    levels: Vec<Level>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Failures since it was last met.
    failures: u32,
    /// The first turn at which it may be tried again.
    free: u64,
}

impl Feedback {
    /// A loop over so many levels that begins at the lowest.
    ///
    /// # Errors
    /// [`Error::EmptySpace`] for fewer than two levels; [`Error::Rule`] for a rule by which nothing could be decided.
    pub fn new(levels: usize, rule: Rule) -> Result<Self> {
        if levels < 2 {
            return Err(Error::EmptySpace);
        }
        if !(rule.bound > 0.0 && rule.bound.is_finite()) {
            return Err(Error::Rule("the bound of a loop must be a number above zero"));
        }
        if !(0.0..1.0).contains(&rule.slack) {
            return Err(Error::Rule("the slack of a loop must be a share from 0 on, below 1"));
        }
        if rule.patience == 0 {
            return Err(Error::Rule("the patience of a loop must be one turn at least"));
        }
        Ok(Self { rule, at: 0, turn: 0, ready: 0, levels: vec![Level::default(); levels] })
    }

    /// The level to measure now.
    pub fn level(&self) -> usize {
        self.at
    }

    /// Takes what the level has given, nothing where it failed, and decides.
    pub fn take(&mut self, value: Option<f64>) -> Decision {
        let Rule { bound, slack, patience } = self.rule;
        let (turn, from) = (self.turn, self.at);
        let met = value.is_some_and(|value| value <= bound);
        let room = value.is_some_and(|value| value <= bound * (1.0 - slack));
        let why = if !met {
            let level = &mut self.levels[from];
            level.failures = (level.failures + 1).min(MOST_DOUBLINGS);
            level.free = turn + 1 + (u64::from(patience) << level.failures);
            if from == 0 { Move::Stuck } else { Move::Down }
        } else {
            self.levels[from].failures = 0;
            match self.levels.get(from + 1) {
                Some(next) if room && turn + 1 < next.free => Move::Banned,
                Some(_) if room && turn + 1 < self.ready => Move::Wait,
                Some(_) if room => Move::Up,
                _ => Move::Keep,
            }
        };
        self.at = match why {
            Move::Up => from + 1,
            Move::Down => from - 1,
            _ => from,
        };
        self.turn = turn + 1;
        if self.at != from {
            self.ready = self.turn + u64::from(patience);
        }
        Decision { turn, from, value, to: self.at, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { bound: 10.0, slack: 0.1, patience: 1 };

    /// What a loop does where a level takes `takes(turn, level)`.
    fn turns(rule: Rule, levels: usize, count: u64, takes: impl Fn(u64, usize) -> Option<f64>) -> Vec<Decision> {
        let mut feedback = Feedback::new(levels, rule).unwrap();
        (0..count).map(|turn| feedback.take(takes(turn, feedback.level()))).collect()
    }

    fn ups(turns: &[Decision]) -> usize {
        turns.iter().filter(|one| one.why == Move::Up).count()
    }

    #[test]
    fn it_climbs_to_the_highest_level_that_meets_the_bound() {
        let taken = turns(RULE, 6, 40, |_, level| Some(3.0 * level as f64));
        // 9 is the bound without its slack; 12 is above it.
        assert_eq!(taken[..3].iter().map(|one| one.to).collect::<Vec<_>>(), [1, 2, 3]);
        let at_three = taken.iter().filter(|one| one.from == 3).count();
        assert!(at_three >= 30, "{at_three} of 40 turns at the best level");
        let last = turns(RULE, 3, 40, |_, _| Some(1.0)).pop().unwrap();
        assert_eq!((last.from, last.why), (2, Move::Keep), "there is no higher level");
    }

    #[test]
    fn a_level_that_fails_is_tried_ever_less_often() {
        let fails_above = |_: u64, level: usize| Some(if level > 1 { 11.0 } else { 1.0 });
        let taken = turns(RULE, 4, 1_000, fails_above);
        // Bans of 2, 4, … 64 turns take 126 of them, each further one 64: six failures, and 874 / 64 more, and the way up.
        let most = 6 + 874 / 64 + 1;
        let found = ups(&taken) - 1;
        assert!((7..=most).contains(&found), "{found} times to the level that fails, at most {most}");
        assert!(taken.iter().all(|one| one.from <= 2));
        assert!(taken.iter().any(|one| one.why == Move::Banned));
    }

    #[test]
    fn what_has_changed_is_found_within_the_longest_ban() {
        let changed = 500;
        let taken = turns(RULE, 3, 600, |turn, level| Some(if level == 2 && turn < changed { 11.0 } else { 1.0 }));
        let found = taken.iter().position(|one| one.turn >= changed && one.to == 2).unwrap() as u64;
        assert!(found <= changed + 64 + 1, "{found}");
        assert!(taken[usize::try_from(found).unwrap() + 1..].iter().all(|one| one.to == 2));
    }

    #[test]
    fn nothing_changes_between_the_bound_and_its_slack() {
        let taken = turns(RULE, 3, 50, |_, _| Some(9.5));
        assert!(taken.iter().all(|one| (one.to, one.why) == (0, Move::Keep)));
        assert_eq!(turns(RULE, 3, 1, |_, _| Some(9.0))[0].why, Move::Up);
        assert_eq!(turns(RULE, 3, 1, |_, _| Some(10.0))[0].why, Move::Keep);
    }

    #[test]
    fn failures_and_what_is_no_number_lead_down_and_the_lowest_level_is_stuck() {
        for nothing in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            let taken = turns(RULE, 3, 3, |turn, _| if turn == 0 { Some(1.0) } else { nothing });
            assert_eq!([taken[1].why, taken[2].why], [Move::Down, Move::Stuck]);
            assert_eq!(taken[2].to, 0);
        }
    }

    #[test]
    fn it_does_not_go_up_soon_after_a_change() {
        let rule = Rule { patience: 4, ..RULE };
        let taken = turns(rule, 9, 41, |_, _| Some(1.0));
        let steps: Vec<u64> = taken.iter().filter(|one| one.why == Move::Up).map(|one| one.turn).collect();
        assert!(steps.windows(2).all(|two| two[1] - two[0] == 4), "{steps:?}");
        assert_eq!(taken[1].why, Move::Wait);
    }

    #[test]
    fn a_rule_by_which_nothing_is_decided_is_refused() {
        assert_eq!(Feedback::new(1, RULE).unwrap_err(), Error::EmptySpace);
        for rule in [
            Rule { bound: 0.0, ..RULE },
            Rule { bound: f64::NAN, ..RULE },
            Rule { slack: 1.0, ..RULE },
            Rule { slack: f64::NAN, ..RULE },
            Rule { patience: 0, ..RULE },
        ] {
            assert!(matches!(Feedback::new(2, rule), Err(Error::Rule(_))), "{rule:?}");
        }
    }
}
