//! Problems to solve, and metrics of a case or of a kernel that are no times.

use serde::{Deserialize, Serialize};

use crate::{
    Array, DType, Error, Inputs, ParamSpec, Parameters, Params, Reference, Result, Rough, Rounding, Task, Tolerance,
};

/// The work that solving one case takes, by the usual count for its problem.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Floating-point operations of one call (a multiply-add counts two).
    pub flops: f64,
    /// Bytes that must cross the memory interface at least once: inputs read, outputs written.
    pub bytes: f64,
}

/// One point of a workload's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Name of the workload.
    pub workload: String,
    /// The readable label.
    pub name: String,
    /// Every parameter of the workload.
    pub params: Params,
}

/// A named list of cases that a workload offers (`quick`, `default`).
#[derive(Debug, Clone)]
pub struct Preset {
    /// The name a user types.
    pub name: &'static str,
    /// The parameters of each case; absent ones take their default.
    pub cases: Vec<Params>,
}

/// Seeds of inputs that the replicates of a case take in turn: what holds for one set of numbers may not for another.
pub const INPUT_SEEDS: u32 = 3;

/// A problem with typed parameters: all that is known of it, in one file, before anybody solves it. Each is a [`Workload`].
pub trait Problem: Send + Sync + 'static {
    /// The name in plans, SQL and tables.
    const NAME: &'static str;

    /// One line of help.
    const ABOUT: &'static str;

    /// Seeds of inputs that the replicates of a case take in turn. Where the answers themselves are judged over replicates, as the loss
    /// of a training is, each has its own: what the same seed gives twice counts once.
    const SEEDS: u32 = INPUT_SEEDS;

    /// Its parameters, see [`parameters!`](crate::parameters).
    type Params: Parameters;

    /// The cases measured when a user names none.
    fn presets() -> Vec<Preset>;

    /// Cases on which a wrong kernel shows and a right one takes milliseconds: one element, sizes that fill no tile, nearly
    /// everything hidden, the ends of ranges. A conformance test runs every implementation on them.
    fn ugly() -> Vec<Self::Params>;

    /// Fills in what depends on other parameters (`seq_kv` follows `seq_q`).
    fn derive(given: Params) -> Params {
        given
    }

    /// Refuses parameters that make no sense together.
    ///
    /// # Errors
    /// The name of one of them, with what would be right.
    fn check(_params: &Self::Params) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    /// A readable label, another one for each other case. History finds runs by it, so it never changes.
    fn label(params: &Self::Params) -> String {
        params.params().to_string()
    }

    /// What one sample of a case is.
    fn task(_params: &Self::Params) -> Task {
        Task::Call
    }

    /// The inputs of a case, the same on every machine for one seed.
    fn inputs(params: &Self::Params, seed: u64) -> Inputs;

    /// The inputs of these names as [`Problem::inputs`] makes them, others perhaps besides: a problem with large weights that stay need
    /// not draw them for a few tokens that change.
    fn some_inputs(params: &Self::Params, seed: u64, _names: &[String]) -> Inputs {
        Self::inputs(params, seed)
    }

    /// Inputs of whole numbers that may be any others, each with the number below which these are, 2²⁴ at most: token ids.
    /// As real numbers do, they change before each sample.
    fn tokens(_params: &Self::Params) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// The right answer in `f64`, by plain loops that share no code with any implementation.
    fn reference(params: &Self::Params, inputs: &Inputs, seed: u64) -> Reference;

    /// The right answer beside outputs that have gone another way than the reference where both ways are right: at a tie of
    /// greedy decoding, after which every token depends on the one that was taken. Nothing where that cannot be, or where
    /// these are no such outputs.
    fn follow(_params: &Self::Params, _inputs: &Inputs, _outputs: &[Array]) -> Option<Reference> {
        None
    }

    /// What is right for an implementation that rounds the left factors of the products of a model, beside its outputs; nothing where
    /// this problem does not say it, or where these are no such outputs.
    fn rounded(
        _params: &Self::Params,
        _inputs: &Inputs,
        _outputs: &[Array],
        _seed: u64,
        _rounding: Rounding,
    ) -> Option<Rough> {
        None
    }

    /// What one call costs at least.
    fn work(params: &Self::Params, dtype: DType) -> Work;

    /// The largest error allowed in a case, as a share of the reference's largest absolute value.
    fn tolerance(params: &Self::Params, dtype: DType) -> f64;

    /// What single outputs are allowed in the place of that: less where an output is a copy, or comes of fewer operations than
    /// the others.
    fn tolerances(_params: &Self::Params, _dtype: DType) -> Vec<Tolerance> {
        Vec::new()
    }

    /// What else is known of a case, beside its work.
    fn metrics(_params: &Self::Params, _inputs: &Inputs) -> Vec<Metric> {
        Vec::new()
    }
}

