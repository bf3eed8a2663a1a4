//! What a worker finds in its environment: the sizes of its thread pools and nothing that would limit them, and the shared
//! libraries that its device asks for before all others.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use benchbook_core::message::DeviceInfo;

/// Variables that size thread pools; a worker gets the plan's number in each.
const SIZES: [&str; 5] =
    ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"];

/// Variables by which a pool has fewer threads than its size says, or fewer processors.
///
/// Those that bind threads are among them, since they reach one pool alone, or too many: libgomp binds the first thread of
/// a process as it is loaded (`gomp_init_affinity`), and every thread of rayon's inherits that one processor. `taskset`
/// holds for all pools alike.
const LIMITS: [&str; 19] = [
    "CANDLE_CPU_AFFINITY",
    "CANDLE_CPU_MASK",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_ALL_THREADS",
    "KMP_DEVICE_THREAD_LIMIT",
    "KMP_DYNAMIC_MODE",
    "KMP_HW_SUBSET",
    "KMP_LIBRARY",
    "KMP_MAX_THREADS",
    "KMP_PLACE_THREADS",
    "MKL_DOMAIN_NUM_THREADS",
    "MKL_DYNAMIC",
    "MKL_THREADING_LAYER",
    "OMP_DYNAMIC",
    "OMP_MAX_ACTIVE_LEVELS",
    "OMP_PLACES",
    "OMP_PROC_BIND",
    "OMP_THREAD_LIMIT",
];

/// Gives the pools of a worker to come their size, and keeps from it what would limit them.
pub fn give_threads(command: &mut Command, threads: usize) {
    for name in withheld() {
        command.env_remove(name);
    }
    for name in SIZES {
        command.env(name, threads.to_string());
    }
}

/// Names of the variables of this process that no worker gets.
pub fn withheld() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut withheld: Vec<String> = names.filter(|name| limits(name)).collect();
    withheld.sort_unstable();
    withheld
}

fn limits(name: &str) -> bool {
    // With this ending a variable of OpenMP holds for every device, the host among them.
    LIMITS.contains(&name.strip_suffix("_ALL").unwrap_or(name))
}

/// Where the loader of programs looks for libraries first.
const VARIABLE: &str = "LD_LIBRARY_PATH";

/// The folder that a worker names for a device; nothing where it names none, or one that the variable cannot hold.
pub fn libraries_of<'a>(devices: &'a [DeviceInfo], device: &str) -> Option<&'a Path> {
    let known = devices.iter().find(|known| known.name == device)?;
    let folder = known.libraries.as_deref().filter(|folder| !folder.contains([':', ';', '$', '\0']))?;
    Some(Path::new(folder)).filter(|folder| folder.is_absolute())
}

/// Has a process look in this folder before those in which it would look otherwise.
pub fn give_libraries(command: &mut Command, folder: &Path) {
    command.env(VARIABLE, before(folder, std::env::var_os(VARIABLE)));
}

fn before(folder: &Path, others: Option<OsString>) -> OsString {
    let mut all = PathBuf::from(folder).into_os_string();
    // An empty name would be the current folder.
    if let Some(others) = others.filter(|others| !others.is_empty()) {
        all.push(":");
        all.push(others);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_kept_from_workers_and_other_settings_are_not() {
        for name in ["OMP_THREAD_LIMIT", "OMP_THREAD_LIMIT_ALL", "OMP_PROC_BIND", "MKL_DYNAMIC", "KMP_HW_SUBSET"] {
            assert!(limits(name), "{name}");
        }
        for name in ["OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT", "MKL_CBWR", "OMP_THREAD_LIMIT_DEV", "PATH"] {
            assert!(!limits(name), "{name}");
        }
    }

    #[test]
    fn every_limit_is_recorded_as_what_changes_speed() {
        let kept = crate::environment::speed_variables(LIMITS.map(|name| (name, "1")));
        assert_eq!(kept.len(), LIMITS.len(), "{kept:?}");
    }

    #[test]
    fn a_device_has_its_own_folder_where_the_variable_can_hold_it() {
        let device = |name: &str, libraries: Option<&str>| DeviceInfo {
            name: name.into(),
            engine: String::new(),
            engine_version: String::new(),
            unavailable: None,
            libraries: libraries.map(str::to_owned),
        };
        let devices = [device("a", None), device("b", Some("/spared/b"))];
        let of_each = ["a", "b", "c"].map(|name| libraries_of(&devices, name));
        assert_eq!(of_each, [None, Some(Path::new("/spared/b")), None]);
        for wrong in ["", "spared", "/a:/b", "/a;/b", "/$LIB", "/a\0b"] {
            assert_eq!(libraries_of(&[device("a", Some(wrong))], "a"), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_the_user_has_set_follows() {
        for (others, all) in [(None, "/a"), (Some(""), "/a"), (Some("/b:/c"), "/a:/b:/c")] {
            assert_eq!(before(Path::new("/a"), others.map(OsString::from)), all);
        }
    }
}
