//! Asking a tool: each as its users would, on the same work, quiet or beside a noisy neighbour.

use super::experiment::{Answer, Experiment, UNBOUNDED};
use crate::ask::{answer as parse, number, text};
use benchbook_process::Supervised;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;
use xtask::error::{Named, Result};
use xtask::process;

/// Half-width of benchbook's interval that ends a run early: half of the practical margin of 1 %.
const HALF_WIDTH: f64 = 0.005;

/// The same for coverage, times the root of the pilot's replicates: near what a quiet machine reaches with one and a
/// half times the pilot, so that the stop rule has to decide.
const COVERAGE_HALF_WIDTH: f64 = 0.019;

/// Where the tools lie.
pub struct Asker {
    pub program: PathBuf,
    pub rivals: PathBuf,
    /// benchbook's runs go here, and away after each experiment.
    pub store: PathBuf,
}

impl Asker {
    pub fn ask(&self, experiment: &Experiment) -> Result<Answer> {
        let ask = || match experiment.tool.as_str() {
            "benchbook" => self.benchbook(experiment).map(|answer| vec![answer]),
            rival => self.rival(rival, experiment).map(|answer| vec![answer]),
        };
        Ok(self.beside(experiment.noisy, experiment.seed, ask)?.remove(0))
    }

    /// Asks quietly or beside a neighbour; what the host took meanwhile stands in the answers.
    pub fn beside(&self, noisy: bool, seed: u64, ask: impl FnOnce() -> Result<Vec<Answer>>) -> Result<Vec<Answer>> {
        let _neighbour = if noisy { Some(self.neighbour(seed)?) } else { None };
        let before = ticks();
        let answers = ask()?;
        let steal = stolen(&before, &ticks());
        Ok(answers.into_iter().map(|answer| Answer { steal, ..answer }).collect())
    }

    /// A process that loads a core in bursts until it is dropped.
    fn neighbour(&self, seed: u64) -> Result<Supervised> {
        let mut command = process::command(self.rivals.join("neighbour"));
        command.args(["--seed", &seed.to_string()]).stdin(Stdio::piped()).stdout(Stdio::null());
        process::start(&mut command, "build the rivals")
    }

    fn benchbook(&self, experiment: &Experiment) -> Result<Answer> {
        let store = self.store.join("store");
        let _ = fs::remove_dir_all(&store);
        fs::create_dir_all(&self.store).named("create", &self.store)?;
        let plan = self.store.join("plan.toml");
        fs::write(&plan, plan_of(experiment)).named("write", &plan)?;
        let remedy = "see its message above";
        let started = Instant::now();
        let ask = || {
            let mut command = process::command(&self.program);
            // The program is its own worker of known work.
            command.env("BENCHBOOK_WORKER", &self.program).env_remove("BENCHBOOK_KEEP_DISTURBED");
            command.arg("--store").arg(&store);
            command
        };
        process::output(ask().arg("run").arg(&plan), remedy)?;
        let compare = ["compare", "latest", "--baseline", "plain", "--format", "json"];
        let said = process::output(ask().args(compare), remedy);
        let wall_s = started.elapsed().as_secs_f64();
        // A run without a valid pair is an answer too: that nothing can be said.
        let rows = said.map_or(Ok(Value::Null), |said| parse(&said))?;
        let row = &rows[0];
        let answer = if row["speedup"].is_number() { judged(row) } else { undecided(NOTHING) };
        Ok(Answer { wall_s, ..answer })
    }

    fn rival(&self, name: &str, experiment: &Experiment) -> Result<Answer> {
        let mut command = process::command(self.rivals.join(format!("rival-{name}")));
        command.args(["--work", &experiment.work, "--extra", &experiment.extra.to_string()]);
        command.args(["--seconds", &experiment.seconds.to_string(), "--seed", &experiment.seed.to_string()]);
        let said = process::output(&mut command, "see its message above")?;
        let line = parse(&said)?;
        Ok(Answer {
            significant: line["significant"] == true,
            direction: line["direction"].as_str().unwrap_or("none").to_owned(),
            ratio: number(&line, "ratio"),
            low: number(&line, "low"),
            high: number(&line, "high"),
            wall_s: number(&line, "wall_s"),
            note: format!("without its threshold: {}", line["significant_no_threshold"]),
            ..undecided("")
        })
    }
}

