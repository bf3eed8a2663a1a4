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
