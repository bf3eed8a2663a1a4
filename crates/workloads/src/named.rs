//! Sizes that people know by a name: batch, sequence, width and heads.

/// A batch of sequences, as wide as all heads together.
pub struct Named {
    /// The name of its preset.
    pub preset: &'static str,
    /// Sequences.
    pub batch: i64,
    /// Positions of each.
    pub seq: i64,
    /// Numbers of a position.
    pub width: i64,
    /// Heads that share them.
    pub heads: i64,
}

/// From the smallest on; where a name has no heads, there are eight.
pub const NAMED: [Named; 3] = [
    Named { preset: "b2-s128-d256-h8", batch: 2, seq: 128, width: 256, heads: 8 },
    Named { preset: "b4-s256-d512", batch: 4, seq: 256, width: 512, heads: 8 },
    Named { preset: "b8-s512-d768-h12", batch: 8, seq: 512, width: 768, heads: 12 },
];
