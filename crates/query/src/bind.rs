//! The values of a named query's parameters, as the engine takes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use benchbook_record::Store;
use datafusion::common::ScalarValue;

use crate::error::{Error, Result};
use crate::facts::Facts;
use crate::named::{NamedQuery, ParamKind, QueryParam};
use crate::names::nearest;

/// Values by name, and the runs that the query looks at, if it has such parameters.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    pub(crate) values: Vec<(String, ScalarValue)>,
    pub(crate) runs: Option<Vec<String>>,
}

/// Types the values given, resolves runs, and fills in the defaults.
///
/// `facts` gives what is known of the store's trials; it is called only if needed.
pub(crate) fn bind(
    query: &NamedQuery,
    given: &BTreeMap<String, String>,
    store: &Store,
    facts: impl Fn() -> Result<Arc<Facts>>,
) -> Result<Bound> {
    let names = || query.params.iter().map(|param| param.name.clone());
    if let Some(name) = given.keys().find(|name| query.params.iter().all(|param| param.name != **name)) {
        return Err(Error::UnknownParameter {
            query: query.name.clone(),
            name: name.clone(),
            nearest: nearest(name, names()),
            known: names().collect(),
        });
    }
    let missing: Vec<String> = query
        .params
        .iter()
        .filter(|param| param.default.is_none() && !given.contains_key(&param.name))
        .map(|param| param.name.clone())
        .collect();
    if !missing.is_empty() {
        return Err(Error::MissingParameter { names: missing });
    }
    let of = |name: &str| {
        let param = query.params.iter().find(|param| param.name == name);
        param.and_then(|param| given.get(name).or(param.default.as_ref()))
    };
    let mut bound = Bound::default();
    for param in &query.params {
        let asked = given.get(&param.name);
        let Some(text) = of(&param.name) else {
            continue;
        };
        let value = match param.kind {
            ParamKind::Run => {
                let run_id = run(text, asked.is_some(), store)?;
                bound.runs.get_or_insert_default().extend(run_id.clone());
                ScalarValue::Utf8(run_id)
            }
            ParamKind::Variant => {
                let (what, columns) = named_by(of("by"));
                in_store(what, text, facts()?.names(columns))?
            }
            ParamKind::Parameter => in_store("parameter", text, facts()?.params.clone())?,
            _ => plain(param, text)?,
        };
        bound.values.push((param.name.clone(), value));
    }
    Ok(bound)
}

/// What a side of a comparison is named by where the two sides differ `by` this, and the columns with such names.
fn named_by(by: Option<&String>) -> (&'static str, &'static [&'static str]) {
    match by.map(String::as_str) {
        Some("device") => ("device", &["device"]),
        Some("dtype") => ("dtype", &["dtype"]),
        _ => ("variant or implementation", &["variant", "implementation"]),
    }
}

/// The id of a run; none where the default selects a run of a store without runs.
fn run(selector: &str, asked: bool, store: &Store) -> Result<Option<String>> {
    if !asked && store.runs()?.is_empty() {
        return Ok(None);
    }
    Ok(Some(store.resolve(selector)?.run_id))
}

/// A name that stands in the store; any name will do in a store without such names.
fn in_store(what: &'static str, name: &str, known: Vec<String>) -> Result<ScalarValue> {
    if known.is_empty() || known.iter().any(|known| known == name) {
        return Ok(ScalarValue::Utf8(Some(name.to_owned())));
    }
    Err(Error::NotInStore { what, name: name.to_owned(), nearest: nearest(name, &known), known })
}

fn plain(param: &QueryParam, text: &str) -> Result<ScalarValue> {
    let bad = |expected| Error::BadParameter { name: param.name.clone(), value: text.to_owned(), expected };
    Ok(match param.kind {
        ParamKind::Integer => ScalarValue::Int64(Some(text.parse().map_err(|_| bad("an integer"))?)),
        ParamKind::Number => {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite());
            ScalarValue::Float64(Some(number.ok_or_else(|| bad("a number"))?))
        }
        ParamKind::Boolean => ScalarValue::Boolean(Some(text.parse().map_err(|_| bad("true or false"))?)),
        ParamKind::Text | ParamKind::Run | ParamKind::Variant | ParamKind::Parameter => {
            ScalarValue::Utf8(Some(text.to_owned()))
        }
    })
}
