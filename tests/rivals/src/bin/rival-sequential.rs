//! What most scripts do: 100 runs of A, then 100 runs of B, mean ± standard deviation.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use rivals::{Answer, Options, Result, Side, Took, tell, welch};

/// Runs of each side.
const RUNS: usize = 100;
/// Share of the time that warms up and tells how many calls fit.
const WARM_UP: f64 = 0.05;

/// Compares 100 runs of A with 100 later runs of B by mean and standard deviation.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    match ask(&Arguments::parse().options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rival-sequential: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ask(options: &Options) -> Result<()> {
    let started = Instant::now();
    let (mut a, mut b) = (options.a()?, options.b()?);
    let seconds = options.seconds()?;
    let rate = calls_per_second(&mut a, WARM_UP * seconds);
    let calls = ((rate * (1.0 - WARM_UP) * seconds / (2 * RUNS) as f64) as u64).max(1);
    let a: Vec<f64> = (0..RUNS).map(|_| run(&mut a, calls)).collect();
    let b: Vec<f64> = (0..RUNS).map(|_| run(&mut b, calls)).collect();
    let welch = welch(&a, &b)?;
    let per_call = 1e6 / calls as f64;
    let [(mean_a, sd_a), (mean_b, sd_b)] = [welch.a, welch.b].map(|(mean, sd)| (mean * per_call, sd * per_call));
    let note = format!(
        "{RUNS} runs of {calls} calls: A {mean_a:.3} ± {sd_a:.3} µs, B {mean_b:.3} ± {sd_b:.3} µs; Welch p = {:.4}",
        welch.p
    );
    let wall = started.elapsed().as_secs_f64();
    tell(&Answer::new("sequential", options, Took { wall, measured: wall }, welch.estimate()?, note))
}

/// Calls in a second, from calls for `seconds`.
fn calls_per_second(side: &mut Side, seconds: f64) -> f64 {
    let started = Instant::now();
    let mut calls = 0.0;
    loop {
        black_box(side.call());
        calls += 1.0;
        let took = started.elapsed().as_secs_f64();
        if took >= seconds {
            return calls / took;
        }
    }
}

/// Seconds of `calls` calls.
fn run(side: &mut Side, calls: u64) -> f64 {
    let started = Instant::now();
    for _ in 0..calls {
        black_box(side.call());
    }
    started.elapsed().as_secs_f64()
}
