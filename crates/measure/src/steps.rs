//! The steps of a loop: room for them while they are timed, the arrays as which they travel, and what is believed of them.

use benchbook_core::message::Ran;
use benchbook_core::{Array, Element, StepsOf};

use crate::frame::Arrays;
use crate::{Error, Result};

/// The arrays that every loop has, or may have.
const STARTED: &str = "started_ns";
const ELAPSED: &str = "elapsed_ns";
const TOKENS: &str = "tokens";

/// Steps of a loop at most.
const MOST_STEPS: usize = 1 << 24;

/// Numbers that a step tells of itself at most.
const MOST_VALUES: usize = 61;

/// Share of a loop, or nanoseconds a step where these are more, that may lie between steps: to set one down takes less.
const MOST_BETWEEN: f64 = 0.02;
const MOST_BETWEEN_NS: f64 = 20_000.0;

/// Bytes that the arrays of a loop may have beside those of its steps, so that a few too many are told as such.
const SLACK_BYTES: u64 = 1 << 20;

/// What is told of the steps of a loop; each list has one entry a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steps {
    /// When each began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub started_ns: Vec<i64>,
    /// How long each took, in nanoseconds.
    pub elapsed_ns: Vec<i64>,
    /// Tokens that each made; nothing where steps make none.
    pub tokens: Option<Vec<i64>>,
    /// Name, unit and numbers of what the steps tell of themselves.
    pub values: Vec<(String, String, Vec<f64>)>,
}

/// Bytes that the arrays of a loop of so many steps may have.
pub(crate) fn most_bytes(most: usize) -> u64 {
    let of_step = 8 * (3 + MOST_VALUES as u64);
    (most.min(MOST_STEPS) as u64).saturating_mul(of_step).saturating_add(SLACK_BYTES)
}

/// What is wrong with what a worker says of a loop of its own workload, if anything is.
pub(crate) fn impossible(of: &StepsOf) -> Option<String> {
    if !(1..=MOST_STEPS).contains(&of.most) || of.values.len() > MOST_VALUES {
        let (steps, values) = (of.most, of.values.len());
        return Some(format!("its workload has loops of {steps} steps that tell {values} numbers each"));
    }
    let taken = |name: &str| [STARTED, ELAPSED, TOKENS].contains(&name);
    let twice = |place: usize, name: &str| of.values[..place].iter().any(|(other, _)| other == name);
    let strange = of.values.iter().enumerate().find(|(place, (name, _))| taken(name) || twice(*place, name));
    strange.map(|(_, (name, _))| format!("its workload has steps that tell two things called `{name}`"))
}

impl Steps {
    /// The steps that have come as arrays.
    ///
    /// # Errors
    /// [`Error::Failed`] where an array is missing, comes twice, has another name, dtype or length than it should have, or where
    /// there are more steps than the case allows.
    pub(crate) fn heard(of: &StepsOf, arrays: &[(String, Array)]) -> Result<Self> {
        let mut steps = Self::default();
        for (place, (name, array)) in arrays.iter().enumerate() {
            if arrays[..place].iter().any(|(before, _)| before == name) {
                return failed(format!("tells `{name}` of its steps twice"));
            }
            match name.as_str() {
                STARTED => steps.started_ns = list(name, array)?,
                ELAPSED => steps.elapsed_ns = list(name, array)?,
                TOKENS => steps.tokens = Some(list(name, array)?),
                _ => {
                    let known = of.values.iter().find(|(known, _)| known == name);
                    let Some((_, unit)) = known else {
                        return failed(format!("tells `{name}` of its steps, which the case does not name"));
                    };
                    steps.values.push((name.clone(), unit.clone(), list(name, array)?));
                }
            }
        }
        let count = steps.started_ns.len();
        if count == 0 {
            return failed("tells of no step of its loop".into());
        }
        if count > of.most {
            return failed(format!("tells of {count} steps, and {} are the most that the case allows", of.most));
        }
        let tokens = steps.tokens.iter().map(Vec::len);
        let values = steps.values.iter().map(|(_, _, values)| values.len());
        if [steps.elapsed_ns.len()].into_iter().chain(tokens).chain(values).any(|length| length != count) {
            return failed(format!("tells of {count} steps, but not all of them each time"));
        }
        Ok(steps)
    }

