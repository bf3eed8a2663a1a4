//! Free memory and swap.

use super::finding::{Area, Finding, Level};
use super::usage::Usage;
use crate::environment::Memory;

const GIB: u64 = 1 << 30;

pub(super) fn findings(memory: &Memory, usage: &Usage) -> Vec<Finding> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::MemInfo;

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
        assert!(findings(&Memory::default(), &unknown).is_empty());
    }

    #[test]
    fn swap_is_emptied_only_into_free_memory() {
        assert_eq!(swap(&usage(16 * GIB, 8 * GIB, 1 << 20)), None);
        assert_eq!(swap(&usage(16 * GIB, 8 * GIB, GIB)).map(|f| f.level), Some(Level::Note));
        assert_eq!(swap(&usage(16 * GIB, GIB, GIB)).map(|f| f.level), Some(Level::Warning));
    }
}
