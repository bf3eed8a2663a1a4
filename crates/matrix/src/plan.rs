//! What is asked of a matrix.

use std::time::Duration;

/// Memory that all processes of a run may take where nobody says another amount.
pub const MEMORY: &str = "60%";

/// Which models and techniques, how much of each model, and how long it may take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatrixPlan {
    /// Names of models, or files that describe them (`mine.toml`); none, and no tier, are the usual ones.
    pub models: Vec<String>,
    /// Tiers whose models are meant besides: small, medium, large, XL.
    pub tiers: Vec<String>,
    /// Names of techniques; none are all.
    pub techniques: Vec<String>,
    /// Two layers of each model at most, short texts and few blocks.
    pub quick: bool,
    /// Layers of a model at most, instead of as many as there is room for.
    pub layers: Option<u32>,
    /// Memory that all processes of a run may take, in bytes; absent means [`MEMORY`].
    pub memory_bytes: Option<u64>,
    /// Threads given to every variant; absent means all cores.
    pub threads: Option<usize>,
    /// How long it may take: no run begins for which there is no time, and what is missing then is left to the next one.
    pub time: Option<Duration>,
    /// Use samples too that the machine disturbed.
    pub keep_disturbed: bool,
    /// Measure again what the store holds.
    pub again: bool,
}

impl MatrixPlan {
    /// A look: two layers of each model at most, short texts and few blocks.
    pub fn quick() -> Self {
        Self { quick: true, ..Self::default() }
    }

    /// As many layers of each model as there is room for.
    pub fn full() -> Self {
        Self::default()
    }

    /// Only these models.
    #[must_use]
    pub fn models<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.of_models(&mut names.into_iter().map(Into::<String>::into))
    }

    // What takes any type is compiled again in each cell of a notebook, and so hands on at once.
    #[inline(never)]
    fn of_models(mut self, names: &mut dyn Iterator<Item = String>) -> Self {
        self.models = names.collect();
        self
    }

    /// Only the models of these tiers, and those that are named: small, medium, large, XL.
    #[must_use]
    pub fn tiers<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.of_tiers(&mut names.into_iter().map(Into::<String>::into))
    }

    #[inline(never)]
    fn of_tiers(mut self, names: &mut dyn Iterator<Item = String>) -> Self {
        self.tiers = names.collect();
        self
    }

    /// Only these techniques.
    #[must_use]
    pub fn techniques<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.of_techniques(&mut names.into_iter().map(Into::<String>::into))
    }

    #[inline(never)]
    fn of_techniques(mut self, names: &mut dyn Iterator<Item = String>) -> Self {
        self.techniques = names.collect();
        self
    }

    /// Layers of a model at most.
    #[must_use]
    pub fn layers(mut self, layers: u32) -> Self {
        self.layers = Some(layers);
        self
    }

    /// Memory that all processes of a run may take, in bytes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory_bytes = Some(bytes);
        self
    }

    /// How long it may take, after which the next one goes on.
    #[must_use]
    pub fn time(mut self, most: Duration) -> Self {
        self.time = Some(most);
        self
    }

    /// Threads given to every variant.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// The suite of its runs.
    pub fn suite(&self) -> &'static str {
        if self.quick { "matrix-quick" } else { "matrix" }
    }
}