    /// Believes a worker that these are the steps of a loop which took as long as `ran` says: they lie within it, one after
    /// another, with no time between them for other work, and make as many tokens as the case wants. Time for which the thread
    /// has waited for a processor may lie anywhere: what tells of much of it is a disturbed sample.
    ///
    /// # Errors
    /// [`Error::Failed`] where they cannot be.
    pub(crate) fn believed(&self, of: &StepsOf, ran: &Ran) -> Result<()> {
        let end_ns = ran.started_ns.saturating_add(ran.elapsed_ns);
        let mut earliest_ns = ran.started_ns;
        for (step, (started_ns, elapsed_ns)) in self.started_ns.iter().zip(&self.elapsed_ns).enumerate() {
            let ended_ns = started_ns.checked_add(*elapsed_ns);
            let Some(ended_ns) = ended_ns.filter(|ended| *elapsed_ns >= 0 && *ended <= end_ns) else {
                return failed(format!("tells of a step {step} of {elapsed_ns} ns that does not lie in its loop"));
            };
            if *started_ns < earliest_ns {
                let before = if step == 0 { "its loop" } else { "the end of the one before" };
                return failed(format!("tells of a step {step} that began before {before}"));
            }
            earliest_ns = ended_ns;
        }
        // They lie in the loop, so that the sum is no longer than it is.
        let between_ns = ran.elapsed_ns - self.elapsed_ns.iter().sum::<i64>();
        let most_ns = (MOST_BETWEEN * ran.elapsed_ns as f64).max(MOST_BETWEEN_NS * self.elapsed_ns.len() as f64);
        if between_ns as f64 > most_ns + ran.waited_ns.unwrap_or(0) as f64 {
            let elapsed_ns = ran.elapsed_ns;
            return failed(format!(
                "tells of a loop of {elapsed_ns} ns, {between_ns} ns of which lie in none of its steps"
            ));
        }
        let tokens = self.tokens.as_deref();
        let made = tokens.map(|tokens| tokens.iter().fold(0_i64, |sum, step| sum.saturating_add(*step)));
        if tokens.is_some_and(|tokens| tokens.iter().any(|step| *step < 0))
            || (of.tokens.is_some() && made != of.tokens)
        {
            let (made, wanted) = (made.unwrap_or(0), of.tokens.unwrap_or(0));
            return failed(format!("tells of {made} tokens, and the case wants {wanted}"));
        }
        Ok(())
    }

    /// When the first step began, and the time from there to the end of the last, in nanoseconds; nothing where they do not follow
    /// each other.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let first_ns = *self.started_ns.first()?;
        let mut end_ns = first_ns;
        for (started_ns, elapsed_ns) in self.started_ns.iter().zip(&self.elapsed_ns) {
            if *started_ns < end_ns || *elapsed_ns < 0 {
                return None;
            }
            end_ns = started_ns.checked_add(*elapsed_ns)?;
        }
        Some((first_ns, end_ns.checked_sub(first_ns)?))
    }

    /// Every step: its number, start, time, and tokens.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (i64, i64, i64, Option<i64>)> + '_ {
        let times = self.started_ns.iter().zip(&self.elapsed_ns).enumerate();
        times.map(move |(step, (started_ns, elapsed_ns))| {
            let tokens = self.tokens.as_ref().and_then(|tokens| tokens.get(step)).copied();
            (step as i64, *started_ns, *elapsed_ns, tokens)
        })
    }
}

/// An array of numbers, one a step.
fn list<T: Element>(name: &str, array: &Array) -> Result<Vec<T>> {
    if array.dtype() == T::DTYPE && array.shape().len() == 1 {
        return Ok(array.of::<T>().to_vec());
    }
    let (dtype, shape, wanted) = (array.dtype(), array.shape(), T::DTYPE);
    failed(format!("tells `{name}` of its steps in {dtype} of shape {shape:?}, and not as a list in {wanted}"))
}

fn failed<T>(what: String) -> Result<T> {
    Err(Error::Failed(format!("its worker {what}")))
}

/// Room for the steps of a loop, so that nothing is allocated while they are timed.
pub(crate) struct Room {
    started_ns: Vec<i64>,
    elapsed_ns: Vec<i64>,
    tokens: Vec<i64>,
    /// The numbers of a step lie together.
    values: Vec<f64>,
    names: Vec<String>,
    /// Steps that are set down.
    count: usize,
}

