//! Inputs that several mixers share.

use benchbook_core::{Array, Metric};

pub use crate::draw::{check_numbers, normal};

/// Time constants at both ends, as Mamba is initialised (Gu & Dao, arXiv 2312.00752, section 3.6).
const SHORTEST: f64 = 0.001;
const LONGEST: f64 = 0.1;

/// What softplus makes time constants of, between 0.001 and 0.1, evenly by their logarithm.
pub fn time_constants(count: usize) -> Array {
    let one = |index: usize| {
        let share = (index as f64 + 0.5) / count as f64;
        (SHORTEST * (LONGEST / SHORTEST).powf(share)).exp_m1().ln() as f32
    };
    Array::new(vec![count], &(0..count).map(one).collect::<Vec<f32>>())
}

/// Makes extremes of what is drawn for `steps` steps a sequence, and of which decays are made, the larger the less is left: every
/// third step all is forgotten, as far as it can be, and every third nothing. Not at the first one, after which nothing would depend
/// on the first state.
pub fn extremes(times: &mut Array, steps: usize) {
    let width = times.len() / (times.shape()[0] * steps);
    for (step, row) in times.of_mut::<f32>().chunks_exact_mut(width).enumerate() {
        let shift = [0.0, 300.0, -300.0][step % steps % 3];
        row.iter_mut().for_each(|number| *number += shift);
    }
}

/// What a step leaves of a state, as percentiles of all decays: `left` makes them of what is drawn, the less the larger that is.
pub fn decays(drawn: &Array, left: impl Fn(f64) -> f64) -> Vec<Metric> {
    let mut numbers = drawn.of::<f32>().to_vec();
    let mut one = |(name, share): (&str, f64)| {
        let place = ((1.0 - share) * (numbers.len() - 1) as f64).round() as usize;
        let (_, number, _) = numbers.select_nth_unstable_by(place, f32::total_cmp);
        Metric::modelled(name, left(f64::from(*number)), "share")
    };
    [("decay_p05", 0.05), ("decay_p50", 0.5), ("decay_p95", 0.95)].map(&mut one).into()
}

/// Makes every seventh number too small to be a normal one in `f32`.
pub fn denormals(array: &mut Array) {
    array.of_mut::<f32>().iter_mut().step_by(7).for_each(|number| *number *= 1e-39);
}
