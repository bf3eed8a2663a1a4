//! Every function of this crate, registered and described in one place.

use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use super::family::{Family, Short};
use super::moments::{LogState, MeanState};
use super::numbers::{NumberFunction, NumberUdf};
use super::order::OrderState;
use super::paired::PairedState;
use super::params::{ParamFunction, ParamUdf};
use super::points::Points;
use super::power::Power;
use super::ranks::RankState;
use super::replicates::Replicates;
use super::series::Series;
use super::state::State;
use super::suite::SuiteVerdict;
use super::summary::Summary;
use super::unpaired::UnpairedState;
use super::windows::{WindowFunction, WindowUdf};
use crate::metrics;

/// What a SQL function is called, how, and what it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Its name.
    pub name: &'static str,
    /// How it is called; `[, …]` may be left out.
    pub signature: String,
    /// What it gives, in a sentence or two.
    pub doc: String,
}

/// A family with the aggregates under all of its names.
pub(crate) struct Registered {
    pub(crate) family: &'static Family,
    pub(crate) summary: Arc<AggregateUDF>,
    pub(crate) shorts: Vec<Arc<AggregateUDF>>,
}

fn register<S: State>() -> Registered {
    let family = S::family();
    let named = |name| Arc::new(AggregateUDF::from(Summary::<S>::named(name)));
    Registered {
        family,
        summary: named(family.summary),
        shorts: family.shorts.iter().map(|short| named(short.name)).collect(),
    }
}

static FAMILIES: LazyLock<[Registered; 9]> = LazyLock::new(|| {
    [
        register::<MeanState>(),
        register::<LogState>(),
        register::<OrderState>(),
        register::<UnpairedState>(),
        register::<RankState>(),
        register::<PairedState>(),
        register::<Points<Replicates>>(),
        register::<Points<Power>>(),
        register::<Points<Series>>(),
    ]
});

/// All aggregates, under their own and their short names.
pub(crate) fn aggregates() -> impl Iterator<Item = &'static Arc<AggregateUDF>> {
    FAMILIES.iter().flat_map(|registered| std::iter::once(&registered.summary).chain(&registered.shorts))
}

/// All scalar functions.
pub(crate) fn scalars() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let params = ParamFunction::ALL.into_iter().map(|function| Arc::new(ScalarUDF::from(ParamUdf::new(function))));
    let numbers = NumberFunction::ALL.into_iter().map(|function| Arc::new(ScalarUDF::from(NumberUdf::new(function))));
    params.chain(numbers)
}

/// All window functions.
pub(crate) fn windows() -> impl Iterator<Item = Arc<WindowUDF>> {
    let windows = WindowFunction::ALL.into_iter().map(|function| WindowUDF::from(WindowUdf::new(function)));
    windows.chain([WindowUDF::from(SuiteVerdict::new())]).map(Arc::new)
}

/// The family behind a name, with the short name's entry unless it is the summary's own.
pub(crate) fn find(name: &str) -> Option<(&'static Registered, Option<&'static Short>)> {
    FAMILIES.iter().find_map(|registered| {
        let short = registered.family.shorts.iter().find(|short| short.name == name);
        (short.is_some() || registered.family.summary == name).then_some((registered, short))
    })
}

/// Every SQL function that benchbook adds to DataFusion's own: families in turn, the summary last.
pub fn functions() -> Vec<FunctionInfo> {
    let aggregates = FAMILIES.iter().flat_map(|registered| {
        let family = registered.family;
        let fields: Vec<&str> = family.outputs.iter().map(|output| output.name).collect();
        let summary = FunctionInfo {
            name: family.summary,
            signature: family.signature(family.summary, true),
            doc: format!("{} A struct of {}.", family.doc, fields.join(", ")),
        };
        let shorts = family.shorts.iter().map(|short| FunctionInfo {
            name: short.name,
            signature: family.signature(short.name, short.level),
            doc: short.doc.to_owned(),
        });
        shorts.chain(std::iter::once(summary)).collect::<Vec<_>>()
    });
    let params = ParamFunction::ALL.into_iter().map(|function| FunctionInfo {
        name: function.name(),
        signature: function.signature().to_owned(),
        doc: function.doc().to_owned(),
    });
    let numbers = NumberFunction::ALL.into_iter().map(|function| FunctionInfo {
        name: function.name(),
        signature: function.signature(),
        doc: function.doc().to_owned(),
    });
    let windows = WindowFunction::ALL.into_iter().map(|function| FunctionInfo {
        name: function.name(),
        signature: function.signature().to_owned(),
        doc: function.doc().to_owned(),
    });
    let suite = FunctionInfo {
        name: SuiteVerdict::NAME,
        signature: SuiteVerdict::SIGNATURE.to_owned(),
        doc: SuiteVerdict::DOC.to_owned(),
    };
    let tables = metrics::table_functions();
    aggregates.chain(params).chain(numbers).chain(windows).chain([suite]).chain(tables).collect()
}
