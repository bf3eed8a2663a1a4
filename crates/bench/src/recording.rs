//! How many samples a second reach the written journal.

use crate::numbers::{at_least, median, quantile};
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::workspace::Ready;

const SAMPLES: u64 = 10_000_000;
const ROUNDS: u64 = 7;

pub fn measure(ready: &Ready) -> Result<String> {
    let folder = ready.workspace.target.join("bench");
    std::fs::create_dir_all(&folder).named("create", &folder)?;
    let mut command = ready.workspace.run("bench_recording");
    command.arg(&folder).args([SAMPLES.to_string(), ROUNDS.to_string()]);
    println!("   $ {}", process::line(&command));
    let said = process::output(&mut command, "run it by hand to see what it says")?;
    let rates = rates(&said).ok_or_else(|| Error::Content {
        path: "bench_recording".into(),
        problem: "said something that is no list of rounds".to_owned(),
    })?;
    let middle = median(&rates);
    let listed: Vec<String> = rates.iter().map(|rate| format!("{rate:.2}")).collect();
    Ok([
        format!(
            "{SAMPLES} samples through `RunWriter` to the written journal, the last flush included, {ROUNDS} rounds."
        ),
        String::new(),
        "| million samples/s, each round | median | interquartile range | goal for the median |".to_owned(),
        "|---|---|---|---|".to_owned(),
        format!(
            "| {} | {middle:.2} | {:.2} – {:.2} | {} |",
            listed.join(", "),
            quantile(&rates, 0.25),
            quantile(&rates, 0.75),
            at_least(middle, 5.0, " M/s")
        ),
    ]
    .join("\n"))
}

/// Million samples a second, a round each, from lines `SAMPLES NANOSECONDS`.
fn rates(said: &str) -> Option<Vec<f64>> {
    let rate = |line: &str| {
        let (samples, elapsed_ns) = line.split_once(' ')?;
        Some(samples.parse::<f64>().ok()? / elapsed_ns.parse::<f64>().ok()? * 1e3)
    };
    said.lines().map(rate).collect::<Option<Vec<f64>>>().filter(|rates| !rates.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_become_rates() {
        let rates = rates("10000000 2000000000\n5000000 500000000").unwrap_or_default();
        assert_eq!(rates.len(), 2);
        assert!((rates[0] - 5.0).abs() < 1e-12 && (rates[1] - 10.0).abs() < 1e-12);
        assert_eq!(super::rates("oh no"), None);
        assert_eq!(super::rates(""), None);
    }
}
