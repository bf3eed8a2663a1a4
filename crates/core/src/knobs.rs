//! Numbers of an implementation that change how fast it is: tiles, chunks. What a comparison compares is in the variant, so
//! their values stand in its name: `tiled:depth=256:panels=4`. Values that are the usual ones are left out of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, unknown};

/// A number of an implementation that changes how fast it is, and its answer by no more than rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knob {
    /// Its name, a word of letters.
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// What it may be, least first.
    pub values: &'static [i64],
    /// What it is unless it is set, one of them.
    pub usual: i64,
}

/// A knob as shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnobInfo {
    /// See [`Knob::name`].
    pub name: String,
    /// See [`Knob::about`].
    #[serde(default)]
    pub about: String,
    /// See [`Knob::values`].
    pub values: Vec<i64>,
    /// See [`Knob::usual`].
    pub usual: i64,
}

impl From<&Knob> for KnobInfo {
    fn from(knob: &Knob) -> Self {
        let Knob { name, about, values, usual } = *knob;
        Self { name: name.into(), about: about.into(), values: values.into(), usual }
    }
}

/// What stands between a name and its knobs, and between these.
const BETWEEN: char = ':';

/// A value for each knob of an implementation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knobs(BTreeMap<String, i64>);

impl Knobs {
    /// The name of an implementation without the values of its knobs.
    pub fn bare(name: &str) -> &str {
        name.split(BETWEEN).next().unwrap_or(name)
    }

    /// The values that stand in a name, and the usual ones of all other knobs.
    ///
    /// # Errors
    /// A knob that the implementation does not have (with the nearest), or a value that it may not be.
    pub fn read(name: &str, known: &[KnobInfo]) -> Result<Self> {
        let mut values: BTreeMap<String, i64> = known.iter().map(|knob| (knob.name.clone(), knob.usual)).collect();
        for word in name.split(BETWEEN).skip(1) {
            let (set, value) = word.split_once('=').unwrap_or((word, ""));
            let Some(knob) = known.iter().find(|knob| knob.name == set) else {
                return Err(unknown("knob", set, known.iter().map(|knob| knob.name.as_str())));
            };
            match value.parse::<i64>() {
                Ok(value) if knob.values.contains(&value) => values.insert(set.to_owned(), value),
                _ => {
                    let values: Vec<String> = knob.values.iter().map(i64::to_string).collect();
                    let may = values.join(", ");
                    return Err(Error::Plan(format!("`{word}` of {}: {set} may be {may}", Self::bare(name))));
                }
            };
        }
        Ok(Self(values))
    }

    /// The value of a knob; of one that the implementation does not have, 0.
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The value of a knob as a size; of one that the implementation does not have, or that is below zero, 0.
    pub fn size(&self, name: &str) -> usize {
        usize::try_from(self.get(name)).unwrap_or_default()
    }

    /// The same with one value set.
    #[must_use]
    pub fn with(mut self, name: &str, value: i64) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The name of an implementation with these values, in the order of its knobs: one name for one setting.
    pub fn name(&self, bare: &str, known: &[KnobInfo]) -> String {
        let set = known.iter().filter_map(|knob| {
            let value = *self.0.get(&knob.name)?;
            (value != knob.usual).then(|| format!("{BETWEEN}{}={value}", knob.name))
        });
        std::iter::once(bare.to_owned()).chain(set).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<KnobInfo> {
        let knobs = [
            Knob { name: "depth", about: "steps of a block", values: &[64, 128, 512], usual: 512 },
            Knob { name: "panels", about: "", values: &[1, 8], usual: 8 },
        ];
        knobs.iter().map(KnobInfo::from).collect()
    }

    #[test]
    fn one_setting_has_one_name() {
        for name in ["tiled", "tiled:depth=64", "tiled:depth=128:panels=1"] {
            let knobs = Knobs::read(name, &known()).unwrap();
            assert_eq!((knobs.name("tiled", &known()).as_str(), Knobs::bare(name)), (name, "tiled"));
        }
        for (other, name) in
            [("tiled:panels=8:depth=512", "tiled"), ("tiled:panels=1:depth=64", "tiled:depth=64:panels=1")]
        {
            assert_eq!(Knobs::read(other, &known()).unwrap().name("tiled", &known()), name);
        }
    }

    #[test]
    fn what_is_not_set_is_as_usual() {
        let knobs = Knobs::read("tiled:panels=1", &known()).unwrap();
        assert_eq!([knobs.get("depth"), knobs.get("panels"), knobs.get("other")], [512, 1, 0]);
        assert_eq!(knobs.with("depth", 64).size("depth"), 64);
    }

    #[test]
    fn what_a_knob_may_not_be_is_refused_with_what_it_may() {
        for (name, part) in [
            ("tiled:depht=64", "did you mean `depth`?"),
            ("tiled:depth=65", "`depth=65` of tiled: depth may be 64, 128, 512"),
            ("tiled:depth", "depth may be"),
            ("tiled:depth=x", "depth may be"),
            ("tiled:", "unknown knob"),
        ] {
            let told = Knobs::read(name, &known()).unwrap_err().to_string();
            assert!(told.contains(part), "{name}: {told}");
        }
        assert!(Knobs::read("naive:depth=64", &[]).unwrap_err().to_string().contains("none is registered"));
    }
}
