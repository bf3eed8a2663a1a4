//! The splits that a search tries, and how many of them can be as clear as one that was found.

use std::f64::consts::LN_2;
use std::ops::Range;

/// The stretches within which a search of `length` values looks for one change: all values first, then
/// seeded intervals, which halve in length and overlap by half (Kovács, Bühlmann, Li & Munk, *Seeded
/// binary segmentation*, 2023), so that a level that soon returns has a stretch in which it changes once.
pub(super) fn stretches(length: usize, least: usize) -> Vec<Range<usize>> {
    let mut all = vec![0..length];
    let mut size = length / 2;
    while size >= (4 * least).max(8) {
        let (room, hop) = (length - size, size / 2);
        all.extend((0..=room / hop).map(|i| i * hop..i * hop + size));
        // The last of them ends where the values end.
        if !room.is_multiple_of(hop) {
            all.push(room..length);
        }
        size /= 2;
    }
    all
}

/// The lengths of the stretches that share one part of the significance.
pub(super) struct Tried {
    lengths: Vec<usize>,
    /// One over that part.
    share: f64,
    least: usize,
}

impl Tried {
    /// Of all stretches of a search: those of all values, and the shorter ones. Where there are shorter
    /// ones, each of the two has half of the significance.
    pub(super) fn of(stretches: &[Range<usize>], least: usize) -> [Self; 2] {
        let share = if stretches.len() > 1 { 2.0 } else { 1.0 };
        let (whole, shorter) = stretches.split_at(1);
        [whole, shorter].map(|part| Self { lengths: part.iter().map(Range::len).collect(), share, least })
    }

    /// How many splits are tried, over the part of the significance.
    pub(super) fn splits(&self) -> f64 {
        let of = |length: &usize| (length + 1).saturating_sub(2 * self.least) as f64;
        self.share * self.lengths.iter().map(of).sum::<f64>()
    }

    /// How many of them can have a rank test's p-value of `p` or less, over the part of the significance:
    /// those that have it where all values of one side exceed all of the other (Tarone, *A modified
    /// Bonferroni method for discrete data*, 1990).
    pub(super) fn reaching(&self, p: f64) -> f64 {
        let of = |length: &usize| {
            let mut sizes = (1..).zip(ln_separations(*length)).skip(self.least - 1);
            let fewest = sizes.find(|(_, ln_p)| *ln_p <= p.ln() + 1e-9);
            fewest.map_or(0.0, |(few, _)| (length + 1 - 2 * few) as f64)
        };
        self.share * self.lengths.iter().map(of).sum::<f64>()
    }
}

/// The logarithm of the two-sided p-value of complete separation, 2 over the number of ways to choose
/// `few` of `all` values; `few` is from 1 to one below `all`.
pub(super) fn ln_separated(few: usize, all: usize) -> f64 {
    ln_separations(all).nth(few.min(all - few) - 1).unwrap_or(0.0)
}

/// [`ln_separated`] of 1, 2 and so on up to half of all values.
fn ln_separations(all: usize) -> impl Iterator<Item = f64> {
    (1..=all / 2).scan(LN_2, move |ln_p, few| {
        *ln_p -= ((all + 1 - few) as f64 / few as f64).ln();
        Some(*ln_p)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_the_series_at_every_length() {
        assert_eq!(stretches(15, 2), [0..15]);
        assert_eq!(stretches(17, 2), [0..17, 0..8, 4..12, 8..16, 9..17]);
        for length in [16, 63, 100, 1000] {
            let all = stretches(length, 2);
            assert!(all.iter().all(|s| s.end <= length), "{length}");
            for size in all.iter().map(Range::len) {
                assert!(all.iter().any(|s| s.len() == size && s.end == length), "{length}: {size}");
            }
        }
    }

    #[test]
    fn only_splits_that_can_be_as_clear_count() {
        // Of 10 values 5 and 5 have 2 / 252, 4 and 6 have 2 / 210.
        let [whole, _] = Tried::of(&stretches(10, 2), 2);
        assert_eq!((whole.splits(), whole.reaching(2.0 / 252.0), whole.reaching(2.0 / 210.0)), (7.0, 1.0, 3.0));
        assert_eq!((whole.reaching(0.5), whole.reaching(1e-3)), (7.0, 0.0));
    }
}
