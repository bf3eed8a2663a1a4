//! The bootstrap of items: of any figure of a set of items, such as the F1 of labels or the BLEU of a corpus.

use super::bca::settings;
use super::{Resamples, percentile};
use crate::{Error, Interval, Result, check};
use rayon::prelude::*;

/// The percentile interval of a figure of `items` independent items (Efron, *Bootstrap Methods*, 1979), in the figure's
/// unit. `statistic` gets the numbers of the items, from 0, some of them several times. One that compares two systems on the
/// same items gives the paired interval of their difference (Koehn, *Statistical Significance Tests for Machine
/// Translation Evaluation*, 2004).
///
/// # Errors
/// [`Error::TooFew`] below two items, [`Error::TooFewResamples`], [`Error::BadResample`], [`Error::OutOfRange`] for the
/// level, [`Error::Constant`] where every resample has the same figure, [`Error::Overflow`], and those of the figure.
pub fn items_interval<F>(items: usize, level: f64, resamples: &Resamples, statistic: F) -> Result<Interval>
where
    F: Fn(&[usize]) -> Result<f64> + Sync,
{
    settings(level, &[resamples])?;
    if items < 2 {
        return Err(Error::TooFew { needed: 2, got: items });
    }
    resamples.fit(items)?;
    let all: Vec<usize> = (0..items).collect();
    let estimate = statistic(&all)?;
    let one = |indices: &mut Vec<usize>, row: usize| {
        resamples.draw(row, 0, items, indices);
        check::number(statistic(indices)?)
    };
    let draws: Result<Vec<f64>> = (0..resamples.count()).into_par_iter().map_init(Vec::new, one).collect();
    let mut draws = draws?;
    draws.sort_unstable_by(f64::total_cmp);
    if check::all_equal(&draws) {
        return Err(Error::Constant);
    }
    percentile(estimate, &draws, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_of_given_draws() {
        // Sums of the values 1 and 3: 2, 6, 4 and 4. Quantiles of type 7 at 0.25 and 0.75.
        let rows = Resamples::given(vec![vec![0, 0], vec![1, 1], vec![0, 1], vec![1, 0]]);
        let got = items_interval(2, 0.5, &rows, |i| Ok(i.iter().map(|&i| [1.0, 3.0][i]).sum()));
        assert_eq!(got, Ok(Interval { estimate: 4.0, low: 3.5, high: 4.5, level: 0.5 }));
        let beyond = Resamples::given(vec![vec![0, 0], vec![1, 1], vec![2, 2], vec![0, 1]]);
        assert_eq!(items_interval(2, 0.5, &beyond, |_| Ok(0.0)), Err(Error::BadResample { row: 2, size: 2 }));
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let draws = Resamples::seeded(100, 1);
        assert_eq!(items_interval(9, 0.95, &draws, |_| Ok(1.0)), Err(Error::Constant));
        assert_eq!(items_interval(1, 0.95, &draws, |_| Ok(1.0)), Err(Error::TooFew { needed: 2, got: 1 }));
        assert_eq!(items_interval(9, 0.95, &draws, |i| Ok(1.0 / (i[0] as f64))), Err(Error::Overflow));
        let refused = |i: &[usize]| if i[0] == 3 { Err(Error::TooSmall) } else { Ok(i[0] as f64) };
        assert_eq!(items_interval(9, 0.95, &draws, refused), Err(Error::TooSmall));
    }
}
