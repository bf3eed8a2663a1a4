//! Values brought near 1, so that sums and squares neither overflow nor vanish.

/// Finite values times the power of two that brings the largest of them below 4 in size: exact, except
/// for values that are 2^1000 times smaller than the largest.
pub(crate) fn scaled(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    // 2046 less the exponent's bits is the inverse power of two; 0 would be no normal number.
    let exponent = 2046 - (largest.to_bits() >> 52).min(2045);
    let factor = f64::from_bits(exponent << 52);
    values.iter().map(|v| v * factor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_of_number_comes_near_one() {
        for large in [f64::MAX, 1e308, 7.0, 1.0, 1e-300, f64::MIN_POSITIVE] {
            let near = scaled(&[large, -large / 2.0]);
            assert!((1.0..4.0).contains(&near[0]), "{large:e} became {}", near[0]);
            assert_eq!(near[1], -near[0] / 2.0);
        }
        assert!(scaled(&[5e-324])[0] > 1e-16);
        assert_eq!(scaled(&[0.0, -0.0]), [0.0, 0.0]);
        assert!(scaled(&[]).is_empty());
    }
}
