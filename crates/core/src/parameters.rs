//! Parameters of a problem as a struct, declared once: names, defaults, documentation, ranges and SQL columns follow from it.

use std::ops::{Range, RangeInclusive};

use serde::{Deserialize, Serialize};

use crate::{Error, ParamSpec, Params, Result, Value, nearest, unknown};

/// Names that no parameter may have: the fixed columns of the view `results`, in which each parameter is a column too.
pub const RESERVED: [&str; 24] = [
    "run_id",
    "started_at",
    "suite",
    "workload",
    "case_name",
    "variant",
    "implementation",
    "device",
    "dtype",
    "threads",
    "build",
    "engine",
    "replicate",
    "isolation",
    "cache",
    "trial",
    "block",
    "position",
    "sample",
    "time_ns",
    "flops",
    "bytes",
    "valid",
    "invalid_reason",
];

/// What [`parameters!`](crate::parameters) asks of each name while it is compiled.
///
/// # Panics
/// The name is one of [`RESERVED`].
pub const fn assert_not_reserved(name: &str) {
    let mut place = 0;
    while place < RESERVED.len() {
        assert!(!equal(name.as_bytes(), RESERVED[place].as_bytes()), "a column of `results` has this name already");
        place += 1;
    }
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// Values that a parameter may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Within {
    /// Whole numbers, the ends included.
    Whole(i64, i64),
    /// Numbers, from the first to below the second.
    Below(f64, f64),
    /// One of these words.
    Words(Vec<String>),
}

impl From<RangeInclusive<i64>> for Within {
    fn from(range: RangeInclusive<i64>) -> Self {
        Self::Whole(*range.start(), *range.end())
    }
}

impl From<Range<f64>> for Within {
    fn from(range: Range<f64>) -> Self {
        Self::Below(range.start, range.end)
    }
}

impl<const N: usize> From<[&str; N]> for Within {
    fn from(words: [&str; N]) -> Self {
        Self::Words(words.map(str::to_owned).into())
    }
}

