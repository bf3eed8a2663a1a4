//! The clock that times, and the kernel's source of it.

use serde::Serialize;

use super::finding::{Area, Finding, Level};
use crate::environment::System;

/// Readings that suffice for a clock that advances.
const ENOUGH_READINGS: u64 = 20_000;
/// Steps that suffice for a coarse clock.
const ENOUGH_STEPS: u64 = 100;
/// Readings after which a clock counts as standing.
const MOST_READINGS: u64 = 5_000_000;

/// How fine and how cheap a clock is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClockQuality {
    /// Smallest step seen, in nanoseconds: no finer than a reading takes. Nothing if it stood still.
    pub resolution_ns: Option<i64>,
    /// Mean time of a reading, in nanoseconds.
    pub read_cost_ns: f64,
    /// Whether it ever ran backwards.
    pub backwards: bool,
}

impl ClockQuality {
    /// Reads a clock (nanoseconds) in a row: for a millisecond or so if it is fine, longer if coarse.
    pub fn measure(mut now_ns: impl FnMut() -> i64) -> Self {
        let first = now_ns();
        let (mut previous, mut readings, mut steps) = (first, 0_u64, 0_u64);
        let (mut resolution_ns, mut backwards) = (None::<i64>, false);
        while (readings < ENOUGH_READINGS || steps < ENOUGH_STEPS) && readings < MOST_READINGS {
            let now = now_ns();
            readings += 1;
            let step = now.saturating_sub(previous);
            if step > 0 {
                steps += 1;
                resolution_ns = Some(resolution_ns.map_or(step, |least| least.min(step)));
            }
            backwards |= step < 0;
            previous = now;
        }
        let elapsed = previous.saturating_sub(first).max(0);
        Self { resolution_ns, read_cost_ns: elapsed as f64 / readings as f64, backwards }
    }
}

pub(super) fn findings(clock: Option<&ClockQuality>, system: &System) -> Vec<Finding> {
    let mut findings: Vec<Finding> = clock.map(quality).into_iter().collect();
    findings.extend(source(system));
    findings
}

fn quality(clock: &ClockQuality) -> Finding {
    let Some(resolution_ns) = clock.resolution_ns else {
        return Finding::new(Area::Clock, Level::Problem, "the clock stands still: nothing can be timed")
            .remedy("restart the machine, and look for the reason with `sudo dmesg | grep -i clocksource`");
    };
    if clock.backwards {
        return Finding::new(Area::Clock, Level::Problem, "the clock runs backwards at times: times are worthless")
            .remedy("look for the reason with `sudo dmesg | grep -i clocksource`, then restart the machine");
    }
    let text = format!("steps of {resolution_ns} ns, {:.0} ns a reading", clock.read_cost_ns);
    let level = match (resolution_ns, clock.read_cost_ns) {
        (..=200, ..=200.0) => Level::Good,
        (..=2_000, ..=2_000.0) => Level::Note,
        _ => Level::Warning,
    };
    let finding = Finding::new(Area::Clock, level, text);
    match level {
        Level::Good => finding,
        _ => finding.remedy("write `min_sample_ns = 10000000` under `[sampling]` in the plan"),
    }
}

fn source(system: &System) -> Option<Finding> {
    const CHEAP: [&str; 4] = ["tsc", "arch_sys_counter", "riscv_clocksource", "timebase"];
    const CHEAP_IN_A_GUEST: [&str; 3] = ["kvm-clock", "hyperv_clocksource_tsc_page", "xen"];
    const SWITCH: &str = "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource";
    let name = system.clocksource.as_deref()?;
    let text = format!("the kernel's clock source is {name}");
    if CHEAP.contains(&name) {
        return Some(Finding::new(Area::Clock, Level::Good, text));
    }
    let switchable = system.clocksources.iter().any(|source| source == "tsc");
    let (level, text) = if CHEAP_IN_A_GUEST.contains(&name) {
        (Level::Note, format!("{text}, which the hypervisor may adjust"))
    } else {
        (Level::Warning, format!("{text}, which is slow to read"))
    };
    let finding = Finding::new(Area::Clock, level, text);
    Some(match (switchable, level) {
        (true, _) => finding.remedy(SWITCH),
        (false, Level::Warning) => {
            finding.remedy("see why tsc was given up: `sudo dmesg | grep -i -e tsc -e clocksource`")
        }
        (false, _) => finding,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fine_clock_a_coarse_one_and_a_standing_one() {
        let mut time = 0;
        let fine = ClockQuality::measure(|| {
            time += 25;
            time
        });
        assert_eq!((fine.resolution_ns, fine.read_cost_ns, fine.backwards), (Some(25), 25.0, false));
        let mut readings = 0_i64;
        let coarse = ClockQuality::measure(|| {
            readings += 1;
            readings / 1000 * 1_000_000
        });
        assert_eq!(coarse.resolution_ns, Some(1_000_000));
        assert!((900.0..1100.0).contains(&coarse.read_cost_ns), "{}", coarse.read_cost_ns);
        let standing = ClockQuality::measure(|| 7);
        assert_eq!((standing.resolution_ns, standing.read_cost_ns), (None, 0.0));
        let mut falling = i64::MAX;
        let backwards = ClockQuality::measure(|| {
            falling -= 1;
            falling
        });
        assert!(backwards.backwards && backwards.resolution_ns.is_none());
        let mut wild = [i64::MIN, i64::MAX].into_iter().cycle();
        assert!(ClockQuality::measure(|| wild.next().unwrap_or(0)).backwards, "no overflow");
    }

    #[test]
    fn levels_of_quality() {
        let cases = [
            (Some(25), 20.0, false, Level::Good),
            (Some(1000), 20.0, false, Level::Note),
            (Some(25), 900.0, false, Level::Note),
            (Some(1_000_000), 30.0, false, Level::Warning),
            (Some(25), 20.0, true, Level::Problem),
            (None, 0.0, false, Level::Problem),
        ];
        for (resolution_ns, read_cost_ns, backwards, level) in cases {
            let finding = quality(&ClockQuality { resolution_ns, read_cost_ns, backwards });
            assert_eq!(finding.level, level, "{finding:?}");
            assert_eq!(finding.remedy.is_none(), level == Level::Good);
        }
    }

    #[test]
    fn clock_sources() {
        let cases: [(&str, &[&str], Level, bool); 6] = [
            ("tsc", &["tsc", "hpet"], Level::Good, false),
            ("arch_sys_counter", &["arch_sys_counter"], Level::Good, false),
            ("kvm-clock", &["tsc", "kvm-clock"], Level::Note, true),
            ("kvm-clock", &["kvm-clock"], Level::Note, false),
            ("hpet", &["tsc", "hpet"], Level::Warning, true),
            ("acpi_pm", &["hpet", "acpi_pm"], Level::Warning, true),
        ];
        for (name, all, level, remedy) in cases {
            let system = System {
                clocksource: Some(name.into()),
                clocksources: all.iter().map(|name| (*name).to_owned()).collect(),
                ..System::default()
            };
            let finding = source(&system).expect("a finding");
            assert_eq!((finding.level, finding.remedy.is_some()), (level, remedy), "{finding:?}");
        }
        assert_eq!(source(&System::default()), None);
    }
}
