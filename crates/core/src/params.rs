//! Typed parameters of a workload.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Within, unknown};

/// The type of a parameter; one parameter name has one type across all workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A signed 64-bit integer.
    Int,
    /// A 64-bit float.
    Float,
    /// UTF-8 text.
    Text,
    /// True or false.
    Bool,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// See [`Kind::Int`].
    Int(i64),
    /// See [`Kind::Float`].
    Float(f64),
    /// See [`Kind::Text`].
    Text(String),
    /// See [`Kind::Bool`].
    Bool(bool),
}

impl Value {
    /// The type of this value.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Int(_) => Kind::Int,
            Self::Float(_) => Kind::Float,
            Self::Text(_) => Kind::Text,
            Self::Bool(_) => Kind::Bool,
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl Kind {
    /// What a value of this type is, in words.
    fn words(self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Text => "a text",
            Self::Bool => "true or false",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

/// What a workload says of one of its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParamSpec {
    /// The name, also its column in the view `results`.
    pub name: String,
    /// The value where a case names none.
    pub default: Value,
    /// One line of help.
    pub doc: String,
    /// What it may be, where that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

impl ParamSpec {
    /// An integer parameter.
    pub fn int(name: &str, default: i64, doc: &str) -> Self {
        Self { name: name.into(), default: Value::Int(default), doc: doc.into(), within: None }
    }

    /// A parameter that is a number with a fraction.
    pub fn float(name: &str, default: f64, doc: &str) -> Self {
        Self { name: name.into(), default: Value::Float(default), doc: doc.into(), within: None }
    }

    /// A parameter that is a word.
    pub fn text(name: &str, default: &str, doc: &str) -> Self {
        Self { name: name.into(), default: Value::Text(default.into()), doc: doc.into(), within: None }
    }

    /// A boolean parameter.
    pub fn bool(name: &str, default: bool, doc: &str) -> Self {
        Self { name: name.into(), default: Value::Bool(default), doc: doc.into(), within: None }
    }
}

/// Parameter values by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Params(pub BTreeMap<String, Value>);

impl Params {
    /// The same parameters with `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The same parameters; `name` has the value given for `source`, unless it has one of its own.
    #[must_use]
    pub fn following(self, name: &str, source: &str) -> Self {
        match self.0.get(source).cloned() {
            Some(value) if !self.0.contains_key(name) => self.with(name, value),
            _ => self,
        }
    }

    /// The value of an integer parameter that its workload has already checked.
    ///
    /// # Panics
    /// If the parameter is absent or of another type: [`Params::complete`] rules both out.
    pub fn int(&self, name: &str) -> i64 {
        match self.0.get(name) {
            Some(Value::Int(value)) => *value,
            other => panic!("parameter `{name}` is {other:?}, not an integer"),
        }
    }

    /// The value of an integer parameter as a size; negative values have been refused before.
    ///
    /// # Panics
    /// As [`Params::int`], and if the value is negative.
    pub fn size(&self, name: &str) -> usize {
        usize::try_from(self.int(name)).unwrap_or_else(|_| panic!("parameter `{name}` is negative"))
    }

    /// The value of a parameter with a fraction that its workload has already checked.
    ///
    /// # Panics
    /// As [`Params::int`].
    pub fn float(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(Value::Float(value)) => *value,
            other => panic!("parameter `{name}` is {other:?}, not a number with a fraction"),
        }
    }

    /// The value of a boolean parameter that its workload has already checked.
    ///
    /// # Panics
    /// As [`Params::int`].
    pub fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(value)) => *value,
            other => panic!("parameter `{name}` is {other:?}, not true or false"),
        }
    }

    /// The value of a parameter that is a word, which its workload has already checked.
    ///
    /// # Panics
    /// As [`Params::int`].
    pub fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(value)) => value,
            other => panic!("parameter `{name}` is {other:?}, not a text"),
        }
    }

    /// Checks names and types against `specs`.
    ///
    /// # Errors
    /// An unknown name (with the nearest known one) or a value of the wrong type.
    pub fn check(&self, workload: &str, specs: &[ParamSpec]) -> Result<()> {
        for (name, value) in &self.0 {
            let Some(spec) = specs.iter().find(|spec| spec.name == *name) else {
                return Err(unknown("parameter", name, specs.iter().map(|spec| spec.name.as_str())));
            };
            if spec.default.kind() != value.kind() {
                return Err(Error::Param {
                    workload: workload.to_owned(),
                    name: name.clone(),
                    reason: format!(
                        "`{value}` is not {}, give one such as {}",
                        spec.default.kind().words(),
                        spec.default
                    ),
                });
            }
        }
        Ok(())
    }

    /// Checks names and types against `specs` and fills in the defaults.
    ///
    /// # Errors
    /// As [`Params::check`].
    pub fn complete(mut self, workload: &str, specs: &[ParamSpec]) -> Result<Self> {
        self.check(workload, specs)?;
        for spec in specs {
            self.0.entry(spec.name.clone()).or_insert_with(|| spec.default.clone());
        }
        Ok(self)
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{name}={value}")?;
        }
        Ok(())
    }
}
