//! Inputs that change while a trial is timed: a kernel that remembers its answer gives a wrong one, or computes it anew.

use benchbook_core::Array;
use benchbook_core::message::{Place, Writable};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Error, Result};

/// Numbers of a row at most.
const MOST_WIDTH: usize = 1 << 28;

/// The same where nobody but the worker knows the inputs.
const MOST_TOLD_WIDTH: usize = 1 << 26;

/// Numbers that are drawn for a row; a longer one repeats them.
const MOST_DRAWN: usize = 1 << 16;

/// What whole numbers stay below at most, so that `f32` holds each of them.
const MOST_BELOW: usize = 1 << 24;

/// Streams of numbers before this are those of inputs.
const FIRST_STREAM: u64 = 1 << 32;

/// The inputs of a trial that a worker can overwrite, of which a row changes before each sample.
pub struct Changing {
    writable: Vec<Writable>,
    seed: u64,
    rng: ChaCha8Rng,
    /// Changes so far.
    changes: u64,
    /// What is written next, where it is drawn already.
    next: Option<(Place, Array)>,
    /// What was written last.
    last: Option<(Place, Array)>,
}

impl Changing {
    /// Changes of what a worker says that it can overwrite, which follow from `seed`.
    ///
    /// # Errors
    /// [`Error::Failed`] for an input that has no rows, or rows beyond any memory.
    pub fn new(writable: Vec<Writable>, seed: u64) -> Result<Self> {
        let strange = |one: &&Writable| {
            let whole = one.below.is_none_or(|below| (1..=MOST_BELOW).contains(&below));
            one.rows == 0 || !(1..=MOST_WIDTH).contains(&one.width) || !one.scale.is_normal() || !whole
        };
        if let Some(one) = writable.iter().find(strange) {
            return Err(impossible(one));
        }
        Ok(Self { writable, seed, rng: ChaCha8Rng::seed_from_u64(seed), changes: 0, next: None, last: None })
    }

    /// Names of what can change.
    pub fn names(&self) -> Vec<String> {
        self.writable.iter().map(|one| one.input.clone()).collect()
    }

    /// Another row and what takes its place: normal values of the size that the input's have, or any whole numbers where it
    /// holds such. Nothing where nothing can change.
    pub fn change(&mut self) -> Option<(&Place, &Array)> {
        self.draw();
        self.last = self.next.take();
        self.again()
    }

    /// Draws the next change ahead, which takes longer than a short call.
    pub fn draw(&mut self) {
        if self.writable.is_empty() || self.next.is_some() {
            return;
        }
        let Writable { input, rows, width, scale, below } =
            &self.writable[self.rng.random_range(0..self.writable.len())];
        let row = self.rng.random_range(0..*rows);
        let (drawn, scale) = ((*width).min(MOST_DRAWN), *scale as f32);
        let drawn: Vec<f32> = match below {
            Some(below) => (0..drawn).map(|_| self.rng.random_range(0..*below) as f32).collect(),
            None => {
                let drawn = Array::normal(vec![drawn], self.seed, FIRST_STREAM + self.changes);
                drawn.of::<f32>().iter().map(|value| scale * value).collect()
            }
        };
        let values: Vec<f32> = drawn.into_iter().cycle().take(*width).collect();
        self.changes += 1;
        self.next = Some((Place { input: input.clone(), row }, Array::new(vec![*width], &values)));
    }

    /// The same row as the last time, and what it holds already.
    pub fn again(&self) -> Option<(&Place, &Array)> {
        self.last.as_ref().map(|(place, values)| (place, values))
    }
}

/// What a worker says that it can overwrite, as `ours` where this program makes the inputs too; else they have
/// `input_bytes`, which hold all of it.
///
/// # Errors
/// [`Error::Failed`] for an input of another form, or of none.
pub fn as_known(told: Vec<Writable>, ours: Option<&[Writable]>, input_bytes: usize) -> Result<Vec<Writable>> {
    let one = |told: Writable| match ours {
        Some(ours) => {
            let is_same = |own: &&Writable| own.input == told.input && own.rows == told.rows && own.width == told.width;
            ours.iter().find(is_same).cloned().ok_or_else(|| impossible(&told))
        }
        // A number has a byte at least.
        None if told.width <= MOST_TOLD_WIDTH
            && told.rows.checked_mul(told.width).is_some_and(|numbers| numbers <= input_bytes) =>
        {
            Ok(told)
        }
        None => Err(impossible(&told)),
    };
    told.into_iter().map(one).collect()
}

