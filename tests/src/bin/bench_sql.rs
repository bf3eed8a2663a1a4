//! Answers one SQL question over a store, once for each line of input, for `cargo xtask bench --sql`.
//!
//! Arguments: folder of the store, SQL. Each answer: nanoseconds, rows, sum of `speedup`, peak bytes.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use benchbook_measure::clock::now_ns;
use benchbook_query::{Answer, Session};
use benchbook_record::Store;
use std::error::Error;
use std::io::BufRead;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, sql] = arguments.as_slice() else {
        return Err("arguments: FOLDER SQL".into());
    };
    let session = Session::open(&Store::open(folder)?)?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let started_ns = now_ns();
        let answer = session.sql(sql)?;
        let elapsed_ns = now_ns() - started_ns;
        println!("{elapsed_ns} {} {} {}", answer.rows(), sum(&answer)?, peak_bytes()?);
    }
    Ok(())
}

fn sum(answer: &Answer) -> Result<f64, Box<dyn Error>> {
    let mut sum = 0.0;
    for batch in &answer.batches {
        let column = batch.column_by_name("speedup").ok_or("the answer has no column `speedup`")?;
        let values = column.as_primitive_opt::<Float64Type>().ok_or("`speedup` is no Float64")?;
        if values.null_count() > 0 {
            return Err("`speedup` has gaps".into());
        }
        sum += values.values().iter().sum::<f64>();
    }
    Ok(sum)
}

/// The most memory that this process has held, in bytes.
fn peak_bytes() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(peak.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}
