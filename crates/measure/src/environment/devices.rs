//! Graphics processors, asked of NVIDIA's management library, which is loaded at run time where it is present.

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
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

/// Asks the driver for its devices; an absent library or driver gives no devices and the reason.
///
/// The answer takes about a millisecond without a driver. With one it takes tens of milliseconds,
/// and up to seconds where persistence mode is off and nothing uses the device.
#[must_use]
pub fn query_gpus() -> Devices {
    match Nvml::init() {
        Ok(nvml) => list(&nvml),
        Err(error) => Devices::none(explain(&error)),
    }
}

fn list(nvml: &Nvml) -> Devices {
    let driver = nvml.sys_driver_version().ok();
    let count = match nvml.device_count() {
        Ok(count) => count,
        Err(error) => return Devices::none(explain(&error)),
    };
    let mut devices = Devices::default();
    for index in 0..count {
        match read(nvml, index, driver.as_deref()) {
            Ok(device) => devices.found.push(device),
            Err(error) => devices.reason = Some(format!("device {index}: {}", explain(&error))),
        }
    }
    devices
}

fn read(nvml: &Nvml, index: u32, driver: Option<&str>) -> Result<GpuDevice, NvmlError> {
    let device = nvml.device_by_index(index)?;
    Ok(GpuDevice {
        name: device.name()?,
        driver: driver.map(str::to_owned),
        memory_bytes: device.memory_info().ok().map(|memory| memory.total),
        persistence: device.is_in_persistent_mode().ok(),
        busy_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
    })
}

/// The reason on one line; the loader's own message is long and names machine paths.
fn explain(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) => "the NVIDIA driver's library (NVML) is not installed".to_owned(),
        NvmlError::DriverNotLoaded => "the NVIDIA driver is not loaded".to_owned(),
        other => other.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_devices_or_a_reason() {
        let devices = query_gpus();
        assert!(devices.reason.is_some() || devices.found.iter().all(|gpu| !gpu.name.is_empty()));
        assert!(devices.reason.as_deref().is_none_or(|reason| !reason.contains('\n')));
    }

    #[test]
    fn reasons_are_plain() {
        assert_eq!(explain(&NvmlError::DriverNotLoaded), "the NVIDIA driver is not loaded");
        assert!(!explain(&NvmlError::NoPermission).is_empty());
    }
}
