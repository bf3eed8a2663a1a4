//! Which part of the table is measured next in the time that is left, by what a store knows, and what the others need.
//!
//! An interval is over the processes of one run, which stand beside each other in its blocks: what was measured on two days has
//! differences of the days besides. So replicates of several runs are never put together. The first one of a part tells how long
//! all take, and no run of all begins in less time than that.

use super::part::Part;
use crate::ask::{number, text};
use serde_json::Value;
use std::time::Duration;
use xtask::step::duration;

/// Every run of a store, oldest first: its replicates that are whole, and the seconds of one of them. A replicate is whole where
/// no trial was cut short and one has ended well, which none does before all of them were prepared.
pub const RUNS: &str = "with ended as (select t.run_id, t.replicate, max(o.at_ns) as at_ns, \
    sum(case when o.trial is null or o.status = 'interrupted' then 1 else 0 end) as cut, \
    sum(case when o.status = 'ok' then 1 else 0 end) as fine \
    from trials t left join outcomes o on o.run_id = t.run_id and o.trial = t.trial group by t.run_id, t.replicate), \
    whole as (select run_id, count(*) as replicates, max(at_ns) / 1e9 as seconds from ended \
    where cut = 0 and fine > 0 group by run_id) \
    select r.run_id, array_to_string(r.tags, ' ') as tags, coalesce(w.replicates, 0) as replicates, \
    w.seconds / w.replicates as replicate_s from runs r left join whole w on w.run_id = r.run_id \
    order by r.started_at, r.run_id";

/// Room for replicates that take longer than those that are known.
const ROOM: f64 = 1.2;

/// What a store knows of a part.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Replicates that its rows are to have.
    wanted: u32,
    /// Whole replicates of the run that has most of them.
    whole: u32,
    /// How long one of them took in the newest run that has any.
    replicate_s: Option<f64>,
    /// The place of its newest run among all; nothing where it was never begun.
    newest: Option<usize>,
    /// The run whose rows are told: the one with most whole replicates, of several the newest.
    pub run: Option<String>,
}

/// What is measured next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The place of its part.
    pub place: usize,
    pub replicates: u32,
    /// The seconds that it is given; nothing where nobody knows how long it takes.
    pub seconds: Option<f64>,
}

impl Known {
    /// What these answers to [`RUNS`] say of a part.
    pub fn of(runs: &[Value], part: &Part) -> Self {
        let whole = |row: &Value| number(row, "replicates").max(0.0) as u32;
        let own: Vec<(usize, &Value)> =
            runs.iter().enumerate().filter(|(_, row)| text(row, "tags") == part.name).collect();
        let best = own.iter().max_by_key(|(_, row)| whole(row));
        let timed = own.iter().rev().find(|(_, row)| whole(row) > 0);
        Self {
            wanted: part.replicates,
            whole: best.map_or(0, |(_, row)| whole(row)),
            replicate_s: timed.map(|(_, row)| number(row, "replicate_s")).filter(|seconds| seconds.is_finite()),
            newest: own.last().map(|(place, _)| *place),
            run: best.map(|(_, row)| text(row, "run_id").to_owned()),
        }
    }

    /// Whether nothing of it is missing.
    pub fn is_complete(&self) -> bool {
        self.whole >= self.wanted
    }

    /// The seconds that all its replicates need, where one of them is known.
    fn needs_s(&self) -> Option<f64> {
        Some(ROOM * f64::from(self.wanted) * self.replicate_s?)
    }
}

