//! A worker has as many threads as its variant says: variables that size its pools, and those that would limit them.

use std::process::Command;

/// Variables that size thread pools; a worker gets the plan's number in each.
const SIZES: [&str; 4] = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"];

/// Variables by which a pool has fewer threads than its size says, or fewer processors.
///
/// Those that bind threads are among them, since they reach one pool alone, or too many: libgomp binds the first thread of
/// a process as it is loaded (`gomp_init_affinity`), and every thread of rayon's inherits that one processor. `taskset`
/// holds for all pools alike.
const LIMITS: [&str; 17] = [
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
pub fn give(command: &mut Command, threads: usize) {
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
}
