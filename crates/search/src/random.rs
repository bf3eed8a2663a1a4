//! Points at random, none twice.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{Point, Space, Value};

/// Draws before the points are gone through one after another: of a space that is half taken, all of them miss once in
/// 2⁶⁴ times.
const DRAWS: usize = 64;

/// Points that are not to be tried again.
pub struct Taken<'a> {
    /// Groups of them.
    pub groups: [Vec<&'a [Value]>; 2],
}

impl Taken<'_> {
    /// Whether a point is one of them.
    pub fn has(&self, point: &[Value]) -> bool {
        self.groups.iter().flatten().any(|taken| *taken == point)
    }
}

/// A number from 0 to 1, 1 excluded.
pub fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    rng.random()
}

/// A point that is not taken, each as likely as its room on the axes; nothing where all are.
pub fn free(space: &Space, taken: &Taken<'_>, rng: &mut ChaCha8Rng) -> Option<Point> {
    let mut drawn = Point::new();
    for _ in 0..DRAWS {
        drawn = space.axes().iter().map(|axis| axis.domain.at(uniform(rng))).collect();
        if !taken.has(&drawn) {
            return Some(drawn);
        }
    }
    let Some(points) = space.points() else { return Some(drawn) };
    // One more than are taken: one of them is free, where any is.
    let most = taken.groups.iter().map(Vec::len).sum::<usize>() as u64 + 1;
    let first = rng.random_range(0..points);
    let numbered = |step: u64| {
        let number = (u128::from(first) + u128::from(step)) % u128::from(points);
        space.point(u64::try_from(number).ok()?)
    };
    (0..points.min(most)).filter_map(numbered).find(|point| !taken.has(point))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Domain, Scale};
    use rand::SeedableRng;

    fn space(values: i64) -> Space {
        let domain = Domain::Integers { least: 1, most: values, scale: Scale::Linear };
        Space::new(vec![Axis { name: "a".into(), domain }]).unwrap()
    }

    fn next(space: &Space, drawn: &[Point], rng: &mut ChaCha8Rng) -> Option<Point> {
        let taken = Taken { groups: [drawn.iter().map(Vec::as_slice).collect(), Vec::new()] };
        free(space, &taken, rng)
    }

    #[test]
    fn every_point_comes_once_and_then_none() {
        let space = space(100);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut drawn: Vec<Point> = Vec::new();
        for _ in 0..100 {
            let point = next(&space, &drawn, &mut rng).unwrap();
            assert!(!drawn.contains(&point) && space.holds(&point));
            drawn.push(point);
        }
        assert_eq!(next(&space, &drawn, &mut rng), None);
    }

    #[test]
    fn points_are_as_likely_as_each_other() {
        let (space, draws) = (space(8), 8_000);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut counts = [0_u32; 8];
        for _ in 0..draws {
            let point = next(&space, &[], &mut rng).unwrap();
            let [Value::Int(value)] = point[..] else { panic!("a number: {point:?}") };
            counts[usize::try_from(value - 1).unwrap()] += 1;
        }
        // Binomial with n 8000 and p 1/8: six standard deviations are 178, which one of eight counts exceeds once in 6·10⁷.
        assert!(counts.iter().all(|count| count.abs_diff(1_000) < 178), "{counts:?}");
    }
}
