//! The right answer, and how far an implementation is from it.

use std::borrow::Cow;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{Array, Tolerance};

/// The right answer to a case: one [`Answer`] for each output, each checked by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The answers, in the order in which an implementation gives its outputs.
    pub answers: Vec<Answer>,
}

/// Rows of the right answer in `f64`.
///
/// A row is one step of the output's last axis: for attention, one query of one head. Where the
/// whole answer would take minutes, `rows` is a seeded subset.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Name of the output (`output`, `query_grad`).
    pub name: Cow<'static, str>,
    /// Shape of the full output.
    pub shape: Vec<usize>,
    /// Which rows of the output `values` holds, ascending.
    pub rows: Vec<usize>,
    /// The values of those rows, one after another.
    pub values: Vec<f64>,
    /// What makes an output right.
    pub check: Check,
}

/// What makes an output right.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Each number is near enough, see [`Answer::compare`].
    #[default]
    Near,
    /// The same of an answer with roundings on the way, of which there are others that are right too: a row may be off by so much
    /// more ([`Reference::among`]).
    Rounded {
        /// By how much each row held may be off besides, in the unit of the output.
        #[serde(with = "crate::number::list")]
        spread: Vec<f64>,
    },
    /// Each number is the same.
    Exact,
    /// Greedy decoding, a token a row, the same tokens before it given: the same token, except where the reference's two best
    /// logits differ by less than is told from rounding. After a row at which an output has gone the other way, the
    /// reference is given the output's tokens ([`Problem::follow`](crate::Problem::follow)).
    Greedy {
        /// By how much the best logit of each row held is above the second.
        #[serde(with = "crate::number::list")]
        gaps: Vec<f64>,
        /// The smallest difference that counts.
        #[serde(with = "crate::number")]
        least: f64,
    },
    /// Draws of categories, whatever their order: χ² of their counts beside the probabilities in `values`.
    Draws {
        /// The largest χ² that passes, from the error rate of the test.
        #[serde(with = "crate::number")]
        critical: f64,
        /// Probabilities that the draws do not have: a test that accepts them tells nothing.
        #[serde(with = "crate::number::list")]
        control: Vec<f64>,
    },
}

/// How an output compares with its reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Name of the output; nothing from a worker that knows only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Largest |a − b|; infinite where the output holds a NaN or the shapes differ.
    #[serde(with = "infinite")]
    pub max_abs_error: f64,
    /// Largest |a − b| over the scale of its row, see [`Answer::compare`]; of an output with a [`Tolerance`] of its own, what is
    /// beyond the absolute one.
    #[serde(with = "infinite")]
    pub max_scaled_error: f64,
    /// Number of rows compared.
    pub rows_checked: u64,
    /// The largest scaled error that passes, where the output has a [`Tolerance`] of its own: no worker says it.
    #[serde(skip)]
    pub tolerance: Option<f64>,
}

impl Comparison {
    /// The largest scaled error that passes, where every output is allowed `of_all` but those that have their own.
    pub fn allowed(&self, of_all: f64) -> f64 {
        self.tolerance.unwrap_or(of_all)
    }

    /// Whether the output is right, where every output is allowed `of_all` but those that have their own.
    pub fn passes(&self, of_all: f64) -> bool {
        self.max_scaled_error <= self.allowed(of_all)
    }
}

/// JSON has no infinity: it travels as null.
mod infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}

/// How much larger than its largest value the scale of a row is, where the output has larger ones: a chain of operations in
/// 16 bits is off by more of a row than of the output.
const OF_ROW: f64 = 4.0;

/// The share of an output's largest value that the scale of a row is at least: a row near zero is judged by the output.
const LEAST_SCALE: f64 = 1.0 / 16.0;

