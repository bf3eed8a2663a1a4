//! How wrong a right kernel may be.

use benchbook_core::DType;

/// Keys over which an average may be taken at a product's tolerance.
const FEW_KEYS: f64 = 4096.0;

/// The largest scaled error that a computation in `dtype` may show.
///
/// Rule VA of the catalogue: 1e-5 of the reference's largest value in fp32, 1 % where the precision was changed.
///
/// In f64 it is what a correct result loses when it is read back as `f32`, half a unit in the last place or 2⁻²⁴ = 5.96e-8
/// of each number, and 4e-10 for the arithmetic. Inputs are `f32`, so uploading them loses nothing. Arithmetic in `f32` errs
/// by 2e-7 to 2e-6 on the cases of the presets `quick`, and fails.
pub fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 6e-8,
        DType::F32 => 1e-5,
        _ => 1e-2,
    }
}

/// The tolerance of an average over `keys` values.
///
/// An average of n numbers is √n smaller than they are, and what a scaled error is measured by shrinks with it, while what
/// rounding adds does not. Not so in f64, where the average itself is rounded when it is read back, and little else.
pub fn tolerance_of_average(dtype: DType, keys: usize) -> f64 {
    let product = tolerance(dtype);
    if dtype == DType::F64 { product } else { product * (keys as f64 / FEW_KEYS).sqrt().max(1.0) }
}
