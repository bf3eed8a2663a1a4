//! Problems to solve, and figures of a case or of a kernel that are no times.

use serde::{Deserialize, Serialize};

use crate::{DType, Inputs, ParamSpec, Params, Reference, Result};

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

/// A problem with parameters, seeded inputs, a reference, work counts and tolerances.
pub trait Workload: Send + Sync {
    /// The name in plans, SQL and tables.
    fn name(&self) -> &'static str;

    /// One line of help.
    fn about(&self) -> &'static str;

    /// Its parameters with their defaults.
    fn params(&self) -> Vec<ParamSpec>;

    /// The cases measured when a user names none.
    fn presets(&self) -> Vec<Preset>;

    /// Refuses parameters that make no sense together.
    ///
    /// # Errors
    /// [`crate::Error::Param`] naming the parameter and what would be right.
    fn check(&self, params: &Params) -> Result<()>;

    /// A readable label, unique for the parameters that differ from their defaults.
    fn case_name(&self, params: &Params) -> String;

    /// The inputs of a case, the same on every machine for one seed.
    fn inputs(&self, params: &Params, seed: u64) -> Inputs;

    /// The right answer in `f64`, by plain loops that share no code with any implementation.
    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference;

    /// What one call costs at least.
    fn work(&self, params: &Params, dtype: DType) -> Work;

    /// The largest error allowed in a case, as a share of the reference's largest absolute value.
    fn tolerance(&self, params: &Params, dtype: DType) -> f64;

    /// What else is known of a case, beside its work.
    fn figures(&self, _params: &Params, _inputs: &Inputs) -> Vec<Figure> {
        Vec::new()
    }

    /// Fills in defaults that depend on other parameters (`seq_kv` follows `seq_q`).
    fn derive(&self, given: Params) -> Params {
        given
    }

    /// A case from parameters: names and types checked, defaults filled in.
    ///
    /// # Errors
    /// An unknown parameter, a wrong type, or values that make no sense together.
    fn case(&self, params: Params) -> Result<Case> {
        let specs = self.params();
        // Before others follow it, so that an error names what was given.
        params.check(self.name(), &specs)?;
        let params = self.derive(params).complete(self.name(), &specs)?;
        self.check(&params)?;
        Ok(Case { workload: self.name().to_owned(), name: self.case_name(&params), params })
    }
}

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
