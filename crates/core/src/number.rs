//! Numbers on the wire: JSON has neither infinity nor NaN, so that these travel as the words `inf`, `-inf` and `nan`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number, or the word for one.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Word(String),
}

impl From<f64> for Written {
    fn from(value: f64) -> Self {
        if value.is_finite() { Self::Number(value) } else { Self::Word(value.to_string().to_lowercase()) }
    }
}

impl Written {
    fn read(self) -> Result<f64, String> {
        match self {
            Self::Number(value) => Ok(value),
            Self::Word(word) => match word.as_str() {
                "inf" => Ok(f64::INFINITY),
                "-inf" => Ok(f64::NEG_INFINITY),
                "nan" => Ok(f64::NAN),
                _ => Err(format!("`{word}` is no number")),
            },
        }
    }
}

pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Written::from(*value).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Written::deserialize(deserializer)?.read().map_err(D::Error::custom)
}

/// The same of several.
pub mod list {
    use super::*;

    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Written::from(*value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let written = Vec::<Written>::deserialize(deserializer)?;
        written.into_iter().map(Written::read).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Numbers {
        #[serde(with = "super")]
        one: f64,
        #[serde(with = "super::list")]
        more: Vec<f64>,
    }

    #[test]
    fn what_json_has_not_travels_as_a_word() {
        let numbers = Numbers { one: f64::NEG_INFINITY, more: vec![0.5, f64::INFINITY, f64::NAN] };
        let text = toml::to_string(&numbers).unwrap();
        assert_eq!(text, "one = \"-inf\"\nmore = [0.5, \"inf\", \"nan\"]\n");
        let back: Numbers = toml::from_str(&text).unwrap();
        assert_eq!((back.one, back.more[1]), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(back.more[2].is_nan());
        assert_eq!(toml::from_str::<Numbers>("one = 3\nmore = []").unwrap().one, 3.0, "a whole number is a number");
        let error = toml::from_str::<Numbers>("one = \"much\"\nmore = []").unwrap_err().to_string();
        assert!(error.contains("`much` is no number"), "{error}");
    }
}
