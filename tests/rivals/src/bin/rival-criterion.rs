//! criterion 0.8: a baseline of A is saved, then B is compared with it, each in a process of its own as `cargo bench` does.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use criterion::Criterion;
use rivals::{Answer, Error, Options, Result, Took, parse_change, parse_report, parse_sampled, tell};

/// Share of a side's time that warms up.
const WARM_UP: f64 = 0.1;

/// Asks criterion 0.8 whether B is slower than A.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Measure one side under criterion, in `CRITERION_HOME`.
    #[arg(long, hide = true, value_enum)]
    side: Option<Name>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    A,
    B,
}

fn main() -> ExitCode {
    let Arguments { options, side } = Arguments::parse();
    match side.map_or_else(|| ask(&options), |side| measure(&options, side)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rival-criterion: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ask(options: &Options) -> Result<()> {
    let started = Instant::now();
    let seconds = options.seconds()?;
    let home = tempfile::tempdir()?;
    child(options, "a", home.path())?;
    let report = parse_report(&child(options, "b", home.path())?)?;
    let stored = |path: &str| std::fs::read_to_string(home.path().join(options.work.name()).join(path));
    let estimate = parse_change(&stored("change/estimates.json")?, &report)?;
    let sampled = parse_sampled(&stored("a/sample.json")?)? + parse_sampled(&stored("new/sample.json")?)?;
    let note = format!("{}; change of the mean with its bootstrap interval", report.p);
    let took = Took { wall: started.elapsed().as_secs_f64(), measured: WARM_UP * seconds + sampled };
    tell(&Answer::new("criterion", options, took, estimate, note))
}

/// Measures one side in a process; returns what criterion prints.
fn child(options: &Options, side: &str, home: &Path) -> Result<String> {
    let Options { work, extra, seconds, seed } = options;
    let output = Command::new(std::env::current_exe()?)
        .args(["--side", side, "--work", work.name(), "--extra", &extra.to_string()])
        .args(["--seconds", &seconds.to_string(), "--seed", &seed.to_string()])
        .env("CRITERION_HOME", home)
        .env_remove("CARGO_CRITERION_PORT")
        .env_remove("CRITERION_DEBUG")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Failed { tool: "criterion", status: output.status, messages });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn measure(options: &Options, side: Name) -> Result<()> {
    let half = options.seconds()? / 2.0;
    let criterion = Criterion::default()
        .without_plots()
        .with_output_color(false)
        .warm_up_time(Duration::from_secs_f64(WARM_UP * half))
        .measurement_time(Duration::from_secs_f64((1.0 - WARM_UP) * half));
    let (mut criterion, mut side) = match side {
        Name::A => (criterion.save_baseline("a".to_owned()), options.a()?),
        Name::B => (criterion.retain_baseline("a".to_owned(), true), options.b()?),
    };
    criterion.bench_function(options.work.name(), |bencher| bencher.iter(|| black_box(side.call())));
    Ok(())
}
