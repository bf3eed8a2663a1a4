//! Graphics processors.

use super::finding::{Area, Finding, Level};
use crate::environment::{Devices, GpuDevice};

pub(super) fn findings(devices: &Devices) -> Vec<Finding> {
    let mut findings: Vec<Finding> = devices.found.iter().enumerate().map(|(n, gpu)| device(n, gpu)).collect();
    if let Some(reason) = &devices.reason {
        findings.push(without(reason, devices.found.is_empty()));
    }
    findings
}

fn device(number: usize, gpu: &GpuDevice) -> Finding {
    let name = &gpu.name;
    if let Some(busy) = gpu.busy_percent.filter(|&busy| busy >= 5) {
        return Finding::new(Area::Gpu, Level::Warning, format!("{name} (GPU {number}) is {busy} % busy"))
            .remedy("`nvidia-smi` shows the processes that use it");
    }
    if gpu.persistence == Some(false) {
        return Finding::new(
            Area::Gpu,
            Level::Note,
            format!("{name} (GPU {number}) is initialised anew whenever nothing uses it: persistence mode is off"),
        )
        .remedy(format!("sudo nvidia-smi --id={number} --persistence-mode=1"));
    }
    let driver = gpu.driver.as_deref().unwrap_or("unknown");
    Finding::new(Area::Gpu, Level::Good, format!("{name} (GPU {number}), driver {driver}"))
}

fn without(reason: &str, none: bool) -> Finding {
    let text = if none {
        format!("no NVIDIA graphics processor can be used: {reason}")
    } else {
        format!("not every graphics processor could be read: {reason}")
    };
    let lower = reason.to_lowercase();
    if lower.contains("mismatch") {
        return Finding::new(Area::Gpu, Level::Warning, text)
            .remedy("restart the machine, so that the kernel loads the driver that is installed");
    }
    if lower.contains("not loaded") {
        return Finding::new(Area::Gpu, Level::Note, text).remedy("sudo modprobe nvidia");
    }
    Finding::new(Area::Gpu, if none { Level::Note } else { Level::Warning }, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_their_absence() {
        let gpu = |busy_percent, persistence| GpuDevice {
            name: "H200".into(),
            busy_percent,
            persistence,
            ..GpuDevice::default()
        };
        for (gpu, level) in [
            (gpu(Some(0), Some(true)), Level::Good),
            (gpu(None, None), Level::Good),
            (gpu(Some(0), Some(false)), Level::Note),
            (gpu(Some(80), Some(false)), Level::Warning),
        ] {
            assert_eq!(device(0, &gpu).level, level, "{gpu:?}");
        }
        for (reason, none, level, remedy) in [
            ("the NVIDIA driver's library (NVML) is not installed", true, Level::Note, false),
            ("the NVIDIA driver is not loaded", true, Level::Note, true),
            ("library and driver version mismatch", true, Level::Warning, true),
            ("device 1: lost", false, Level::Warning, false),
        ] {
            let finding = without(reason, none);
            assert_eq!((finding.level, finding.remedy.is_some()), (level, remedy), "{reason}");
        }
        assert!(findings(&Devices::default()).is_empty());
    }
}
