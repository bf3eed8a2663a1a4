//! What the tests against plain loops share.

use benchbook_simd::Isa;

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
