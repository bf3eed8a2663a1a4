//! A record of what training takes of memory and gives back, as `allocation-trace` reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use benchbook_engines::flex::training::varied::Varied;
use benchbook_measure::{AllocationEvent, recorded};

/// The first argument of a worker that records.
pub const WORD: &str = "record-allocations";

/// Bytes of a number of a block.
const NUMBER: usize = 4;

/// Writes the record to standard output.
pub fn main() -> ExitCode {
    match record().and_then(|text| io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody may be there to hear it.
            let _ = writeln!(io::stderr(), "{WORD}: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Lines of what was done, the number of the block, and its numbers of four bytes; blocks that stay are given back with the last step.
fn record() -> Result<String, String> {
    let mut training = Varied::begin();
    let mut text = "event,block,numbers\n".to_owned();
    let (mut live, mut next): (BTreeMap<usize, usize>, usize) = (BTreeMap::new(), 0);
    for step in 1..=training.steps() {
        let mut made = Ok(0.0);
        let events = recorded(|| made = training.step());
        made?;
        let events = events.ok_or("there are more events than a record holds, or nobody records")?;
        for AllocationEvent { address, bytes, taken } in events {
            // Where a block is taken, none lies any more; one that was there before the first step is not known.
            if let Some(block) = live.remove(&address) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "give,{block},");
            }
            if taken {
                live.insert(address, next);
                // Writing to a String cannot fail.
                let _ = writeln!(text, "take,{next},{}", bytes.div_ceil(NUMBER));
                next += 1;
            }
        }
        if step == training.steps() {
            for block in std::mem::take(&mut live).into_values() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "give,{block},");
            }
        }
        text.push_str("step,,\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use benchbook_workloads::training::{Event, steps_of_record};

    use super::*;

    #[test]
    fn what_is_recorded_is_a_trace_of_blocks_of_many_sizes() {
        let steps = steps_of_record(&record().unwrap()).unwrap();
        assert_eq!(steps.len(), Varied::begin().steps());
        let taken = |step: &Vec<Event>| -> usize {
            let numbers = step.iter().map(|event| match event {
                Event::Take(_, numbers) => *numbers,
                Event::Give(_) => 0,
            });
            numbers.sum()
        };
        let mut sizes: Vec<usize> = steps.iter().map(taken).collect();
        assert!(sizes.iter().all(|numbers| *numbers > 0), "each step takes memory of its own: {sizes:?}");
        sizes.sort_unstable();
        sizes.dedup();
        assert!(sizes.len() > 4, "batches have many sizes: {sizes:?}");
    }
}
