//! How much memory a question may take: what a person says, else a share of the machine's; and shares and sizes as people
//! write them.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use benchbook_record::{Root, memory_limit_bytes};

use crate::error::{Error, Result};

/// The variable that says what a question may take.
const VARIABLE: &str = "BENCHBOOK_MEMORY";

/// The share of the machine's memory that a question may take where nobody says another: one in so many.
const SHARE: u64 = 4;

/// What a machine is taken to have that does not tell.
const UNKNOWN_BYTES: u64 = 4 << 30;

/// How often is looked, while a question is answered, at the memory of this process and whether to go on.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// The memory of this machine, or what a control group of this process (container, batch job) may use of it, in bytes.
fn machine_memory_bytes(root: Root<'_>) -> u64 {
    let machine = kib(root, "proc/meminfo", "MemTotal:").unwrap_or(UNKNOWN_BYTES);
    memory_limit_bytes(root).map_or(machine, |limit| machine.min(limit))
}

fn this_machine() -> Root<'static> {
    Root(Path::new("/"))
}

/// `2GiB`, or `50%` of the memory of this machine: a number of bytes.
///
/// # Errors
/// What to write instead.
pub fn parse_memory(text: &str) -> std::result::Result<u64, String> {
    if text.trim_end().ends_with('%') {
        return Ok((parse_percent(text)? * machine_memory_bytes(this_machine()) as f64) as u64);
    }
    parse_size(text).map_err(|error| format!("{error}, or a share of the machine's memory such as 50%"))
}

/// What a question may take where it is not told, in bytes: what the variable `BENCHBOOK_MEMORY` says, else a quarter of
/// the machine's memory.
///
/// # Errors
/// [`Error::MemoryVariable`] where the variable says neither a size nor a share.
pub fn default_memory_bytes() -> Result<u64> {
    told(std::env::var_os(VARIABLE))
}

/// What the variable says; one that is set to nothing counts as unset.
fn told(variable: Option<OsString>) -> Result<u64> {
    let Some(value) = variable.filter(|value| !value.is_empty()) else {
        return Ok(machine_memory_bytes(this_machine()) / SHARE);
    };
    let value = value.to_string_lossy().into_owned();
    parse_memory(&value).map_err(|reason| Error::MemoryVariable { value, reason })
}

/// Ends once this process holds more than `limit_bytes` above what it holds now: the engine counts what its sorts,
/// joins and groups hold, and not what a window, a function on text or the decoding of a file takes.
pub(crate) fn spent(limit_bytes: u64) -> impl Future<Output = ()> + Send {
    let held = || kib(this_machine(), "proc/self/status", "VmRSS:").unwrap_or_default();
    let before = held();
    async move {
        while held().saturating_sub(before) <= limit_bytes {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A number in kB of a file of the system, in bytes.
fn kib(root: Root<'_>, file: &str, name: &str) -> Option<u64> {
    let text = root.text(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `0.5%` or `0.5 %` as a share.
///
/// # Errors
/// What to write instead.
pub fn parse_percent(text: &str) -> std::result::Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(percent / 100.0),
        _ => Err("write a percentage above 0, such as 0.5%".into()),
    }
}

/// `500`, `64kB`, `10MB`, `1GiB`: a number of bytes.
///
/// # Errors
/// What to write instead.
pub fn parse_size(text: &str) -> std::result::Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("b", 1),
        ("", 1),
    ];
    let text = text.trim().to_ascii_lowercase();
    let wrong = || "write a size such as 500kB, 10MB or 1GiB".to_owned();
    let (digits, unit) =
        UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or_else(wrong)?;
    let size = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(*unit)).ok_or_else(wrong)?;
    if size == 0 { Err("must be more than nothing".into()) } else { Ok(size) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_process_holds_less_than_its_machine_has() {
        let (held, all) =
            (kib(this_machine(), "proc/self/status", "VmRSS:").unwrap(), machine_memory_bytes(this_machine()));
        assert!(held > 1 << 20 && held < all, "{held} of {all}");
        assert_eq!(kib(this_machine(), "proc/meminfo", "NoSuchThing:"), None);
    }

    #[test]
    fn a_limit_of_any_group_above_the_process_counts() {
        let wanted = [
            ("0::/user.slice/job\n", "sys/fs/cgroup/user.slice/memory.max"),
            ("4:memory:/docker/abc\n", "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes"),
        ];
        for (groups, limit) in wanted {
            let folder = tempfile::tempdir().unwrap();
            let write = |path: &str, text: &str| {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            };
            write("proc/meminfo", "MemTotal:       8388608 kB\n");
            write("proc/self/cgroup", groups);
            assert_eq!(machine_memory_bytes(Root(folder.path())), 8 << 30);
            write(limit, "1073741824\n");
            assert_eq!(machine_memory_bytes(Root(folder.path())), 1 << 30, "{limit}");
        }
    }

    #[test]
    fn memory_is_a_size_or_a_share() {
        assert_eq!(parse_memory("2GiB"), Ok(2 << 30));
        let (all, half) = (machine_memory_bytes(this_machine()), parse_memory("50 %").unwrap());
        assert!(half.abs_diff(all / 2) <= 1, "{half} of {all}");
        for text in ["0", "100%", "much"] {
            assert!(parse_memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_variable_says_it_for_every_command() {
        let quarter = machine_memory_bytes(this_machine()) / SHARE;
        assert_eq!((told(None).unwrap(), told(Some("".into())).unwrap()), (quarter, quarter));
        assert_eq!(told(Some("3MiB".into())).unwrap(), 3 << 20);
        let error = told(Some("much".into())).unwrap_err().to_string();
        assert!(error.starts_with("BENCHBOOK_MEMORY is `much`: write a size such as"), "{error}");
    }

    #[test]
    fn percentages_are_shares() {
        for (text, share) in [("0.5%", 0.005), ("1 %", 0.01), ("2", 0.02)] {
            assert_eq!(parse_percent(text), Ok(share), "{text}");
        }
        for text in ["", "%", "0", "-1%", "100%", "nan", "inf"] {
            assert!(parse_percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        let cases = [("500", 500), ("64 kB", 64_000), ("10MB", 10_000_000), ("1GiB", 1 << 30), ("7b", 7)];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "1.5MB", "0", "10 TB", "99999999999999999999", "99999999999999GB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
