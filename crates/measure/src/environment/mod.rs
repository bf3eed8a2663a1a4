//! What is known of the machine that measures: enough to say why two runs may not be compared.
//!
//! Everything is read from small files below a root folder (`/` on a real machine, a planted tree
//! in tests); only `git` and the graphics library are asked beside them. No clock is read here.

mod cache;
mod capture;
mod cpu;
mod cpu_set;
mod cpuinfo;
mod devices;
mod frequency;
mod git;
mod memory;
mod nvml;
#[cfg(test)]
pub(crate) mod planted;
mod row;
mod system;
mod topology;
mod variables;
mod versions;
mod virtualisation;

pub(crate) use benchbook_journal::Root;
pub use capture::{CaptureSettings, Environment, capture};
pub use cpu::Cpu;
pub use cpu_set::CpuSet;
pub use devices::{Devices, GpuDevice};
pub use frequency::{Frequency, TurboSwitch};
pub use git::Git;
pub(crate) use memory::MemInfo;
pub use memory::Memory;
pub use nvml::query_gpus;
pub use system::System;
pub use topology::Topology;
pub use variables::{speed_variables, variables_of_this_process};
pub use versions::Versions;
pub use virtualisation::{Machine, Virtualisation};
