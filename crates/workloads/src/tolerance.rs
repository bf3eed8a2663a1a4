//! How wrong a right kernel may be.

use benchbook_core::{DType, Tolerance};

/// Keys over which an average may be taken at a product's tolerance.
const FEW_KEYS: f64 = 4096.0;

/// Numbers that may be added up at a product's tolerance.
const FEW_TERMS: f64 = 512.0;

/// The largest scaled error that a computation in `dtype` may show.
///
/// Rule VA of the catalogue: 1e-5 of the reference's largest value in fp32, 1 % where the precision was changed.
///
/// In f64, outputs are read as they are, and a thousand times what the arithmetic of a sum of thousands leaves is allowed.
/// Arithmetic in `f32` errs by 2e-7 to 2e-6 on the cases of the presets `quick`, and fails.
pub fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-9,
        DType::F32 => 1e-5,
        _ => 1e-2,
    }
}

/// The tolerance of an average over `keys` values.
///
/// An average of n numbers is √n smaller than they are, and what a scaled error is measured by shrinks with it, while what
/// rounding adds does not.
pub fn tolerance_of_average(dtype: DType, keys: usize) -> f64 {
    tolerance(dtype) * (keys as f64 / FEW_KEYS).sqrt().max(1.0)
}

/// The tolerance of a sum of `terms` numbers by whatever adds them up one after another, in `dtype` itself.
///
/// Each addition rounds, and the errors of many grow as the root of their number (Higham, Accuracy and Stability of Numerical
/// Algorithms, section 2.8).
pub fn tolerance_of_sum(dtype: DType, terms: usize) -> f64 {
    tolerance(dtype) * (terms as f64 / FEW_TERMS).sqrt().max(1.0)
}

/// The tolerance where scores go through several operations before they are exponents.
///
/// Each rounds to a share of 2⁻⁹ in `bf16`, and what a score of 5 is off by is the share that its weight is off by: chains of
/// three were found 1.2 % off, twice what a product is allowed.
pub fn tolerance_of_scores(dtype: DType) -> f64 {
    if dtype == DType::Bf16 { 2.0 * tolerance(dtype) } else { tolerance(dtype) }
}

/// The tolerance of gradients of such scores, which go through two of these chains, with a difference between them.
pub fn tolerance_of_gradients(dtype: DType) -> f64 {
    if dtype == DType::Bf16 { 2.0 * tolerance_of_scores(dtype) } else { tolerance(dtype) }
}

/// What an output is allowed whose numbers are those of inputs: what writing them in `dtype` rounds off.
///
/// That is half a unit in the last of its binary digits, and of numbers that are too small to have all of them half the
/// smallest number (IEEE 754-2019, sections 3.3 and 4.3).
pub fn tolerance_of_copy(output: &'static str, dtype: DType) -> Tolerance {
    let of = |digits: i32, smallest: i32| (2.0_f64.powi(-digits), 2.0_f64.powi(smallest - 1));
    let (relative, absolute) = match dtype {
        DType::F64 => of(53, -1074),
        DType::F32 => of(24, -149),
        DType::F16 => of(11, -24),
        DType::Bf16 => of(8, -133),
        other => (tolerance(other), 0.0),
    };
    Tolerance { output: output.into(), relative, absolute }
}