/// A workload as the registry holds it: a [`Problem`] whose parameters came as names and values.
pub trait Workload: Send + Sync {
    /// See [`Problem::NAME`].
    fn name(&self) -> &'static str;

    /// See [`Problem::ABOUT`].
    fn about(&self) -> &'static str;

    /// See [`Problem::SEEDS`].
    fn seeds(&self) -> u32;

    /// Its parameters with their defaults.
    fn params(&self) -> Vec<ParamSpec>;

    /// See [`Problem::presets`].
    fn presets(&self) -> Vec<Preset>;

    /// See [`Problem::ugly`].
    fn ugly(&self) -> Vec<Params>;

    /// A case from parameters: names and types checked, defaults filled in.
    ///
    /// # Errors
    /// An unknown parameter, a wrong type, or values that make no sense together.
    fn case(&self, params: Params) -> Result<Case>;

    /// The problem of one case.
    ///
    /// # Errors
    /// An unknown parameter, or a value that it cannot have.
    fn pose(&self, params: &Params) -> Result<Box<dyn Posed>>;
}

/// A problem whose parameters are known.
pub trait Posed: Send + Sync {
    /// See [`Problem::task`].
    fn task(&self) -> Task;

    /// See [`Problem::inputs`].
    fn inputs(&self, seed: u64) -> Inputs;

    /// See [`Problem::some_inputs`].
    fn some_inputs(&self, seed: u64, names: &[String]) -> Inputs;

    /// See [`Problem::tokens`].
    fn tokens(&self) -> Vec<(&'static str, usize)>;

    /// See [`Problem::reference`].
    fn reference(&self, inputs: &Inputs, seed: u64) -> Reference;

    /// See [`Problem::follow`].
    fn follow(&self, inputs: &Inputs, outputs: &[Array]) -> Option<Reference>;

    /// See [`Problem::rounded`].
    fn rounded(&self, inputs: &Inputs, outputs: &[Array], seed: u64, rounding: Rounding) -> Option<Rough>;

    /// See [`Problem::work`].
    fn work(&self, dtype: DType) -> Work;

    /// See [`Problem::tolerance`].
    fn tolerance(&self, dtype: DType) -> f64;

    /// See [`Problem::tolerances`].
    fn tolerances(&self, dtype: DType) -> Vec<Tolerance>;

    /// See [`Problem::metrics`].
    fn metrics(&self, inputs: &Inputs) -> Vec<Metric>;
}

impl<P: Problem> Workload for P {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn about(&self) -> &'static str {
        P::ABOUT
    }

    fn seeds(&self) -> u32 {
        P::SEEDS
    }

    fn params(&self) -> Vec<ParamSpec> {
        P::Params::specs()
    }

    fn presets(&self) -> Vec<Preset> {
        P::presets()
    }

    fn ugly(&self) -> Vec<Params> {
        P::ugly().iter().map(Parameters::params).collect()
    }

    fn case(&self, params: Params) -> Result<Case> {
        // Before others follow it, so that an error names what was given.
        params.check(P::NAME, &P::Params::specs())?;
        let typed = P::Params::read(P::NAME, &P::derive(params))?;
        P::check(&typed).map_err(|(name, reason)| Error::Param {
            workload: P::NAME.to_owned(),
            name: name.to_owned(),
            reason,
        })?;
        Ok(Case { workload: P::NAME.to_owned(), name: P::label(&typed), params: typed.params() })
    }

