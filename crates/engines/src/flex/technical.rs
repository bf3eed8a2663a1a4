//! A technique of models as an implementation, whatever the problem is that models solve.

use std::marker::PhantomData;

use benchbook_core::{
    DType, Implementation, Inputs, Parameters, Params, Problem, Reference, Result, Setting, Subject, Support,
};
use benchbook_models::technique::Technique;

use super::engine::fused_engine;

/// A problem that a model solves, and so also a model that a technique has made.
pub trait Technical: Problem {
    /// See [`Implementation::on_request`].
    const ON_REQUEST: bool;

    /// Whether a case can be solved here, and takes a technique: `not here` is said of what nobody solves, `not applicable` of what
    /// a technique does not suit.
    fn takes(params: &Self::Params, technique: &Technique) -> Support;

    /// See [`Implementation::prepare`].
    ///
    /// # Errors
    /// The model is not here, or does not take the technique.
    fn prepared(
        technique: &'static Technique,
        setting: &Setting,
        params: &Self::Params,
        inputs: &Inputs,
    ) -> Result<Box<dyn Subject>>;

    /// See [`Implementation::search`]; asked of techniques that search.
    ///
    /// # Errors
    /// As of [`Technical::prepared`].
    fn searched(_technique: &'static Technique, _params: &Self::Params, _inputs: &Inputs) -> Result<bool> {
        Ok(false)
    }

    /// See [`Implementation::approximation`]; asked of cases that take the technique.
    fn right(technique: &'static Technique, params: &Self::Params, inputs: &Inputs, seed: u64) -> Option<Reference>;
}

/// The model of a case with a technique.
pub struct Changed<P>(&'static Technique, PhantomData<fn() -> P>);

impl<P: Technical> Changed<P> {
    /// By this technique.
    pub fn by(technique: &'static Technique) -> Self {
        Self(technique, PhantomData)
    }
}

impl<P: Technical> Implementation for Changed<P> {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn workload(&self) -> &'static str {
        P::NAME
    }

    fn about(&self) -> &'static str {
        self.0.about
    }

    fn catalogue(&self) -> &'static [&'static str] {
        self.0.catalogue
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, params: &Params) -> Support {
        match (Support::of(&[DType::F32], dtype), P::Params::read(P::NAME, params)) {
            (Support::Yes, Ok(params)) => P::takes(&params, self.0),
            (no @ Support::No(_), _) => no,
            (_, Err(error)) => Support::No(error.to_string()),
        }
    }

    fn engine(&self, _device: &str) -> (String, String) {
        fused_engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        P::prepared(self.0, setting, &P::Params::read(P::NAME, params)?, inputs)
    }

    fn search(&self, params: &Params, inputs: &Inputs) -> Result<bool> {
        Ok(self.0.searches() && P::searched(self.0, &P::Params::read(P::NAME, params)?, inputs)?)
    }

    fn on_request(&self) -> bool {
        P::ON_REQUEST
    }

    fn approximates(&self) -> bool {
        true
    }

    fn approximation(&self, params: &Params, inputs: &Inputs, seed: u64) -> Option<Reference> {
        let params = P::Params::read(P::NAME, params).ok()?;
        if P::takes(&params, self.0) != Support::Yes {
            return None;
        }
        P::right(self.0, &params, inputs, seed)
    }
}
