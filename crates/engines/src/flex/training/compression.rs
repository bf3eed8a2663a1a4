//! Gradients that take fewer bytes, on plain slices.

use benchbook_core::{Array, DType, Inputs, Metric, Result, Row, Setting, Subject};
use benchbook_simd::{self as simd, Feedback, Isa, TopKRoom};
use benchbook_workloads::training::{
    Int8Compression, Int8CompressionParams, PowerSgd, PowerSgdParams, TopKCompression, TopKCompressionParams,
};

use crate::flex::calls::{Calls, Named, room};
use crate::flex::decoding::Who;
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows};

/// Implementations of `top-k-compression`.
pub const TOP_K: [Row<TopKCompression>; 1] = [SAMPLED];

/// Implementations of `int8-compression`.
pub const INT8: [Row<Int8Compression>; 1] = [EIGHT_BITS];

/// Implementations of `power-sgd`.
pub const POWER_SGD: [Row<PowerSgd>; 1] = [FACTORS];

const F32: &[DType] = &[DType::F32];

const SAMPLED: Row<TopKCompression> = fused_row::<TopKCompression>(
    "sampled",
    "hand-written: AVX-512, AVX2 or portable, a threshold from a sample, one pass over the gradient, the largest of those that pass",
    F32,
    |name, setting, params, inputs| {
        let TopKCompressionParams { rows, width, feedback, .. } = *params;
        let taken = params.taken();
        let outputs = vec![room::<i64>(vec![taken]), room::<f32>(vec![taken])];
        prepare((name, setting), inputs, (feedback, [rows, width]), outputs, |held, [indices, values], left| {
            let (gradient, room) = (held.gradient.1.of::<f32>(), &mut held.room);
            let feedback = feedback_of(held.residual.as_ref(), left);
            simd::top_k(Isa::detect(), gradient, feedback, room, indices.of_mut::<i64>(), values.of_mut::<f32>())
        })
    },
)
.catalogue(&["SP5"]);

const EIGHT_BITS: Row<Int8Compression> = fused_row::<Int8Compression>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, a row is summed, scaled, rounded and left in the first-level cache",
    F32,
    |name, setting, params, inputs| {
        let Int8CompressionParams { rows, width, feedback } = *params;
        let outputs = vec![room::<i8>(vec![rows, width]), room::<f32>(vec![rows, 1])];
        prepare((name, setting), inputs, (feedback, [rows, width]), outputs, |held, [codes, scales], left| {
            let feedback = feedback_of(held.residual.as_ref(), left);
            let (codes, scales) = (codes.of_mut::<i8>(), scales.of_mut::<f32>());
            simd::compress_int8(Isa::detect(), held.gradient.1.of::<f32>(), feedback, codes, scales)
        })
    },
)
.catalogue(&["SP5"]);

const FACTORS: Row<PowerSgd> = fused_row::<PowerSgd>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, the gradient is read once for each factor and once for what is left",
    F32,
    |name, setting, params, inputs| {
        let PowerSgdParams { rows, width, rank, feedback } = *params;
        let outputs = vec![room::<f32>(vec![rows, rank]), room::<f32>(vec![width, rank])];
        prepare((name, setting), inputs, (feedback, [rows, width]), outputs, move |held, [first, second], left| {
            let (size, isa) = ([rows, width, rank], Isa::detect());
            let start = held.start.as_ref().map_or(&[][..], |start| start.1.of::<f32>());
            let call = simd::PowerSgd { size, gradient: held.gradient.1.of::<f32>(), start, isa };
            let feedback = feedback_of(held.residual.as_ref(), left);
            simd::power_sgd(&call, feedback, [first.of_mut::<f32>(), second.of_mut::<f32>()])
        })
    },
)
.catalogue(&["SP5"]);

/// Inputs of a call, and what it keeps for the next one.
struct Held {
    gradient: Named,
    /// With feedback, what was left before.
    residual: Option<Named>,
    /// Of PowerSGD, where the power method begins.
    start: Option<Named>,
    room: TopKRoom,
}

