//! A tree of Parzen estimators (Bergstra, Bardenet, Bengio & Kégl, "Algorithms for hyper-parameter optimization", NeurIPS
//! 24, 2011, section 4), with kernels over all axes together (Falkner, Klein & Hutter, "BOHB", ICML 2018, section 3.2).

use rand_chacha::ChaCha8Rng;

use crate::kernel::Mixture;
use crate::random::{Taken, free};
use crate::{Observation, Point, Space, Value, order};

/// Observations before the first estimate; as many points come at random.
pub const FIRST: usize = 10;

/// The share of the observations that is called good, and the most of them.
const GOOD: f64 = 0.15;
const MOST_GOOD: usize = 25;

/// Points that are drawn from the good ones' density, of which the most promising is tried.
const CANDIDATES: usize = 64;

/// The point, of those that are not taken, at which good observations are most likely beside the others.
pub fn suggest<'a>(
    space: &'a Space,
    known: &[&'a Observation],
    taken: &Taken<'_>,
    rng: &mut ChaCha8Rng,
) -> Option<Point> {
    if known.len() < FIRST {
        return free(space, taken, rng);
    }
    let mut sorted = known.to_vec();
    sorted.sort_by(|a, b| order(a, b));
    let count = ((GOOD * sorted.len() as f64).ceil() as usize).clamp(1, MOST_GOOD);
    let (good, others) = sorted.split_at(count);
    let (good, others) = (around(space, good), around(space, others));
    let drawn = (0..CANDIDATES).map(|_| good.draw(rng)).filter(|point| !taken.has(point));
    let promise = |point: &[Value]| good.density(point) / others.density(point);
    let promising = drawn.map(|point| (promise(&point), point)).max_by(|(a, _), (b, _)| a.total_cmp(b));
    match promising {
        Some((_, point)) => Some(point),
        None => free(space, taken, rng),
    }
}

fn around<'a>(space: &'a Space, of: &[&'a Observation]) -> Mixture<'a> {
    Mixture::around(space, of.iter().map(|one| one.point.as_slice()).collect())
}
