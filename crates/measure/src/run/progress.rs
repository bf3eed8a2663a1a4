//! How a run tells of its progress, always outside the timed region: what has happened, how far it has come, and how long
//! the rest takes. Before it begins, how long its plan takes, as far as that itself tells.

use benchbook_core::{Plan, SamplingSpec, counted, on_one_line};

use super::expand::Cell;
use super::schedule::MIN_BLOCKS;

/// Something worth telling a person who waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress<'a> {
    /// The run exists in the store.
    Started {
        /// Id of the run.
        run_id: &'a str,
        /// Cases times replicates.
        groups: usize,
        /// Trials of the whole run.
        trials: usize,
    },
    /// A variant is being set up, checked and warmed up.
    Preparing {
        /// Which group, from 0.
        group: usize,
        /// Label of the case.
        case: &'a str,
        /// Label of the variant.
        variant: &'a str,
    },
    /// A block is complete.
    Block {
        /// Which group, from 0.
        group: usize,
        /// Label of the case.
        case: &'a str,
        /// Replicate, from 0.
        replicate: u32,
        /// Blocks so far in this group.
        block: u64,
        /// Blocks wanted.
        blocks: u64,
    },
    /// The pilot is over and the rest is planned.
    Planned {
        /// Cases times replicates, those already done included.
        groups: usize,
    },
    /// A group is complete.
    GroupDone {
        /// Groups done so far.
        done: usize,
    },
    /// Something a person should know: a trial failed, a worker was lost, the budget is used up.
    Note(&'a str),
}

/// Whoever shows progress.
pub trait Observer {
    /// Called between measurements, never during one.
    fn progress(&mut self, progress: Progress<'_>);
}

/// Shows nothing.
pub struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _progress: Progress<'_>) {}
}

/// Characters of a line at most, so that it stays one in a terminal of 80 columns.
const LINE: usize = 79;
/// Least time between two lines of a log, in nanoseconds, and as a share of the time so far.
const QUIET_NS: i64 = 2_000_000_000;
const QUIET_SHARE: i64 = 4;

/// Follows a run from block to block.
#[derive(Debug, Default)]
pub struct Pace {
    started_ns: i64,
    told_ns: i64,
    groups: usize,
    /// Groups done, with the share of blocks of the one that is being measured.
    done: f64,
}

impl Pace {
    /// Takes what a run tells at `now_ns` on the clock; gives one line where the run has moved on.
    pub fn take(&mut self, progress: &Progress<'_>, now_ns: i64) -> Option<String> {
        let what = match progress {
            Progress::Started { groups, .. } => {
                *self = Self { started_ns: now_ns, told_ns: now_ns, groups: *groups, done: 0.0 };
                return None;
            }
            Progress::Planned { groups } => {
                self.groups = *groups;
                return None;
            }
            Progress::Note(_) => return None,
            Progress::Preparing { group, case, variant } => {
                self.done = *group as f64;
                format!("{case}: preparing {variant}")
            }
            Progress::Block { group, case, replicate, block, blocks } => {
                self.done = *group as f64 + (*block as f64 / (*blocks).max(1) as f64).min(1.0);
                format!("{case}: replicate {}, block {block} of {blocks}", replicate + 1)
            }
            Progress::GroupDone { done } => {
                self.done = *done as f64;
                format!("{done} of {} cases and replicates", self.groups)
            }
        };
        let share = 100.0 * self.share();
        let left = self.left_ns(now_ns).map_or_else(|| "…".to_owned(), about);
        // Names come from plans: they must not move a cursor.
        let line = on_one_line(&format!("{share:3.0} %, {left} left, {what}"));
        let is_long = line.chars().count() > LINE;
        Some(if is_long { line.chars().take(LINE - 1).chain(['…']).collect() } else { line })
    }

    /// How much of the run is done, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.done / self.groups.max(1) as f64
    }

    /// The time that is left, in nanoseconds, where the rest goes as what is done went; nothing before the first block.
    pub fn left_ns(&self, now_ns: i64) -> Option<f64> {
        let rest = (self.groups as f64 - self.done).max(0.0);
        (self.done > 0.0).then(|| (now_ns - self.started_ns).max(0) as f64 * rest / self.done)
    }

    /// Whether a log may have another line: seldom, and the longer the run, the more seldom.
    pub fn is_due(&mut self, now_ns: i64) -> bool {
        let quiet = QUIET_NS.max((now_ns - self.started_ns) / QUIET_SHARE);
        let due = now_ns - self.told_ns >= quiet;
        if due {
            self.told_ns = now_ns;
        }
        due
    }
}