impl NamedInputs for Held {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        let all = [Some(&mut self.gradient), self.residual.as_mut(), self.start.as_mut()];
        all.into_iter().flatten().find_map(|one| one.input(name))
    }
}

fn feedback_of<'a>(before: Option<&'a Named>, left: &'a mut [Array]) -> Option<Feedback<'a>> {
    let (before, left) = before.zip(left.first_mut())?;
    Some(Feedback { before: before.1.of::<f32>(), left: left.of_mut::<f32>() })
}

/// What is lost of a gradient on its way where nothing gives it back: the length of what is left over that of what was compressed.
fn lost(inputs: &Inputs, outputs: &[Array]) -> Option<Metric> {
    let both = inputs.numbers("gradient").iter().zip(inputs.numbers("residual"));
    let whole: f64 = both.map(|(gradient, before)| f64::from(gradient + before).powi(2)).sum();
    let left: f64 = outputs.last()?.of::<f32>().iter().map(|left| f64::from(*left).powi(2)).sum();
    (whole > 0.0).then(|| Metric::measured("gradient_error", (left / whole).sqrt(), "share"))
}

/// A compression as something to time: `kernel` writes what travels, and with feedback what is left.
fn prepare(
    (name, setting): (&'static str, &Setting),
    inputs: &Inputs,
    (feedback, shape): (bool, [usize; 2]),
    mut outputs: Vec<Array>,
    kernel: impl Fn(&mut Held, &mut [Array; 2], &mut [Array]) -> simd::Result<()> + 'static,
) -> Result<Box<dyn Subject>> {
    let one = |name: &'static str| Named(name, inputs.get(name).clone());
    let has = |name: &str| inputs.iter().any(|(known, _)| known == name);
    let copy = || {
        let residual = feedback.then(|| one("residual"));
        let start = has("start").then(|| one("start"));
        Ok(Held { gradient: one("gradient"), residual, start, room: TopKRoom::default() })
    };
    outputs.extend(feedback.then(|| room::<f32>(shape.into())));
    let call = move |held: &mut Held, outputs: &mut Vec<Array>| match outputs.split_first_chunk_mut::<2>() {
        Some((travels, left)) => kernel(held, travels, left),
        None => Ok(()),
    };
    let mut metrics = Vec::new();
    if feedback {
        let who = Who::new(name, setting);
        let (mut held, mut outputs) = (who.said(copy())?, outputs.clone());
        who.said(call(&mut held, &mut outputs))?;
        metrics.extend(lost(inputs, &outputs));
    }
    Ok(Box::new(Calls::new(name, setting, copy, &outputs, call)?.with_metrics(metrics)))
}

#[cfg(test)]
mod tests {
    use benchbook_core::Problem;

    use super::*;

    fn error_of<P: Problem>(rows: &[Row<P>], params: &P::Params) -> f64 {
        let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let row = &rows[0];
        let subject = (row.prepare)(row.name, &setting, params, &P::inputs(params, 3)).unwrap();
        let metrics = subject.metrics();
        metrics.iter().find(|metric| metric.name == "gradient_error").map_or(f64::NAN, |metric| metric.value)
    }

    #[test]
    fn eight_bits_lose_little_of_a_gradient_and_a_hundredth_of_its_numbers_most() {
        let eight = Int8CompressionParams { rows: 64, width: 256, feedback: true };
        // Of 256 normal numbers the largest is 2.2 to 5 deviations away, and a step a 127th of it: the error of rounding is its
        // 12th root.
        let found = error_of(&INT8, &eight);
        assert!((2.2 / 127.0 / 12.0_f64.sqrt()..5.0 / 127.0 / 12.0_f64.sqrt()).contains(&found), "{found}");
        assert!(
            error_of(&INT8, &Int8CompressionParams { feedback: false, ..eight }).is_nan(),
            "nothing is known of it"
        );
        // The numbers beyond 2.576 deviations, a hundredth, have 8 % of the squares (2 (x φ(x) + Q(x)) of a normal number).
        let sparse = TopKCompressionParams { rows: 64, width: 256, per_mille: 10, feedback: true };
        let found = error_of(&TOP_K, &sparse);
        assert!((0.95..0.97).contains(&found), "{found}");
    }
}
