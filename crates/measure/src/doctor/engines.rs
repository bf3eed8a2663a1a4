//! Engines that are missing, and whether the worker answers at all.

use benchbook_core::message::{Description, DeviceInfo, SAME_PATH};

use super::finding::{Area, Finding, Level};

const BUILD_WORKER: &str = "cargo build --release --package benchbook-worker";

pub(super) fn silent(reason: &str) -> Finding {
    Finding::new(Area::Engines, Level::Problem, format!("the worker does not answer: {reason}")).remedy(BUILD_WORKER)
}

pub(super) fn findings(description: &Description) -> Vec<Finding> {
    let mut findings: Vec<Finding> = description.devices.iter().map(device).collect();
    if !description.devices.iter().any(|device| device.unavailable.is_none()) {
        findings.push(
            Finding::new(Area::Engines, Level::Problem, "no device can be used: nothing can be measured")
                .remedy(BUILD_WORKER),
        );
    }
    findings
}

fn device(device: &DeviceInfo) -> Finding {
    let DeviceInfo { name, engine, engine_version, unavailable, libraries } = device;
    match unavailable {
        None => {
            let spared = if libraries.is_some() { ", its processes load no other engine" } else { "" };
            Finding::new(Area::Engines, Level::Good, format!("{name} works ({engine} {engine_version}{spared})"))
        }
        Some(reason) if reason.starts_with(SAME_PATH) => {
            Finding::new(Area::Engines, Level::Good, format!("{name} ({engine}) is left out: {reason}"))
        }
        Some(reason) => {
            let text = format!("{name} ({engine}) is missing: {reason}");
            let finding = Finding::new(Area::Engines, Level::Warning, text);
            match remedy(name, engine) {
                Some(remedy) => finding.remedy(remedy),
                None => finding,
            }
        }
    }
}

/// What brings an engine back; nothing for one that benchbook does not know how to install.
fn remedy(name: &str, engine: &str) -> Option<&'static str> {
    let either = format!("{name} {engine}").to_lowercase();
    let remedies = [
        ("torch", "cargo xtask setup"),
        ("tch", "cargo xtask setup"),
        ("onnxruntime", "cargo xtask setup"),
        ("flex", BUILD_WORKER),
        ("vulkan", "sudo apt-get install mesa-vulkan-drivers libvulkan1, then `cargo xtask setup`"),
        ("cuda", "install the NVIDIA driver (`nvidia-smi` must list the device), then `cargo xtask setup`"),
    ];
    remedies.iter().find(|(part, _)| either.contains(part)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::super::planted::{description, device_info};
    use super::*;

    #[test]
    fn missing_engines_come_with_their_remedy() {
        let found = findings(&description(vec![
            device_info("flex", "burn-flex", None),
            device_info("libtorch", "burn-tch", Some("built without libtorch")),
            device_info("quantum", "qpu", Some("not invented")),
            device_info("libtorch-mkl", "burn-tch", Some("same path: it is the fast one by itself")),
        ]));
        let levels: Vec<Level> = found.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Good, Level::Warning, Level::Warning, Level::Good]);
        assert_eq!(found[3].remedy, None);
        assert_eq!(found[1].remedy.as_deref(), Some("cargo xtask setup"));
        assert!(found[1].text.contains("built without libtorch"));
        assert_eq!(found[2].remedy, None);
    }

    #[test]
    fn without_any_device_nothing_can_be_measured() {
        for devices in [vec![], vec![device_info("flex", "burn-flex", Some("no memory"))]] {
            let found = findings(&description(devices));
            assert_eq!(found.last().map(|finding| finding.level), Some(Level::Problem));
        }
        assert_eq!(silent("not found").level, Level::Problem);
    }
}
