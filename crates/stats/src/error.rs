//! What can be wrong with numbers.

/// The result of a statistic.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a statistic cannot be given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The sample is smaller than the method needs.
    #[error("needs at least {needed} values, got {got}: measure more")]
    TooFew {
        /// The smallest number of values with which the method works.
        needed: usize,
        /// The number of values given.
        got: usize,
    },
    /// The bootstrap has too few resamples for its level.
    #[error("needs at least {needed} resamples at this level, got {got}: draw more")]
    TooFewResamples {
        /// The smallest number of resamples that reaches both tails.
        needed: usize,
        /// The number of resamples given.
        got: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {index} is not a finite number: leave it out or mend its source")]
    NotFinite {
        /// The position of the first such value.
        index: usize,
    },
    /// A value is zero or negative where a logarithm is taken.
    #[error("value {index} is not positive: ratios, logarithms and geometric means need values above zero")]
    NotPositive {
        /// The position of the first such value.
        index: usize,
    },
    /// A mean is zero or negative where a ratio of means is taken.
    #[error("the mean {mean} is not positive: a ratio of means needs means above zero")]
    MeanNotPositive {
        /// The offending mean.
        mean: f64,
    },
    /// The values do not vary.
    #[error("the values do not vary: check the clock's resolution, or take more samples")]
    Constant,
    /// The values vary, but the squares of their deviations are too small for double precision arithmetic.
    #[error("the values vary by too little to square: take them in a smaller unit, or as distances from one of them")]
    TooSmall,
    /// Two samples that belong together have different lengths.
    #[error("paired samples differ in length ({left} and {right}): pair them first")]
    UnequalLength {
        /// Length of the first sample.
        left: usize,
        /// Length of the second sample.
        right: usize,
    },
    /// A setting lies outside its range.
    #[error("{what} is {value}, but must lie in {range}")]
    OutOfRange {
        /// The name of the setting.
        what: &'static str,
        /// The value given.
        value: f64,
        /// The range, in words or interval notation.
        range: &'static str,
    },
    /// An exact rank test was asked for, but ranks are tied or differences are zero.
    #[error("the exact distribution needs ranks without ties and differences without zeros: use the asymptotic one")]
    Ties,
    /// An exact rank test was asked for on more values than it can enumerate.
    #[error("the exact distribution is limited to {limit}, got {got}: use the asymptotic one")]
    TooLargeForExact {
        /// The limit: the product of the sizes (Mann-Whitney) or the number of differences (Wilcoxon).
        limit: usize,
        /// What was given, in the same measure.
        got: usize,
    },
    /// A committed resample does not fit its sample.
    #[error("resample {row} does not fit a sample of {size} values: wrong length, or an index out of range")]
    BadResample {
        /// The position of the first such resample.
        row: usize,
        /// The size of the sample.
        size: usize,
    },
    /// The bootstrap distribution does not allow its correction.
    #[error("{what}: take another statistic or more values")]
    Degenerate {
        /// What went wrong.
        what: &'static str,
    },
    /// The values are too large for double precision arithmetic.
    #[error("the result does not fit a double precision number: rescale the values")]
    Overflow,
}
