//! A run and everything known of the machine it ran on.

use std::collections::BTreeMap;

use benchbook_core::{Planned, SMALLEST_PILOT};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An accelerator as written in `runs.devices`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRow {
    /// Its name.
    pub name: Option<String>,
    /// What it is (`cuda`, `vulkan`).
    pub kind: Option<String>,
    /// Name and version of its driver.
    pub driver: Option<String>,
    /// Size of its memory in bytes.
    pub memory_bytes: Option<i64>,
}

/// The row of `runs`; what is not known stays empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRow {
    /// UUIDv7 as lower-case text.
    pub run_id: String,
    /// When the run began; every `*_ns` of the run counts from here.
    pub started_at: DateTime<Utc>,
    /// Name of the plan.
    pub suite: String,
    /// Names given by the user.
    pub tags: Vec<String>,
    /// The command line as typed.
    pub command: Option<String>,
    /// Full hash of the commit.
    pub git_commit: Option<String>,
    /// Whether the working tree differed from that commit.
    pub git_dirty: Option<bool>,
    /// Version of benchbook.
    pub benchbook_version: Option<String>,
    /// Compiler of the kernels.
    pub rustc_version: Option<String>,
    /// Cargo profile of the kernels.
    pub build_profile: Option<String>,
    /// Whether the kernels were compiled with debug assertions.
    pub debug_assertions: Option<bool>,
    /// Operating system.
    pub os: Option<String>,
    /// Release of the operating system's kernel.
    pub kernel: Option<String>,
    /// Hash of the host's name.
    pub hostname_hash: Option<String>,
    /// Model name of the processor.
    pub cpu_model: Option<String>,
    /// Instruction sets of the processor that kernels may use.
    pub cpu_features: Vec<String>,
    /// Logical processors.
    pub cpu_cores: Option<i64>,
    /// Frequency governor.
    pub cpu_governor: Option<String>,
    /// Whether the clock may rise above its nominal rate.
    pub cpu_turbo: Option<bool>,
    /// Whether cores run more than one thread.
    pub cpu_smt: Option<bool>,
    /// Size of the last-level cache in bytes.
    pub l3_bytes: Option<i64>,
    /// Size of the main memory in bytes.
    pub memory_bytes: Option<i64>,
    /// Accelerators.
    pub devices: Vec<DeviceRow>,
    /// Versions and flags of the engines.
    pub libraries: BTreeMap<String, String>,
    /// Variables that change speed.
    pub environment_variables: BTreeMap<String, String>,
    /// Worker threads given to every pool.
    pub threads: Option<i64>,
    /// Seed of the order of blocks and of the inputs: the bits of the unsigned seed.
    pub seed: Option<i64>,
    /// The plan as run, in TOML.
    pub plan: Option<String>,
    /// See [`RunRow::environment_id`]; the writer fills it in.
    pub environment_id: Option<String>,
}

/// The pilot that is assumed where a run's plan cannot be read: no other widens an interval more.
pub const CAUTIOUS_PILOT: i64 = SMALLEST_PILOT as i64;

/// Replicates of the pilot that, by a plan in TOML, fixed the number of all; nothing where it was fixed beforehand,
/// [`CAUTIOUS_PILOT`] where the plan cannot be read.
pub fn pilot_of(plan: &str) -> Option<i64> {
    let Some(planned) = Planned::read(plan) else { return Some(CAUTIOUS_PILOT) };
    planned.pilot.then_some(i64::from(planned.replicates))
}

/// Now, as runs are dated: in nanoseconds since 1970 UTC.
pub fn now_ns() -> i64 {
    Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX)
}

impl RunRow {
    /// A run of `suite` that begins now, with a fresh UUIDv7.
    pub fn new(suite: &str) -> Self {
        Self { run_id: Uuid::now_v7().to_string(), started_at: Utc::now(), suite: suite.to_owned(), ..Self::default() }
    }
}