/// Why there is no verdict where no sample of both sides is valid.
pub const NOTHING: &str = "nothing to compare";

/// What a row of the view `verdicts` says, with the ratio turned: that of times, the candidate's over the baseline's.
pub fn judged(row: &Value) -> Answer {
    let verdict = text(row, "verdict");
    let significant = ["faster", "slower"].contains(&verdict);
    let bound = |name: &str, unknown: f64| row[name].as_f64().map_or(unknown, f64::recip);
    Answer {
        significant,
        direction: if significant { verdict.to_owned() } else { "none".to_owned() },
        ratio: number(row, "speedup").recip(),
        low: bound("high", 0.0),
        high: bound("low", UNBOUNDED),
        note: format!("{verdict}; {}; {} replicates", text(row, "reason"), row["replicates"]),
        ..undecided("")
    }
}

/// The answer that nothing can be said, and why.
pub fn undecided(why: &str) -> Answer {
    Answer {
        significant: false,
        direction: "none".into(),
        ratio: 1.0,
        low: 0.0,
        high: UNBOUNDED,
        wall_s: 0.0,
        steal: 0.0,
        machine: String::new(),
        note: format!("undecided; {why}"),
        day: String::new(),
        revision: String::new(),
    }
}

/// benchbook's plan: as much as the time allows, or until the interval is narrow.
fn plan_of(experiment: &Experiment) -> String {
    let Experiment { extra, seconds, replicates, seed, work, .. } = experiment;
    let case = match work.as_str() {
        "gemm" => format!("workload = \"known-gemm\"\nparams = {{ extra = {extra:?} }}"),
        _ => format!("workload = \"known-steps\"\nparams = {{ steps = 20000, extra = {extra:?} }}"),
    };
    // Five replicates are a number fixed beforehand; more are a pilot whose spread fixes how many follow.
    let stop = match replicates {
        5 => "replicates = 5".to_owned(),
        0 => format!("half_width = {HALF_WIDTH:?}\ntime_s = {seconds:?}"),
        first => {
            let half_width = COVERAGE_HALF_WIDTH / f64::from(*first).sqrt();
            format!("replicates = {first}\nhalf_width = {half_width:.4}\nmost_replicates = {}", 2 * first)
        }
    };
    format!(
        "suite = \"trust\"\nseed = {seed}\nthreads = 1\n{stop}\n\n\
         [sampling]\nblocks = 20\nmin_sample_ns = 1000000\nwarmup_ns = 10000000\n\n[[cases]]\n{case}\n"
    )
}

/// The numbers of the line `cpu` of `/proc/stat`; none where there is no such file.
fn ticks() -> Vec<u64> {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    line.split_whitespace().skip(1).take(8).map_while(|word| word.parse().ok()).collect()
}

/// The share of steal, the eighth number, between two readings.
fn stolen(before: &[u64], after: &[u64]) -> f64 {
    let grown: Vec<u64> = before.iter().zip(after).map(|(then, now)| now.saturating_sub(*then)).collect();
    let all: u64 = grown.iter().sum();
    grown.get(7).map_or(0.0, |stolen| *stolen as f64 / all.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_verdict_says_whether_two_are_different() {
        // Both intervals exclude 1: the one is within the margin, the other of processes too few for a verdict.
        for (verdict, reason, replicates) in
            [("equivalent", "size-within-margin", 8), ("undecided", "few-replicates", 4), ("slower", "r", 8)]
        {
            let row = json!({ "verdict": verdict, "reason": reason, "replicates": replicates,
                              "speedup": 0.5, "low": 0.4, "high": 0.8 });
            let answer = judged(&row);
            assert_eq!(answer.significant, verdict == "slower", "{verdict}");
            assert_eq!(answer.direction, if verdict == "slower" { "slower" } else { "none" });
            assert_eq!((answer.ratio, answer.low, answer.high), (2.0, 1.25, 2.5));
            assert_eq!(answer.replicates(), replicates);
        }
        let row = json!({ "verdict": "undecided", "reason": "too-few-blocks", "replicates": 2,
                          "speedup": 0.5, "low": null, "high": null });
        let open = judged(&row);
        assert_eq!((open.significant, open.low, open.high), (false, 0.0, UNBOUNDED));
        assert_eq!(undecided(NOTHING).replicates(), 0);
    }
}
