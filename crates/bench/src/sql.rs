//! Grouped statistics over ten million samples, beside DuckDB on the same files.

use crate::numbers::{at_most, median};
use crate::peer::{Answer, Peer};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::workspace::Ready;

const SAMPLES: u64 = 10_000_000;
const TRIALS: u64 = 1_000;
const ROUNDS: usize = 11;

pub fn measure(ready: &Ready) -> Result<String> {
    let store = store(ready, SAMPLES, TRIALS)?;
    let mut ours = ready.workspace.run("bench_sql");
    ours.arg(&store).arg(include_str!("moments.sql"));
    let mut theirs = process::command(&ready.python.executable);
    theirs.args(["-c", include_str!("duckdb.py")]).arg(&store).arg(include_str!("moments_duckdb.sql"));
    let (mut ours, mut theirs) = (Peer::start("bench_sql", ours)?, Peer::start("duckdb.py", theirs)?);
    // One answer each opens files and fills caches.
    same(ours.answer()?, theirs.answer()?)?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        // Who goes first changes, so that neither always finds the other's heat.
        rounds.push(if round % 2 == 0 {
            let first = ours.answer()?;
            (first, theirs.answer()?)
        } else {
            let first = theirs.answer()?;
            (ours.answer()?, first)
        });
    }
    ours.end()?;
    theirs.end()?;
    Ok(report(&rounds))
}

fn report(rounds: &[(Answer, Answer)]) -> String {
    let ratios: Vec<f64> = rounds.iter().map(|(ours, theirs)| ours.elapsed_ms / theirs.elapsed_ms).collect();
    let side = |pick: fn(&(Answer, Answer)) -> f64| rounds.iter().map(pick).collect::<Vec<_>>();
    let largest = |values: Vec<f64>| values.into_iter().fold(0.0, f64::max);
    let mut lines = vec![
        format!(
            "`speedup` with its bounds, samples joined to trials, by case and variant: {SAMPLES} samples, {TRIALS} trials in Parquet."
        ),
        "DuckDB computes the same counts, means and variances of the same files. Timed in each process, asked in turn."
            .to_owned(),
        String::new(),
        "| round | benchbook | DuckDB | ratio |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for (round, ((ours, theirs), ratio)) in rounds.iter().zip(&ratios).enumerate() {
        lines.push(format!("| {} | {:.0} ms | {:.0} ms | {ratio:.2} |", round + 1, ours.elapsed_ms, theirs.elapsed_ms));
    }
    let middle = median(&ratios);
    lines.push(format!(
        "| median | {:.0} ms | {:.0} ms | {middle:.2} |",
        median(&side(|(ours, _)| ours.elapsed_ms)),
        median(&side(|(_, theirs)| theirs.elapsed_ms))
    ));
    lines.push(format!(
        "| peak memory | {:.0} MiB | {:.0} MiB | |",
        largest(side(|(ours, _)| ours.peak_mib)),
        largest(side(|(_, theirs)| theirs.peak_mib))
    ));
    let first = rounds.first().map_or(0.0, |(ours, _)| ours.peak_mib);
    lines.push(String::new());
    lines.push(format!("Goal for the median ratio: {}.", at_most(middle, 1.5, "")));
    lines.push(format!("benchbook's peak memory after the first round: {first:.0} MiB."));
    lines.join("\n")
}

/// Both must have done the same work.
fn same(ours: Answer, theirs: Answer) -> Result<()> {
    if ours.rows == theirs.rows && ours.rows > 0 && (ours.sum - theirs.sum).abs() <= 1e-9 * theirs.sum.abs() {
        return Ok(());
    }
    Err(Error::Requirement {
        problem: format!(
            "benchbook and DuckDB disagree: {} groups with sum {}, {} groups with sum {}",
            ours.rows, ours.sum, theirs.rows, theirs.sum
        ),
        remedy: "the two queries in crates/bench/src must ask the same".to_owned(),
    })
}

/// A store of so many samples in so many trials, made once; a half-made one is made again.
pub fn store(ready: &Ready, samples: u64, trials: u64) -> Result<PathBuf> {
    let folder = ready.workspace.target.join("bench").join(format!("store-{samples}-{trials}"));
    let whole = folder.with_extension("whole");
    if whole.is_file() {
        return Ok(folder);
    }
    remove(&folder)?;
    fs::create_dir_all(folder.parent().unwrap_or(&folder)).named("create", &folder)?;
    let mut make = ready.workspace.run("make_store");
    make.arg(&folder).args([samples.to_string(), trials.to_string()]);
    println!("   $ {}", process::line(&make));
    process::run(&mut make, "see its message above")?;
    fs::write(&whole, "").named("write", whole)?;
    Ok(folder)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).named("remove", folder),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Answer = Answer { elapsed_ms: 150.0, rows: 2, sum: 2.5, peak_mib: 100.0 };

    #[test]
    fn different_answers_are_not_compared() {
        assert!(same(ONE, ONE).is_ok());
        assert!(same(ONE, Answer { rows: 3, ..ONE }).is_err());
        assert!(same(ONE, Answer { sum: 2.500_001, ..ONE }).is_err());
        assert!(same(Answer { rows: 0, ..ONE }, Answer { rows: 0, ..ONE }).is_err());
        assert!(same(Answer { sum: f64::NAN, ..ONE }, ONE).is_err());
    }

    #[test]
    fn the_report_shows_every_round_and_the_goal() {
        let slow = Answer { elapsed_ms: 300.0, ..ONE };
        let said = report(&[(slow, ONE), (ONE, ONE), (slow, ONE)]);
        assert!(said.contains("| 2 | 150 ms | 150 ms | 1.00 |"), "{said}");
        assert!(said.contains("| median | 300 ms | 150 ms | 2.00 |"), "{said}");
        assert!(said.contains("missed by 0.50"), "{said}");
    }
}
