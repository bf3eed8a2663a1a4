//! What a search has found, measured once more by fresh processes: the best of many looks better than it is.

use std::collections::HashMap;
use std::io::Write;

use benchbook_core::counted;
use benchbook_query::{Session, TIME, quoted};
use benchbook_report::{duration, number, rows};
use benchbook_search::{Observation, order};

use super::space::Subject;
use super::{Tried, Tuning};
use crate::args::{Format, TuneArgs};
use crate::commands::calibrate::share;
use crate::error::{EXIT_ERROR, Failure};
use crate::output::{self, text_batch};
use crate::people::people;

/// Settings that are confirmed.
const WINNERS: usize = 3;

/// A column of the table: of a winner, what was measured, and what fresh processes say of it.
type Show<'a> = &'a dyn Fn(&Observation, &Subject, Option<&Confirmed>) -> String;

/// What fresh processes say of the winners, by case and variant.
type ByKey = HashMap<(String, String), Confirmed>;

fn column(winners: &[(&Observation, Subject)], confirmed: &ByKey, show: Show<'_>) -> Vec<String> {
    winners.iter().map(|(one, subject)| show(one, subject, confirmed.get(&subject.key()))).collect()
}

/// What fresh processes say of a setting.
struct Confirmed {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
    said: String,
}

impl Tuning<'_, '_> {
    /// Whether what counts is the time beside the usual setting.
    pub(super) fn is_beside(&self) -> bool {
        self.goal.metric == TIME && self.choice.is_paired()
    }

    /// What stands in a table of settings: the time as a multiple of the usual one, the time, or the metric.
    pub(super) fn measured_by(&self) -> &str {
        if self.is_beside() {
            "relative_time"
        } else if self.goal.metric == TIME {
            "time_ns"
        } else {
            &self.goal.metric
        }
    }

    /// The same of a loss.
    pub(super) fn value(&self, loss: f64) -> f64 {
        if self.goal.metric == TIME {
            loss.exp()
        } else if self.higher {
            -loss
        } else {
            loss
        }
    }

    /// What people read of a number: how many times as fast as the usual setting, a time, or the metric.
    fn words(&self, value: f64) -> String {
        if self.is_beside() {
            format!("{value:.3}×")
        } else if self.goal.metric == TIME {
            duration(value)
        } else {
            number(value)
        }
    }

    /// The number that people read of a loss.
    fn shown(&self, loss: f64) -> f64 {
        if self.is_beside() { (-loss).exp() } else { self.value(loss) }
    }

    /// The same in words.
    pub(super) fn figure(&self, one: &Observation) -> String {
        let words = one.loss.map_or_else(|| "nothing".to_owned(), |loss| self.words(self.shown(loss)));
        if self.is_beside() { format!("{words} as fast as the usual setting") } else { words }
    }

    /// How much better a setting looked in the search than fresh processes say, as a share.
    fn optimism(&self, searched: f64, confirmed: f64) -> f64 {
        let more_is_better = self.is_beside() || self.higher;
        if more_is_better { searched / confirmed - 1.0 } else { confirmed / searched - 1.0 }
    }

    /// Confirms the best settings, and tells of them.
    ///
    /// # Errors
    /// No setting meets the bounds, or none could be measured.
    pub(super) fn tell(&mut self, tried: &Tried, arguments: &TuneArgs) -> Result<u8, Failure> {
        let mut sorted: Vec<&Observation> = tried.seen.iter().collect();
        sorted.sort_by(|a, b| order(a, b));
        let settings = counted(tried.measured, "setting");
        let Some(first) = sorted.first().filter(|one| one.met().is_some()) else {
            return Err(self.unmet(&sorted, &settings));
        };
        if self.is_beside() && first.loss.is_some_and(|loss| loss >= 0.0) {
            writeln!(people(), "none of {settings} looked better than the usual one, {}", self.usual.variant)?;
            return Ok(0);
        }
        let is_better = |one: &&&Observation| one.met().is_some_and(|loss| !self.is_beside() || loss < 0.0);
        let winners: Vec<(&Observation, Subject)> = sorted
            .iter()
            .filter(is_better)
            .take(WINNERS)
            .filter_map(|one| Some((*one, self.choice.subject(&one.point).ok()?)))
            .collect();
        let beside = self.choice.is_paired().then(|| self.usual.clone());
        let subjects: Vec<Subject> = beside.into_iter().chain(winners.iter().map(|(_, one)| one.clone())).collect();
        let tag = format!("{}:confirmed", self.tag);
        let summary = self.bench.measure(&subjects, &tag, arguments.replicates)?;
        let confirmed = self.confirmed(&self.bench.session()?, &summary.run_id)?;
        self.print(&winners, &confirmed, arguments)?;
        if arguments.format.format == Format::Table {
            let mut gains = winners.iter().filter_map(|(one, subject)| {
                Some(self.optimism(self.shown(one.loss?), confirmed.get(&subject.key())?.value))
            });
            let mut out = people();
            if let Some(gain) = gains.next() {
                let how = if gain >= 0.0 { "better" } else { "worse" };
                writeln!(
                    out,
                    "\nThe best of {settings} looked {} {how} than {} say: who wins a search was lucky too (the winner's \
                     curse), so the confirmed figure is the one to go by.",
                    share(gain.abs()),
                    if arguments.replicates == 1 {
                        "one fresh process".to_owned()
                    } else {
                        format!("{} fresh processes", arguments.replicates)
                    }
                )?;
            }
            writeln!(out, "measured in run {}", summary.run_id)?;
        }
        Ok(if summary.interrupted || summary.measured_nothing() { EXIT_ERROR } else { 0 })
    }

