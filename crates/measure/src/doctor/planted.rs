//! Answers of a worker for tests.

use benchbook_core::message::{Description, DeviceInfo};

/// A worker with these devices and equal pools.
pub(super) fn description(devices: Vec<DeviceInfo>) -> Description {
    Description {
        workloads: Vec::new(),
        implementations: Vec::new(),
        devices,
        build: Vec::new(),
        thread_pools: vec![("rayon".into(), 4), ("libtorch".into(), 4)],
    }
}

/// A device that works, or does not for a reason.
pub(super) fn device_info(name: &str, engine: &str, unavailable: Option<&str>) -> DeviceInfo {
    DeviceInfo {
        name: name.into(),
        engine: engine.into(),
        engine_version: "1.0.0".into(),
        unavailable: unavailable.map(str::to_owned),
        libraries: None,
    }
}
