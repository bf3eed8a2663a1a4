//! The problem of dependent steps: where does a linear congruential generator stand after so many?

use std::hint::black_box;

use benchbook_core::{
    DType, Error, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Subject, Value, Work, Workload,
};

use super::work::{INCREMENT, MULTIPLIER, dependent};

/// Dependent steps of a generator; `extra` is the share that the implementation of that name does on top.
pub struct Steps;

/// Where the generator begins.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Refuses a share with which nothing could be known.
pub fn check_extra(workload: &str, params: &Params) -> Result<()> {
    let extra = params.float("extra");
    if (0.0..=10.0).contains(&extra) {
        return Ok(());
    }
    let reason = format!("{extra} is no share, give 0 to 10 (0.05: 5 % more)");
    Err(Error::Param { workload: workload.into(), name: "extra".into(), reason })
}

/// The parameter that the implementation `extra` reads.
pub fn extra_spec() -> ParamSpec {
    ParamSpec::float("extra", 0.0, "share of work that the implementation `extra` does on top")
}

impl Workload for Steps {
    fn name(&self) -> &'static str {
        "known-steps"
    }

    fn about(&self) -> &'static str {
        "steps of a generator that each need the one before: their number fixes the time"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::int("steps", 20_000, "steps of one call"), extra_spec()]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |steps: i64| Params::default().with("steps", Value::Int(steps));
        ["quick", "default"].map(|name| Preset { name, cases: [60_000, 600_000, 6_000_000].map(of).into() }).into()
    }

    fn check(&self, params: &Params) -> Result<()> {
        let steps = params.int("steps");
        if !(1..=1 << 40).contains(&steps) {
            let reason = format!("{steps} is no number of steps, give at least 1");
            return Err(Error::Param { workload: self.name().into(), name: "steps".into(), reason });
        }
        check_extra(self.name(), params)
    }

    fn case_name(&self, params: &Params) -> String {
        let (steps, extra) = (params.int("steps"), params.float("extra"));
        if extra > 0.0 { format!("{steps} steps, +{} %", percent(extra)) } else { format!("{steps} steps") }
    }

    fn inputs(&self, _params: &Params, _seed: u64) -> Inputs {
        Inputs::default()
    }

    fn reference(&self, params: &Params, _inputs: &Inputs, _seed: u64) -> Reference {
        let state = jump(params.int("steps").unsigned_abs(), SEED);
        Reference { shape: vec![4], rows: vec![0], values: pieces(state).map(f64::from).into() }
    }

    fn work(&self, params: &Params, _dtype: DType) -> Work {
        Work { flops: 2.0 * params.int("steps") as f64, bytes: 0.0 }
    }

    /// Integers have no rounding.
    fn tolerance(&self, _params: &Params, _dtype: DType) -> f64 {
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
pub struct Walk {
    steps: u64,
    extra: u64,
    state: u64,
}

impl Walk {
    /// Steps of a case with a share on top.
    pub fn new(params: &Params, share: f64) -> Self {
        let steps = params.int("steps").unsigned_abs();
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

    fn output(&mut self) -> Result<HostArray> {
        Ok(HostArray::new(vec![4], pieces(self.state).into()))
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
