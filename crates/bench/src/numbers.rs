//! The few numbers that a table of speeds needs.

/// Quantile by linear interpolation between order statistics (type 7); 0 of nothing.
pub fn quantile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = p * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// What a goal makes of a number: met with how much to spare, or missed by how much.
pub fn at_most(value: f64, goal: f64, unit: &str) -> String {
    if value <= goal {
        format!("at most {goal}{unit}: met, {:.2}{unit} to spare", goal - value)
    } else {
        format!("at most {goal}{unit}: **missed by {:.2}{unit}**", value - goal)
    }
}

/// The same for a number that should be large.
pub fn at_least(value: f64, goal: f64, unit: &str) -> String {
    if value >= goal {
        format!("at least {goal}{unit}: met, {:.2}{unit} above", value - goal)
    } else {
        format!("at least {goal}{unit}: **missed by {:.2}{unit}**", goal - value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert!((median(&values) - 2.5).abs() < 1e-12);
        assert!((quantile(&values, 0.9) - 3.7).abs() < 1e-12);
        assert!((quantile(&[7.0], 0.9) - 7.0).abs() < 1e-12);
        assert!(median(&[]).abs() < 1e-12);
    }

    #[test]
    fn a_missed_goal_says_by_how_much() {
        assert_eq!(at_most(12.0, 20.0, " ms"), "at most 20 ms: met, 8.00 ms to spare");
        assert_eq!(at_most(21.5, 20.0, " ms"), "at most 20 ms: **missed by 1.50 ms**");
        assert_eq!(at_least(6.25, 5.0, " M/s"), "at least 5 M/s: met, 1.25 M/s above");
        assert_eq!(at_least(4.0, 5.0, " M/s"), "at least 5 M/s: **missed by 1.00 M/s**");
    }
}
