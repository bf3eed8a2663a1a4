//! Plans made in code, step by step.

use crate::{Axis, CaseSpec, DType, Plan, SamplingSpec, Value};

impl SamplingSpec {
    /// Few blocks, for a first look. A sample of 5 ms outlasts what the variant before it leaves behind in
    /// clocks and caches.
    pub fn quick() -> Self {
        Self { blocks: 20, min_sample_ns: 5_000_000, warmup_ns: 50_000_000, ..Self::default() }
    }
}

impl Plan {
    /// The preset `quick` of a workload with [`SamplingSpec::quick`]: tens of seconds.
    pub fn quick(workload: &str) -> Self {
        Self { sampling: SamplingSpec::quick(), ..Self::preset(workload, "quick") }
    }

    /// The preset `default` of a workload: minutes.
    pub fn standard(workload: &str) -> Self {
        Self::preset(workload, "default")
    }

    fn preset(workload: &str, preset: &str) -> Self {
        let case = CaseSpec {
            workload: workload.into(),
            preset: Some(preset.into()),
            params: [].into(),
            implementations: Vec::new(),
        };
        Self::of(&format!("{workload}-{preset}"), vec![case])
    }

    /// Sweeps a parameter over `values` in every case of the plan; the first sweep replaces the preset.
    #[must_use]
    pub fn param<V: Into<Value>>(self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.swept(name, &mut values.into_iter().map(Into::<Value>::into))
    }

    // What takes any type is compiled again in each cell of a notebook, and so hands on at once.
    #[inline(never)]
    fn swept(mut self, name: &str, values: &mut dyn Iterator<Item = Value>) -> Self {
        let axis = Axis(values.collect());
        for case in &mut self.cases {
            case.preset = None;
            case.params.insert(name.into(), axis.clone());
        }
        self
    }

    /// Measures only these implementations.
    #[must_use]
    pub fn implementations<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.of_implementations(&mut names.into_iter().map(Into::<String>::into))
    }

    #[inline(never)]
    fn of_implementations(mut self, names: &mut dyn Iterator<Item = String>) -> Self {
        let names: Vec<String> = names.collect();
        self.cases.iter_mut().for_each(|case| case.implementations.clone_from(&names));
        self
    }

    /// Measures only on these devices.
    #[must_use]
    pub fn devices<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.on_devices(&mut names.into_iter().map(Into::<String>::into))
    }

    #[inline(never)]
    fn on_devices(mut self, names: &mut dyn Iterator<Item = String>) -> Self {
        self.devices = names.collect();
        self
    }

    /// Element types, instead of f32 alone.
    #[must_use]
    pub fn dtypes(mut self, dtypes: impl IntoIterator<Item = DType>) -> Self {
        self.dtypes = dtypes.into_iter().collect();
        self
    }

    /// Fresh processes per variant.
    #[must_use]
    pub fn replicates(mut self, replicates: u32) -> Self {
        self.replicates = replicates;
        self
    }

    /// Half-width of the 95 % interval that is wanted, as a share; the replicates become a pilot that fixes
    /// how many more are measured.
    #[must_use]
    pub fn half_width(mut self, share: f64) -> Self {
        self.half_width = Some(share);
        self
    }

    /// Blocks per case and replicate.
    #[must_use]
    pub fn blocks(mut self, blocks: u64) -> Self {
        self.sampling.blocks = blocks;
        self
    }

    /// Least length of a sample in nanoseconds.
    #[must_use]
    pub fn min_sample_ns(mut self, least: u64) -> Self {
        self.sampling.min_sample_ns = least;
        self
    }

    /// Seed of inputs and of the order within blocks.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Threads given to every variant.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Budget of the whole run in seconds.
    #[must_use]
    pub fn time_s(mut self, seconds: f64) -> Self {
        self.time_s = Some(seconds);
        self
    }

    /// One more word to find the run by.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.tags.push(tag.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_replaces_the_preset_and_the_rest_stays() {
        let plan = Plan::quick("attention").param("seq_q", [64, 128]).param("causal", [true]).tag("t").replicates(3);
        assert_eq!(plan.cases[0].preset, None);
        assert_eq!(plan.cases[0].combinations().len(), 2);
        assert_eq!((plan.replicates, plan.sampling.blocks, plan.tags.as_slice()), (3, 20, &["t".to_owned()][..]));
        assert_eq!(Plan::standard("matmul").cases[0].preset.as_deref(), Some("default"));
        assert!(plan.check().is_ok());
    }

    #[test]
    fn values_take_their_type_from_rust() {
        let plan = Plan::quick("x").param("a", [1]).param("b", [0.5]).param("c", ["text"]).param("d", [true]);
        let combination = &plan.cases[0].combinations()[0];
        assert_eq!(combination.0["a"], Value::Int(1));
        assert_eq!(combination.0["b"], Value::Float(0.5));
        assert_eq!(combination.0["c"], Value::Text("text".into()));
        assert_eq!(combination.0["d"], Value::Bool(true));
    }
}
