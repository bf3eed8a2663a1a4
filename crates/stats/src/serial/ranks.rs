//! Where each value lies among all.

/// Where a value lies in ascending order.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// How many values are smaller.
    pub(super) below: usize,
    /// How many values are smaller or equal, itself among them.
    pub(super) at_most: usize,
}

impl Place {
    /// The rank from 1; tied values share the mean of their ranks.
    pub(super) fn mid_rank(self) -> f64 {
        (self.below + self.at_most + 1) as f64 / 2.0
    }
}

/// The place of each finite value, in the order given.
pub(super) fn places(values: &[f64]) -> Vec<Place> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // By `<` and `<=`, so that 0 and -0 are tied.
    let place =
        |v: &f64| Place { below: sorted.partition_point(|s| s < v), at_most: sorted.partition_point(|s| s <= v) };
    values.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_mean_rank() {
        let ranks: Vec<f64> = places(&[3.0, 1.0, 3.0, 0.0, -0.0, 3.0]).into_iter().map(Place::mid_rank).collect();
        assert_eq!(ranks, [5.0, 3.0, 5.0, 1.5, 1.5, 5.0]);
    }
}