impl Within {
    /// What is wrong with a value, and what would be right; nothing where nothing is wrong.
    pub fn refusal(&self, value: &Value) -> Option<String> {
        match (self, value) {
            (Self::Whole(least, most), Value::Int(value)) if !(least..=most).contains(&value) => {
                Some(format!("{value} is out of range, give {least} to {most}"))
            }
            (Self::Below(least, end), Value::Float(value)) if !(least..end).contains(&value) => {
                Some(format!("{value} is out of range, give {least} to below {end}"))
            }
            (Self::Words(words), Value::Text(word)) if !words.contains(word) => {
                let near = nearest(word, words.iter().map(String::as_str));
                let hint = near.map_or_else(
                    || format!("give one of {}", words.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                Some(format!("there is no `{word}`, {hint}"))
            }
            _ => None,
        }
    }
}

/// A Rust type that a parameter can have.
pub trait Parameter: Clone {
    /// The value as it travels and is stored.
    fn value(&self) -> Value;

    /// The parameter from its value; nothing where that is of another type.
    fn of(value: &Value) -> Option<Self>;
}

macro_rules! parameter {
    ($($rust:ty => $kind:ident, $to:expr, $from:expr;)*) => { $(impl Parameter for $rust {
        fn value(&self) -> Value {
            Value::$kind($to(self))
        }

        fn of(value: &Value) -> Option<Self> {
            match value {
                Value::$kind(value) => $from(value),
                _ => None,
            }
        }
    })* };
}

parameter! {
    i64 => Int, |value: &i64| *value, |value: &i64| Some(*value);
    usize => Int, |value: &usize| i64::try_from(*value).unwrap_or(i64::MAX), |value: &i64| usize::try_from(*value).ok();
    f64 => Float, |value: &f64| *value, |value: &f64| Some(*value);
    bool => Bool, |value: &bool| *value, |value: &bool| Some(*value);
    String => Text, |value: &String| value.clone(), |value: &String| Some(value.clone());
}

/// The parameters of a problem; made by [`parameters!`](crate::parameters).
pub trait Parameters: Clone + Send + Sync + 'static {
    /// What is declared of each.
    fn specs() -> Vec<ParamSpec>;

    /// The parameters from their values by name; an absent one has its default.
    ///
    /// # Errors
    /// An unknown name (with the nearest known one), a value of the wrong type or out of its range.
    fn read(workload: &str, params: &Params) -> Result<Self>;

    /// Their values by name.
    fn params(&self) -> Params;
}

/// What [`Parameters::read`] does for the one called `name`.
///
/// # Errors
/// A value of the wrong type or out of its range.
pub fn read_one<T: Parameter>(workload: &str, specs: &[ParamSpec], name: &str, params: &Params) -> Result<T> {
    let spec = specs.iter().find(|spec| spec.name == name).ok_or_else(|| unknown("parameter", name, []))?;
    let value = params.0.get(name).unwrap_or(&spec.default);
    let taken = match spec.within.as_ref().and_then(|within| within.refusal(value)) {
        Some(reason) => Err(reason),
        None => T::of(value).ok_or_else(|| format!("`{value}` cannot be taken, give one such as {}", spec.default)),
    };
    taken.map_err(|reason| Error::Param { workload: workload.into(), name: name.into(), reason })
}

/// Declares the parameters of a problem as a struct.
///
/// ```
/// benchbook_core::parameters! {
///     /// Sizes of a product.
///     pub struct Sizes {
///         /// rows of the left factor
///         m: usize = 512, 1..=1 << 17;
///         /// whether the right factor is transposed
///         transposed: bool = false;
///     }
/// }
/// # use benchbook_core::{Parameters, Params, Value};
/// let sizes = Sizes::read("product", &Params::default().with("m", Value::Int(64))).unwrap();
/// assert_eq!((sizes.m, sizes.transposed), (64, false));
/// assert_eq!(Sizes::specs()[0].doc, "rows of the left factor");
/// ```
///
/// A name of [`RESERVED`](crate::RESERVED) does not compile:
///
/// ```compile_fail
/// benchbook_core::parameters! {
///     /// Sizes of a cache.
///     pub struct Sizes {
///         /// tokens of a page
///         block: usize = 16, 1..=64;
///     }
/// }
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[doc = $doc:literal])+ $field:ident: $kind:ty = $default:expr $(, $within:expr)?;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $($(#[doc = $doc])+ pub $field: $kind,)+
        }

        const _: () = {
            $($crate::assert_not_reserved(stringify!($field));)+
        };

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $crate::Parameters for $name {
            fn specs() -> Vec<$crate::ParamSpec> {
                let default = Self::default();
                vec![$($crate::ParamSpec {
                    name: stringify!($field).to_owned(),
                    default: $crate::Parameter::value(&default.$field),
                    doc: [$($doc.trim()),+].join(" "),
                    within: [$($crate::Within::from($within))?].into_iter().next(),
                },)+]
            }

            fn read(workload: &str, params: &$crate::Params) -> $crate::Result<Self> {
                let specs = <Self as $crate::Parameters>::specs();
                params.check(workload, &specs)?;
                Ok(Self { $($field: $crate::read_one(workload, &specs, stringify!($field), params)?,)+ })
            }

            fn params(&self) -> $crate::Params {
                let mut params = $crate::Params::default();
                $(params.0.insert(stringify!($field).to_owned(), $crate::Parameter::value(&self.$field));)+
                params
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::{Kind, Parameters, Params, Value, Within};

    crate::parameters! {
        /// For the tests.
        struct Sizes {
            /// rows
            /// of it
            m: usize = 4, 1..=8;
            /// share
            share: f64 = 0.5, 0.0..1.0;
            /// kind
            kind: String = "plain".to_owned(), ["plain", "striped"];
            /// flag
            flag: bool = false;
            /// offset
            offset: i64 = -1;
        }
    }

    #[test]
    fn everything_follows_from_the_declaration() {
        let specs = Sizes::specs();
        assert_eq!(
            specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>(),
            ["m", "share", "kind", "flag", "offset"]
        );
        assert_eq!((specs[0].doc.as_str(), specs[2].default.kind()), ("rows of it", Kind::Text));
        assert_eq!(specs[0].within, Some(Within::Whole(1, 8)));
        let sizes = Sizes { m: 7, kind: "striped".into(), ..Sizes::default() };
        assert_eq!(Sizes::read("w", &sizes.params()).unwrap(), sizes);
        assert_eq!(Sizes::read("w", &Params::default()).unwrap(), Sizes::default());
    }

    #[test]
    #[should_panic(expected = "a column of `results` has this name already")]
    fn a_name_of_a_column_is_refused() {
        for free in ["block_size", "bloc", "blocks", ""] {
            crate::assert_not_reserved(free);
        }
        crate::assert_not_reserved("block");
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let refused =
            |name: &str, value: Value| Sizes::read("w", &Params::default().with(name, value)).unwrap_err().to_string();
        for (name, value, part) in [
            ("m", Value::Int(9), "parameter `m` of w: 9 is out of range, give 1 to 8"),
            ("m", Value::Int(-1), "give 1 to 8"),
            ("m", Value::Float(2.0), "`2` is not a whole number"),
            ("share", Value::Float(1.0), "give 0 to below 1"),
            ("share", Value::Float(f64::NAN), "give 0 to below 1"),
            ("kind", Value::Text("stripes".into()), "did you mean `striped`"),
            ("kind", Value::Text("x".into()), "give one of plain, striped"),
            ("shar", Value::Float(0.1), "did you mean `share`"),
        ] {
            let said = refused(name, value);
            assert!(said.contains(part), "{said}");
        }
    }
}
