//! An estimate with its interval, on what data and over how many items it is, and how that becomes a part of the record.

use crate::{Error, Result};
use benchbook_core::Metric;
use benchbook_stats::{Interval, Resamples, items_interval, series_interval};

/// The level of all intervals.
pub const LEVEL: f64 = 0.95;

/// Into how many pieces the data of an estimate is parted for the record: the judge compares piece by piece.
pub const PIECES: usize = 24;

/// The stretches of items that are the pieces, in their order, their sizes within one of each other. The estimate of each
/// piece is a step value of the estimate's name (`core::StepsOf::values`): that of the whole is the same in every process,
/// and so says nothing of how sure it is.
///
/// # Errors
/// There are fewer items than pieces.
pub fn pieces(items: usize, item: &'static str) -> Result<impl Iterator<Item = std::ops::Range<usize>>> {
    if items < PIECES {
        return Err(Error::Unequal { what: item, left: items, right: PIECES });
    }
    Ok((0..PIECES).map(move |piece| items * piece / PIECES..items * (piece + 1) / PIECES))
}

/// Resamples of an estimate without a closed form: its bounds then have an error of a sixtieth of their distance.
const DRAWS: usize = 2_000;
const SEED: u64 = 19;

/// Of what an estimate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Of<'a> {
    /// The data, such as `brown/ca01-ca44`.
    pub data: &'a str,
    /// What an item is: a token, a sentence, an utterance.
    pub item: &'static str,
}

/// A number that says how good answers are.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Its name in SQL, such as `perplexity`.
    pub name: &'static str,
    /// The number, in `unit`.
    pub value: f64,
    /// The bounds of its interval at [`LEVEL`], in its unit; none of too few items, or where these do not vary.
    pub bounds: Option<(f64, f64)>,
    /// The unit: `nats`, `share`, `points`, `ratio`, `count`.
    pub unit: &'static str,
    /// Over how many items it is.
    pub items: usize,
    /// What an item is.
    pub item: &'static str,
    /// Of what data.
    pub data: String,
}

