//! A noisy neighbour: loads one core in bursts until it is killed or its stdin is closed.

use std::hint::black_box;
use std::io::Read;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use clap::Parser;
use rivals::{Burst, Bursts, OPERATIONS, Result, dependent, tell};
use serde::Serialize;

/// Loads one core in bursts, with exponentially distributed times, until stdin is closed.
#[derive(Parser)]
struct Arguments {
    /// Seed of the times.
    #[arg(long)]
    seed: u64,
    /// Share of the time with load.
    #[arg(long, default_value_t = 0.5)]
    load: f64,
    /// Mean length of a burst, milliseconds.
    #[arg(long, default_value_t = 50.0)]
    burst_ms: f64,
}

/// What it did, told when stdin is closed.
#[derive(Serialize)]
struct Told {
    tool: &'static str,
    seed: u64,
    load: f64,
    burst_ms: f64,
    bursts: u64,
    on_s: f64,
    wall_s: f64,
}

fn main() -> ExitCode {
    match disturb(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("neighbour: {error}");
            ExitCode::FAILURE
        }
    }
}

fn disturb(arguments: &Arguments) -> Result<()> {
    let &Arguments { seed, load, burst_ms } = arguments;
    let bursts = Bursts::new(seed, load, burst_ms)?;
    let closed = stdin_closed();
    let started = Instant::now();
    let (mut count, mut on_s) = (0, 0.0);
    for Burst { on, off } in bursts {
        count += 1;
        on_s += spin(on, &closed).as_secs_f64();
        if closed.recv_timeout(off) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    let wall_s = started.elapsed().as_secs_f64();
    tell(&Told { tool: "neighbour", seed, load, burst_ms, bursts: count, on_s, wall_s })
}

/// Disconnects when stdin ends, which is when the parent closes it or dies.
fn stdin_closed() -> Receiver<()> {
    let (open, closed) = channel();
    std::thread::spawn(move || {
        let _held = open;
        let mut ignored = [0; 256];
        while std::io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
    });
    closed
}

/// Works for `time`, or until stdin is closed; returns the time it took.
fn spin(time: Duration, closed: &Receiver<()>) -> Duration {
    let started = Instant::now();
    while started.elapsed() < time && closed.try_recv() == Err(TryRecvError::Empty) {
        black_box(dependent(black_box(OPERATIONS), black_box(1)));
    }
    started.elapsed()
}