/// A seeded choice of at most `limit` of `rows` rows, ascending; always the first and the last.
///
/// The ends are where masks and alignment go wrong, so they are never left to chance.
pub fn sample_rows(rows: usize, limit: usize, seed: u64) -> Vec<usize> {
    if rows <= limit {
        return (0..rows).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = index::sample(&mut rng, rows, limit).into_vec();
    chosen.extend([0, rows - 1]);
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

impl Reference {
    /// The rows of the only output.
    pub fn of(shape: Vec<usize>, rows: Vec<usize>, values: Vec<f64>) -> Self {
        Self { answers: vec![Answer { name: "output".into(), shape, rows, values, check: Check::Near }] }
    }

    /// Compares each output with its answer; one that is missing, or too many, is infinitely wrong.
    pub fn compare(&self, outputs: &[Array]) -> Vec<Comparison> {
        self.compare_within(outputs, &[])
    }

    /// As [`Reference::compare`], where some outputs have a tolerance of their own.
    pub fn compare_within(&self, outputs: &[Array], own: &[Tolerance]) -> Vec<Comparison> {
        let one = |(place, answer): (usize, &Answer)| {
            let own = own.iter().find(|own| own.output == answer.name);
            let compared = match outputs.get(place) {
                Some(output) if outputs.len() == self.answers.len() => {
                    answer.compared(output, own.map_or(0.0, |own| own.absolute))
                }
                _ => answer.wrong(0),
            };
            Comparison { tolerance: own.map(|own| own.relative), ..compared }
        };
        self.answers.iter().enumerate().map(one).collect()
    }

    /// The first row at which greedy decoding may go another way, where there is one.
    pub fn first_tie(&self) -> Option<usize> {
        self.answers.iter().filter_map(Answer::first_tie).min()
    }

    /// The largest scaled error of the numbers that another answer to the same case holds in the place of these; infinite where it
    /// holds other rows, or no numbers.
    pub fn apart(&self, other: &Self) -> f64 {
        if self.answers.len() != other.answers.len() {
            return f64::INFINITY;
        }
        self.answers.iter().zip(&other.answers).map(|(one, other)| one.apart(other)).fold(0.0, f64::max)
    }

    /// ‖outputs − reference‖ over ‖reference‖ (Euclidean, over the rows held): what an approximation loses.
    /// Infinite where the shapes differ.
    pub fn distance(&self, outputs: &[Array]) -> f64 {
        let (mut off, mut all) = (0.0, 0.0);
        for (answer, output) in self.answers.iter().zip(outputs) {
            let Some(pairs) = answer.pairs(output) else { return f64::INFINITY };
            for (got, expected) in pairs.into_iter().flatten() {
                off += (got - expected).powi(2);
                all += expected.powi(2);
            }
        }
        if outputs.len() != self.answers.len() {
            return f64::INFINITY;
        }
        if all > 0.0 { (off / all).sqrt() } else { off.sqrt() }
    }
}

impl Answer {
    fn wrong(&self, rows_checked: u64) -> Comparison {
        let output = Some(self.name.to_string());
        let (max_abs_error, max_scaled_error) = (f64::INFINITY, f64::INFINITY);
        Comparison { output, max_abs_error, max_scaled_error, rows_checked, tolerance: None }
    }

    /// Each row held, as pairs of what was given and what is right; nothing where the output has another shape, a number that
    /// is not finite, also outside of the rows held, or where the answer does not hold what it says.
    pub(crate) fn pairs(&self, output: &Array) -> Option<Vec<Vec<(f64, f64)>>> {
        let width = output.width();
        let fits = output.shape() == self.shape
            && !self.rows.is_empty()
            && self.values.len() == self.rows.len() * width
            && self.rows.iter().all(|row| *row < output.rows());
        let given = fits.then(|| output.to_f64())?;
        if !given.iter().chain(&self.values).all(|value| value.is_finite()) {
            return None;
        }
        let rows = self.rows.iter().zip(self.values.chunks_exact(width));
        let pair = |(row, right): (&usize, &[f64])| {
            given[row * width..][..width].iter().copied().zip(right.iter().copied()).collect()
        };
        Some(rows.map(pair).collect())
    }

    /// Compares an output with this answer.
    ///
    /// An error is a share of the output's largest value, and, relative to its row, of four times the largest value there, but
    /// not less than a sixteenth of the output's (absolutely): small rows do not hide behind large ones. A check that knows
    /// only right and wrong is off by 0 or by infinity.
    pub fn compare(&self, output: &Array) -> Comparison {
        self.compared(output, 0.0)
    }

    /// Compares an output, where an error up to `absolute` is none.
    fn compared(&self, output: &Array, absolute: f64) -> Comparison {
        if let Check::Draws { critical, control } = &self.check {
            return self.drawn(output, *critical, control);
        }
        let width = output.width();
        let held = self.values.len().checked_div(width).unwrap_or(0);
        let rows_checked = held.min(self.rows.len()) as u64;
        let Some(rows) = self.pairs(output) else { return self.wrong(rows_checked) };
        let (max_abs_error, max_scaled_error) = self.errors(&rows, absolute);
        let output = Some(self.name.to_string());
        Comparison { output, max_abs_error, max_scaled_error, rows_checked, tolerance: None }
    }

    /// See [`Reference::apart`].
    fn apart(&self, other: &Self) -> f64 {
        let width = self.values.len().checked_div(self.rows.len()).unwrap_or(0);
        let alike = self.rows == other.rows && self.values.len() == other.values.len() && width > 0;
        if !alike || !self.values.iter().chain(&other.values).all(|value| value.is_finite()) {
            return f64::INFINITY;
        }
        let pair = |(right, got): (&[f64], &[f64])| got.iter().copied().zip(right.iter().copied()).collect();
        let rows = self.values.chunks_exact(width).zip(other.values.chunks_exact(width));
        let rows: Vec<Vec<(f64, f64)>> = rows.map(pair).collect();
        self.errors(&rows, 0.0).1
    }

    /// The largest error of the rows held, absolutely and as a share of the scale of its row, where one up to `absolute` is none.
    fn errors(&self, rows: &[Vec<(f64, f64)>], absolute: f64) -> (f64, f64) {
        let largest = |pairs: &[(f64, f64)]| pairs.iter().fold(0.0_f64, |max, (_, right)| max.max(right.abs()));
        let most = rows.iter().map(|row| largest(row)).fold(0.0, f64::max);
        let (mut max_abs_error, mut max_scaled_error) = (0.0_f64, 0.0_f64);
        for (place, row) in rows.iter().enumerate() {
            let off = row.iter().fold(0.0_f64, |max, (got, right)| max.max((got - right).abs()));
            let scale = (OF_ROW * largest(row)).clamp(LEAST_SCALE * most, most);
            let scaled = match &self.check {
                Check::Near | Check::Rounded { .. } | Check::Draws { .. } => {
                    let beyond = (off - absolute - self.spread(place)).max(0.0);
                    if scale > 0.0 { beyond / scale } else { beyond }
                }
                Check::Greedy { gaps, least } if gaps.get(place).is_some_and(|gap| gap < least) => 0.0,
                Check::Exact | Check::Greedy { .. } => {
                    if off > 0.0 {
                        f64::INFINITY
                    } else {
                        0.0
                    }
                }
            };
            max_abs_error = max_abs_error.max(off);
            max_scaled_error = max_scaled_error.max(scaled);
        }
        (max_abs_error, max_scaled_error)
    }

    /// By how much a row held may be off besides what all are allowed.
    fn spread(&self, place: usize) -> f64 {
        match &self.check {
            Check::Rounded { spread } => spread.get(place).copied().filter(|spread| spread.is_finite()).unwrap_or(0.0),
            _ => 0.0,
        }
    }

    /// χ² of draws: right where it is small beside the true probabilities and large beside the others.
    fn drawn(&self, output: &Array, critical: f64, control: &[f64]) -> Comparison {
        let draws = output.to_f64();
        if output.shape() != self.shape || control.len() != self.values.len() || draws.is_empty() {
            return self.wrong(0);
        }
        let mut counts = vec![0.0; self.values.len()];
        for draw in &draws {
            match counts.get_mut(*draw as usize) {
                Some(count) if draw.fract() == 0.0 && *draw >= 0.0 => *count += 1.0,
                _ => return self.wrong(draws.len() as u64),
            }
        }
        let beside = |probabilities: &[f64]| chi_square(&counts, probabilities, draws.len() as f64);
        let (right, other) = (beside(&self.values), beside(control));
        let max_scaled_error = if right <= critical && other > critical { 0.0 } else { f64::INFINITY };
        let (output, rows_checked) = (Some(self.name.to_string()), draws.len() as u64);
        Comparison { output, max_abs_error: right, max_scaled_error, rows_checked, tolerance: None }
    }

    /// The first row at which greedy decoding may go another way, where there is one.
    pub fn first_tie(&self) -> Option<usize> {
        match &self.check {
            Check::Greedy { gaps, least } => gaps.iter().position(|gap| gap < least),
            _ => None,
        }
    }
}

/// Pearson's χ² of counts beside probabilities; infinite where something impossible was drawn.
fn chi_square(counts: &[f64], probabilities: &[f64], draws: f64) -> f64 {
    let one = |(count, probability): (&f64, &f64)| match (*count, probability * draws) {
        (0.0, 0.0) => 0.0,
        (_, expected) => (count - expected).powi(2) / expected,
    };
    counts.iter().zip(probabilities).map(one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Reference {
        Reference::of(vec![3, 2], vec![0, 2], vec![1.0, 2.0, -4.0, 0.0])
    }

    fn array(shape: &[usize], values: &[f32]) -> Vec<Array> {
        vec![Array::new(shape.to_vec(), values)]
    }

    /// The answer of the reference, changed.
    fn changed(change: impl FnOnce(&mut Answer)) -> Reference {
        let mut reference = reference();
        change(&mut reference.answers[0]);
        reference
    }

    fn scaled(reference: &Reference, outputs: &[Array]) -> f64 {
        reference.compare(outputs)[0].max_scaled_error
    }

    #[test]
    fn error_is_scaled_by_its_row_and_by_no_more_than_the_output() {
        let comparison = reference().compare(&array(&[3, 2], &[1.0, 2.5, 9.0, 9.0, -4.0, 0.0])).remove(0);
        assert_eq!((comparison.max_abs_error, comparison.max_scaled_error), (0.5, 0.125));
        assert_eq!((comparison.rows_checked, comparison.output.as_deref()), (2, Some("output")));
        let row = changed(|answer| answer.values[..2].copy_from_slice(&[0.25, 0.5]));
        assert_eq!(
            scaled(&row, &array(&[3, 2], &[0.25, 1.0, 9.0, 9.0, -4.0, 0.0])),
            0.25,
            "four times the row's largest"
        );
        // A row near zero is judged by a sixteenth of the largest value.
        let small = changed(|answer| answer.values[..2].copy_from_slice(&[1e-9, 0.0]));
        assert_eq!(scaled(&small, &array(&[3, 2], &[1e-9, 0.5, 9.0, 9.0, -4.0, 0.0])), 2.0);
    }

    #[test]
    fn every_output_is_checked_on_its_own_scale() {
        let answer = |name: &'static str, values: [f64; 2]| Answer {
            name: name.into(),
            shape: vec![1, 2],
            rows: vec![0],
            values: values.into(),
            check: Check::Near,
        };
        let both = Reference { answers: vec![answer("large", [1000.0, 0.0]), answer("small", [0.001, 0.0])] };
        let outputs = |small: f32| [array(&[1, 2], &[1000.0, 0.0]), array(&[1, 2], &[0.001, small])].concat();
        assert!(both.compare(&outputs(0.0)).iter().all(|one| one.max_scaled_error < 1e-6));
        let off = both.compare(&outputs(0.001));
        assert_eq!((off[0].max_scaled_error, off[1].output.as_deref()), (0.0, Some("small")));
        assert!(off[1].max_scaled_error > 0.9);
        for count in [0, 1] {
            let missing = both.compare(&outputs(0.0)[..count]);
            assert!(missing.len() == 2 && missing.iter().all(|one| one.max_scaled_error == f64::INFINITY));
        }
    }

    #[test]
    fn distance_is_relative_to_the_whole_answer() {
        // Of the rows held, one number is off by 3, and their norm is the root of 1 + 4 + 16.
        let output = array(&[3, 2], &[1.0, 5.0, 9.0, 9.0, -4.0, 0.0]);
        assert!((reference().distance(&output) - 3.0 / 21.0_f64.sqrt()).abs() < 1e-15);
        assert_eq!(reference().distance(&array(&[6], &[0.0; 6])), f64::INFINITY);
        assert_eq!(reference().distance(&[]), f64::INFINITY);
    }

    #[test]
    fn a_nan_in_an_unchecked_row_or_a_wrong_shape_is_infinitely_wrong() {
        let nan = array(&[3, 2], &[1.0, 2.0, f32::NAN, 9.0, -4.0, 0.0]);
        assert_eq!(scaled(&reference(), &nan), f64::INFINITY);
        assert_eq!(scaled(&reference(), &array(&[6], &[1.0, 2.0, 9.0, 9.0, -4.0, 0.0])), f64::INFINITY);
    }

    #[test]
    fn a_reference_that_holds_no_answer_passes_nothing() {
        let output = array(&[3, 2], &[1.0, 2.0, 9.0, 9.0, -4.0, 0.0]);
        assert_eq!(scaled(&reference(), &output), 0.0);
        let nan = changed(|answer| answer.values[1] = f64::NAN);
        assert_eq!((scaled(&nan, &output), nan.distance(&output)), (f64::INFINITY, f64::INFINITY));
        let short = changed(|answer| answer.values.truncate(2)).compare(&output).remove(0);
        assert_eq!((short.max_scaled_error, short.rows_checked), (f64::INFINITY, 1), "one row is missing");
        assert_eq!(scaled(&changed(|answer| answer.rows[1] = 3), &output), f64::INFINITY);
    }

    #[test]
    fn exact_means_every_bit() {
        let exact = changed(|answer| answer.check = Check::Exact);
        assert_eq!(scaled(&exact, &array(&[3, 2], &[1.0, 2.0, 9.0, 9.0, -4.0, 0.0])), 0.0);
        assert_eq!(scaled(&exact, &array(&[3, 2], &[1.0, 2.000_000_2, 9.0, 9.0, -4.0, 0.0])), f64::INFINITY);
    }

    #[test]
    fn a_row_may_be_off_by_what_other_roundings_of_it_are() {
        let within = |spread: [f64; 2]| changed(|answer| answer.check = Check::Rounded { spread: spread.into() });
        let output = array(&[3, 2], &[1.0, 2.5, 9.0, 9.0, -4.0, 0.25]);
        let off = |spread| scaled(&within(spread), &output);
        assert_eq!([off([0.0, 0.0]), off([0.5, 0.0]), off([0.5, 0.25])], [0.125, 0.0625, 0.0]);
        assert_eq!(off([f64::NAN, f64::INFINITY]), 0.125, "what is no number excuses nothing");
    }

    #[test]
    fn greedy_tokens_may_differ_where_the_reference_itself_hardly_knows() {
        let tokens = Answer {
            name: "tokens".into(),
            shape: vec![3, 1],
            rows: vec![0, 1, 2],
            values: vec![7.0, 8.0, 9.0],
            check: Check::Greedy { gaps: vec![1.0, 1e-7, 1.0], least: 1e-4 },
        };
        let compared = |given: [i64; 3]| tokens.compare(&Array::new(vec![3, 1], &given)).max_scaled_error;
        assert_eq!((compared([7, 8, 9]), compared([7, 3, 9]), tokens.first_tie()), (0.0, 0.0, Some(1)));
        assert_eq!([compared([6, 8, 9]), compared([7, 8, 1])], [f64::INFINITY; 2]);
    }

    #[test]
    fn draws_pass_where_they_fit_and_where_the_test_could_have_failed() {
        // χ² of one degree of freedom exceeds 10.8 with a probability of 0.001.
        let fair = |control: [f64; 2]| Answer {
            name: "draws".into(),
            shape: vec![1000],
            rows: vec![0],
            values: vec![0.5, 0.5],
            check: Check::Draws { critical: 10.8, control: control.into() },
        };
        let draws = |ones: usize| Array::new(vec![1000], &(0..1000).map(|n| i64::from(n < ones)).collect::<Vec<_>>());
        assert_eq!(fair([0.7, 0.3]).compare(&draws(510)).max_scaled_error, 0.0);
        assert_eq!(fair([0.7, 0.3]).compare(&draws(600)).max_scaled_error, f64::INFINITY);
        assert_eq!(fair([0.5, 0.5]).compare(&draws(510)).max_scaled_error, f64::INFINITY, "a blind test");
        let outside = Array::new(vec![1000], &[2_i64; 1000]);
        assert_eq!(fair([0.7, 0.3]).compare(&outside).max_scaled_error, f64::INFINITY);
    }

    #[test]
    fn sampled_rows_keep_both_ends() {
        let rows = sample_rows(10_000, 64, 7);
        assert_eq!((rows[0], *rows.last().unwrap()), (0, 9_999));
        assert!(rows.len() >= 64 && rows.len() <= 66);
        assert_eq!(sample_rows(5, 64, 7), vec![0, 1, 2, 3, 4]);
    }
}
