//! The environment as columns of `runs`.

use benchbook_journal::{DeviceRow, RunRow};

use super::capture::Environment;

impl Environment {
    /// Writes all columns that tell of the machine and the source into a row.
    ///
    /// Left as they are: what the caller knows (identity, command, plan, threads, seed) and what the
    /// worker tells of its kernels (profile, debug assertions, libraries). `cpu_cores` is
    /// [`Cpu::usable`](super::Cpu::usable): the CPUs allowed, cut to the quota of a control group.
    pub fn fill(&self, run: &mut RunRow) {
        let cpu = &self.cpu;
        run.git_commit.clone_from(&self.git.commit);
        run.git_dirty = self.git.dirty;
        run.benchbook_version = Some(self.versions.benchbook.clone());
        if self.versions.rustc.is_some() {
            run.rustc_version.clone_from(&self.versions.rustc);
        }
        run.os.clone_from(&self.system.os);
        run.kernel.clone_from(&self.system.kernel);
        run.hostname_hash.clone_from(&self.system.hostname_hash);
        run.cpu_model.clone_from(&cpu.model);
        run.cpu_features.clone_from(&cpu.features);
        run.cpu_cores = (cpu.usable() > 0).then(|| signed(cpu.usable() as u64));
        run.cpu_governor.clone_from(&cpu.frequency.governor);
        run.cpu_turbo = cpu.frequency.turbo;
        run.cpu_smt = cpu.topology.smt;
        run.l3_bytes = cpu.last_level_cache_bytes.map(signed);
        run.memory_bytes = self.memory.total_bytes.map(signed);
        run.devices = self
            .devices
            .found
            .iter()
            .map(|gpu| DeviceRow {
                name: Some(gpu.name.clone()),
                kind: Some("cuda".to_owned()),
                driver: gpu.driver.clone(),
                memory_bytes: gpu.memory_bytes.map(signed),
            })
            .collect();
        run.environment_variables.clone_from(&self.variables);
    }
}

/// The columns are signed; no size comes near the end of the range.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{CaptureSettings, Devices, GpuDevice, capture, planted};
    use super::*;

    #[test]
    fn a_laptop_as_a_row() {
        let tree = planted::intel_laptop();
        let mut settings = CaptureSettings::planted(tree.path());
        settings.gpus = || Devices {
            found: vec![GpuDevice { name: "H200".into(), memory_bytes: Some(u64::MAX), ..GpuDevice::default() }],
            reason: None,
        };
        settings.variables = [("RAYON_NUM_THREADS".to_owned(), "2".to_owned())].into();
        let mut run = RunRow { suite: "demo".into(), threads: Some(2), ..RunRow::default() };
        capture(&settings).fill(&mut run);
        assert_eq!((run.suite.as_str(), run.threads), ("demo", Some(2)), "left as they were");
        assert_eq!(run.cpu_cores, Some(4));
        assert_eq!(run.cpu_governor.as_deref(), Some("powersave"));
        assert_eq!((run.cpu_turbo, run.cpu_smt), (Some(true), Some(true)));
        assert_eq!(run.l3_bytes, Some(8 << 20));
        assert_eq!(run.kernel.as_deref(), Some("6.8.0-45-generic"));
        assert_eq!(run.devices[0].memory_bytes, Some(i64::MAX));
        assert_eq!(run.environment_variables["RAYON_NUM_THREADS"], "2");
    }

    #[test]
    fn the_unknown_stays_empty() {
        let tree = planted::Tree::new();
        let mut run = RunRow { rustc_version: Some("1.95.0".into()), ..RunRow::default() };
        capture(&CaptureSettings::planted(tree.path())).fill(&mut run);
        assert_eq!((run.cpu_cores, run.l3_bytes, run.memory_bytes), (None, None, None));
        assert_eq!((run.cpu_turbo, run.cpu_smt, run.git_dirty), (None, None, None));
        assert!(run.rustc_version.is_some(), "what the caller knew is kept");
        assert!(run.devices.is_empty());
    }
}
