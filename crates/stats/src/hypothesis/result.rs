//! What tests are asked for, and what they answer.

/// The outcome of a t test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The test statistic t.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// The two-sided p-value; 0 only where it is below the smallest double.
    pub p: f64,
}

/// The outcome of a rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankTest {
    /// The test statistic: U of the first sample, or the smaller signed rank sum.
    pub statistic: f64,
    /// The two-sided p-value; 0 only where it is below the smallest double.
    pub p: f64,
    /// How p was computed: [`Method::Exact`] or [`Method::Asymptotic`].
    pub method: Method,
}

/// How a rank test computes its p-value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Exact for small samples without ties and zeros, else asymptotic with the continuity correction.
    #[default]
    Auto,
    /// The exact distribution of the statistic; an error with ties or zeros.
    Exact,
    /// The normal approximation with the variance corrected for ties.
    Asymptotic {
        /// Whether the statistic is moved by 1/2 towards its mean.
        continuity: bool,
    },
}
