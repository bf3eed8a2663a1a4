//! Energy of the processors, by the counters that Linux shows of them (RAPL: Intel, *Software Developer's Manual*, volume 3B; AMD has them
//! too).

use std::path::PathBuf;

use crate::environment::Root;

/// Where Linux shows counters (its documentation, power/powercap).
const ZONES: &str = "sys/class/powercap";

/// Counters of whole packages, and of their memory where that has one; others are parts of these, or show the same once more.
const PREFIX: &str = "intel-rapl:";

/// Shortest sample whose energy counts: counters move about once a millisecond, which is a twentieth of it.
const LEAST_NS: i64 = 20_000_000;

/// Name of the metric of what a call takes of the processors' energy, in joules.
pub(crate) const ENERGY: &str = "cpu_energy_joules";

/// Counters of this machine's processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    root: PathBuf,
    zones: Vec<Zone>,
}

/// A counter in microjoules.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Zone {
    path: String,
    /// Where it begins anew.
    range: u64,
}

impl Counters {
    /// Those below a folder that stands for `/`.
    ///
    /// # Errors
    /// Why energy cannot be read: there is no counter of a package, or not everybody may read it.
    pub fn below(root: impl Into<PathBuf>) -> Result<Self, String> {
        let root = root.into();
        let files = Root(&root);
        let name = |zone: &String| files.text(&format!("{ZONES}/{zone}/name")).unwrap_or_default();
        let ours = files.names(ZONES).into_iter().filter(|zone| zone.starts_with(PREFIX));
        let found: Vec<String> =
            ours.filter(|zone| name(zone).starts_with("package") || name(zone) == "dram").collect();
        if !found.iter().any(|zone| name(zone).starts_with("package")) {
            return Err(format!("this system shows no counter of its processors' energy (/{ZONES})"));
        }
        let zone = |zone: String| -> Result<Zone, String> {
            let path = format!("{ZONES}/{zone}/energy_uj");
            if files.number::<u64>(&path).is_none() {
                return Err(format!(
                    "/{path} cannot be read: where only root may, allow it by `sudo chmod a+r /{path}`"
                ));
            }
            let range = files.number(&format!("{ZONES}/{zone}/max_energy_range_uj")).unwrap_or(u64::MAX);
            Ok(Zone { path, range })
        };
        let zones = found.into_iter().map(zone).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { root, zones })
    }

    /// What they show now, in microjoules; nothing where one cannot be read any more. Read it outside of what is timed.
    fn now(&self) -> Option<Vec<u64>> {
        self.zones.iter().map(|zone| Root(&self.root).number(&zone.path)).collect()
    }

    /// Joules between two looks, fewer than one range of a counter apart.
    fn joules(&self, earlier: &[u64], later: &[u64]) -> f64 {
        let grown = |(zone, (earlier, later)): (&Zone, (&u64, &u64))| {
            let anew = || zone.range.saturating_sub(*earlier).saturating_add(*later);
            later.checked_sub(*earlier).unwrap_or_else(anew)
        };
        self.zones.iter().zip(earlier.iter().zip(later)).map(grown).sum::<u64>() as f64 / 1e6
    }
}

/// The energy of the samples of one trial.
#[derive(Debug)]
pub struct Meter {
    counters: Option<Counters>,
    joules: f64,
    calls: u64,
}

impl Meter {
    /// A meter by these counters, where there are any.
    #[must_use]
    pub fn new(counters: Option<Counters>) -> Self {
        Self { counters, joules: 0.0, calls: 0 }
    }

    /// What the counters show, before a sample and after it.
    pub fn look(&self) -> Option<Vec<u64>> {
        self.counters.as_ref().and_then(Counters::now)
    }

    /// Adds what lies between two looks around so many calls, of which those that were timed took `elapsed_ns`.
    pub fn add(&mut self, earlier: Option<Vec<u64>>, later: Option<Vec<u64>>, calls: u64, elapsed_ns: i64) {
        let (Some(counters), Some((earlier, later))) = (&self.counters, earlier.zip(later)) else { return };
        if elapsed_ns >= LEAST_NS {
            self.joules += counters.joules(&earlier, &later);
            self.calls += calls;
        }
    }

    /// Joules of a call; nothing where no sample was long enough to tell. All that the packages took meanwhile counts: also what
    /// idles, and what others do.
    #[must_use]
    pub fn of_a_call(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.joules / self.calls as f64)
    }
}

/// What is known of the energy of this machine before anything is measured: whether it is read, or why it is not.
#[must_use]
pub fn words(counters: &Result<Counters, String>) -> String {
    match counters {
        Ok(_) => "no sample was of 20 ms, which the energy of the processors takes to be told".to_owned(),
        Err(why) => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::planted::Tree;

    fn zone(tree: Tree, zone: &str, name: &str, [energy, range]: [u64; 2]) -> Tree {
        let at = |file: &str| format!("{ZONES}/{zone}/{file}");
        tree.file(&at("name"), &format!("{name}\n"))
            .file(&at("energy_uj"), &format!("{energy}\n"))
            .file(&at("max_energy_range_uj"), &format!("{range}\n"))
    }

    #[test]
    fn packages_and_their_memory_are_added_and_begin_anew() {
        let tree = zone(Tree::new(), "intel-rapl:0", "package-0", [9_000_000, 10_000_000]);
        let tree = zone(tree, "intel-rapl:0:0", "core", [1, 10_000_000]);
        let tree = zone(tree, "intel-rapl:0:1", "dram", [5_000_000, 10_000_000]);
        let tree = zone(tree, "intel-rapl:1", "psys", [7, 10_000_000]);
        let tree = zone(tree, "intel-rapl-mmio:0", "package-0", [9_000_000, 10_000_000]);
        let counters = Counters::below(tree.path()).unwrap();
        assert_eq!(counters.zones.len(), 2, "{counters:?}");
        let mut meter = Meter::new(Some(counters));
        let earlier = meter.look();
        let tree = zone(tree, "intel-rapl:0", "package-0", [2_000_000, 10_000_000]);
        let _tree = zone(tree, "intel-rapl:0:1", "dram", [5_500_000, 10_000_000]);
        let later = meter.look();
        // Three joules of the package, whose counter began anew, and half a one of its memory.
        meter.add(earlier.clone(), later.clone(), 7, LEAST_NS - 1);
        assert_eq!(meter.of_a_call(), None, "a short sample tells nothing");
        meter.add(earlier.clone(), later.clone(), 3, LEAST_NS);
        meter.add(earlier, None, 100, LEAST_NS);
        meter.add(later.clone(), later, 4, LEAST_NS);
        assert_eq!(meter.of_a_call(), Some(0.5));
    }

    #[test]
    fn why_energy_cannot_be_read_is_said() {
        let none = Counters::below("/no/such/root");
        assert!(words(&none).contains("no counter"), "{none:?}");
        let part = zone(Tree::new(), "intel-rapl:0:0", "core", [1, 10]);
        assert!(Counters::below(part.path()).is_err_and(|why| why.contains("no counter")));
        // As where only root may read: nothing comes.
        let silent = zone(Tree::new(), "intel-rapl:0", "package-0", [1, 10]);
        let silent = silent.file(&format!("{ZONES}/intel-rapl:0/energy_uj"), "");
        assert!(Counters::below(silent.path()).is_err_and(|why| why.contains("sudo chmod a+r /sys/class/powercap")));
        let mut meter = Meter::new(None);
        meter.add(meter.look(), meter.look(), 1, LEAST_NS);
        assert_eq!(meter.of_a_call(), None);
    }
}