fn impossible(Writable { input, rows, width, scale, .. }: &Writable) -> Error {
    let words = format!("its worker can overwrite {rows} rows of {width} numbers of size {scale} in `{input}`");
    Error::Failed(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writable(input: &str, rows: usize, width: usize, scale: f64) -> Writable {
        Writable { input: input.into(), rows, width, scale, below: None }
    }

    fn changes(seed: u64) -> Vec<(Place, Array)> {
        let mut changing = Changing::new(vec![writable("x", 3, 4, 1.0), writable("y", 1, 200_000, 0.5)], seed).unwrap();
        let owned = |(place, values): (&Place, &Array)| (place.clone(), values.clone());
        (0..20).filter_map(|_| changing.change().map(owned)).collect()
    }

    #[test]
    fn rows_change_and_never_to_what_was_before() {
        let all = changes(7);
        assert_eq!(all.len(), 20);
        for (place, (changed, values)) in all.iter().enumerate() {
            assert!(all[..place].iter().all(|(_, before)| before != values), "change {place}");
            let (rows, width) = if changed.input == "x" { (3, 4) } else { (1, 200_000) };
            assert!(changed.row < rows && values.shape() == [width]);
        }
        assert!(["x", "y"].iter().all(|name| all.iter().any(|(place, _)| place.input == *name)));
        assert_eq!(changes(7), all);
        let mut ahead = Changing::new(vec![writable("x", 3, 4, 1.0), writable("y", 1, 200_000, 0.5)], 7).unwrap();
        ahead.draw();
        ahead.draw();
        assert_eq!(ahead.change(), Some((&all[0].0, &all[0].1)), "it is the same whenever it is drawn");
        assert_ne!(changes(8), all);
    }

    #[test]
    fn what_changes_keeps_its_size() {
        let all = changes(3);
        let (_, values) = all.iter().find(|(place, _)| place.input == "y").unwrap();
        let square = values.to_f64().iter().map(|value| value.powi(2)).sum::<f64>() / 200_000.0;
        // The standard error of 0.25 χ²/n over 65536 numbers is 0.0014; five of them are a chance below 1e-6.
        assert!((square - 0.25).abs() < 0.007, "{square}");
    }

    #[test]
    fn token_ids_stay_below_what_they_are_and_take_all_of_it() {
        let tokens = Writable { below: Some(3), ..writable("prompt", 1, 50, 1.0) };
        let mut changing = Changing::new(vec![tokens.clone()], 7).unwrap();
        let mut seen = [0; 3];
        for _ in 0..20 {
            let (_, values) = changing.change().unwrap();
            values.of::<f32>().iter().for_each(|id| seen[*id as usize] += 1);
            assert!(values.of::<f32>().iter().all(|id| id.fract() == 0.0));
        }
        // A third of a thousand each, with a standard deviation of 15.
        assert!(seen.iter().all(|count| (233..433).contains(count)), "{seen:?}");
        for below in [0, MOST_BELOW + 1] {
            assert!(Changing::new(vec![Writable { below: Some(below), ..tokens.clone() }], 7).is_err(), "{below}");
        }
    }

    #[test]
    fn what_is_written_again_is_what_is_there() {
        let mut changing = Changing::new(vec![writable("x", 3, 4, 1.0)], 7).unwrap();
        assert_eq!(changing.again(), None);
        let (place, values) = changing.change().map(|(place, values)| (place.clone(), values.clone())).unwrap();
        changing.draw();
        assert_eq!(changing.again(), Some((&place, &values)), "what is drawn ahead is not there yet");
        let mut fixed = Changing::new(Vec::new(), 7).unwrap();
        assert_eq!(fixed.names().len(), 0);
        assert_eq!(fixed.change(), None);
    }

    #[test]
    fn rows_are_those_of_the_inputs_or_no_more_than_they_can_hold() {
        let told = |rows: usize, width: usize| vec![writable("x", rows, width, 9.0)];
        let ours = [writable("x", 3, 4, 0.5)];
        assert_eq!(as_known(told(3, 4), Some(&ours), 0).unwrap(), ours, "its size is ours too");
        for (rows, width) in [(4, 3), (3, 5), (1, 4)] {
            assert!(as_known(told(rows, width), Some(&ours), 1 << 40).is_err(), "{rows} rows of {width}");
        }
        assert!(as_known(vec![writable("y", 3, 4, 1.0)], Some(&ours), 1 << 40).is_err());
        assert_eq!(as_known(told(3, 4), None, 12).unwrap(), told(3, 4));
        for (rows, width, bytes) in [(3, 4, 11), (usize::MAX, 2, usize::MAX), (1, MOST_TOLD_WIDTH + 1, usize::MAX)] {
            assert!(as_known(told(rows, width), None, bytes).is_err(), "{rows} rows of {width} in {bytes} bytes");
        }
    }

    #[test]
    fn what_no_worker_can_hold_is_refused() {
        for (rows, width, scale) in [(0, 4, 1.0), (3, 0, 1.0), (3, 1 << 62, 1.0), (3, 4, f64::NAN), (3, 4, 0.0)] {
            let refused = Changing::new(vec![writable("x", rows, width, scale)], 7);
            assert!(matches!(refused, Err(Error::Failed(words)) if words.contains("`x`")), "{rows} {width} {scale}");
        }
    }
}
