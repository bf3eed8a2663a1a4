//! The problem of dependent steps: where does a linear congruential generator stand after so many?

use std::hint::black_box;

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Result, Row, Subject, Value, Work};

use super::work::{INCREMENT, MULTIPLIER, dependent};
use super::{extra, plain};

/// Dependent steps of a generator; `extra` is the share that the implementation of that name does on top.
pub struct Steps;

benchbook_core::parameters! {
    /// Parameters of [`Steps`].
    pub struct StepsParams {
        /// steps of one call
        steps: usize = 20_000, 1..=1 << 40;
        /// share of work that the implementation `extra` does on top
        extra: f64 = 0.0;
    }
}

/// As asked, and with the extra share.
pub const ROWS: [Row<Steps>; 2] = [
    plain::<Steps>(|_, _, params, _| Ok(Box::new(Walk::new(params, 0.0)))),
    extra::<Steps>(|_, _, params, _| Ok(Box::new(Walk::new(params, params.extra)))),
];

/// Where the generator begins.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Refuses a share with which nothing could be known.
pub fn check_extra(extra: f64) -> Result<(), (&'static str, String)> {
    if (0.0..=10.0).contains(&extra) {
        return Ok(());
    }
    Err(("extra", format!("{extra} is no share, give 0 to 10 (0.05: 5 % more)")))
}

impl Problem for Steps {
    const NAME: &'static str = "known-steps";
    const ABOUT: &'static str = "steps of a generator that each need the one before: their number fixes the time";
    type Params = StepsParams;

    fn presets() -> Vec<Preset> {
        let of = |steps: i64| Params::default().with("steps", Value::Int(steps));
        ["quick", "default"].map(|name| Preset { name, cases: [60_000, 600_000, 6_000_000].map(of).into() }).into()
    }

    fn ugly() -> Vec<StepsParams> {
        [(1, 0.0), (3, 10.0), (1 << 16, 0.05)].map(|(steps, extra)| StepsParams { steps, extra }).into()
    }

    fn check(params: &StepsParams) -> Result<(), (&'static str, String)> {
        check_extra(params.extra)
    }

    fn label(StepsParams { steps, extra }: &StepsParams) -> String {
        if *extra > 0.0 { format!("{steps} steps, +{} %", percent(*extra)) } else { format!("{steps} steps") }
    }

    fn inputs(_params: &StepsParams, _seed: u64) -> Inputs {
        Inputs::default()
    }

    fn reference(params: &StepsParams, _inputs: &Inputs, _seed: u64) -> Reference {
        let state = jump(params.steps as u64, SEED);
        Reference::of(vec![4], vec![0], pieces(state).map(f64::from).into())
    }

    fn work(params: &StepsParams, _dtype: DType) -> Work {
        Work { flops: 2.0 * params.steps as f64, bytes: 0.0 }
    }

    /// Integers have no rounding.
    fn tolerance(_params: &StepsParams, _dtype: DType) -> f64 {
        0.0
    }
}

/// A share in percent, without digits that say nothing.
pub fn percent(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}

/// The generator's state after `steps`, by squaring: the answer without the work (Brown, *Random Number
/// Generation with Arbitrary Strides*, 1994).
fn jump(mut steps: u64, seed: u64) -> u64 {
    let (mut factor, mut term) = (1_u64, 0_u64);
    let (mut multiplier, mut increment) = (MULTIPLIER, INCREMENT);
    while steps > 0 {
        if steps & 1 == 1 {
            factor = factor.wrapping_mul(multiplier);
            term = term.wrapping_mul(multiplier).wrapping_add(increment);
        }
        increment = increment.wrapping_mul(multiplier.wrapping_add(1));
        multiplier = multiplier.wrapping_mul(multiplier);
        steps >>= 1;
    }
    seed.wrapping_mul(factor).wrapping_add(term)
}

/// A state in four pieces that a binary32 holds exactly.
fn pieces(state: u64) -> [f32; 4] {
    [48, 32, 16, 0].map(|shift| f32::from((state >> shift) as u16))
}

/// Steps that are timed; the extra ones follow from where the asked ones ended.
struct Walk {
    steps: u64,
    extra: u64,
    state: u64,
}

impl Walk {
    /// Steps of a case with a share on top.
    fn new(params: &StepsParams, share: f64) -> Self {
        let steps = params.steps as u64;
        Self { steps, extra: (steps as f64 * share).round() as u64, state: 0 }
    }
}

impl Subject for Walk {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            self.state = dependent(black_box(self.steps), black_box(SEED));
            black_box(dependent(black_box(self.extra), self.state));
        }
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(vec![4], &pieces(self.state))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jump_lands_where_the_steps_lead() {
        for steps in [0, 1, 2, 3, 64, 12_345] {
            assert_eq!(jump(steps, SEED), dependent(steps, SEED), "{steps}");
        }
    }

    #[test]
    fn pieces_hold_the_whole_state() {
        let state = jump(99, SEED);
        let back = pieces(state).iter().fold(0_u64, |state, piece| state << 16 | *piece as u64);
        assert_eq!(back, state);
    }
}
