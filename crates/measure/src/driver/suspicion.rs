//! Whether a kernel leaves calls out, or remembers results.

use super::sampler::{MOST_ITERATIONS, Work, Write};
use crate::Result;

/// Pairs of times of which a median is taken, and how often.
const PAIRS: usize = 5;
const TRIES: usize = 3;

/// How many times longer twice the calls take at least.
const LEAST_DOUBLING: f64 = 1.7;

/// How many times as many calls are looked at where it was not enough: what a sample takes beside its calls, such as memory that comes
/// and goes, weighs less the more there are, and who leaves calls out does so all the more.
const MORE: u64 = 4;

/// Share of the time of a call with new inputs that one with known inputs takes at least.
const LEAST_AGAIN: f64 = 0.5;

/// Why a sample of so many calls would not tell what one takes, if it would not.
///
/// Twice the calls must take nearly twice as long, and a call with inputs that it knows as long as one with new ones. It is
/// the median of five pairs that tells, three times over, and the fastest of all: a machine that is busy accuses nobody. A
/// median that is right ends it. One call alone has nothing to leave out.
///
/// # Errors
/// As of [`Work::run`].
pub fn suspicion(work: &mut dyn Work, iterations: u64) -> Result<Option<String>> {
    if iterations == 1 {
        return Ok(None);
    }
    // Not one instruction a call fits into a sample of so many; times so short are noise, by which it might be acquitted.
    if iterations >= MOST_ITERATIONS {
        return Ok(Some(format!("{iterations} calls do not fill a sample: it leaves calls out")));
    }
    let mut short = None;
    for calls in [iterations, MORE * iterations] {
        short = short_of(LEAST_DOUBLING, || once_and_twice(work, calls))?.map(|ratio| (calls, ratio));
        if short.is_none() {
            break;
        }
    }
    if let Some((calls, ratio)) = short {
        return Ok(Some(format!(
            "twice as many calls ({} instead of {calls}) take only {ratio:.2} times as long: it leaves calls out",
            2 * calls
        )));
    }
    let again = short_of(LEAST_AGAIN, || new_and_known(work))?;
    Ok(again.map(|ratio| {
        format!(
            "a call with inputs that it knows takes {ratio:.2} of the time of one with new ones: it remembers results"
        )
    }))
}

/// Times of so many calls and of twice as many. The call that finds new inputs, which no cache holds yet, comes before both: of
/// two calls it would be half, of four a quarter.
fn once_and_twice(work: &mut dyn Work, iterations: u64) -> Result<[f64; 2]> {
    work.draw();
    work.run(1, 0, Write::New)?;
    Ok([time(work, iterations, Write::Nothing)?, time(work, 2 * iterations, Write::Nothing)?])
}

/// Times of a call with new inputs and of one with known ones. A call and the same row come before both, so that they differ
/// in nothing but what they may know.
fn new_and_known(work: &mut dyn Work) -> Result<[f64; 2]> {
    work.draw();
    work.run(1, 0, Write::Nothing)?;
    let new = time(work, 1, Write::New)?;
    work.run(1, 0, Write::Nothing)?;
    Ok([new, time(work, 1, Write::Again)?])
}

fn time(work: &mut dyn Work, calls: u64, write: Write) -> Result<f64> {
    Ok(work.run(calls, 0, write)?.elapsed_ns.max(1) as f64)
}

/// The most that second times are of first ones, by medians of pairs and by the fastest, where that is below `least`. No more
/// pairs are taken than it takes to know that a median is not: one that is large enough acquits, whatever follows.
fn short_of(least: f64, mut pair: impl FnMut() -> Result<[f64; 2]>) -> Result<Option<f64>> {
    let (mut fastest, mut most) = ([f64::INFINITY; 2], 0.0_f64);
    for _ in 0..TRIES {
        let mut ratios = Vec::with_capacity(PAIRS);
        for _ in 0..PAIRS {
            let [first, second] = pair()?;
            fastest = [fastest[0].min(first), fastest[1].min(second)];
            ratios.push(second / first);
            if 2 * ratios.iter().filter(|ratio| **ratio >= least).count() > PAIRS {
                return Ok(None);
            }
        }
        ratios.sort_by(f64::total_cmp);
        most = most.max(ratios[PAIRS / 2]);
    }
    let most = most.max(fastest[1] / fastest[0]);
    Ok((most < least).then_some(most))
}

#[cfg(test)]
mod tests {
    use benchbook_core::message::Ran;

    use super::*;
    use crate::clock;

