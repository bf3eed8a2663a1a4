//! Weights from a seed, by a rule that any language can follow.

use super::Source;
use crate::error::Result;
use crate::tensors::Tensor;

/// Weights that are drawn: they say nothing of quality.
///
/// A tensor has the key `mix(seed XOR FNV-1a-64(name))`. Its number `i`, in row-major order, is made of
/// `mix(key + (i + 1) · 0x9e3779b97f4a7c15)`. All of this is modulo 2⁶⁴, and `mix` is the output function of SplitMix64 (Steele, Lea
/// & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, with the constants of Stafford's variant 13). The upper
/// 24 bits `u` give x = (2 u + 1 − 2²⁴) / 2²⁴, evenly spread over (−1, 1), and that gives mean + (√3 · deviation) · x, in `f32`,
/// where each operation is rounded. Any part of a tensor can be had without the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeded {
    /// What all tensors depend on.
    pub seed: u64,
}

/// √3, by which numbers that are evenly spread over (−1, 1) have a variance of 1.
const ROOT_3: f32 = 1.732_050_8;

/// 2³² · 2³² over the golden ratio, made odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Seeded {
    /// The numbers of a tensor, which anybody can have.
    pub fn drawn(&self, tensor: &Tensor) -> Vec<f32> {
        let key = mix(self.seed ^ fnv(tensor.name.as_bytes()));
        let scale = ROOT_3 * tensor.deviation;
        let number = |index: u64| tensor.mean + scale * even(mix(key.wrapping_add((index + 1).wrapping_mul(STEP))));
        (0..tensor.count() as u64).map(number).collect()
    }
}

impl Source for Seeded {
    fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        Ok(self.drawn(tensor))
    }
}

/// A number between −1 and 1, of 24 bits.
fn even(bits: u64) -> f32 {
    let odd = 2 * (bits >> 40) as i32 + 1 - (1 << 24);
    odd as f32 / 16_777_216.0
}

/// The output function of SplitMix64.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// FNV-1a in 64 bits (Fowler, Noll and Vo).
fn fnv(bytes: &[u8]) -> u64 {
    let with = |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, with)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::tests::tensor;

    #[test]
    fn published_values() {
        // The first outputs of SplitMix64 from the state 0, and FNV-1a of "a" and "foobar".
        let outputs = [1, 2, 3].map(|turn: u64| mix(turn.wrapping_mul(STEP)));
        assert_eq!(outputs, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        assert_eq!([fnv(b"a"), fnv(b"foobar")], [0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8]);
    }

    #[test]
    fn moments_and_ends_are_those_of_the_rule() {
        let drawn =
            Seeded { seed: 7 }.numbers(&Tensor { mean: 1.0, deviation: 0.5, ..tensor("w", &[1 << 16]) }).unwrap();
        let mean = drawn.iter().map(|x| f64::from(*x)).sum::<f64>() / drawn.len() as f64;
        let variance = drawn.iter().map(|x| (f64::from(*x) - 1.0).powi(2)).sum::<f64>() / drawn.len() as f64;
        // Six standard errors: of a mean 0.5 / √n, of a variance 0.25 · √(0.8 / n).
        assert!((mean - 1.0).abs() < 6.0 * 0.5 / 256.0, "{mean}");
        assert!((variance - 0.25).abs() < 6.0 * 0.25 * 0.9 / 256.0, "{variance}");
        assert_eq!([even(0), even(u64::MAX)], [-16_777_215.0 / 16_777_216.0, 16_777_215.0 / 16_777_216.0]);
    }

    #[test]
    fn tensors_and_seeds_have_numbers_of_their_own() {
        let of = |seed: u64, name: &str| Seeded { seed }.numbers(&tensor(name, &[2, 8])).unwrap();
        assert_eq!(of(1, "a"), of(1, "a"));
        assert_ne!(of(1, "a"), of(1, "b"));
        assert_ne!(of(1, "a"), of(2, "a"));
        let longer = Seeded { seed: 1 }.numbers(&tensor("a", &[3, 8])).unwrap();
        assert_eq!(of(1, "a"), longer[..16]);
    }
}
