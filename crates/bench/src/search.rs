//! How soon a search finds the best of a space that was measured in full once, beside random search and Optuna's estimator.

use benchbook_search::{Method, OPTUNA, Regret, Table};
use std::fs;
use std::path::Path;
use xtask::arguments::Choice;
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::workspace::Ready;

use crate::numbers::at_most;
use crate::space::{self, Space};

/// Every setting of a space with its time.
const TABLE: Space = Space { size: "512", file: "datasets/search.csv", time: "8m" };

/// The same of another case, from which a search begins that has seen one before.
const ANOTHER: Space = Space { size: "384", file: "datasets/search_another.csv", time: "4m" };

/// What to do where a table is missing or damaged.
const REMEDY: &str = "remove it if it is there, and run `cargo xtask bench --search` again, which measures it and goes on where it \
                      has ended before";

/// Points that a table has at least: in a smaller one chance finds what method should.
const LEAST: usize = 2_000;

/// Searches, whose median counts.
const SEEDS: u64 = 30;

/// How near to the best is near, and in which share of the points it is to be reached.
const NEAR: f64 = 0.02;
const SHARE: f64 = 0.05;

/// What a warm search may take of the evaluations of a cold one.
const WARM: f64 = 0.5;

/// Of each search how many evaluations it took, nothing where it did not come near, and its last regret.
type Took = (Vec<Option<usize>>, Vec<f64>);

/// What Optuna took, or in words why that is not known.
type Optuna = std::result::Result<Took, String>;

/// Searches in the tables, which are measured first where they are not there, and one on this machine. The short form measures
/// neither the other table nor on this machine.
pub fn measure(ready: &Ready, choice: &Choice) -> Result<String> {
    let root = &ready.workspace.root;
    let paths = [TABLE, ANOTHER].map(|of| root.join(of.file));
    let wanted = if choice.quick { 1 } else { 2 };
    for (of, path) in [TABLE, ANOTHER].iter().zip(&paths).take(wanted) {
        if !path.is_file() {
            space::measured(ready, of, path, &|text| large_enough(text).is_ok())?;
        }
    }
    let [path, another] = paths;
    if !path.is_file() {
        let problem = format!("{} is not there: no space has been measured in full", TABLE.file);
        return Err(Error::Requirement { problem, remedy: REMEDY.to_owned() });
    }
    let table = read(&path)?;
    let another = if another.is_file() { Some(read(&another)?) } else { None };
    let optuna = optuna(ready, &path, table.points());
    let mut parts = vec![report(&table, another.as_ref(), &optuna)];
    if !choice.quick {
        parts.push(space::winners(ready)?);
    }
    Ok(parts.join("\n\n"))
}

/// A table that is large enough; in words why it is none.
fn large_enough(text: &str) -> std::result::Result<Table, String> {
    let table = Table::read(text).map_err(|error| error.to_string())?;
    match table.points() {
        points if points < LEAST => Err(format!("it has {points} points, {LEAST} are the least")),
        _ => Ok(table),
    }
}

fn read(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).named("read", path)?;
    large_enough(&text).map_err(|error| Error::Requirement {
        problem: format!("{}: {error}", path.display()),
        remedy: REMEDY.to_owned(),
    })
}

/// What Optuna takes, by the project's Python; in words why that is not known.
fn optuna(ready: &Ready, table: &Path, points: usize) -> Optuna {
    let mut command = process::command(&ready.python.executable);
    command.args(["-c", OPTUNA]).arg(table).args([budget(points).to_string(), SEEDS.to_string()]);
    if ready.python.say("import optuna").is_err() {
        return Err("the project's Python has no optuna: `cargo xtask setup` brings it".to_owned());
    }
    let said = process::output(&mut command, "run crates/search/src/optuna_search.py by itself");
    let said = said.map_err(|error| error.to_string())?;
    Ok(said.lines().filter_map(Regret::read).map(told).unzip())
}

/// How many evaluations a search took, and its last regret.
fn told(regret: Regret) -> (Option<usize>, f64) {
    (regret.reached(NEAR), regret.curve.last().copied().unwrap_or(f64::INFINITY))
}

/// The share of the points in which the best is to be found.
fn budget(points: usize) -> usize {
    (SHARE * points as f64).floor() as usize
}

/// The median of these, infinite where fewer than half came near.
fn median(took: &[Option<usize>]) -> f64 {
    let mut all: Vec<f64> = took.iter().map(|one| one.map_or(f64::INFINITY, |count| count as f64)).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::INFINITY)
}

/// What a goal makes of a median of evaluations beside another, either of which may be infinite: it does not come there.
fn beside(own: f64, other: f64) -> String {
    match [own.is_finite(), other.is_finite()] {
        [true, false] => "met, whose median does not come there".to_owned(),
        [false, false] => "undecided, since neither median comes there".to_owned(),
        _ => at_most(own, other, ""),
    }
}

