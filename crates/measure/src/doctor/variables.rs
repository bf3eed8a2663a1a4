//! Environment variables that slow things down or change what runs.

use std::collections::BTreeMap;

use super::finding::{Area, Finding, Level};

const HELD_BACK: &str = "a library is held to the instructions of one kind of processor";

/// Name, the values that do no harm, how grave any other value is, and what it does.
const HARMFUL: [(&str, &[&str], Level, &str); 11] = [
    ("ATEN_CPU_CAPABILITY", &[""], Level::Note, HELD_BACK),
    ("CUDA_LAUNCH_BLOCKING", &["", "0"], Level::Warning, "every kernel launch waits for the one before"),
    ("DNNL_MAX_CPU_ISA", &["", "ALL", "DEFAULT"], Level::Note, HELD_BACK),
    ("DNNL_VERBOSE", &["", "0", "none"], Level::Warning, "every call of oneDNN writes a line"),
    ("LD_PRELOAD", &[""], Level::Warning, "a foreign library is loaded into every program"),
    ("MALLOC_CHECK_", &["", "0"], Level::Warning, "every allocation is checked"),
    ("MKL_ENABLE_INSTRUCTIONS", &[""], Level::Note, HELD_BACK),
    ("MKL_VERBOSE", &["", "0"], Level::Warning, "every call of MKL writes a line"),
    ("ONEDNN_MAX_CPU_ISA", &["", "ALL", "DEFAULT"], Level::Note, HELD_BACK),
    ("ONEDNN_VERBOSE", &["", "0", "none"], Level::Warning, "every call of oneDNN writes a line"),
    ("OPENBLAS_CORETYPE", &[""], Level::Note, HELD_BACK),
];

pub(super) fn findings(variables: &BTreeMap<String, String>) -> Vec<Finding> {
    HARMFUL
        .iter()
        .filter(|(name, harmless, ..)| variables.get(*name).is_some_and(|value| !harmless.contains(&value.as_str())))
        .map(|(name, _, level, effect)| {
            Finding::new(Area::Variables, *level, format!("{name} is set: {effect}")).remedy(format!("unset {name}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_variables_and_their_harmless_values() {
        let set = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        for (name, value, found) in [
            ("LD_PRELOAD", "/usr/lib/libjemalloc.so", 1),
            ("LD_PRELOAD", "", 0),
            ("MKL_VERBOSE", "1", 1),
            ("MKL_VERBOSE", "0", 0),
            ("OPENBLAS_CORETYPE", "Haswell", 1),
            ("OMP_NUM_THREADS", "2", 0),
        ] {
            let findings = findings(&set(name, value));
            assert_eq!(findings.len(), found, "{name}={value}");
            assert!(findings.iter().all(|f| f.remedy == Some(format!("unset {name}"))));
        }
    }

    #[test]
    fn all_of_them_are_captured() {
        let kept = crate::environment::speed_variables(HARMFUL.map(|(name, ..)| (name, "1")));
        assert_eq!(kept.len(), HARMFUL.len(), "{kept:?}");
    }
}
