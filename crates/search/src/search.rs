//! What to try next, from what was seen: the same wherever a search was cut off.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::random::{Taken, free};
use crate::tpe;
use crate::{Observation, Point, Space, order};

/// Points of an earlier search that are tried again before anything else: its best ones.
const AGAIN: usize = 5;

/// How the next point is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// At random: the rival of every other method.
    Random,
    /// By a tree of Parzen estimators.
    Tpe,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Tpe, Self::Random];

    /// The name that people type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Tpe => "tpe",
        }
    }
}

/// A search without a state of its own.
///
/// A point depends on the seed, on how many came before it, and on the observations of whole batches: whoever tries the
/// points of a batch together, and loses some of them, is given the same ones again.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// What can be chosen.
    pub space: Space,
    /// How.
    pub method: Method,
    /// Seed of all that is drawn.
    pub seed: u64,
    /// Points that are tried before anything is learned from them, at least 1.
    pub batch: usize,
}

impl Search {
    /// The point after those of `seen`, in the order in which they were suggested, and after those of `ahead`, which are
    /// being tried. `earlier` is known from elsewhere, and may be tried again. Nothing where every point was tried.
    pub fn next(&self, earlier: &[Observation], seen: &[Observation], ahead: &[Point]) -> Option<Point> {
        let number = seen.len() + ahead.len();
        let whole = (number - number % self.batch.max(1)).min(seen.len());
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number as u64);
        let tried = seen.iter().map(|one| one.point.as_slice()).collect();
        let taken = Taken { groups: [tried, ahead.iter().map(Vec::as_slice).collect()] };
        match self.method {
            Method::Random => free(&self.space, &taken, &mut rng),
            Method::Tpe => {
                if let Some(again) = self.again(earlier, number, &taken) {
                    return Some(again);
                }
                let known = earlier.iter().chain(&seen[..whole]).filter(|one| self.space.holds(&one.point));
                tpe::suggest(&self.space, &known.collect::<Vec<_>>(), &taken, &mut rng)
            }
        }
    }

    /// The best point of an earlier search that is not tried yet, where this is one of the first.
    fn again(&self, earlier: &[Observation], number: usize, taken: &Taken<'_>) -> Option<Point> {
        let free = |one: &&Observation| one.loss.is_some() && self.space.holds(&one.point) && !taken.has(&one.point);
        let best = earlier.iter().filter(free).min_by(|a, b| order(a, b))?;
        (number < AGAIN).then(|| best.point.clone())
    }

    /// Tries `count` points one after another, or all that there are: for what costs nothing to try, such as a table.
    pub fn run(
        &self,
        earlier: &[Observation],
        count: usize,
        mut tried: impl FnMut(Point) -> Observation,
    ) -> Vec<Observation> {
        let mut seen = Vec::new();
        while seen.len() < count {
            let Some(point) = self.next(earlier, &seen, &[]) else { break };
            seen.push(tried(point));
        }
        seen
    }
}
