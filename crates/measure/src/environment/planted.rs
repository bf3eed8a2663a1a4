//! Trees that stand for machines in tests.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A temporary folder that stands for `/`.
pub(crate) struct Tree(TempDir);

impl Tree {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The tree with one more file, or with a file replaced.
    pub fn file(self, path: &str, text: &str) -> Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders");
        fs::write(path, text).expect("a file");
        self
    }

    /// The tree with one file for each CPU; the text depends on the CPU.
    fn each_cpu(mut self, cpus: usize, path: &str, text: impl Fn(usize) -> String) -> Self {
        for cpu in 0..cpus {
            self = self.file(&format!("sys/devices/system/cpu/cpu{cpu}/{path}"), &text(cpu));
        }
        self
    }

    /// The tree with a last-level cache shared by groups of CPUs.
    fn cache(self, cpus: usize, group: usize, size: &str) -> Self {
        self.each_cpu(cpus, "cache/index3/level", |_| "3\n".into())
            .each_cpu(cpus, "cache/index3/type", |_| "Unified\n".into())
            .each_cpu(cpus, "cache/index3/size", |_| format!("{size}\n"))
            .each_cpu(cpus, "cache/index3/shared_cpu_list", |cpu| {
                let first = cpu / group * group;
                format!("{first}-{}\n", first + group - 1)
            })
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

fn cpuinfo(cpus: usize, entry: &str) -> String {
    (0..cpus).map(|cpu| format!("processor\t: {cpu}\n{entry}\n")).collect()
}

const CLOCKS: &str = "sys/devices/system/clocksource/clocksource0";

/// Two cores with two threads each, powersave governor, turbo on.
pub(crate) fn intel_laptop() -> Tree {
    let entry = "model name\t: Intel(R) Core(TM) i7-8565U CPU @ 1.80GHz\ncache size\t: 8192 KB\n\
                 siblings\t: 4\ncpu cores\t: 2\nflags\t\t: fpu tsc sse4_2 fma avx f16c smep avx2 bmi2\n";
    Tree::new()
        .file("proc/cpuinfo", &cpuinfo(4, entry))
        .file("proc/meminfo", "MemTotal:       16000000 kB\nMemAvailable:    9000000 kB\n")
        .file("proc/self/status", "Name:\tbenchbook\nCpus_allowed_list:\t0-3\n")
        .file("proc/sys/kernel/osrelease", "6.8.0-45-generic\n")
        .file("proc/sys/kernel/hostname", "alice-laptop\n")
        .file("etc/machine-id", "00112233445566778899aabbccddeeff\n")
        .file("etc/os-release", "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nNAME=\"Ubuntu\"\n")
        .file("sys/devices/system/cpu/online", "0-3\n")
        .file("sys/devices/system/cpu/smt/active", "1\n")
        .file("sys/devices/system/cpu/smt/control", "on\n")
        .file("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n")
        .file("sys/devices/system/node/node0/cpulist", "0-3\n")
        .file(&format!("{CLOCKS}/current_clocksource"), "tsc\n")
        .file(&format!("{CLOCKS}/available_clocksource"), "tsc hpet acpi_pm\n")
        .each_cpu(4, "cpufreq/scaling_governor", |_| "powersave\n".into())
        .each_cpu(4, "cpufreq/scaling_driver", |_| "intel_pstate\n".into())
        .each_cpu(4, "cpufreq/energy_performance_preference", |_| "balance_performance\n".into())
        .each_cpu(4, "topology/core_cpus_list", |cpu| format!("{},{}\n", cpu % 2, cpu % 2 + 2))
        .cache(4, 4, "8192K")
}

/// Four cores in two groups and two memory nodes, performance governor, boost and SMT off.
pub(crate) fn amd_server() -> Tree {
    let entry = "model name\t: AMD EPYC 7763 64-Core Processor\ncache size\t: 512 KB\n\
                 siblings\t: 4\ncpu cores\t: 4\nflags\t\t: fpu tsc sse4_2 fma avx avx2\n";
    Tree::new()
        .file("proc/cpuinfo", &cpuinfo(4, entry))
        .file("proc/meminfo", "MemTotal:       527000000 kB\nMemAvailable:  500000000 kB\n")
        .file("proc/self/status", "Cpus_allowed_list:\t0-3\n")
        .file("sys/devices/system/cpu/online", "0-3\n")
        .file("sys/devices/system/cpu/smt/active", "0\n")
        .file("sys/devices/system/cpu/smt/control", "off\n")
        .file("sys/devices/system/cpu/cpufreq/boost", "0\n")
        .file("sys/devices/system/node/node0/cpulist", "0-1\n")
        .file("sys/devices/system/node/node1/cpulist", "2-3\n")
        .file("sys/devices/system/node/has_cpu", "0-1\n")
        .file("sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
        .file("sys/class/dmi/id/product_name", "m6a.metal\n")
        .file(&format!("{CLOCKS}/current_clocksource"), "tsc\n")
        .file(&format!("{CLOCKS}/available_clocksource"), "tsc hpet acpi_pm\n")
        .each_cpu(4, "cpufreq/scaling_governor", |_| "performance\n".into())
        .each_cpu(4, "cpufreq/scaling_driver", |_| "acpi-cpufreq\n".into())
        .each_cpu(4, "topology/thread_siblings_list", |cpu| format!("{cpu}\n"))
        .cache(4, 2, "32768K")
}

/// Two Neoverse cores with SVE and the schedutil governor.
pub(crate) fn arm_server() -> Tree {
    let entry = "BogoMIPS\t: 2100.00\nFeatures\t: fp asimd aes asimddp sve i8mm bf16\n\
                 CPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd40\n";
    Tree::new()
        .file("proc/cpuinfo", &cpuinfo(2, entry))
        .file("proc/meminfo", "MemTotal:       8000000 kB\nMemAvailable:    7000000 kB\n")
        .file("sys/devices/system/cpu/online", "0-1\n")
        .file(&format!("{CLOCKS}/current_clocksource"), "arch_sys_counter\n")
        .file(&format!("{CLOCKS}/available_clocksource"), "arch_sys_counter\n")
        .each_cpu(2, "cpufreq/scaling_governor", |_| "schedutil\n".into())
        .each_cpu(2, "topology/core_cpus_list", |cpu| format!("{cpu}\n"))
}

/// A container with a quota of one and a half CPUs and no view of `/sys/devices`.
pub(crate) fn container() -> Tree {
    let entry = "model name\t: Intel(R) Xeon(R) Platinum\ncache size\t: 32768 KB\n\
                 siblings\t: 8\ncpu cores\t: 4\nflags\t\t: fpu avx2 avx512f\n";
    Tree::new()
        .file(".dockerenv", "")
        .file("proc/cpuinfo", &cpuinfo(8, entry))
        .file("proc/meminfo", "MemTotal:       33554432 kB\nMemAvailable:   30000000 kB\n")
        .file("proc/self/status", "Cpus_allowed_list:\t0-7\n")
        .file("proc/self/cgroup", "0::/\n")
        .file("sys/fs/cgroup/cpu.max", "150000 100000\n")
        .file("sys/fs/cgroup/memory.max", "1073741824\n")
}

/// A small virtual machine whose host governs the clock rate.
pub(crate) fn virtual_machine() -> Tree {
    let entry = "model name\t: Intel(R) Xeon(R) Processor\ncache size\t: 107520 KB\n\
                 siblings\t: 2\ncpu cores\t: 2\nflags\t\t: fpu hypervisor avx2 avx512f amx_tile\n";
    Tree::new()
        .file("proc/cpuinfo", &cpuinfo(2, entry))
        .file("proc/meminfo", "MemTotal:       24682416 kB\nMemAvailable:   23297752 kB\n")
        .file("proc/self/status", "Cpus_allowed_list:\t0-1\n")
        .file("sys/devices/system/cpu/online", "0-1\n")
        .file("sys/devices/system/cpu/smt/active", "0\n")
        .file("sys/devices/system/cpu/smt/control", "notsupported\n")
        .file(&format!("{CLOCKS}/current_clocksource"), "kvm-clock\n")
        .file(&format!("{CLOCKS}/available_clocksource"), "tsc kvm-clock\n")
}