impl Estimate {
    /// The mean of one value an item in their order, whose neighbours may resemble each other (`nats`, `share`).
    ///
    /// # Errors
    /// There is no item, or a value is not finite.
    pub fn of_series(name: &'static str, unit: &'static str, values: &[f64], of: Of<'_>) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::Empty(of.item));
        }
        let value = benchbook_stats::mean(values)?;
        Self::told(name, unit, value, series_interval(values, LEVEL), values.len(), of)
    }

    /// An estimate of independent items, by the bootstrap; `estimate` gets the numbers of items, some of them several times.
    ///
    /// # Errors
    /// There is no item, or the estimate of all items or of a resample cannot be given.
    pub fn of_items<F>(name: &'static str, unit: &'static str, items: usize, of: Of<'_>, estimate: F) -> Result<Self>
    where
        F: Fn(&[usize]) -> benchbook_stats::Result<f64> + Sync,
    {
        if items == 0 {
            return Err(Error::Empty(of.item));
        }
        let value = estimate(&(0..items).collect::<Vec<_>>())?;
        let interval = items_interval(items, LEVEL, &Resamples::seeded(DRAWS, SEED), estimate);
        Self::told(name, unit, value, interval, items, of)
    }

    /// The mean of a value of each of some independent items, by the bootstrap.
    ///
    /// # Errors
    /// There is no item.
    pub fn of_mean(name: &'static str, unit: &'static str, values: &[f64], of: Of<'_>) -> Result<Self> {
        let mean = |items: &[usize]| Ok(items.iter().map(|item| values[*item]).sum::<f64>() / items.len() as f64);
        Self::of_items(name, unit, values.len(), of, mean)
    }

    /// A share of independent items of which each has something or not, with its exact interval.
    ///
    /// # Errors
    /// There is no item.
    pub fn of_share(name: &'static str, has: &[bool], of: Of<'_>) -> Result<Self> {
        let count = has.iter().filter(|has| **has).count();
        if has.is_empty() {
            return Err(Error::Empty(of.item));
        }
        let interval = benchbook_stats::clopper_pearson(count as u64, has.len() as u64, LEVEL);
        Self::told(name, "share", count as f64 / has.len() as f64, interval, has.len(), of)
    }

    /// The same estimate on another scale, by a function that grows.
    #[must_use]
    pub fn scaled(self, name: &'static str, unit: &'static str, grow: impl Fn(f64) -> f64) -> Self {
        let bounds = self.bounds.map(|(low, high)| (grow(low), grow(high)));
        Self { name, unit, value: grow(self.value), bounds, ..self }
    }

    fn told(
        name: &'static str,
        unit: &'static str,
        value: f64,
        interval: benchbook_stats::Result<Interval>,
        items: usize,
        of: Of<'_>,
    ) -> Result<Self> {
        use benchbook_stats::Error as Statistic;
        let bounds = match interval {
            Ok(interval) => Some((interval.low, interval.high)),
            // The estimate stands, and nothing says how far it would be another time.
            Err(Statistic::Constant | Statistic::TooFew { .. }) => None,
            Err(other) => return Err(other.into()),
        };
        Ok(Self { name, value, bounds, unit, items, item: of.item, data: of.data.to_owned() })
    }

    /// The rows of `measures`: NAME, and beside it NAME_low, NAME_high and NAME_items, which say how sure it is and are
    /// no metrics of their own (`query/src/metrics/values.sql`).
    pub fn metrics(&self) -> Vec<Metric> {
        let row = |what: &str, value: f64, unit: &str| Metric::measured(&format!("{}{what}", self.name), value, unit);
        let bounds = self.bounds.into_iter().flat_map(|(low, high)| [("_low", low), ("_high", high)]);
        let mut rows = vec![row("", self.value, self.unit), row("_items", self.items as f64, "count")];
        rows.extend(bounds.map(|(what, value)| row(what, value, self.unit)));
        rows
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:.4}", self.name, self.value)?;
        match self.bounds {
            Some((low, high)) => write!(f, " [{low:.4}, {high:.4}]")?,
            None => write!(f, " (no interval)")?,
        }
        write!(f, " {} over {} {}s of {}", self.unit, self.items, self.item, self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Of<'static> = Of { data: "a text", item: "token" };

    #[test]
    fn an_estimate_says_of_what_it_is() {
        let estimate = Estimate::of_share("accuracy", &[true, false, true, true], OF).expect("items");
        assert_eq!(estimate.to_string(), "accuracy 0.7500 [0.1941, 0.9937] share over 4 tokens of a text");
        let names: Vec<String> = estimate.metrics().into_iter().map(|metric| metric.name).collect();
        assert_eq!(names, ["accuracy", "accuracy_items", "accuracy_low", "accuracy_high"]);
    }

    #[test]
    fn what_does_not_vary_has_a_estimate_and_no_interval() {
        let estimate = Estimate::of_series("kl", "nats", &[0.0; 50], OF).expect("finite");
        assert_eq!((estimate.value, estimate.bounds, estimate.metrics().len()), (0.0, None, 2));
        let few = Estimate::of_series("kl", "nats", &[0.1, 0.2], OF).expect("finite");
        assert_eq!((few.bounds, few.items), (None, 2));
    }

    #[test]
    fn pieces_are_all_of_the_data_and_as_long() {
        for items in [24, 25, 1_000, 1_161_192] {
            let all: Vec<_> = pieces(items, "token").expect("enough").collect();
            assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start) && all[0].start == 0);
            assert_eq!((all.len(), all[PIECES - 1].end), (PIECES, items));
            let longest = all.iter().map(ExactSizeIterator::len).max().expect("pieces");
            assert!(all.iter().all(|piece| longest - piece.len() <= 1));
        }
        assert!(pieces(23, "token").is_err());
    }

    #[test]
    fn nothing_has_no_estimate() {
        assert!(matches!(Estimate::of_series("kl", "nats", &[], OF), Err(Error::Empty("token"))));
        assert!(matches!(Estimate::of_share("accuracy", &[], OF), Err(Error::Empty("token"))));
        assert!(matches!(Estimate::of_items("bleu", "points", 0, OF, |_| Ok(0.0)), Err(Error::Empty("token"))));
        assert!(Estimate::of_series("kl", "nats", &[1.0, f64::NAN], OF).is_err());
    }
}
