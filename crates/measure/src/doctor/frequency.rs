//! Governor and turbo.

use super::finding::{Area, Finding, Level};
use crate::environment::{Environment, Frequency, Machine, TurboSwitch};

const GOVERNOR: &str = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";

pub(super) fn findings(environment: &Environment) -> Vec<Finding> {
    let frequency = &environment.cpu.frequency;
    let guest = matches!(environment.virtualisation.machine, Machine::Virtual(_));
    vec![governor(frequency, guest), turbo(frequency, guest)]
}

fn governor(frequency: &Frequency, guest: bool) -> Finding {
    let Some(name) = &frequency.governor else {
        return if guest {
            let text = "the host governs the clock rate of this virtual machine; it cannot be read here";
            Finding::new(Area::Governor, Level::Note, text).remedy(format!("on the host: {GOVERNOR}"))
        } else {
            Finding::new(Area::Governor, Level::Note, "the system does not say how the clock rate is governed")
        };
    };
    let mut details = Vec::new();
    if let Some(driver) = &frequency.driver {
        details.push(format!("driver {driver}"));
    }
    if let Some(preference) = &frequency.preference {
        details.push(format!("preference {preference}"));
    }
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    match name.as_str() {
        "performance" => Finding::new(Area::Governor, Level::Good, format!("the governor is performance{details}")),
        mixed if mixed.contains('+') => Finding::new(
            Area::Governor,
            Level::Warning,
            format!("CPUs have different governors: {}{details}", mixed.replace('+', ", ")),
        )
        .remedy(GOVERNOR),
        other => Finding::new(
            Area::Governor,
            Level::Warning,
            format!("the governor is {other}{details}: the clock rate follows the load"),
        )
        .remedy(GOVERNOR),
    }
}

fn turbo(frequency: &Frequency, guest: bool) -> Finding {
    match (frequency.turbo, frequency.turbo_switch) {
        (Some(false), _) => Finding::new(Area::Turbo, Level::Good, "turbo is off"),
        (Some(true), switch) => {
            let finding = Finding::new(
                Area::Turbo,
                Level::Warning,
                "turbo is on: the clock rate depends on temperature and on how many cores are busy",
            );
            match switch {
                Some(switch) => finding.remedy(switch.off()),
                None => finding,
            }
        }
        (None, _) if guest => Finding::new(
            Area::Turbo,
            Level::Note,
            "the host decides about turbo; it cannot be read in this virtual machine",
        )
        .remedy(format!(
            "on the host: {} (Intel) or {} (others)",
            TurboSwitch::IntelPstate.off(),
            TurboSwitch::Boost.off()
        )),
        (None, _) => Finding::new(Area::Turbo, Level::Note, "the system does not say whether turbo is on"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn governors() {
        let cases = [
            (Some("performance"), Level::Good),
            (Some("powersave"), Level::Warning),
            (Some("schedutil"), Level::Warning),
            (Some("performance+powersave"), Level::Warning),
            (None, Level::Note),
        ];
        for (name, level) in cases {
            let frequency = Frequency { governor: name.map(str::to_owned), ..Frequency::default() };
            let finding = governor(&frequency, false);
            assert_eq!(finding.level, level, "{name:?}");
            assert_eq!(finding.remedy.is_some(), level == Level::Warning);
        }
        let guest = governor(&Frequency::default(), true);
        assert!(guest.remedy.is_some_and(|remedy| remedy.starts_with("on the host: echo performance")));
        assert!(turbo(&Frequency::default(), true).remedy.is_some_and(|remedy| remedy.contains("no_turbo")));
    }

    #[test]
    fn turbo_comes_with_its_own_switch() {
        let with = |turbo, turbo_switch| turbo_finding(Frequency { turbo, turbo_switch, ..Frequency::default() });
        assert_eq!(with(Some(false), Some(TurboSwitch::Boost)).level, Level::Good);
        let intel = with(Some(true), Some(TurboSwitch::IntelPstate));
        assert_eq!(intel.level, Level::Warning);
        assert!(intel.remedy.is_some_and(|remedy| remedy.contains("no_turbo")));
        let boost = with(Some(true), Some(TurboSwitch::Boost));
        assert!(boost.remedy.is_some_and(|remedy| remedy.ends_with("cpufreq/boost")));
        let unknown = with(None, None);
        assert_eq!((unknown.level, unknown.remedy), (Level::Note, None));
    }

    fn turbo_finding(frequency: Frequency) -> Finding {
        turbo(&frequency, false)
    }
}