/// What is measured next of these parts, that which was begun longest ago first; nothing where all are complete, were `begun` by
/// this call already, or need more than the seconds that are left.
///
/// A part of which nothing is known begins by one replicate, as long as there is any time: it goes on to its end.
pub fn next(known: &[Known], begun: &[Step], left_s: f64) -> Option<Step> {
    let mut open: Vec<(usize, &Known)> = known.iter().enumerate().filter(|(_, one)| !one.is_complete()).collect();
    // What was never begun is the oldest; equals stay in the order of the table.
    open.sort_by_key(|(_, one)| one.newest);
    let mut steps = open.into_iter().map(|(place, one)| {
        let seconds = one.needs_s();
        Step { place, replicates: if seconds.is_some() { one.wanted } else { 1 }, seconds }
    });
    let fits = |step: &Step| step.seconds.map_or(left_s > 0.0, |seconds| seconds <= left_s);
    let was_begun = |step: &Step| begun.iter().any(|one| (one.place, one.replicates) == (step.place, step.replicates));
    steps.find(|step| fits(step) && !was_begun(step))
}

/// A line for who waits: how far the table has come, how much time is left, and what comes now.
pub fn told(step: &Step, name: &str, known: &[Known], left_s: f64) -> String {
    let complete = known.iter().filter(|one| one.is_complete()).count();
    let what = match step.seconds {
        Some(seconds) => format!("{} in about {}", processes(step.replicates), long(seconds)),
        None => format!("{}, of which nobody knows how long it takes", processes(step.replicates)),
    };
    format!("{complete} of {} parts are complete, {} left: {name}, {what}", known.len(), long(left_s))
}

/// What a part lacks, and what it needs; nothing where it is complete.
pub fn lacking(part: &Part, known: &Known) -> Option<String> {
    if known.is_complete() {
        return None;
    }
    let (name, wanted) = (part.name, processes(known.wanted));
    Some(match known.needs_s() {
        Some(seconds) => {
            let (whole, minutes) = (known.whole, (seconds / 60.0).ceil());
            format!("`{name}` has {whole} of {wanted}, and needs about {} (`--minutes {minutes}`)", long(seconds))
        }
        None => format!(
            "`{name}` has none of {wanted}: it needs what `cargo xtask data {}` brings, and how long it takes is known behind \
             the first",
            part.data
        ),
    })
}

fn processes(count: u32) -> String {
    format!("{count} process{}", if count == 1 { "" } else { "es" })
}

