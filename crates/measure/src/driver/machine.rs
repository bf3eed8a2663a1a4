//! What the measuring has to know of the machine: its caches and processors.

use std::sync::OnceLock;

use crate::environment::{CaptureSettings, Cpu, capture};

/// Last-level cache assumed where the system does not tell its size.
const ASSUMED_CACHE_BYTES: u64 = 64 << 20;

/// Copies of the inputs that together fill at least four times the last-level cache.
pub fn cold_copies(input_bytes: usize, last_level_cache_bytes: usize) -> usize {
    last_level_cache_bytes.saturating_mul(4).div_ceil(input_bytes.max(1)).max(2)
}

/// Size of the last-level cache, in bytes.
pub fn last_level_cache_bytes() -> usize {
    usize::try_from(cpu().last_level_cache_bytes.unwrap_or(ASSUMED_CACHE_BYTES)).unwrap_or(usize::MAX)
}

/// Processors of this machine; the most there can be where it does not tell.
pub fn processors() -> i64 {
    match cpu().topology.online.len() {
        0 => i64::MAX,
        online => online as i64,
    }
}

fn cpu() -> &'static Cpu {
    static CPU: OnceLock<Cpu> = OnceLock::new();
    CPU.get_or_init(|| capture(&CaptureSettings::planted("/")).cpu)
}
