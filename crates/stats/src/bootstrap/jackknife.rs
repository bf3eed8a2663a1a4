//! The statistic with each value left out in turn.

use super::Statistic;
use crate::describe::mean_of;

/// The statistic without value i, for every i, of at least two values.
pub(super) fn leave_one_out(x: &[f64], statistic: Statistic) -> Vec<f64> {
    match statistic {
        Statistic::Mean => {
            let mean = mean_of(x);
            let rest = (x.len() - 1) as f64;
            x.iter().map(|v| mean + (mean - v) / rest).collect()
        }
        Statistic::Median => medians(x),
    }
}

fn medians(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_unstable_by(|&a, &b| x[a].total_cmp(&x[b]));
    let left = x.len() - 1;
    let mut without = vec![0.0; x.len()];
    for (place, &index) in order.iter().enumerate() {
        // The k-th of those left, in ascending order, skips the place left out.
        let kth = |k: usize| x[order[k + usize::from(k >= place)]];
        without[index] = if left % 2 == 1 { kth(left / 2) } else { kth(left / 2 - 1).midpoint(kth(left / 2)) };
    }
    without
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcuts_equal_the_long_way() {
        for x in [&[3.0, 1.0, 4.0, 1.0, 5.0][..], &[2.0, 7.0, 1.0, 8.0, 2.5, 8.5], &[1.0, 2.0]] {
            for statistic in [Statistic::Mean, Statistic::Median] {
                let quick = leave_one_out(x, statistic);
                for (i, value) in quick.iter().enumerate() {
                    let mut rest = x.to_vec();
                    rest.remove(i);
                    assert!((value - statistic.of(&mut rest)).abs() < 1e-12, "{statistic:?} of {x:?} without {i}");
                }
            }
        }
    }
}