    /// Notes what it is told to do.
    #[derive(Default)]
    struct Told(Vec<(u64, u64, Write)>, bool);

    impl Work for Told {
        fn draw(&mut self) {
            self.1 = true;
        }

        fn run(&mut self, iterations: u64, before: u64, write: Write) -> Result<Ran> {
            assert!(write != Write::New || self.1, "it is drawn before it is written");
            self.0.push((iterations, before, write));
            Ok(clock::time(&mut |_| (), iterations))
        }
    }

    #[test]
    fn a_call_comes_before_each_of_a_pair() {
        let mut told = Told::default();
        new_and_known(&mut told).unwrap();
        let (call, new, again) = ((1, 0, Write::Nothing), (1, 0, Write::New), (1, 0, Write::Again));
        assert_eq!(told.0, [call, new, call, again]);
    }

    /// Works for a while in each call, unless it has an excuse.
    #[derive(Default)]
    struct Worker {
        ignores: bool,
        remembers: bool,
        cold: bool,
        starts: bool,
        known: bool,
        touched: bool,
    }

    /// Is busy for so long.
    fn spin(ns: i64) {
        let end = clock::now_ns() + ns;
        while clock::now_ns() < end {}
    }

    impl Worker {
        fn call(&mut self, iterations: u64) {
            spin(if self.starts { 150_000 } else { 0 });
            let calls = if self.ignores { 1 } else { iterations };
            for _ in 0..calls {
                if !(self.remembers && self.known) {
                    spin(if self.cold && !self.touched { 200_000 } else { 100_000 });
                }
                (self.known, self.touched) = (true, true);
            }
        }
    }

    impl Work for Worker {
        fn run(&mut self, iterations: u64, _before: u64, write: Write) -> Result<Ran> {
            self.known &= write != Write::New;
            self.touched &= write == Write::Nothing;
            Ok(clock::time(&mut |n| self.call(n), iterations))
        }
    }

    #[test]
    fn who_leaves_calls_out_or_remembers_is_found() {
        let suspected = |mut worker: Worker| suspicion(&mut worker, 10).unwrap();
        assert_eq!(suspected(Worker::default()), None);
        let ignores = suspected(Worker { ignores: true, ..Worker::default() }).unwrap();
        assert!(ignores.contains("leaves calls out"), "{ignores}");
        let remembers = suspected(Worker { remembers: true, ..Worker::default() }).unwrap();
        assert!(remembers.contains("remembers") || remembers.contains("leaves calls out"), "{remembers}");
        // Inputs that were just written cost the first call of a sample as much again.
        assert_eq!(suspicion(&mut Worker { cold: true, ..Worker::default() }, 2).unwrap(), None);
        // And each sample takes as long as one and a half calls besides.
        assert_eq!(suspicion(&mut Worker { starts: true, ..Worker::default() }, 3).unwrap(), None);
        assert_eq!(suspicion(&mut Worker { ignores: true, ..Worker::default() }, 1).unwrap(), None);
        let most = suspicion(&mut Worker { ignores: true, ..Worker::default() }, MOST_ITERATIONS).unwrap();
        assert!(most.is_some_and(|told| told.contains("do not fill a sample")), "whatever the clock says");
        // On a busy machine medians go astray; what is fastest does not.
        let busy = [[1.0, 2.1], [9.0, 2.0], [9.0, 2.0], [9.0, 2.0], [1.1, 9.0]];
        let mut pairs = busy.into_iter().cycle();
        assert_eq!(short_of(LEAST_DOUBLING, || Ok(pairs.next().unwrap())).unwrap(), None);
    }

    #[test]
    fn who_is_acquitted_is_not_asked_further() {
        let (right, short, busy) = ([1.0, 2.0], [1.0, 1.2], [9.0, 2.0]);
        let of = |begin: &[[f64; 2]], rest: [f64; 2]| {
            let (mut taken, mut pairs) = (0, begin.iter().copied().chain(std::iter::repeat(rest)));
            let found = short_of(LEAST_DOUBLING, || {
                taken += 1;
                Ok(pairs.next().unwrap())
            });
            (found.unwrap(), taken)
        };
        assert_eq!(of(&[], right), (None, 3), "the median of five is known");
        assert_eq!(of(&[busy, right, busy], right), (None, 5));
        assert_eq!(of(&[right, busy, busy, right, busy], right), (None, 8));
        assert_eq!(of(&[], short), (Some(1.2), 15));
        assert_eq!(of(&[right, right, short, short, short], short), (Some(1.2), 15), "two of five are no median");
    }
}
