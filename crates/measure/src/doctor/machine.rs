//! The machine: virtual or not, its memory, its graphics processors.

use super::finding::{Area, Finding, Level};
use super::usage::Usage;
use crate::environment::{Devices, GpuDevice, Machine, Memory, Virtualisation};

pub(super) fn findings(virtualisation: &Virtualisation, usage: Option<&Usage>) -> Vec<Finding> {
    let mut findings = vec![machine(&virtualisation.machine)];
    findings.extend(usage.and_then(|usage| usage.steal).and_then(steal));
    if let Some(name) = &virtualisation.container {
        let text = format!("this is a container ({name}): other work on the host may not be seen from here");
        findings.push(Finding::new(Area::Virtualisation, Level::Note, text).remedy("on the host: top"));
    }
    findings
}

fn machine(machine: &Machine) -> Finding {
    let finding = |level, text: String| Finding::new(Area::Virtualisation, level, text);
    match machine {
        Machine::Physical => finding(Level::Good, "this is a physical machine".to_owned()),
        Machine::Unknown => {
            finding(Level::Note, "the system does not say whether this is a virtual machine".to_owned())
        }
        Machine::Virtual(name) => finding(
            Level::Note,
            format!("this is a virtual machine ({name}): its neighbours on the host can slow it down"),
        )
        .remedy("use a machine with dedicated CPUs, or write more `replicates` into the plan"),
    }
}

fn steal(share: f64) -> Option<Finding> {
    let level = match share {
        share if share < 0.002 => return None,
        share if share < 0.01 => Level::Note,
        share if share < 0.1 => Level::Warning,
        _ => Level::Problem,
    };
    Some(
        Finding::new(
            Area::Virtualisation,
            level,
            format!("the hypervisor took {:.1} % of the CPU time for others", share * 100.0),
        )
        .remedy("use a machine with dedicated CPUs, or run again later with more replicates"),
    )
}

const GIB: u64 = 1 << 30;

pub(super) fn memory(memory: &Memory, usage: &Usage) -> Vec<Finding> {
    let mut findings: Vec<Finding> = available(memory, usage).into_iter().collect();
    findings.extend(swap(usage));
    findings
}

fn available(memory: &Memory, usage: &Usage) -> Option<Finding> {
    let total = usage.memory.total_bytes?;
    let free = usage.memory.available_bytes?;
    let free = memory.limit_bytes.map_or(free, |limit| limit.min(free));
    let mut text = format!("{:.1} of {:.1} GiB of memory are available", gib(free), gib(total));
    if let Some(limit) = memory.limit_bytes {
        text = format!("{text}, and this process may use {:.1} GiB", gib(limit));
    }
    // A tenth of a small machine is little, a tenth of a large one is plenty.
    let little = free < total / 10 && free < 8 * GIB;
    let level = match free {
        free if free < GIB / 4 => Level::Problem,
        free if free < GIB || little => Level::Warning,
        _ => Level::Good,
    };
    let finding = Finding::new(Area::Memory, level, text);
    Some(match level {
        Level::Good => finding,
        _ => finding.remedy("end programs that hold memory (`ps --sort=-rss -eo pid,rss,comm | head`)"),
    })
}

fn swap(usage: &Usage) -> Option<Finding> {
    let used = usage.memory.swap_total_bytes?.saturating_sub(usage.memory.swap_free_bytes?);
    let available = usage.memory.available_bytes.unwrap_or(0);
    // Pages that were put out long ago and not missed since do no harm.
    if used < 64 << 20 {
        return None;
    }
    let text = format!("{:.1} GiB are swapped out: reading them back disturbs a measurement", gib(used));
    Some(if available > used.saturating_mul(2) {
        Finding::new(Area::Memory, Level::Note, text).remedy("sudo swapoff --all && sudo swapon --all")
    } else {
        Finding::new(Area::Memory, Level::Warning, text)
            .remedy("end programs that hold memory, then `sudo swapoff --all && sudo swapon --all`")
    })
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB as f64
}

pub(super) fn graphics(devices: &Devices) -> Vec<Finding> {
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
    use crate::environment::MemInfo;

    #[test]
    fn machines_and_containers() {
        for (kind, level) in [
            (Machine::Physical, Level::Good),
            (Machine::Virtual("kvm".into()), Level::Note),
            (Machine::Unknown, Level::Note),
        ] {
            assert_eq!(machine(&kind).level, level);
        }
        let inside = Virtualisation { machine: Machine::Physical, container: Some("docker".into()) };
        assert_eq!(findings(&inside, None).len(), 2);
    }

    #[test]
    fn stolen_time() {
        for (share, level) in
            [(0.0, None), (0.005, Some(Level::Note)), (0.05, Some(Level::Warning)), (0.5, Some(Level::Problem))]
        {
            assert_eq!(steal(share).map(|finding| finding.level), level, "{share}");
        }
    }

    fn usage(total: u64, available: u64, swap_used: u64) -> Usage {
        let memory = MemInfo {
            total_bytes: Some(total),
            available_bytes: Some(available),
            swap_total_bytes: Some(8 * GIB),
            swap_free_bytes: Some(8 * GIB - swap_used),
        };
        Usage { load: None, busy: Vec::new(), hidden_cpus: None, steal: None, memory }
    }

    #[test]
    fn available_memory() {
        let cases = [
            (16 * GIB, 12 * GIB, None, Level::Good),
            (16 * GIB, GIB + GIB / 2, None, Level::Warning),
            (512 * GIB, 40 * GIB, None, Level::Good),
            (16 * GIB, GIB / 2, None, Level::Warning),
            (16 * GIB, GIB / 8, None, Level::Problem),
            (64 * GIB, 60 * GIB, Some(GIB / 2), Level::Warning),
        ];
        for (total, free, limit_bytes, level) in cases {
            let memory = Memory { total_bytes: Some(total), limit_bytes };
            let finding = available(&memory, &usage(total, free, 0)).expect("a finding");
            assert_eq!(finding.level, level, "{finding:?}");
            assert_eq!(finding.remedy.is_none(), level == Level::Good);
        }
        let mut unknown = usage(0, 0, 0);
        unknown.memory = MemInfo::default();
        assert!(memory(&Memory::default(), &unknown).is_empty());
    }

    #[test]
    fn swap_is_emptied_only_into_free_memory() {
        assert_eq!(swap(&usage(16 * GIB, 8 * GIB, 1 << 20)), None);
        assert_eq!(swap(&usage(16 * GIB, 8 * GIB, GIB)).map(|f| f.level), Some(Level::Note));
        assert_eq!(swap(&usage(16 * GIB, GIB, GIB)).map(|f| f.level), Some(Level::Warning));
    }

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
        assert!(graphics(&Devices::default()).is_empty());
    }
}
