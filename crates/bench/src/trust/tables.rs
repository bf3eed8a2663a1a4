//! What the experiments show, each rate with its exact interval.

use super::binomial::exact;
use super::experiment::{Answer, Experiment};
use super::goal::{COVERAGE, FALSE_POSITIVES, Goal, POWER, SAME_KERNEL};
use super::ledger::{Ledger, MOST_STEAL, Machine};
use super::same_kernel;
use super::schedule::TOOLS;
use crate::numbers::{self, median, quantile};

/// Seconds that tools are given for a difference of a hundredth, the fewest first.
const GIVEN: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// The half-width that tells whether a difference of a hundredth matters, and in which time benchbook is to reach it.
const WANTED: f64 = 0.005;
const GOAL_S: f64 = 3.0;

/// All tables, for each machine by itself.
pub fn all(ledger: &Ledger) -> String {
    let machines = ledger.machines();
    let several =
        "Each machine has tables, goals and days of its own; the line above is of the last one that measured.";
    let told = machines.iter().map(of_machine);
    (machines.len() > 1).then(|| several.to_owned()).into_iter().chain(told).collect::<Vec<_>>().join("\n\n")
}

fn of_machine(machine: &Machine<'_>) -> String {
    [
        format!("### {}", machine.name),
        conditions(machine),
        false_positives(machine),
        same_kernels(machine),
        power(machine),
        curve(machine),
        coverage(machine),
        time(machine),
    ]
    .join("\n\n")
}

/// When its answers were given, and how quiet it was.
fn conditions(machine: &Machine<'_>) -> String {
    let steal = |noisy: bool| {
        let rows = machine.of(|e| e.noisy == noisy);
        let shares: Vec<f64> = rows.iter().map(|(_, a)| a.steal).collect();
        format!(
            "{} experiments, {:.1} % (at most {:.1} %)",
            rows.len(),
            100.0 * median(&shares),
            100.0 * quantile(&shares, 1.0)
        )
    };
    format!(
        "{}Share of the processors that the host of this virtual machine took meanwhile, median: quiet {}; beside our own \
         neighbour {}.\n{} experiments that were to be quiet are left out, because the host took more than {} %.",
        days(machine),
        steal(false),
        steal(true),
        machine.disturbed(),
        100.0 * MOST_STEAL
    )
}

/// When its answers were given, and by which sources; nothing where no row says it.
fn days(machine: &Machine<'_>) -> String {
    let (days, revisions) = (machine.days(), machine.revisions());
    let Some((first, last)) = days.first().zip(days.last()) else { return String::new() };
    let days = if first == last { format!("on {first}") } else { format!("from {first} to {last}") };
    let by = if revisions.is_empty() { String::new() } else { format!(", revision {}", revisions.join(", ")) };
    format!("Measured {days}{by}.\n")
}

type Rows<'a> = Vec<(&'a Experiment, &'a Answer)>;

fn false_positives(machine: &Machine<'_>) -> String {
    let mut lines = vec![
        "**False positives**: equal programs, 2 s a run; a tool that keeps its 5 % calls about 1 in 20 different."
            .into(),
        String::new(),
        "| tool | quiet | beside a noisy neighbour |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for tool in TOOLS {
        let cell = |noisy: bool| {
            let rows = machine.of(|e| e.goal == "false-positives" && e.tool == tool && e.noisy == noisy);
            rate_and_goal(&rows, (tool == "benchbook").then_some(&FALSE_POSITIVES), |_, a| a.significant)
        };
        lines.push(format!("| {tool} | {} | {} |", cell(false), cell(true)));
    }
    lines.join("\n")
}

fn same_kernels(machine: &Machine<'_>) -> String {
    let mut lines = vec![
        "**The same kernel on both sides**, on two threads, cases of s64 to s512, a few of s1024: called faster or slower. Where\n\
         the machine has spoilt so much that fewer than five replicates are left, the answer is *undecided* whatever they are,\n\
         and counts for itself."
            .into(),
        String::new(),
        "| kernel | quiet | beside a noisy neighbour |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for (kernel, device) in same_kernel::KERNELS {
        let cell = |noisy: bool| {
            let rows = machine.of(|e| e.goal == same_kernel::GOAL && e.noisy == noisy && e.work.starts_with(kernel));
            let (judged, few): (Rows<'_>, Rows<'_>) =
                rows.into_iter().partition(|(_, a)| a.replicates() >= same_kernel::REPLICATES);
            let text = rate_and_goal(&judged, Some(&SAME_KERNEL), |_, a| a.significant);
            if few.is_empty() { text } else { format!("{text}; {} with too few replicates", few.len()) }
        };
        lines.push(format!("| {kernel} on {device} | {} | {} |", cell(false), cell(true)));
    }
    lines.join("\n")
}

