//! What follows a product.

/// A function of single numbers that follows a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The number as it is.
    None,
    /// What is above zero.
    Relu,
    /// The GELU by a hyperbolic tangent (Hendrycks & Gimpel, arXiv 1606.08415), as GPT-2 has it.
    Gelu,
    /// x · sigmoid(x) (the same paper, section 2), as LLaMA has it.
    Silu,
}

impl Activation {
    /// Their names, in parameters.
    pub const NAMES: [&str; 4] = ["none", "relu", "gelu", "silu"];

    /// The one of this name; any other name is none.
    pub fn of(name: &str) -> Self {
        match name {
            "relu" => Self::Relu,
            "gelu" => Self::Gelu,
            "silu" => Self::Silu,
            _ => Self::None,
        }
    }

    /// Its value.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::None => x,
            Self::Relu => x.max(0.0),
            Self::Gelu => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()),
            Self::Silu => x / (1.0 + (-x).exp()),
        }
    }
}

/// The GELU by the error function, x · (1 + erf(x / √2)) / 2 (the same paper, section 2), as BERT has it.
pub(crate) fn exact_gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

/// The error function by the series of Abramowitz & Stegun, *Handbook of Mathematical Functions*, 7.1.6, whose terms have one sign.
fn erf(x: f64) -> f64 {
    // Above, one minus the error function is below half a unit of the last place of one.
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > f64::EPSILON / 4.0 * sum.abs() {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_that_of_its_paper() {
        // By Python's math.tanh and math.exp.
        for (name, x, y) in [
            ("gelu", 0.0, 0.0),
            ("gelu", 1.0, 0.841_191_990_608_276_8),
            ("gelu", -2.0, -0.045_402_305_912_224_7),
            ("silu", 1.0, 0.731_058_578_630_004_9),
            ("silu", -2.0, -0.238_405_844_044_234_9),
            ("relu", -2.0, 0.0),
            ("relu", 2.0, 2.0),
            ("none", -2.0, -2.0),
        ] {
            let found = Activation::of(name).apply(x);
            assert!((found - y).abs() < 1e-12, "{name} of {x}: {found}");
        }
    }

    #[test]
    fn the_exact_gelu_is_that_of_the_error_function() {
        // By Python's math.erf.
        for (x, y) in [
            (0.0, 0.0),
            (1e-9, 5.000_000_003_989_423e-10),
            (0.5, 0.345_731_230_637_006_56),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, -0.158_655_253_931_457_07),
            (-2.5, -0.015_524_163_314_440_398),
            (4.0, 3.999_873_315_032_667_5),
            (-6.0, -5.919_525_869_479_969e-9),
            (8.25, 8.25),
        ] {
            let found = exact_gelu(x);
            assert!((found - y).abs() < 1e-14 * y.abs().max(1.0), "{x}: {found}");
        }
        assert_eq!((exact_gelu(40.0), exact_gelu(-40.0)), (40.0, -0.0));
    }
}
