//! tango-bench 0.9: `compare` with A as the baseline and B as the candidate, one executable for both.
//!
//! Both are this program, started by tango itself with a role: so the two sides differ in their work alone, and not in
//! where their code lies.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::Parser;
use rivals::{Answer, Error, Options, Result, Side, Took, paired, parse_dump, parse_line, tell};
use tango_bench::{Benchmark, benchmark_fn};

/// Set for the processes of tango, which takes no arguments for a benchmark.
const WORK: &str = "RIVALS_TANGO_WORK";
const EXTRA: &str = "RIVALS_TANGO_EXTRA";

/// Asks tango-bench 0.9 whether B is slower than A.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let outcome = match (std::env::var(WORK), std::env::var(EXTRA)) {
        (Ok(work), Ok(extra)) => return under_tango(&work, &extra),
        _ => ask(&Arguments::parse().options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("rival-tango: {error}");
    ExitCode::from(2)
}

/// Tango's own program, as runner or as one of its workers.
fn under_tango(work: &str, extra: &str) -> ExitCode {
    let arguments = match Arguments::try_parse_from(["rival-tango", "--work", work, "--extra", extra]) {
        Ok(arguments) => arguments,
        Err(error) => return fail(&error),
    };
    let options = arguments.options;
    let candidate = std::env::args().any(|argument| argument == "candidate");
    match if candidate { options.b() } else { options.a() } {
        Ok(side) => {
            tango_bench::cli::run(vec![benchmark(options, candidate, side)]).unwrap_or_else(|error| fail(&error))
        }
        Err(error) => fail(&error),
    }
}

/// The benchmark of one side; tango gives the seed of its data.
fn benchmark(options: Options, candidate: bool, side: Side) -> Benchmark {
    benchmark_fn(options.work.name(), move |bencher| {
        let options = Options { seed: bencher.seed, ..options.clone() };
        let mut side = if candidate { options.b() } else { options.a() }.unwrap_or_else(|_| side.clone());
        bencher.iter(move || side.call())
    })
}

fn ask(options: &Options) -> Result<()> {
    let started = Instant::now();
    let seconds = options.seconds()?;
    let dump = tempfile::tempdir()?;
    let output = Command::new(std::env::current_exe()?)
        .args(["compare", "-t", &seconds.to_string(), "--seed", &options.seed.to_string(), "-d"])
        .arg(dump.path())
        .env(WORK, options.work.name())
        .env(EXTRA, options.extra.to_string())
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .output()?;
    // It ends with 1 where B is significantly slower.
    if !matches!(output.status.code(), Some(0 | 1)) {
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Failed { tool: "tango", status: output.status, messages });
    }
    let name = options.work.name();
    let (percent, star) = parse_line(&String::from_utf8_lossy(&output.stdout), name)?;
    let pairs = parse_dump(&std::fs::read_to_string(dump.path().join(format!("{name}.csv")))?)?;
    let paired = paired(&pairs)?;
    let note = format!("{} pairs; interval is mean difference ± 1.96 standard errors of the dump", paired.pairs);
    let estimate = paired.estimate(percent, star)?;
    let took = Took { wall: started.elapsed().as_secs_f64(), measured: seconds };
    tell(&Answer::new("tango", options, took, estimate, note))
}
