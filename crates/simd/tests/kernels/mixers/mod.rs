//! Mixers in linear time against plain loops in `f64`.

mod conv;
mod linear;
mod rwkv;
mod scan;

/// The number at `index`, in `f64`.
fn wide(numbers: &[f32], index: usize) -> f64 {
    f64::from(numbers[index])
}

/// ln(1 + e^x).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// x / (1 + e^−x).
fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}
