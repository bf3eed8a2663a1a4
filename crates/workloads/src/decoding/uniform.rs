//! Numbers drawn from a seed by whole-number arithmetic alone, for traces and for samplers.

/// SplitMix64 (Steele, Lea & Flood, *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014, figure 17).
#[derive(Debug, Clone)]
pub struct Uniform(u64);

impl Uniform {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number, from 0 to below 1.
    pub fn number(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next whole number, from 1 to `most`.
    pub fn up_to(&mut self, most: usize) -> usize {
        1 + (self.bits() % most as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_the_paper_and_numbers_are_even() {
        // The first output of the seed 0, as java.util.SplittableRandom gives it too.
        assert_eq!(Uniform::new(0).bits(), 0xe220_a839_7b1d_cdaf);
        let mut uniform = Uniform::new(7);
        let mean = (0..10_000).map(|_| uniform.number()).sum::<f64>() / 10_000.0;
        // Five standard errors of √(1/12) / 100.
        assert!((mean - 0.5).abs() < 0.0145, "{mean}");
    }
}
