//! Units of time for axes: the one in which the numbers are short.

/// A unit in which times are drawn. Input is always nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TimeUnit {
    /// The symbol: ns, µs, ms or s.
    pub symbol: &'static str,
    /// Nanoseconds in one unit.
    pub nanoseconds: f64,
}

const UNITS: [TimeUnit; 4] = [
    TimeUnit { symbol: "ns", nanoseconds: 1.0 },
    TimeUnit { symbol: "µs", nanoseconds: 1e3 },
    TimeUnit { symbol: "ms", nanoseconds: 1e6 },
    TimeUnit { symbol: "s", nanoseconds: 1e9 },
];

impl TimeUnit {
    /// The largest unit in which `typical_ns` is at least 1 (nanoseconds below that).
    pub fn for_time(typical_ns: f64) -> Self {
        UNITS.into_iter().rev().find(|unit| typical_ns >= unit.nanoseconds).unwrap_or(UNITS[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_follows_magnitude() {
        let cases =
            [(0.0, "ns"), (0.3, "ns"), (999.0, "ns"), (1e3, "µs"), (9.9e5, "µs"), (1e6, "ms"), (5e9, "s"), (1e15, "s")];
        for (time_ns, symbol) in cases {
            assert_eq!(TimeUnit::for_time(time_ns).symbol, symbol, "{time_ns}");
        }
    }
}
