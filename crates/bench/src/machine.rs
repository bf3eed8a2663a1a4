//! Names the machine and the day of a measurement.

use crate::git_process::git;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::process;

/// One line: day, revision, processor, its vectors, memory, system, compiler. What is not known is left out.
pub fn describe(root: &Path) -> String {
    let said = |command: &mut Command| process::output(command, "").ok().filter(|text| !text.is_empty());
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map(|cores| format!("{cores} logical processors"));
    let parts = [
        said(process::command("date").args(["-u", "+%F"])),
        said(git("git", root).args(["rev-parse", "--short", "HEAD"])).map(|revision| format!("revision {revision}")),
        processor(&cpuinfo),
        vectors(&cpuinfo).map(str::to_owned),
        cores.ok(),
        memory(&meminfo),
        said(process::command("uname").arg("-sr")),
        said(process::command("rustc").arg("--version").current_dir(root)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The model of this machine's processor, and how many of them there are.
pub fn processors() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor(&cpuinfo).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    format!("{cores} x {model}")
}

/// As [`processors`], with the widest vectors that kernels can use there.
pub fn processors_with_vectors() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let vectors = vectors(&cpuinfo).map(|vectors| format!(" with {vectors}"));
    processors() + &vectors.unwrap_or_default()
}

fn vectors(cpuinfo: &str) -> Option<&'static str> {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    let known = [("avx512f", "AVX-512"), ("avx2", "AVX2")];
    known.into_iter().find(|(flag, _)| flags.split_whitespace().any(|word| word == *flag)).map(|(_, name)| name)
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory(meminfo: &str) -> Option<String> {
    let kib: f64 = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    Some(format!("{:.0} GiB memory", kib / 1024.0 / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_files_are_read() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: Fast CPU @ 2GHz\n"), Some("Fast CPU @ 2GHz".to_owned()));
        assert_eq!(memory("MemTotal:       25165824 kB\nMemFree: 1 kB"), Some("24 GiB memory".to_owned()));
        assert_eq!(processor(""), None);
        assert_eq!(vectors("flags\t: fpu avx2 avx512f\n"), Some("AVX-512"));
        assert_eq!(vectors("flags\t: fpu avx2\n"), Some("AVX2"));
        assert_eq!(vectors("flags\t: fpu\n"), None);
        assert_eq!(memory("MemTotal: many"), None);
    }
}
