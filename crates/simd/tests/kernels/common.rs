//! What the tests against plain loops share.

use benchbook_simd::{Attend, Heads, Isa};

/// Numbers from −1 to 1.
pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    // SplitMix64.
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Bytes, each as likely as another.
pub fn bytes(count: usize, seed: u64) -> Vec<u8> {
    numbers(count, seed).iter().map(|number| ((number + 1.0) * 127.9) as u8).collect()
}

/// The instruction sets of this processor.
pub fn present() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.present())
}

/// Panics where a number is farther from the right one than `tolerance` times the largest of all.
pub fn close(name: &str, found: &[f32], wanted: &[f64], tolerance: f64) {
    let scale = wanted.iter().fold(0.0_f64, |most, x| most.max(x.abs())).max(1e-30);
    for (index, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!((f64::from(*found) - wanted).abs() <= tolerance * scale, "{name} at {index}: {found} for {wanted}");
    }
}

/// Panics where a sum of `k` products is farther from the right one than `k` roundings of products and sums can take it
/// (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
pub fn near(name: &str, size: [usize; 3], [left, right, out]: [&[f32]; 3]) {
    let right: Vec<f64> = right.iter().map(|number| f64::from(*number)).collect();
    within(name, size, [left, out], &right, size[1]);
}

/// The same for as many roundings as are named, by a right factor that is exact.
pub fn within(name: &str, [m, k, n]: [usize; 3], [left, out]: [&[f32]; 2], right: &[f64], roundings: usize) {
    let unit = 2.0_f64.powi(-24);
    for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column))) {
        let product = |step: usize| f64::from(left[row * k + step]) * right[step * n + column];
        let (right, most) =
            (0..k).map(product).fold((0.0_f64, 0.0_f64), |(sum, most), one| (sum + one, most + one.abs()));
        let found = f64::from(out[row * n + column]);
        assert!(
            (found - right).abs() <= 1.01 * roundings as f64 * unit * most,
            "{name} at {row}, {column}: {found} for {right}"
        );
    }
}

/// The GELU by the error function.
pub fn exact_gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt()))
}

/// The error function by its series (Abramowitz & Stegun, *Handbook of Mathematical Functions*, 7.1.6).
fn erf(x: f64) -> f64 {
    // Beyond, what is missing to one is below a rounding of it.
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut sum, mut term, mut n) = (0.0, x, 0.0);
    while term != 0.0 && n < 200.0 {
        sum += term;
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// Drawn inputs of attention.
pub struct Drawn {
    pub heads: Heads,
    pub query: Vec<f32>,
    pub key: Vec<f32>,
    pub value: Vec<f32>,
    pub mask: Vec<bool>,
}

impl Drawn {
    /// Queries are longer by `stretch`; about a third of the mask hides.
    pub fn new(heads: Heads, stretch: f32, seed: u64) -> Self {
        let count = |shape: [usize; 4]| shape.iter().product::<usize>();
        let query = numbers(count(heads.query()), seed).iter().map(|x| stretch * x).collect();
        let [key, value] = [1, 2].map(|other| numbers(count(heads.key()), seed ^ other));
        let mask = numbers(heads.batch * heads.seq_q * heads.seq_kv, seed ^ 3).iter().map(|x| *x > 0.3).collect();
        Self { heads, query, key, value, mask }
    }

    /// Everything sees everything.
    pub fn plain(&self) -> Attend<'_> {
        let Self { heads, query, key, value, .. } = self;
        let (scale, causal, window, mask, isa) = (None, false, None, None, Isa::Portable);
        Attend { heads: *heads, query, key, value, scale, causal, window, mask, isa }
    }
}

/// The base of the angles of [`turned`].
pub const BASE: f64 = 10_000.0;

/// A vector of rotary pairs, of which the second half lies behind the first, turned by its position (Su et al., arXiv 2104.09864,
/// section 3.2).
pub fn turned(x: &[f64], position: usize) -> Vec<f64> {
    let half = x.len() / 2;
    let one = |at: usize| {
        let angle = position as f64 * BASE.powf(-2.0 * (at % half) as f64 / x.len() as f64);
        let (a, b) = (x[at % half], x[at % half + half]);
        if at < half { a * angle.cos() - b * angle.sin() } else { b * angle.cos() + a * angle.sin() }
    };
    (0..x.len()).map(one).collect()
}
