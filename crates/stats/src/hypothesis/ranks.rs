//! Ranks with ties.

/// Mid-ranks of values, and what their ties amount to.
pub(crate) struct Ranks {
    /// The rank of each value, from 1, in the order given; tied values share the mean of their ranks.
    pub(crate) of: Vec<f64>,
    /// The sum of t³ - t over groups of t tied values.
    pub(crate) tie_term: f64,
}

impl Ranks {
    /// Ranks of finite values.
    pub(crate) fn new(values: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
        let mut of = vec![0.0; values.len()];
        let mut tie_term = 0.0;
        let mut before = 0;
        // By `==`, so that 0 and -0 are tied.
        for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
            let size = group.len() as f64;
            let rank = before as f64 + (size + 1.0) / 2.0;
            for &index in group {
                of[index] = rank;
            }
            tie_term += size * size * size - size;
            before += group.len();
        }
        Self { of, tie_term }
    }

    pub(super) fn tied(&self) -> bool {
        self.tie_term > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_mean_rank() {
        let ranks = Ranks::new(&[3.0, 1.0, 3.0, 0.0, -0.0, 3.0]);
        assert_eq!(ranks.of, [5.0, 3.0, 5.0, 1.5, 1.5, 5.0]);
        assert_eq!(ranks.tie_term, 24.0 + 6.0);
    }
}
