//! Figures of a case or of a kernel that are no times.

use serde::{Deserialize, Serialize};

/// A figure that is recorded with a trial, as a row of `measures`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name in SQL (`fragmentation_share`).
    pub name: String,
    /// The value.
    pub value: f64,
    /// Its unit (`bytes`, `share`, `count`).
    pub unit: String,
    /// Whether it was measured, rather than computed from what is known of the case.
    pub measured: bool,
}

impl Figure {
    /// A figure that follows from the case.
    pub fn modelled(name: &str, value: f64, unit: &str) -> Self {
        Self { name: name.into(), value, unit: unit.into(), measured: false }
    }

    /// A figure that was measured.
    pub fn measured(name: &str, value: f64, unit: &str) -> Self {
        Self { measured: true, ..Self::modelled(name, value, unit) }
    }
}
