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
}