    /// Why there is nothing to confirm, and what to do.
    fn unmet(&self, sorted: &[&Observation], settings: &str) -> Failure {
        let Some(nearest) = sorted.first() else {
            return Failure::say("there is no setting to try: give an axis more values");
        };
        if nearest.loss.is_none() {
            let why = self.choice.subject(&nearest.point).err();
            let why =
                why.unwrap_or_else(|| format!("see `benchbook sql --query evaluations --param search={}`", self.tag));
            return Failure::say(format!("none of {settings} could be measured: {why}"));
        }
        let bound = |sign: &str, (name, value): &(String, f64)| format!("{name} {sign} {}", number(*value));
        let bounds = self.goal.under.iter().map(|one| bound("≤", one));
        let bounds: Vec<String> = bounds.chain(self.goal.over.iter().map(|one| bound("≥", one))).collect();
        Failure::say(format!(
            "no setting of {settings} meets {}: the nearest is {} ({}), beyond its bounds by {}; raise them, or give the \
             axes other values",
            bounds.join(" and "),
            self.choice.words(&nearest.point),
            self.figure(nearest),
            share(nearest.excess)
        ))
    }

    /// What the run that confirms says of each setting.
    fn confirmed(&self, session: &Session, run: &str) -> Result<ByKey, Failure> {
        let run = quoted(run);
        let of = |value: &str, from: &str| {
            format!(
                "SELECT case_name, variant, replicate_median({value}, replicate) AS value, \
                 replicate_low({value}, replicate) AS low, replicate_high({value}, replicate) AS high, \
                 CAST(NULL AS VARCHAR) AS said FROM {from} AND run_id = {run} GROUP BY case_name, variant"
            )
        };
        let sql = if self.is_beside() {
            let usual = quoted(&self.usual.variant.to_string());
            format!(
                "SELECT case_name, candidate AS variant, speedup AS value, low, high, said FROM verdicts \
                 WHERE run_id = {run} AND baseline = {usual}"
            )
        } else if self.goal.metric == TIME {
            of("time_ns", "results WHERE valid")
        } else {
            of("value", &format!("metric_values WHERE lost IS NULL AND metric = {}", quoted(&self.goal.metric)))
        };
        let mut found = HashMap::new();
        for row in rows(&session.sql(&sql)?) {
            let key = row.text("case_name").zip(row.text("variant"));
            if let (Some(key), Some(value)) = (key, row.float("value")) {
                let (low, high) = (row.float("low"), row.float("high"));
                let said = row.text("said").unwrap_or_default();
                found.insert(key, Confirmed { value, low, high, said });
            }
        }
        Ok(found)
    }

    fn print(
        &self,
        winners: &[(&Observation, Subject)],
        confirmed: &ByKey,
        arguments: &TuneArgs,
    ) -> Result<(), Failure> {
        let searched = |one: &Observation| one.loss.map(|loss| self.shown(loss));
        let gone = || "–".to_owned();
        let interval = |one: &Confirmed| Some(format!("{} – {}", self.words(one.low?), self.words(one.high?)));
        let batch = text_batch(&[
            ("setting", column(winners, confirmed, &|one, _, _| self.choice.words(&one.point))),
            ("case", column(winners, confirmed, &|_, subject, _| subject.case.name.clone())),
            ("variant", column(winners, confirmed, &|_, subject, _| subject.variant.to_string())),
            (
                "searched",
                column(winners, confirmed, &|one, _, _| searched(one).map_or_else(gone, |value| self.words(value))),
            ),
            (
                "confirmed",
                column(winners, confirmed, &|_, _, found| found.map_or_else(gone, |found| self.words(found.value))),
            ),
            ("interval_95", column(winners, confirmed, &|_, _, found| found.and_then(interval).unwrap_or_else(gone))),
            ("verdict", column(winners, confirmed, &|_, _, found| found.map_or_else(gone, |found| found.said.clone()))),
            (
                "looked_better_by",
                column(winners, confirmed, &|one, _, found| {
                    let gain = searched(one).zip(found).map(|(searched, found)| self.optimism(searched, found.value));
                    gain.map_or_else(gone, |gain| format!("{:.1} %", 100.0 * gain))
                }),
            ),
        ])?;
        output::print(&batch.schema(), &[batch], arguments.format)
    }
}