fn long(seconds: f64) -> String {
    duration(Duration::from_secs_f64(seconds.max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::super::part::part;
    use super::*;
    use serde_json::json;

    /// A part that is to have so many replicates, has so many of these seconds, and was begun at a place.
    fn known(wanted: u32, whole: u32, replicate_s: Option<f64>, newest: Option<usize>) -> Known {
        Known { wanted, whole, replicate_s, newest, run: None }
    }

    /// What is measured in this time of parts whose replicates take these seconds, each run as the next one of the store.
    fn measured(known: &mut [Known], replicates_s: &[f64], minutes: f64) -> Vec<(usize, u32)> {
        let (mut left_s, mut begun) = (60.0 * minutes, Vec::<Step>::new());
        while let Some(step) = next(known, &begun, left_s) {
            let (one, took_s) = (&mut known[step.place], f64::from(step.replicates) * replicates_s[step.place]);
            *one = Known { whole: step.replicates, replicate_s: Some(replicates_s[step.place]), ..one.clone() };
            one.newest = Some(100 + begun.len());
            left_s -= took_s;
            begun.push(step);
        }
        begun.iter().map(|step| (step.place, step.replicates)).collect()
    }

    #[test]
    fn the_first_replicates_come_before_all_of_a_part_and_each_call_goes_on() {
        let mut parts = [known(1, 0, None, None), known(5, 0, None, None), known(5, 0, None, None)];
        let replicates_s = [30.0, 60.0, 150.0];
        // Behind 240 s, the first of five needs 360 s with room, and the second 900 s.
        assert_eq!(measured(&mut parts, &replicates_s, 10.0), [(0, 1), (1, 1), (2, 1), (1, 5)]);
        assert!(measured(&mut parts, &replicates_s, 14.9).is_empty(), "nothing begins that does not fit");
        assert_eq!(measured(&mut parts, &replicates_s, 15.0), [(2, 5)]);
        assert!(measured(&mut parts, &replicates_s, 1e3).is_empty(), "what was measured is not measured again");
    }

    #[test]
    fn what_was_begun_longest_ago_comes_first_and_what_does_not_fit_keeps_nothing_back() {
        let parts = [
            known(5, 1, Some(10.0), Some(7)),
            known(5, 4, Some(100.0), Some(2)),
            known(5, 1, Some(10.0), Some(3)),
            known(5, 5, Some(10.0), Some(0)),
        ];
        let all = |place: usize, seconds: f64| Some(Step { place, replicates: 5, seconds: Some(seconds) });
        assert_eq!(next(&parts, &[], 600.0), all(1, 600.0));
        assert_eq!(next(&parts, &[], 599.0), all(2, 60.0));
        assert_eq!(next(&parts, &[], 59.0), None);
        let begun = Step { place: 2, replicates: 5, seconds: Some(60.0) };
        assert_eq!(next(&parts, &[begun], 599.0), all(0, 60.0), "what this call has begun is not begun again");
    }

    #[test]
    fn without_time_nothing_begins_and_what_fails_is_tried_once_a_call() {
        let never = [known(5, 0, None, None), known(1, 0, None, Some(4))];
        assert_eq!(next(&never, &[], 0.0), None);
        let first = next(&never, &[], 1.0).expect("as long as there is any time");
        assert_eq!(first, Step { place: 0, replicates: 1, seconds: None });
        let second = next(&never, &[first], 1.0).expect("the other one");
        assert_eq!(second, Step { place: 1, replicates: 1, seconds: None });
        assert_eq!(next(&never, &[first, second], 1e6), None);
    }

    #[test]
    fn a_store_says_what_it_has_of_a_part() {
        let run = |id: &str, tags: &str, replicates: u32, replicate_s: Option<f64>| -> Value {
            json!({ "run_id": id, "tags": tags, "replicates": replicates, "replicate_s": replicate_s })
        };
        assert_eq!(Known::of(&[], part("sounds")), known(5, 0, None, None));
        // Whose weights are not here has a run all the same, of trials that nobody does.
        let mut runs = vec![run("a", "sounds", 0, None), run("b", "tokens", 1, Some(40.0))];
        let empty = Known { run: Some("a".to_owned()), ..known(5, 0, None, Some(0)) };
        assert_eq!(Known::of(&runs, part("sounds")), empty);
        runs.extend([
            run("c", "sounds", 4, Some(20.0)),
            run("d", "sounds", 1, Some(30.0)),
            run("e", "sounds", 0, None),
        ]);
        // The most processes are told, the newest time is believed.
        let some = Known { run: Some("c".to_owned()), ..known(5, 4, Some(30.0), Some(4)) };
        assert_eq!(Known::of(&runs, part("sounds")), some);
        runs.push(run("f", "sounds", 5, Some(25.0)));
        assert!(Known::of(&runs, part("sounds")).is_complete() && !Known::of(&runs, part("tokens")).is_complete());
    }

    #[test]
    fn who_waits_is_told_what_is_left_and_what_it_would_need() {
        let parts = [known(5, 5, Some(1.0), Some(0)), known(5, 1, Some(100.0), Some(1)), known(1, 0, None, None)];
        let step = next(&parts[..2], &[], 700.0).expect("it fits");
        let line = told(&step, "sounds", &parts, 700.0);
        assert_eq!(line, "1 of 3 parts are complete, 11 min 40 s left: sounds, 5 processes in about 10 min 00 s");
        assert_eq!(lacking(part("sounds"), &parts[0]), None);
        let needs = "`sounds` has 1 of 5 processes, and needs about 10 min 00 s (`--minutes 10`)";
        assert_eq!(lacking(part("sounds"), &parts[1]).as_deref(), Some(needs));
        let never = lacking(part("perplexity"), &parts[2]).expect("all");
        assert!(never.starts_with("`perplexity` has none of 1 process: "), "{never}");
        assert!(never.contains("`cargo xtask data smollm2-135m brown`"), "{never}");
    }
}
