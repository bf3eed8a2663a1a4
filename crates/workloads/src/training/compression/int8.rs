//! A gradient in integers of eight bits.

use benchbook_core::{Answer, Check, DType, Inputs, Metric, Preset, Problem, Reference, Work, sample_rows};

use super::{KEPT, compressed, ending, inputs, left, metrics, moved, presets};

/// A gradient as integers from −127 to 127, each row by its largest absolute value over 127, rounded to nearest, to even where two are
/// as near. With feedback, what was left before is added first, rounded to `f32`, and what rounding takes is left (Karimireddy et al.,
/// arXiv 1901.09847). All arithmetic is that of `f32`, operation by operation.
///
/// Inputs: `gradient` `[rows, width]`, with feedback `residual` of the same shape. Outputs: `codes` `[rows, width]`, `scales`
/// `[rows, 1]`, and with feedback `residual` `[rows, width]`, all of them to the bit.
pub struct Int8Compression;

benchbook_core::parameters! {
    /// Parameters of [`Int8Compression`].
    pub struct Int8CompressionParams {
        /// rows of the gradient
        rows: usize = 1024, 1..=1 << 20;
        /// numbers of a row
        width: usize = 1024, 1..=1 << 17;
        /// whether what rounding takes is added to the next gradient
        feedback: bool = true;
    }
}

impl Problem for Int8Compression {
    const NAME: &'static str = "int8-compression";
    const ABOUT: &'static str = "a gradient in eight bits with a scale for each row, with and without error feedback";
    type Params = Int8CompressionParams;

    fn presets() -> Vec<Preset> {
        presets()
    }

    fn ugly() -> Vec<Int8CompressionParams> {
        let of = |(rows, width, feedback)| Int8CompressionParams { rows, width, feedback };
        [(1, 1, true), (3, 17, true), (67, 33, false), (5, 4099, true)].map(of).into()
    }

    fn check(params: &Int8CompressionParams) -> Result<(), (&'static str, String)> {
        crate::draw::check_numbers("rows", &[params.rows, params.width])
    }

    fn label(params: &Int8CompressionParams) -> String {
        let Int8CompressionParams { rows, width, feedback } = *params;
        format!("{rows}×{width}{}", ending(feedback))
    }

    fn inputs(params: &Int8CompressionParams, seed: u64) -> Inputs {
        inputs([params.rows, params.width], params.feedback, seed)
    }

    fn reference(params: &Int8CompressionParams, given: &Inputs, seed: u64) -> Reference {
        let Int8CompressionParams { rows, width, feedback } = *params;
        let kept = sample_rows(rows, (KEPT / width).max(16), seed);
        let numbers = compressed(given, feedback);
        let [mut codes, mut scales, mut lost] = [(); 3].map(|()| Vec::new());
        for row in &kept {
            let row = &numbers[row * width..][..width];
            let largest = row.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
            scales.push(f64::from(scale));
            for number in row {
                let code = (number / scale).round_ties_even();
                codes.push(f64::from(code));
                lost.push(f64::from(number - code * scale));
            }
        }
        let answer = |name: &'static str, width: usize, values: Vec<f64>| Answer {
            name: name.into(),
            shape: vec![rows, width],
            rows: kept.clone(),
            values,
            check: Check::Exact,
        };
        let mut answers = vec![answer("codes", width, codes), answer("scales", 1, scales)];
        if feedback {
            answers.push(left([rows, width], kept, lost, Check::Exact));
        }
        Reference { answers }
    }

    /// A comparison, a division and a rounding of each number; with feedback a sum, a product and a difference.
    fn work(params: &Int8CompressionParams, dtype: DType) -> Work {
        let numbers = params.rows * params.width;
        let flops = numbers as f64 * if params.feedback { 6.0 } else { 3.0 };
        let bytes = moved(numbers, params.feedback, dtype.bytes()) + (numbers + 4 * params.rows) as f64;
        Work { flops, bytes }
    }

    /// All numbers are exact.
    fn tolerance(_params: &Int8CompressionParams, _dtype: DType) -> f64 {
        0.0
    }

    fn metrics(params: &Int8CompressionParams, _inputs: &Inputs) -> Vec<Metric> {
        let numbers = params.rows * params.width;
        metrics(numbers, numbers + size_of::<f32>() * params.rows)
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Array;

    use super::*;

    #[test]
    fn a_row_by_hand() {
        let params = Int8CompressionParams { rows: 1, width: 4, feedback: true };
        let mut inputs = Int8Compression::inputs(&params, 1);
        inputs.insert("gradient", Array::new(vec![1, 4], &[-120.0_f32, 1.25, 0.5, 1.5]));
        inputs.insert("residual", Array::new(vec![1, 4], &[-7.0_f32, 0.0, 0.0, 0.0]));
        // The largest is 127, so that a step is 1; halves go to the even neighbour.
        let answers = Int8Compression::reference(&params, &inputs, 1).answers;
        assert_eq!(answers[0].values, [-127.0, 1.0, 0.0, 2.0]);
        assert_eq!(answers[1].values, [1.0]);
        assert_eq!(answers[2].values, [0.0, 0.25, 0.5, -0.5]);
    }
}