/// What searches by a method took, each after one of another table where there is one.
fn searched(table: &Table, method: Method, another: Option<&Table>) -> Took {
    let count = budget(table.points());
    let one = |seed: u64| {
        let earlier = another.map(|another| another.search(method, SEEDS + seed, &[], budget(another.points())));
        told(table.regret(&table.search(method, seed, &earlier.unwrap_or_default(), count)))
    };
    (0..SEEDS).map(one).unzip()
}

fn report(table: &Table, another: Option<&Table>, optuna: &Optuna) -> String {
    let (points, count) = (table.points(), budget(table.points()));
    let near = 100.0 * NEAR;
    let mut lines = vec![
        format!(
            "A space of {points} settings that was measured in full (`{}`). {SEEDS} searches by each method, {count} \
             evaluations ({:.0} %) each: how many it took to come within {near:.0} % of the best.",
            TABLE.file,
            100.0 * SHARE
        ),
        String::new(),
        "| method | median evaluations | searches that came there | median regret at the end |".to_owned(),
        "|---|---:|---:|---:|".to_owned(),
    ];
    let last = |(_, regrets): &Took| {
        let mut regrets = regrets.clone();
        regrets.sort_by(f64::total_cmp);
        regrets.get(regrets.len() / 2).copied().unwrap_or(f64::INFINITY)
    };
    let row = |name: &str, took: &Took| {
        let (middle, came) = (median(&took.0), took.0.iter().flatten().count());
        let middle = if middle.is_finite() { format!("{middle:.0}") } else { format!("over {count}") };
        format!("| {name} | {middle} | {came} of {} | {:.2} % |", took.0.len(), 100.0 * last(took))
    };
    let ours = searched(table, Method::Tpe, None);
    lines.push(row("ours (tpe)", &ours));
    lines.push(row("random", &searched(table, Method::Random, None)));
    // A search of another space would learn nothing from its numbers.
    let another = another.filter(|another| another.space() == table.space());
    let warm = another.map(|another| searched(table, Method::Tpe, Some(another)));
    if let Some(took) = &warm {
        lines.push(row("ours, after another case", took));
    }
    match optuna {
        Ok(took) => lines.push(row("Optuna's TPE", took)),
        Err(why) => lines.push(format!("| Optuna's TPE | unavailable: {why} | | |")),
    }
    lines.push(String::new());
    lines.push(format!(
        "Goal for the regret after {:.0} % of the evaluations: {}.",
        100.0 * SHARE,
        at_most(100.0 * last(&ours), near, " %")
    ));
    lines.push(match optuna {
        Ok(took) => format!("Goal beside Optuna's evaluations: {}.", beside(median(&ours.0), median(&took.0))),
        Err(_) => "Goal beside Optuna's evaluations: undecided, since it is unavailable.".to_owned(),
    });
    lines.push(match &warm {
        Some(took) => {
            let goal = beside(median(&took.0), WARM * median(&ours.0));
            format!("Goal for a warm search, half of a cold one: {goal}.")
        }
        None => {
            format!("Goal for a warm search: undecided, since `{}` is not there, or of another space.", ANOTHER.file)
        }
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bowl of 40 by 52 settings around a point.
    fn bowl(depth: i32, width: i32) -> Table {
        let mut text = "depth,width,time_ns\n".to_owned();
        for (a, b) in (0..40).flat_map(|a| (0..52).map(move |b| (a, b))) {
            let loss = 1.0 + f64::from((a - depth).pow(2)) / 800.0 + f64::from((b - width).pow(2)) / 1200.0;
            text.push_str(&format!("{},{},{loss}\n", 16 * a, 3 * b));
        }
        Table::read(&text).unwrap()
    }

    #[test]
    fn a_report_has_every_method_and_every_goal() {
        let (table, another) = (bowl(25, 30), bowl(24, 31));
        assert!(table.points() >= LEAST);
        let said = report(&table, Some(&another), &Err("no optuna".to_owned()));
        for part in
            ["ours (tpe)", "| random |", "after another case", "unavailable: no optuna", "undecided, since it is"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        // 104 of 2080 points without return hit one of 61 near the best in all but 4.2 % of cases: of 30 searches at random 15
        // or fewer come there once in 10¹² times (binomial).
        let came = searched(&table, Method::Random, None).0.iter().flatten().count();
        assert!(came > 15, "{came}");
        let theirs = report(&table, None, &Ok((vec![Some(3); 30], vec![0.015; 30])));
        assert!(
            theirs.contains("| Optuna's TPE | 3 | 30 of 30 | 1.50 % |") && theirs.contains("is not there"),
            "{theirs}"
        );
    }

    #[test]
    fn a_median_counts_those_that_did_not_come_near() {
        assert_eq!(median(&[Some(4), None, Some(2)]), 4.0);
        assert_eq!(median(&[None, None, Some(2)]), f64::INFINITY);
        assert_eq!(median(&[]), f64::INFINITY);
        assert_eq!(beside(3.0, f64::INFINITY), "met, whose median does not come there");
        assert!(beside(f64::INFINITY, f64::INFINITY).starts_with("undecided"));
        assert_eq!(beside(3.0, 2.0), at_most(3.0, 2.0, ""));
    }
}