impl Room {
    /// Room for what a case allows.
    pub(crate) fn new(of: &StepsOf) -> Self {
        let zeros = || vec![0_i64; of.most];
        let names: Vec<String> = of.values.iter().map(|(name, _)| name.clone()).collect();
        let values = vec![0.0; of.most * names.len()];
        Self { started_ns: zeros(), elapsed_ns: zeros(), tokens: zeros(), values, names, count: 0 }
    }

    /// Steps that it has room for.
    pub(crate) fn most(&self) -> usize {
        self.started_ns.len()
    }

    /// Forgets what was set down.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Where the next step puts its numbers.
    pub(crate) fn values(&mut self) -> &mut [f64] {
        let width = self.names.len();
        &mut self.values[self.count * width..][..width]
    }

    /// Sets down the next step.
    pub(crate) fn set(&mut self, started_ns: i64, elapsed_ns: i64, tokens: i64) {
        self.started_ns[self.count] = started_ns;
        self.elapsed_ns[self.count] = elapsed_ns;
        self.tokens[self.count] = tokens;
        self.count += 1;
    }

    /// When the first step began, and the time from there to the end of the last.
    pub(crate) fn span(&self) -> (i64, i64) {
        let Some(last) = self.count.checked_sub(1) else { return (0, 0) };
        let started_ns = self.started_ns[0];
        (started_ns, self.started_ns[last] + self.elapsed_ns[last] - started_ns)
    }

    /// What was set down, as arrays, none where nothing was; tokens only where there are any.
    pub(crate) fn told(&self) -> Arrays {
        let (count, width) = (self.count, self.names.len());
        if count == 0 {
            return Arrays::new();
        }
        let mut lists = vec![(STARTED, &self.started_ns), (ELAPSED, &self.elapsed_ns)];
        if self.tokens[..count].iter().any(|tokens| *tokens != 0) {
            lists.push((TOKENS, &self.tokens));
        }
        let counts = lists.into_iter().map(|(name, list)| (name.to_owned(), Array::new(vec![count], &list[..count])));
        let values = self.names.iter().enumerate().map(|(place, name)| {
            let values: Vec<f64> = (0..count).map(|step| self.values[step * width + place]).collect();
            (name.clone(), Array::new(vec![count], &values))
        });
        counts.chain(values).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tokens: Option<i64>) -> StepsOf {
        StepsOf { most: 3, tokens, values: vec![("loss".into(), "nats".into())] }
    }

    /// The arrays of a loop with these steps, each with a token.
    fn arrays(steps: &[(i64, i64)]) -> Arrays {
        let mut room = Room::new(&StepsOf { most: steps.len(), ..of(None) });
        for (started_ns, elapsed_ns) in steps {
            room.values()[0] = *started_ns as f64 / 2.0;
            room.set(*started_ns, *elapsed_ns, 1);
        }
        room.told()
    }

