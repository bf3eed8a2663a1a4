//! The largest numbers of a gradient.

use benchbook_core::{Answer, Check, DType, Inputs, Metric, Preset, Problem, Reference, Work, sample_rows};

use super::{KEPT, compressed, ending, inputs, left, metrics, moved, presets};

/// The numbers of a gradient with the largest absolute values, and where they lie (Lin et al., "Deep gradient compression", arXiv
/// 1712.01887, section 3); of equal ones the first. With feedback, what was left before is added first, rounded to `f32`, and what is
/// not taken is left (Karimireddy et al., arXiv 1901.09847).
///
/// Inputs: `gradient` `[rows, width]`, with feedback `residual` of the same shape. Outputs: `indices` `[taken]` ascending, `values`
/// `[taken]`, and with feedback `residual` `[rows, width]`, all of them to the bit.
pub struct TopKCompression;

benchbook_core::parameters! {
    /// Parameters of [`TopKCompression`].
    pub struct TopKCompressionParams {
        /// rows of the gradient
        rows: usize = 1024, 1..=1 << 20;
        /// numbers of a row
        width: usize = 1024, 1..=1 << 17;
        /// thousandths of the numbers that are taken, one at least
        per_mille: usize = 10, 1..=1000;
        /// whether what is not taken is added to the next gradient
        feedback: bool = true;
    }
}

/// Bytes of a number that travels, and of its place.
const TRAVELS: usize = 8;

impl TopKCompressionParams {
    /// Numbers that are taken.
    pub fn taken(&self) -> usize {
        (self.rows * self.width * self.per_mille).div_ceil(1000)
    }
}

impl Problem for TopKCompression {
    const NAME: &'static str = "top-k-compression";
    const ABOUT: &'static str = "the largest numbers of a gradient, with and without error feedback";
    type Params = TopKCompressionParams;

    fn presets() -> Vec<Preset> {
        presets()
    }

    fn ugly() -> Vec<TopKCompressionParams> {
        let of = |(rows, width, per_mille, feedback)| TopKCompressionParams { rows, width, per_mille, feedback };
        [(1, 1, 1, true), (3, 17, 1000, true), (67, 33, 100, false), (41, 1031, 10, true), (3, 20_000, 1, false)]
            .map(of)
            .into()
    }

    fn check(params: &TopKCompressionParams) -> Result<(), (&'static str, String)> {
        let numbers = params.rows * params.width;
        if u32::try_from(numbers).is_ok() {
            return Ok(());
        }
        Err(("rows", format!("{numbers} numbers have places beyond 2³², give fewer rows")))
    }

    fn label(params: &TopKCompressionParams) -> String {
        let TopKCompressionParams { rows, width, per_mille, feedback } = *params;
        format!("{rows}×{width} {per_mille}‰{}", ending(feedback))
    }

    fn inputs(params: &TopKCompressionParams, seed: u64) -> Inputs {
        inputs([params.rows, params.width], params.feedback, seed)
    }

    fn reference(params: &TopKCompressionParams, given: &Inputs, seed: u64) -> Reference {
        let TopKCompressionParams { rows, width, feedback, .. } = *params;
        let taken = params.taken();
        let mut numbers = compressed(given, feedback);
        let mut places: Vec<usize> = (0..numbers.len()).collect();
        let by_size =
            |one: &usize, other: &usize| numbers[*other].abs().total_cmp(&numbers[*one].abs()).then(one.cmp(other));
        if taken < places.len() {
            places.select_nth_unstable_by(taken, by_size);
        }
        places.truncate(taken);
        places.sort_unstable();
        let answer = |name: &'static str, values: Vec<f64>| Answer {
            name: name.into(),
            shape: vec![taken],
            rows: vec![0],
            values,
            check: Check::Exact,
        };
        let indices = answer("indices", places.iter().map(|place| *place as f64).collect());
        let values = answer("values", places.iter().map(|place| f64::from(numbers[*place])).collect());
        let mut answers = vec![indices, values];
        if feedback {
            places.iter().for_each(|place| numbers[*place] = 0.0);
            let kept = sample_rows(rows, (KEPT / width).max(16), seed);
            let row = |row: &usize| numbers[row * width..][..width].iter().map(|number| f64::from(*number));
            let values = kept.iter().flat_map(row).collect();
            answers.push(left([rows, width], kept, values, Check::Exact));
        }
        Reference { answers }
    }

    /// A comparison of each number, with feedback a sum.
    fn work(params: &TopKCompressionParams, dtype: DType) -> Work {
        let numbers = params.rows * params.width;
        let flops = numbers as f64 * if params.feedback { 2.0 } else { 1.0 };
        let bytes = moved(numbers, params.feedback, dtype.bytes()) + (TRAVELS * params.taken()) as f64;
        Work { flops, bytes }
    }

    /// All numbers are exact.
    fn tolerance(_params: &TopKCompressionParams, _dtype: DType) -> f64 {
        0.0
    }

    fn metrics(params: &TopKCompressionParams, _inputs: &Inputs) -> Vec<Metric> {
        metrics(params.rows * params.width, TRAVELS * params.taken())
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Array;

    use super::*;

    #[test]
    fn the_largest_of_a_few_by_hand() {
        let params = TopKCompressionParams { rows: 1, width: 5, per_mille: 500, feedback: true };
        let mut inputs = TopKCompression::inputs(&params, 1);
        inputs.insert("gradient", Array::new(vec![1, 5], &[1.0_f32, -2.0, 0.5, 2.0, 0.0]));
        inputs.insert("residual", Array::new(vec![1, 5], &[0.0_f32, 0.0, -3.0, 0.0, 2.0]));
        // Of 1, −2, −2.5, 2 and 2 three are taken, of equal sizes the first.
        let answers = TopKCompression::reference(&params, &inputs, 1).answers;
        assert_eq!(answers[0].values, [1.0, 2.0, 3.0]);
        assert_eq!(answers[1].values, [-2.0, -2.5, 2.0]);
        assert_eq!(answers[2].values, [1.0, 0.0, 0.0, 0.0, 2.0]);
    }
}
