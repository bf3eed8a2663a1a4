//! One strip of the distribution figure: which points are drawn, where, and the quartiles beside them.

/// Points kept at each end when a strip is thinned, so that no extreme disappears.
const EXTREMES: usize = 50;

/// Ranks of the points to draw out of `n` sorted ones, at most `limit` (≥ 1): all, or both ends whole and even steps between.
pub(crate) fn thinned(n: usize, limit: usize) -> Vec<usize> {
    if n <= limit {
        return (0..n).collect();
    }
    let ends = EXTREMES.min(limit / 4);
    let middle = limit - 2 * ends;
    let span = n - 2 * ends;
    // span > middle here, so the steps are longer than 1 and no rank comes twice.
    let between = (0..middle).map(|i| ends + (2 * i + 1) * span / (2 * middle));
    (0..ends).chain(between).chain(n - ends..n).collect()
}

/// The largest number of points a strip may have so that all strips together stay within `budget`, never above `most`.
pub(crate) fn fair_limit(sizes: &[usize], most: usize, budget: usize) -> usize {
    let mut sizes: Vec<usize> = sizes.iter().map(|&n| n.min(most)).collect();
    sizes.sort_unstable();
    let mut left = budget;
    for (i, &size) in sizes.iter().enumerate() {
        let share = left / (sizes.len() - i);
        if size > share {
            return share.max(1);
        }
        left -= size;
    }
    most
}

/// Place across the strip of the `index`th drawn point, in 0..1: the van der Corput sequence in base 2, which spreads neighbours evenly
/// and gives the same figure each time.
pub(crate) fn jitter(index: usize) -> f64 {
    let bits = u32::try_from(index + 1).unwrap_or(u32::MAX);
    f64::from(bits.reverse_bits()) / (f64::from(u32::MAX) + 1.0)
}

/// Share of the strip's width that each of these rising places (0..1 along the axis) may use: 1 where points are densest, little where
/// they are few, so that the strip shows the shape of its distribution. Below 30 points every one may use it all.
pub(crate) fn widths(places: &[f64]) -> Vec<f64> {
    const BINS: usize = 200;
    const KERNEL: [f64; 7] = [1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0];
    if places.len() < 30 {
        return vec![1.0; places.len()];
    }
    let bin = |place: f64| ((place * BINS as f64) as usize).min(BINS - 1);
    let mut counts = [0.0; BINS];
    for &place in places {
        counts[bin(place)] += 1.0;
    }
    let smooth: Vec<f64> = (0..BINS)
        .map(|at| {
            KERNEL
                .iter()
                .enumerate()
                .map(|(k, weight)| weight * counts.get((at + k).wrapping_sub(3)).copied().unwrap_or(0.0))
                .sum()
        })
        .collect();
    let most = smooth.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    places.iter().map(|&place| 0.15 + 0.85 * smooth[bin(place)] / most).collect()
}

/// First quartile, median and third quartile (type 7) of sorted, non-empty values.
pub(crate) fn quartiles(sorted: &[f64]) -> [f64; 3] {
    [0.25, 0.5, 0.75].map(|p| {
        let place = p * (sorted.len() - 1) as f64;
        let low = sorted[place.floor() as usize];
        let high = sorted[place.ceil() as usize];
        low + (high - low) * place.fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_both_ends_and_the_limit() {
        for (n, limit) in [(10, 10), (11, 10), (1_000, 7), (50_001, 20_000), (1_000_000, 20_000), (5, 1)] {
            let ranks = thinned(n, limit);
            assert_eq!(ranks.len(), n.min(limit), "{n} {limit}");
            assert!(ranks.windows(2).all(|w| w[0] < w[1]), "{n} {limit}: ranks rise strictly");
            assert!(ranks.iter().all(|&r| r < n));
            if limit >= 4 {
                assert_eq!((ranks[0], ranks[ranks.len() - 1]), (0, n - 1));
            }
        }
    }

    #[test]
    fn thinning_keeps_the_shape() {
        let ranks = thinned(1_000_000, 20_000);
        let below_median = ranks.iter().filter(|&&r| r < 500_000).count();
        assert!(below_median.abs_diff(10_000) <= 1, "{below_median}");
    }

    #[test]
    fn the_budget_is_shared_fairly() {
        assert_eq!(fair_limit(&[100, 100], 20_000, 60_000), 20_000);
        assert_eq!(fair_limit(&[1_000_000; 6], 20_000, 60_000), 10_000);
        assert_eq!(fair_limit(&[10_000, 1_000_000, 1_000_000, 1_000_000], 20_000, 40_000), 10_000);
        assert_eq!(fair_limit(&[100, 50_000, 50_000, 50_000], 20_000, 30_100), 10_000);
        assert_eq!(fair_limit(&[9; 100], 20_000, 10), 1);
        assert_eq!(fair_limit(&[], 20_000, 10), 20_000);
    }

    #[test]
    fn jitter_fills_the_strip_evenly() {
        assert_eq!([0, 1, 2, 3].map(jitter), [0.5, 0.25, 0.75, 0.125]);
        let mut bins = [0; 16];
        (0..1600).map(jitter).for_each(|j| bins[(j * 16.0) as usize] += 1);
        assert!(bins.iter().all(|&n: &i32| (n - 100).abs() <= 1), "{bins:?}");
    }

    #[test]
    fn strips_are_widest_where_points_are_densest() {
        assert_eq!(widths(&[0.1, 0.9]), [1.0, 1.0]);
        let places: Vec<f64> = (0..300).map(|i| 0.5 + f64::from(i) * 1e-6).chain([0.9, 1.0]).collect();
        let widths = widths(&places);
        assert!(widths.iter().all(|w| (0.15..=1.0).contains(w)));
        assert_eq!(widths[0], 1.0);
        assert!(widths[301] < 0.2, "{}", widths[301]);
    }

    #[test]
    fn quartiles_are_type_7() {
        assert_eq!(quartiles(&[1.0, 2.0, 3.0, 4.0]), [1.75, 2.5, 3.25]);
        assert_eq!(quartiles(&[7.0]), [7.0; 3]);
    }
}
