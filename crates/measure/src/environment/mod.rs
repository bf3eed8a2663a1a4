//! What is known of the machine that measures: enough to say why two runs may not be compared.
//!
//! Everything is read from small files below a root folder (`/` on a real machine, a planted tree
//! in tests); only `git` and the graphics library are asked beside them. No clock is read here.

mod capture;
mod cpu;
mod devices;
mod frequency;
mod git;
mod memory;
#[cfg(test)]
pub(crate) mod planted;
mod row;
mod system;
mod topology;
mod variables;
mod virtualisation;

pub(crate) use benchbook_journal::Root;
pub use capture::{CaptureSettings, Environment, Versions, capture};
pub use cpu::{Cpu, cpu_model};
pub use devices::{Devices, GpuDevice, query_gpus};
pub use frequency::{Frequency, TurboSwitch};
pub use git::Git;
pub(crate) use memory::MemInfo;
pub use memory::Memory;
pub use system::System;
pub use topology::{CpuSet, Topology};
pub use variables::{speed_variables, variables_of_this_process};
pub use virtualisation::{Machine, Virtualisation};