    fn pose(&self, params: &Params) -> Result<Box<dyn Posed>> {
        Ok(Box::new(OneCase::<P>(P::Params::read(P::NAME, params)?)))
    }
}

struct OneCase<P: Problem>(P::Params);

impl<P: Problem> Posed for OneCase<P> {
    fn task(&self) -> Task {
        P::task(&self.0)
    }

    fn inputs(&self, seed: u64) -> Inputs {
        P::inputs(&self.0, seed)
    }

    fn some_inputs(&self, seed: u64, names: &[String]) -> Inputs {
        P::some_inputs(&self.0, seed, names)
    }

    fn tokens(&self) -> Vec<(&'static str, usize)> {
        P::tokens(&self.0)
    }

    fn reference(&self, inputs: &Inputs, seed: u64) -> Reference {
        P::reference(&self.0, inputs, seed)
    }

    fn follow(&self, inputs: &Inputs, outputs: &[Array]) -> Option<Reference> {
        P::follow(&self.0, inputs, outputs)
    }

    fn rounded(&self, inputs: &Inputs, outputs: &[Array], seed: u64, rounding: Rounding) -> Option<Rough> {
        P::rounded(&self.0, inputs, outputs, seed, rounding)
    }

    fn work(&self, dtype: DType) -> Work {
        P::work(&self.0, dtype)
    }

    fn tolerance(&self, dtype: DType) -> f64 {
        P::tolerance(&self.0, dtype)
    }

    fn tolerances(&self, dtype: DType) -> Vec<Tolerance> {
        P::tolerances(&self.0, dtype)
    }

    fn metrics(&self, inputs: &Inputs) -> Vec<Metric> {
        P::metrics(&self.0, inputs)
    }
}

/// A metric that is recorded with a trial, as a row of `measures`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name in SQL (`fragmentation_share`).
    pub name: String,
    /// The value.
    #[serde(with = "crate::number")]
    pub value: f64,
    /// Its unit (`bytes`, `share`, `count`).
    pub unit: String,
    /// Whether it was measured, rather than computed from what is known of the case.
    pub measured: bool,
}

impl Metric {
    /// A metric that follows from the case.
    pub fn modelled(name: &str, value: f64, unit: &str) -> Self {
        Self { name: name.into(), value, unit: unit.into(), measured: false }
    }

    /// A metric that was measured.
    pub fn measured(name: &str, value: f64, unit: &str) -> Self {
        Self { measured: true, ..Self::modelled(name, value, unit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Array;

    crate::parameters! {
        /// For the tests.
        struct Sizes {
            /// rows
            rows: usize = 4, 1..=8;
            /// kind
            kind: String = "plain".to_owned(), ["plain", "striped"];
        }
    }

    struct Plain;

    impl Problem for Plain {
        const NAME: &'static str = "plain";
        const ABOUT: &'static str = "a problem that says no more than it must";
        type Params = Sizes;

        fn presets() -> Vec<Preset> {
            Vec::new()
        }

        fn ugly() -> Vec<Sizes> {
            Vec::new()
        }

        fn inputs(params: &Sizes, seed: u64) -> Inputs {
            Inputs::from([("x", Array::normal(vec![params.rows], seed, 1))])
        }

        fn reference(params: &Sizes, _inputs: &Inputs, _seed: u64) -> Reference {
            Reference::of(vec![params.rows], vec![0], vec![0.0; params.rows])
        }

        fn work(_params: &Sizes, _dtype: DType) -> Work {
            Work { flops: 0.0, bytes: 0.0 }
        }

        fn tolerance(_params: &Sizes, _dtype: DType) -> f64 {
            0.0
        }
    }

    #[test]
    fn a_label_follows_from_the_parameters() {
        let label = |params: Params| Plain.case(params).unwrap().name;
        assert_eq!(label(Params::default()), "kind=plain rows=4");
        let given = Params::default().with("rows", 8.into()).with("kind", "striped".into());
        assert_eq!(label(given), "kind=striped rows=8");
        assert!(Plain.case(Params::default().with("rows", 9.into())).is_err());
    }
}
