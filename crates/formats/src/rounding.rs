//! What becomes of a number that lies between two codes, or beyond the last.

/// What a number beyond the largest of a format becomes, and an infinity with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// Infinity where the format has one, else NaN: the cast of ml_dtypes, and of PyTorch 2.9.
    Special,
    /// The largest number of the same sign: `saturate` of ONNX, and what the elements of MX blocks do.
    Saturate,
}

/// Which of its two neighbours a number becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// The nearer one; of two as near the one with an even code.
    NearestEven,
    /// The one farther from zero with a probability that is the share of the way to it, so that the mean is the number.
    ///
    /// The draw depends on the seed and on the place of the number alone, so that neither order nor threads change it.
    Stochastic {
        /// What the draws begin with.
        seed: u64,
    },
}

/// How one number is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// See [`Rounding::NearestEven`].
    NearestEven,
    /// These bits, as a fraction of 2³², are added to the share of the way, and what is below a whole step is cut off: the mean
    /// is the number but for 2⁻³² of a step at most.
    Random(u32),
}

impl Rounding {
    /// How the number at this place is rounded.
    pub const fn at(self, place: usize) -> Cut {
        match self {
            Self::NearestEven => Cut::NearestEven,
            Self::Stochastic { seed } => Cut::Random((splitmix(seed, place as u64) >> 32) as u32),
        }
    }
}

impl Cut {
    /// A number as a whole one.
    pub(crate) fn whole(self, number: f64) -> f64 {
        match self {
            Self::NearestEven => number.round_ties_even(),
            Self::Random(bits) => {
                let away = number.abs() + f64::from(bits) / 4_294_967_296.0;
                away.floor().copysign(number)
            }
        }
    }
}

/// The output at `place` of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014):
/// its state is a counter, and so any of its outputs is as near as the first.
const fn splitmix(seed: u64, place: u64) -> u64 {
    let state = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let once = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    twice ^ (twice >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_splitmix64() {
        // The first outputs of the generator with seed 1234567, as the author's reference code prints them (splitmix64.c).
        let first = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|place| splitmix(1_234_567, place)), first);
        let Cut::Random(bits) = (Rounding::Stochastic { seed: 1_234_567 }).at(1) else { panic!("a draw") };
        assert_eq!(u64::from(bits), first[1] >> 32);
    }

    #[test]
    fn whole_numbers_stay_and_others_become_a_neighbour() {
        for number in [-3.0, -0.0, 0.0, 7.0] {
            let cuts = [Cut::NearestEven, Cut::Random(0), Cut::Random(u32::MAX)];
            assert_eq!(cuts.map(|cut| cut.whole(number)), [number; 3]);
        }
        assert_eq!([-0.5, 0.5, 1.5, 2.5].map(|number| Cut::NearestEven.whole(number)), [0.0, 0.0, 2.0, 2.0]);
        // A quarter of the way: the highest quarter of the draws goes on.
        let draws = [0, (3 << 30) - 1, 3 << 30, u32::MAX];
        assert_eq!(draws.map(|bits| Cut::Random(bits).whole(1.25)), [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(draws.map(|bits| Cut::Random(bits).whole(-1.25)), [-1.0, -1.0, -2.0, -2.0]);
    }
}
