//! Densities around points that were seen: the estimate by kernels that a tree of Parzen estimators is made of, one
//! kernel for each point and axis, multiplied over the axes.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::random::uniform;
use crate::{Domain, Point, Space, Value};

/// How far points of an axis are thought to lie apart before any is known, as a share of the axis.
const PRIOR_SPREAD: f64 = 0.25;

/// The narrowest kernel of an axis of floats, as a share of the axis.
const NARROWEST: f64 = 0.01;

/// A mixture of kernels around points, and one component that is even over the whole space, of the weight of a point.
///
/// On numbers a kernel is that of Laplace, cut off at the ends of the axis: its integral and its inverse have closed forms.
/// On choices it is that of Aitchison & Aitken ("Multivariate binary discrimination by the kernel method", Biometrika 63,
/// 1976).
pub struct Mixture<'a> {
    space: &'a Space,
    points: Vec<&'a [Value]>,
    /// Of each axis the width of its kernels, as a share of it.
    widths: Vec<f64>,
    /// Of each point the height of its kernel, over the axes of numbers.
    heights: Vec<f64>,
}

impl<'a> Mixture<'a> {
    /// The mixture around these points, whose kernels are narrower the more of them there are and the nearer they lie
    /// (the rate is Scott's: n^(−1/(d + 4))).
    pub fn around(space: &'a Space, points: Vec<&'a [Value]>) -> Self {
        let count = points.len() as f64;
        let rate = (count + 1.0).powf(-1.0 / (space.axes().len() as f64 + 4.0));
        let width = |(axis, domain): (usize, Domain)| match domain {
            Domain::Choices(_) => rate,
            _ => {
                let places: Vec<f64> = points.iter().map(|point| domain.place(point[axis])).collect();
                let middle = places.iter().sum::<f64>() / count.max(1.0);
                let apart: f64 = places.iter().map(|place| (place - middle).abs()).sum();
                let least = domain.values().map_or(NARROWEST, |values| 0.5 / values as f64);
                (rate * (apart + PRIOR_SPREAD) / (count + 1.0)).max(least)
            }
        };
        let widths: Vec<f64> = space.axes().iter().map(|axis| axis.domain).enumerate().map(width).collect();
        let heights = points.iter().map(|point| {
            let axes = space.axes().iter().zip(&widths).zip(*point);
            axes.map(|((axis, width), value)| match axis.domain {
                Domain::Choices(_) => 1.0,
                domain => height(domain.place(*value), *width),
            })
            .product::<f64>()
        });
        let heights = heights.collect();
        Self { space, points, widths, heights }
    }

    /// The density at a point, as a multiple of that of the even component.
    pub fn density(&self, point: &[Value]) -> f64 {
        let kernels: f64 =
            self.points.iter().zip(&self.heights).map(|(at, height)| height * self.fall(at, point)).sum();
        (1.0 + kernels) / (self.points.len() as f64 + 1.0)
    }

    /// How much of the height of a kernel is left at a point, and what its choices make of it.
    fn fall(&self, centre: &[Value], point: &[Value]) -> f64 {
        let (mut choices, mut apart) = (1.0, 0.0);
        for ((axis, width), (centre, value)) in self.space.axes().iter().zip(&self.widths).zip(centre.iter().zip(point))
        {
            match axis.domain {
                Domain::Choices(count) => choices *= choice(count, *width, centre == value),
                domain => apart += (domain.place(*centre) - domain.place(*value)).abs() / width,
            }
        }
        choices * f64::exp(-apart)
    }

    /// A point drawn from it.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Point {
        let component = rng.random_range(0..=self.points.len());
        let centre = self.points.get(component);
        let axes = self.space.axes().iter().zip(&self.widths).enumerate();
        axes.map(|(index, (axis, width))| {
            let even = uniform(rng);
            match (centre.map(|centre| centre[index]), axis.domain) {
                (None, domain) => domain.at(even),
                // A kernel of choices is an even one, of the weight of its width, and its centre.
                (Some(centre), domain @ Domain::Choices(_)) => {
                    if uniform(rng) < *width {
                        domain.at(even)
                    } else {
                        centre
                    }
                }
                (Some(centre), domain) => domain.at(quantile(domain.place(centre), *width, even)),
            }
        })
        .collect()
    }
}

/// The kernel of one of `count` choices, as a multiple of an even one.
fn choice(count: usize, width: f64, same: bool) -> f64 {
    width + if same { (1.0 - width) * count as f64 } else { 0.0 }
}