    fn words<T>(result: Result<T>) -> String {
        match result {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_set_down_arrives() {
        let steps = Steps::heard(&of(None), &arrays(&[(10, 3), (15, 4)])).unwrap();
        assert_eq!((&steps.started_ns[..], &steps.elapsed_ns[..]), (&[10, 15][..], &[3, 4][..]));
        assert_eq!(steps.tokens, Some(vec![1, 1]));
        assert_eq!(steps.values, [("loss".to_owned(), "nats".to_owned(), vec![5.0, 7.5])]);
        assert_eq!(steps.rows().collect::<Vec<_>>(), [(0, 10, 3, Some(1)), (1, 15, 4, Some(1))]);
        let mut room = Room::new(&of(None));
        assert_eq!(room.span(), (0, 0));
        room.set(10, 3, 0);
        room.set(15, 4, 0);
        assert_eq!(room.span(), (10, 9));
        assert!(room.told().iter().all(|(name, _)| name != TOKENS), "no step makes a token");
        room.clear();
        assert!(room.told().is_empty(), "nothing was set down");
    }

    #[test]
    fn a_list_that_cannot_be_is_refused() {
        let heard = |change: fn(&mut Arrays)| {
            let mut arrays = arrays(&[(10, 3), (15, 4)]);
            change(&mut arrays);
            words(Steps::heard(&of(None), &arrays))
        };
        assert_eq!(heard(|_| ()), "");
        for (change, part) in [
            (Vec::clear as fn(&mut Arrays), "tells of no step"),
            (|arrays| drop(arrays.remove(1)), "not all of them each time"),
            (|arrays| arrays[2].1 = Array::new(vec![3], &[1_i64; 3]), "not all of them each time"),
            (|arrays| arrays[3].1 = Array::new(vec![1], &[1.0_f64]), "not all of them each time"),
            (|arrays| arrays[0].1 = Array::new(vec![2], &[1.0_f64; 2]), "`started_ns` of its steps in f64"),
            (|arrays| arrays[1].1 = Array::new(vec![2, 1], &[1_i64; 2]), "of shape [2, 1]"),
            (|arrays| arrays[3].0 = "lost".into(), "tells `lost` of its steps"),
            (|arrays| arrays.extend_from_within(1..2), "tells `elapsed_ns` of its steps twice"),
            (|arrays| arrays.extend_from_within(3..), "tells `loss` of its steps twice"),
        ] {
            let said = heard(change);
            assert!(said.contains(part), "{part}: {said}");
        }
        let long = words(Steps::heard(&of(None), &arrays(&[(1, 1), (2, 1), (3, 1), (4, 1)])));
        assert!(long.contains("tells of 4 steps, and 3 are the most"), "{long}");
    }

    #[test]
    fn steps_lie_in_their_loop_one_after_another() {
        let ran = Ran { iterations: 1, started_ns: 10, elapsed_ns: 20, ..Ran::default() };
        let believed = |tokens: Option<i64>, steps: &[(i64, i64)]| {
            let of = of(tokens);
            words(Steps::heard(&of, &arrays(steps)).and_then(|steps| steps.believed(&of, &ran)))
        };
        for right in [&[(10, 20)][..], &[(10, 5), (15, 15)], &[(12, 0), (12, 1), (20, 10)]] {
            assert_eq!(believed(None, right), "", "{right:?}");
        }
        for (wrong, part) in [
            (&[(9, 5)][..], "began before its loop"),
            (&[(25, 6)], "does not lie in its loop"),
            (&[(10, -1)], "does not lie in its loop"),
            (&[(i64::MAX, 1)], "does not lie in its loop"),
            (&[(10, i64::MAX)], "does not lie in its loop"),
            (&[(15, 5), (10, 5)], "step 1 that began before the end of the one before"),
            (&[(10, 5), (14, 5)], "step 1 that began before the end of the one before"),
        ] {
            let said = believed(None, wrong);
            assert!(said.contains(part), "{wrong:?}: {said}");
        }
        assert_eq!(believed(Some(2), &[(10, 5), (15, 5)]), "");
        let fewer = believed(Some(3), &[(10, 5), (15, 5)]);
        assert!(fewer.contains("tells of 2 tokens, and the case wants 3"), "{fewer}");
    }

    #[test]
    fn no_work_hides_between_steps() {
        let between = |gap_ns: i64, count: i64, waited_ns: Option<u64>| {
            let of = StepsOf { most: 100, ..of(None) };
            let steps: Vec<(i64, i64)> = (0..count).map(|step| (step * (100_000 + gap_ns), 100_000)).collect();
            let elapsed_ns = count * (100_000 + gap_ns);
            let ran = Ran { iterations: 1, elapsed_ns, waited_ns, ..Ran::default() };
            words(Steps::heard(&of, &arrays(&steps)).and_then(|steps| steps.believed(&of, &ran)))
        };
        for (gap_ns, count, waited_ns) in [(20_000, 1, None), (20_000, 90, None), (50_000, 90, Some(2_700_000))] {
            assert_eq!(between(gap_ns, count, waited_ns), "", "{gap_ns} ns, {count} steps");
        }
        for (gap_ns, count, waited_ns) in [(20_001, 1, None), (30_000, 90, Some(0)), (50_000, 90, Some(2_600_000))] {
            let said = between(gap_ns, count, waited_ns);
            assert!(said.contains("lie in none of its steps"), "{gap_ns} ns, {count} steps: {said}");
        }
    }

    #[test]
    fn a_loop_beyond_any_memory_is_refused() {
        let impossible = |most: usize, names: &[&str]| {
            let values = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
            super::impossible(&StepsOf { most, tokens: None, values })
        };
        assert_eq!(impossible(MOST_STEPS, &["loss"]), None);
        assert!(impossible(MOST_STEPS + 1, &[]).is_some() && impossible(0, &[]).is_some());
        assert!(impossible(1, &["x"; MOST_VALUES + 1]).is_some());
        assert!(impossible(1, &["loss", "loss"]).is_some() && impossible(1, &["tokens"]).is_some());
        assert_eq!(most_bytes(usize::MAX), 64 * 8 * (1 << 24) + SLACK_BYTES);
    }
}