/// A time in nanoseconds, as people say how long something takes: `12 s`, `4 min 10 s`, `2 h 5 min`.
pub fn about(ns: f64) -> String {
    // A time beyond any run is as long as this.
    let seconds = (ns / 1e9).clamp(0.0, 1e12).round() as u64;
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// How long the cells of a plan take at least, and at most where it has a budget, in a sentence.
///
/// Warm-ups and samples are counted in full. Processes, inputs and checks are not, nor is a call that takes longer than
/// a sample has to: only measuring tells.
pub fn forecast(plan: &Plan, cells: &[Cell]) -> String {
    let SamplingSpec { blocks, min_sample_ns, warmup_ns, .. } = plan.sampling;
    let variants: usize = cells.iter().map(|cell| cell.variants.len()).sum();
    let trials = |replicates: u32| variants.saturating_mul(replicates as usize);
    let least =
        |replicates: u32| about(trials(replicates) as f64 * (warmup_ns as f64 + blocks as f64 * min_sample_ns as f64));
    let first = plan.first_replicates();
    let count = counted(trials(first), "trial");
    let mut words = match plan.half_width {
        None => format!("takes at least {} for {count}", least(first)),
        Some(_) => format!(
            "takes at least {} for the {count} of the pilot, and {} where that leads to {} replicates",
            least(first),
            least(plan.most_replicates),
            plan.most_replicates
        ),
    };
    words += ", beside starting processes, checks, and calls longer than a sample";
    if let Some(seconds) = plan.time_s {
        let budget = about(1e9 * seconds);
        words += &format!("; the budget ends it after about {budget}, but for {MIN_BLOCKS} blocks of each case begun");
    }
    words
}

#[cfg(test)]
mod tests {
    use benchbook_core::{Case, DType, Params, Variant};

    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn a_line_has_the_share_and_the_time_left_in_80_columns() {
        let mut pace = Pace::default();
        assert_eq!(pace.take(&Progress::Started { run_id: "r", groups: 4, trials: 8 }, S), None);
        let preparing = Progress::Preparing { group: 0, case: "s64", variant: "naive/flex/f32/2t" };
        assert_eq!(pace.take(&preparing, S).unwrap(), "  0 %, … left, s64: preparing naive/flex/f32/2t");
        let hostile = Progress::Preparing { group: 0, case: "s\u{1b}[2J\n", variant: "naive/flex/f32/2t" };
        assert!(!pace.take(&hostile, S).unwrap().contains(['\u{1b}', '\n']));
        let case = "b1 h8 s2048 d64 causal, and a name that is far too long for any terminal of its width";
        for (case, whole) in [("s64", true), (case, false)] {
            let block = Progress::Block { group: 1, case, replicate: 0, block: 10, blocks: 20 };
            let line = pace.take(&block, 31 * S).unwrap();
            // One and a half of four groups took 30 s.
            assert!(line.starts_with(" 38 %, 50 s left, ") && line.chars().count() < 80, "{line}");
            assert_eq!(line.ends_with("s64: replicate 1, block 10 of 20"), whole, "{line}");
        }
        assert_eq!(pace.take(&Progress::Planned { groups: 8 }, 31 * S), None);
        let line = pace.take(&Progress::GroupDone { done: 4 }, 61 * S).unwrap();
        assert_eq!(pace.share(), 0.5);
        assert_eq!(line, " 50 %, 1 min 0 s left, 4 of 8 cases and replicates");
    }

    #[test]
    fn a_log_gets_fewer_lines_the_longer_the_run() {
        let mut pace = Pace::default();
        pace.take(&Progress::Started { run_id: "r", groups: 1, trials: 1 }, 0);
        let lines = |pace: &mut Pace, seconds: std::ops::Range<i64>| seconds.filter(|at| pace.is_due(*at * S)).count();
        assert_eq!(lines(&mut pace, 0..9), 4);
        assert!(lines(&mut pace, 9..3_600) < 30);
    }

    #[test]
    fn times_are_told_roughly() {
        let cases = [(0.2e9, "0 s"), (59.6e9, "1 min 0 s"), (250e9, "4 min 10 s"), (7_500e9, "2 h 5 min")];
        for (ns, text) in cases {
            assert_eq!(about(ns), text);
        }
    }

    #[test]
    fn a_plan_says_how_long_it_takes() {
        let variant = |name: &str| Variant {
            implementation: name.into(),
            device: "flex".into(),
            dtype: DType::F32,
            threads: 1,
            build: None,
        };
        let case = Case { workload: "w".into(), name: "c".into(), params: Params::default() };
        let cells = vec![Cell { case, variants: vec![variant("a"), variant("b")], seeds: 3 }; 3];
        // A hundred samples of 1 ms after 200 ms: 0.3 s for each of thirty.
        let plan = Plan::standard("w");
        let words = forecast(&plan, &cells);
        assert!(words.starts_with("takes at least 9 s for 30 trials,") && !words.contains("budget"), "{words}");
        let words = forecast(&plan.clone().half_width(0.005), &cells);
        assert!(
            words.contains("14 s for the 48 trials of the pilot, and 3 min 0 s where that leads to 100"),
            "{words}"
        );
        let words = forecast(&plan.time_s(90.0), &cells);
        assert!(words.contains("ends it after about 1 min 30 s, but for 5 blocks"), "{words}");
    }
}