/// The share of Laplace's kernel around a centre that lies below the axis, and of what lies on it.
fn cut(centre: f64, width: f64) -> [f64; 2] {
    let below = 0.5 * (-centre / width).exp();
    let above = 0.5 * (-(1.0 - centre) / width).exp();
    [below, 1.0 - below - above]
}

/// The kernel around a centre on an axis from 0 to 1, at the centre itself.
fn height(centre: f64, width: f64) -> f64 {
    let [_, inside] = cut(centre, width);
    0.5 / (width * inside)
}

/// The place below which this share of the kernel lies.
fn quantile(centre: f64, width: f64, share: f64) -> f64 {
    let [below, inside] = cut(centre, width);
    let share = below + share * inside;
    let place =
        if share < 0.5 { centre + width * (2.0 * share).ln() } else { centre - width * (2.0 * (1.0 - share)).ln() };
    place.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, Scale};
    use rand::SeedableRng;

    fn number(centre: f64, width: f64, place: f64) -> f64 {
        height(centre, width) * (-(place - centre).abs() / width).exp()
    }

    #[test]
    fn a_kernel_is_a_density_and_its_quantiles_are_its_own() {
        for (centre, width) in [(0.5, 0.1), (0.0, 0.3), (0.97, 0.02), (0.3, 2.0)] {
            // The middle rule: its error is below the largest slope, 1/width² over the share inside, times the step.
            let steps = 200_000;
            let middle = |step: i32| (f64::from(step) + 0.5) / f64::from(steps);
            let whole: f64 = (0..steps).map(|step| number(centre, width, middle(step))).sum::<f64>() / f64::from(steps);
            assert!((whole - 1.0).abs() < 1e-3, "{centre} {width}: {whole}");
            for share in [0.01, 0.3, 0.5, 0.9] {
                let end = quantile(centre, width, share);
                let until: f64 =
                    (0..steps).filter(|step| middle(*step) < end).map(|step| number(centre, width, middle(step))).sum();
                assert!((until / f64::from(steps) - share).abs() < 1e-3, "{centre} {width} {share}: {end}");
            }
        }
        for (count, width) in [(2, 0.1), (7, 0.6), (3, 1.0)] {
            let sum = choice(count, width, true) + (count - 1) as f64 * choice(count, width, false);
            // As many choices, each a share of the even one.
            assert!((sum / count as f64 - 1.0).abs() < 1e-12);
        }
    }

    fn two_axes() -> Space {
        let numbers = Domain::Integers { least: 0, most: 9, scale: Scale::Linear };
        let axes = [("a", numbers), ("b", Domain::Choices(3))];
        Space::new(axes.map(|(name, domain)| Axis { name: name.into(), domain }).into()).unwrap()
    }

    #[test]
    fn without_points_every_point_is_as_likely() {
        let space = two_axes();
        let even = Mixture::around(&space, Vec::new());
        assert!((0..30).all(|number| (even.density(&space.point(number).unwrap()) - 1.0).abs() < 1e-12));
    }

    #[test]
    fn it_is_denser_near_its_points_and_narrower_with_more_of_them() {
        let space = two_axes();
        let here = [Value::Int(2), Value::Choice(1)];
        let [near, far] = [[Value::Int(3), Value::Choice(1)], [Value::Int(9), Value::Choice(0)]];
        let of = |count: usize| Mixture::around(&space, vec![&here[..]; count]);
        let (one, many) = (of(1), of(20));
        assert!(one.density(&here) > one.density(&near) && one.density(&near) > one.density(&far));
        assert!(many.density(&here) > one.density(&here) && many.density(&far) < one.density(&far));
    }

    #[test]
    fn draws_follow_the_density() {
        let space = two_axes();
        let points =
            [[Value::Int(2), Value::Choice(1)], [Value::Int(3), Value::Choice(1)], [Value::Int(2), Value::Choice(2)]];
        let mixture = Mixture::around(&space, points.iter().map(<[Value; 2]>::as_slice).collect());
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let draws = 20_000;
        let ones = (0..draws).filter(|_| mixture.draw(&mut rng)[1] == Value::Choice(1)).count();
        // Of the even component a third is this choice; of the two kernels around it 1 − w·2/3, of the third one w/3.
        let width = 4.0_f64.powf(-1.0 / 6.0);
        let share = (1.0 / 3.0 + 2.0 * (1.0 - width * 2.0 / 3.0) + width / 3.0) / 4.0;
        // Six standard deviations of a binomial share: exceeded once in 5·10⁸.
        let bound = 6.0 * (share * (1.0 - share) / draws as f64).sqrt();
        assert!((ones as f64 / draws as f64 - share).abs() < bound, "{ones} of {draws}, {share}");
    }
}
