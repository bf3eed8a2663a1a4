//! What must be equal before two runs may be compared.

use std::collections::BTreeMap;
use std::fmt;

use crate::RunRow;

/// What stands for a fact that a run does not know.
const UNKNOWN: &str = "unknown";
const GIB: i64 = 1 << 30;

/// A fact that differs between two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The fact.
    pub what: String,
    /// As in the first run.
    pub a: String,
    /// As in the second run.
    pub b: String,
}

/// Two lists that share so many words are told by what only one has.
const LONG: usize = 8;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = [&self.a, &self.b].map(|words| words.split_whitespace().collect::<Vec<_>>());
        let shared = a.iter().filter(|word| b.contains(word)).count();
        let (only_a, only_b) = (only(&a, &b), only(&b, &a));
        if shared < LONG || only_a == only_b {
            return write!(f, "{}: {} / {}", self.what, self.a, self.b);
        }
        write!(f, "{}: {only_a} / {only_b}, beside {shared} that both have", self.what)
    }
}

/// The words of one list that another lacks.
fn only(these: &[&str], those: &[&str]) -> String {
    let words: Vec<&str> = these.iter().filter(|word| !those.contains(word)).copied().collect();
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

fn known<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), ToString::to_string)
}

fn known_size(bytes: Option<i64>) -> String {
    // The system keeps a little for itself that changes from boot to boot.
    bytes.map_or_else(|| UNKNOWN.to_owned(), |bytes| format!("{} GiB", bytes.saturating_add(GIB / 2) / GIB))
}

impl RunRow {
    /// Every fact that must be equal, by name.
    fn facts(&self) -> BTreeMap<String, String> {
        let mut features = self.cpu_features.clone();
        features.sort_unstable();
        let major = self.kernel.as_ref().map(|release| release.split('.').next().unwrap_or_default().to_owned());
        let mut devices: Vec<String> = self
            .devices
            .iter()
            .map(|device| {
                let (name, kind) = (known(device.name.as_ref()), known(device.kind.as_ref()));
                format!(
                    "{name} ({kind}, driver {}, {})",
                    known(device.driver.as_ref()),
                    known_size(device.memory_bytes)
                )
            })
            .collect();
        devices.sort_unstable();
        let facts = [
            ("cpu model", known(self.cpu_model.as_ref())),
            ("cpu features", features.join(" ")),
            ("cpu cores", known(self.cpu_cores.as_ref())),
            ("cpu governor", known(self.cpu_governor.as_ref())),
            ("cpu turbo", known(self.cpu_turbo.as_ref())),
            ("cpu smt", known(self.cpu_smt.as_ref())),
            ("memory", known_size(self.memory_bytes)),
            ("devices", if devices.is_empty() { "none".to_owned() } else { devices.join("; ") }),
            ("operating system", known(self.os.as_ref())),
            ("kernel major version", known(major.as_ref())),
            ("build profile", known(self.build_profile.as_ref())),
            ("debug assertions", known(self.debug_assertions.as_ref())),
            ("threads", known(self.threads.as_ref())),
        ];
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        let libraries = self.libraries.iter().map(|(name, value)| (format!("library {name}"), value.clone()));
        let variables =
            self.environment_variables.iter().map(|(name, value)| (format!("variable {name}"), value.clone()));
        facts.into_iter().map(named).chain(libraries).chain(variables).collect()
    }

    /// A hash over exactly what [`environment_difference`] compares: equal ids, comparable runs.
    pub fn environment_id(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for text in self.facts().iter().flat_map(|(name, value)| [name, value]) {
            // The length keeps neighbouring texts apart.
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Facts of a build or a plan, which do not make another machine.
const NOT_THE_MACHINE: [&str; 3] = ["build profile", "debug assertions", "threads"];

/// Whether two runs come from machines that are alike: what one shows of its noise holds for the other.
pub fn same_machine(a: &RunRow, b: &RunRow) -> bool {
    let of_the_machine = |difference: &Difference| {
        let what = difference.what.as_str();
        !(NOT_THE_MACHINE.contains(&what) || what.starts_with("library ") || what.starts_with("variable "))
    };
    !environment_difference(a, b).iter().any(of_the_machine)
}

/// What forbids a comparison of two runs; nothing, if they may be compared.
pub fn environment_difference(a: &RunRow, b: &RunRow) -> Vec<Difference> {
    let (a, mut b) = (a.facts(), b.facts());
    let absent = || "not set".to_owned();
    let mut differences: Vec<Difference> = a
        .into_iter()
        .map(|(what, a)| Difference { b: b.remove(&what).unwrap_or_else(absent), what, a })
        .filter(|difference| difference.a != difference.b)
        .collect();
    differences.extend(b.into_iter().map(|(what, b)| Difference { what, a: absent(), b }));
    differences
}