fn power(machine: &Machine<'_>) -> String {
    let mut lines = vec![
        "**Power**: the slower side is found, within 10 s.".into(),
        String::new(),
        "| tool | +5 % beside a noisy neighbour | +1 % quiet | real kernel (gemm), +5 % quiet, 2 s |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for tool in TOOLS {
        let cell = |what: &str, extra: f64| {
            let rows = machine.of(|e| e.goal == what && e.tool == tool && same(e.extra, extra));
            let is_set = tool == "benchbook" && what == "power";
            rate_and_goal(&rows, is_set.then_some(&POWER), |_, a| a.direction == "slower" && a.significant)
        };
        lines.push(format!(
            "| {tool} | {} | {} | {} |",
            cell("power", 0.05),
            cell("power", 0.01),
            cell("real-kernel", 0.05)
        ));
    }
    lines.join("\n")
}

fn curve(machine: &Machine<'_>) -> String {
    let mut lines = vec![
        "**+1 % over time**, quiet: found, and median half-width of the interval.".into(),
        String::new(),
        format!("| tool | {} |", GIVEN.map(|seconds| format!("{seconds} s")).join(" | ")),
        "|---|---|---|---|---|".to_owned(),
    ];
    for tool in TOOLS {
        let cells = GIVEN.map(|seconds| {
            let rows = given(machine, tool, seconds);
            let widths: Vec<f64> = rows.iter().map(|(_, a)| a.half_width()).collect();
            match rows.len() {
                0 => "not measured".into(),
                _ => format!(
                    "{}, ± {:.2} %",
                    rate(&rows, |_, a| a.direction == "slower" && a.significant),
                    100.0 * median(&widths)
                ),
            }
        });
        lines.push(format!("| {tool} | {} |", cells.join(" | ")));
    }
    lines.join("\n")
}

fn coverage(machine: &Machine<'_>) -> String {
    let mut lines = vec![
        "**Coverage** of 95 % intervals: how often they hold the true ratio. benchbook's runs of 5 replicates have a fixed\n\
         number, those of 10 and 20 begin with a pilot whose spread fixes how many follow; the others are all their runs of\n\
         known ratio above."
            .into(),
        String::new(),
        "| runs | intervals that hold the truth |".to_owned(),
        "|---|---|".to_owned(),
    ];
    for replicates in [5, 10, 20] {
        let rows = bounded(machine.of(|e| e.goal == "coverage" && e.replicates == replicates));
        let told = rate_and_goal(&rows, Some(&COVERAGE), |e, a| a.covers(1.0 + e.extra));
        lines.push(format!("| benchbook, R = {replicates} | {told} |"));
    }
    for tool in TOOLS {
        for noisy in [false, true] {
            let rows = bounded(machine.of(|e| {
                !["coverage", same_kernel::GOAL].contains(&e.goal.as_str()) && e.tool == tool && e.noisy == noisy
            }));
            let name = if noisy { "noisy" } else { "quiet" };
            lines.push(format!("| {tool}, {name} | {} |", rate(&rows, |e, a| a.covers(1.0 + e.extra))));
        }
    }
    lines.join("\n")
}

/// Those that have an interval.
fn bounded(rows: Rows<'_>) -> Rows<'_> {
    rows.into_iter().filter(|(_, answer)| answer.is_bounded()).collect()
}

/// A tool's quiet answers to a difference of a hundredth, for which it was given so many seconds.
fn given<'a>(machine: &Machine<'a>, tool: &str, seconds: f64) -> Rows<'a> {
    machine.of(|e| e.tool == tool && !e.noisy && same(e.extra, 0.01) && same(e.seconds, seconds))
}

