//! Graphics processors.

use serde::Serialize;

/// Graphics processors, or why none was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Devices {
    /// Those found, in the driver's order.
    pub found: Vec<GpuDevice>,
    /// Why the driver could not be asked, or not all could be read.
    pub reason: Option<String>,
}

/// A graphics processor; nothing where the driver does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GpuDevice {
    /// Name of the model.
    pub name: String,
    /// Version of the driver.
    pub driver: Option<String>,
    /// Its memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Whether the driver stays loaded while nothing uses the device.
    pub persistence: Option<bool>,
    /// Share of the recent past in which a kernel ran, in percent.
    pub busy_percent: Option<u32>,
}

impl Devices {
    /// No devices, for a reason.
    #[must_use]
    pub fn none(reason: impl Into<String>) -> Self {
        Self { found: Vec::new(), reason: Some(reason.into()) }
    }
}
