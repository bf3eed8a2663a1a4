//! Names the machine and the day of a measurement.

use benchbook_process::git;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::process;

/// One line: day, revision, processor, its vectors, memory, system, compiler. What is not known is left out.
pub fn describe(root: &Path) -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map(|cores| format!("{cores} logical processors"));
    let parts = [
        day(),
        revision(root).map(|revision| format!("revision {revision}")),
        processor(&cpuinfo),
        vectors(&cpuinfo),
        cores.ok(),
        memory(&meminfo),
        said(process::command("uname").arg("-sr")),
        said(process::command("rustc").arg("--version").current_dir(root)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a command says, if it says anything.
fn said(command: &mut Command) -> Option<String> {
    process::output(command, "").ok().filter(|text| !text.is_empty())
}

/// Today, in UTC, as in `2026-11-29`.
pub fn day() -> Option<String> {
    said(process::command("date").args(["-u", "+%F"]))
}

/// The commit of the sources at `root`.
pub fn revision(root: &Path) -> Option<String> {
    said(git("git", root).args(["rev-parse", "--short", "HEAD"]))
}

/// The model of this machine's processor, and how many of them there are.
fn processors() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor(&cpuinfo).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    format!("{cores} x {model}")
}

/// As [`processors`], with what tells processors of one model name apart: family and model by their numbers, and what
/// kernels can use there.
pub fn processors_in_full() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    in_full(&processors(), &cpuinfo)
}

fn in_full(processors: &str, cpuinfo: &str) -> String {
    let numbers = field(cpuinfo, "cpu family").zip(field(cpuinfo, "model"));
    let numbers = numbers.map(|(family, model)| format!(" (family {family} model {model})"));
    let vectors = vectors(cpuinfo).map(|vectors| format!(" with {vectors}"));
    format!("{processors}{}{}", numbers.unwrap_or_default(), vectors.unwrap_or_default())
}

/// The widest vectors, and matrices, that kernels can use.
fn vectors(cpuinfo: &str) -> Option<String> {
    let flags = field(cpuinfo, "flags")?;
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    let widest = if has("avx512f") {
        Some("AVX-512")
    } else if has("avx2") {
        Some("AVX2")
    } else {
        None
    };
    let names: Vec<&str> = widest.into_iter().chain(has("amx_tile").then_some("AMX")).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

fn processor(cpuinfo: &str) -> Option<String> {
    field(cpuinfo, "model name").map(str::to_owned)
}

/// What the first processor says under a name.
fn field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
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
        assert_eq!(vectors("flags\t: fpu avx2 avx512f\n").as_deref(), Some("AVX-512"));
        assert_eq!(vectors("flags\t: fpu avx2\n").as_deref(), Some("AVX2"));
        assert_eq!(vectors("flags\t: fpu\n"), None);
        assert_eq!(memory("MemTotal: many"), None);
    }

    #[test]
    fn processors_of_one_model_name_are_told_apart() {
        let cpuinfo = "cpu family\t: 6\nmodel\t\t: 167\nmodel name\t: Xeon(R)\nflags\t\t: avx2 avx512f amx_tile\n";
        let full = in_full("2 x Xeon(R)", cpuinfo);
        assert_eq!(full, "2 x Xeon(R) (family 6 model 167) with AVX-512 and AMX");
        assert_eq!(in_full("2 x Xeon(R)", "flags\t\t: fpu\n"), "2 x Xeon(R)");
    }
}