/// Time to a half-width: the wall time of the quiet runs that reached it, and why benchbook's is longer than it should be.
fn time(machine: &Machine<'_>) -> String {
    let mut lines = vec![
        format!(
            "**Time to a half-width of {} %**, quiet: median wall time of the shortest runs most of which reach it.",
            100.0 * WANTED
        ),
        String::new(),
        "| tool | seconds given | reached it | wall time | goal |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let mut reasons = Vec::new();
    for tool in TOOLS {
        let all = GIVEN.map(|seconds| (seconds, given(machine, tool, seconds)));
        let reached = |rows: &Rows<'_>| rows.iter().filter(|(_, a)| a.half_width() <= WANTED).count();
        let found = all.iter().find(|(_, rows)| 2 * reached(rows) > rows.len());
        let longest = all.iter().rev().find(|(_, rows)| !rows.is_empty());
        let (cells, wall_s) = match (found, longest) {
            (Some((seconds, rows)), _) => {
                let wall_s = median(&rows.iter().map(|(_, a)| a.wall_s).collect::<Vec<f64>>());
                let rate = rate(rows, |_, a| a.half_width() <= WANTED);
                (format!("{seconds} | {rate} | {wall_s:.2} s"), Some(wall_s))
            }
            (None, Some((seconds, _))) => (format!("up to {seconds} | not by most runs | "), None),
            (None, None) => ("| not measured | ".to_owned(), None),
        };
        let judged = match (wall_s, longest) {
            (Some(wall_s), _) if tool == "benchbook" => numbers::at_most(wall_s, GOAL_S, " s"),
            (None, Some((seconds, _))) if tool == "benchbook" => {
                format!("at most {GOAL_S} s: **missed**, also in {seconds} s")
            }
            _ => "none".to_owned(),
        };
        if judged.contains("missed") {
            reasons.extend(found.or(longest).and_then(|(_, rows)| why(rows)));
        }
        lines.push(format!("| {tool} | {cells} | {judged} |"));
    }
    lines.extend(reasons);
    lines.join("\n")
}

/// What benchbook's time is spent on.
fn why(rows: &Rows<'_>) -> Option<String> {
    let counted = |(_, a): &(&Experiment, &Answer)| {
        let count = f64::from(a.replicates());
        (count > 0.0).then(|| (count, a.wall_s / count))
    };
    let (counts, each_s): (Vec<f64>, Vec<f64>) = rows.iter().filter_map(counted).unzip();
    let (count, each_s) = (median(&counts), median(&each_s));
    let room = (GOAL_S / each_s).floor();
    (!counts.is_empty()).then(|| {
        format!(
            "\nWhy: these runs took {count:.0} replicates of {each_s:.2} s, and {GOAL_S} s have room for {room:.0}. How many\n\
             it takes depends on how much processes differ; a replicate is mostly samples and warm-up, not starts."
        )
    })
}

/// The share, and what a goal makes of it, where one is set.
fn rate_and_goal(rows: &Rows<'_>, goal: Option<&Goal>, wanted: impl Fn(&Experiment, &Answer) -> bool) -> String {
    let hits = rows.iter().filter(|(e, a)| wanted(e, a)).count();
    let judged = goal.filter(|_| !rows.is_empty()).map(|goal| format!("; {}", goal.judged(hits, rows.len())));
    format!("{}{}", rate(rows, wanted), judged.unwrap_or_default())
}

/// A share of rows with its exact 95 % interval.
fn rate(rows: &Rows<'_>, wanted: impl Fn(&Experiment, &Answer) -> bool) -> String {
    if rows.is_empty() {
        return "not measured".into();
    }
    let (hits, all) = (rows.iter().filter(|(e, a)| wanted(e, a)).count(), rows.len());
    let (low, high) = exact(hits, all);
    format!("{hits} of {all} ({:.0} – {:.0} %)", 100.0 * low, 100.0 * high)
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::experiment::HEADER;
    use std::fs;
    use std::path::Path;

    /// What these rows show on this machine.
    fn told(name: &str, machine: &str, rows: &str) -> String {
        let path = std::env::temp_dir().join(format!("benchbook-{name}-{}.csv", std::process::id()));
        fs::write(&path, format!("{HEADER}\n{rows}")).expect("written");
        let told = all(&Ledger::open(&path, machine).expect("a ledger"));
        fs::remove_file(&path).expect("removed");
        told
    }

    #[test]
    fn every_machine_has_its_own_goals() {
        let of = |machine: &str, wrong: u64| -> String {
            let row = |seed: u64| {
                let answer = format!("{},none,1.0,0.9,1.1,2.0,0.0", seed <= wrong);
                format!("false-positives,benchbook,false,dependent,0,2,0,{seed},{answer},{machine},\n")
            };
            (1..=200).map(row).collect()
        };
        let here = told("goals", "2 x A (family 1 model 2)", &(of("2 x A", 15) + &of("4 x B", 16)));
        let (first, second) = here.split_once("### 4 x B\n").expect("both machines");
        assert!(first.contains("### 2 x A\n"), "what says less is not of this machine: {first}");
        let judged = |told: &str| told.lines().find(|line| line.contains("goal at most 15")).map(str::to_owned);
        assert!(judged(first).is_some_and(|row| row.contains("15 of 200") && row.contains(": met")), "{first}");
        assert!(judged(second).is_some_and(|row| row.contains("16 of 200") && row.contains("missed")), "{second}");
    }

    #[test]
    fn the_time_to_a_half_width_has_a_goal_and_a_reason() {
        // Three runs that took all of their seconds, five replicates each second.
        let runs = |seconds: f64, half_width: f64| -> String {
            let row = |seed: u64| {
                let (low, high, replicates) = (1.01 - half_width, 1.01 + half_width, 5.0 * seconds);
                let asked = format!("curve,benchbook,false,dependent,0.01,{seconds},0,{seed}");
                format!("{asked},true,slower,1.01,{low},{high},{seconds},0.0,A,slower; why; {replicates} replicates\n")
            };
            (1..=3).map(row).collect()
        };
        let table = |name: &str, rows: &str| {
            let told = told(name, "A", rows);
            told.split_once("**Time to a half-width").expect("the table").1.to_owned()
        };
        let missed = table("missed", &(runs(1.0, 0.01) + &runs(5.0, 0.004)));
        let row = "| benchbook | 5 | 3 of 3 (29 – 100 %) | 5.00 s | at most 3 s: **missed by 2.00 s** |";
        assert!(missed.contains(row), "{missed}");
        assert!(missed.contains("25 replicates of 0.20 s, and 3 s have room for 15"), "{missed}");
        assert!(missed.contains("| tango | | not measured |  | none |"), "{missed}");
        let met = table("met", &runs(2.0, 0.004));
        assert!(met.contains("| at most 3 s: met, 1.00 s to spare |") && !met.contains("Why"), "{met}");
        let never = table("never", &runs(10.0, 0.01));
        let row = "| benchbook | up to 10 | not by most runs |  | at most 3 s: **missed**, also in 10 s |";
        assert!(never.contains(row) && never.contains("50 replicates of 0.20 s"), "{never}");
    }

    #[test]
    fn an_interval_without_bounds_covers_nothing() {
        let row = |seed: u64, bounds: &str| {
            format!("coverage,benchbook,false,dependent,0.05,10,5,{seed},false,none,1.05,{bounds},2.0,0.0,A,\n")
        };
        let rows: String = [row(1, "1.04,1.06"), row(2, "1.01,1.02"), row(3, "0.000000,1000000000.000000")].concat();
        let told = told("unbounded", "A", &rows);
        assert!(told.contains("| benchbook, R = 5 | 1 of 2 ("), "{told}");
    }

    #[test]
    fn what_is_published_is_what_the_rows_show() {
        let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
        let read = |name: &str| fs::read_to_string(datasets.join(name)).expect("a file of the repository");
        let (rows, page) = (read("trust.csv"), read("bench.md"));
        let told = told("published", "nobody's", rows.split_once('\n').expect("a header").1);
        let section = page.split_once("\n## Trust\n").expect("the section").1.split("\n## ").next().expect("its text");
        // Above it stand the machine and the day.
        assert!(section.trim_end().ends_with(told.trim()), "cargo xtask bench --trust --minutes 0 tells:\n{told}");
    }

    #[test]
    fn what_no_verdict_was_possible_on_counts_for_itself() {
        let row = |seed: u64, note: &str| {
            let one = format!("same-kernel,benchbook,false,fused s64,0,0,5,{seed},false,none,1.0,0.9,1.1,2.0,0.0");
            format!("{one},2 x A,undecided; {note} replicates,2026-11-29,abc1234\n")
        };
        let noisy = (1..=30).map(|seed| row(seed, "too-noisy; 5"));
        let few = (31..=70).map(|seed| row(seed, "few-replicates; 4"));
        let told = told("few", "1 x Z", &noisy.chain(few).collect::<String>());
        let goal = "goal at most 5 of 30 (set as at most 10 of 100): met";
        let line = format!("| fused on flex | 0 of 30 (0 – 12 %); {goal}; 40 with too few replicates | not measured |");
        assert!(told.contains(&line), "{told}");
        assert!(told.contains("| naive on flex | not measured | not measured |"), "{told}");
        assert!(told.contains("| benchbook | | not measured | "), "{told}");
        assert!(told.contains("Measured on 2026-11-29, revision abc1234.\nShare of"), "{told}");
    }
}
