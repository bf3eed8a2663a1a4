//! What a worker is told, and what it answers.

/// What the subject asks of a worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Find your neighbours.
    Join,
    /// Compute once, on this copy of the inputs.
    Call(usize),
    /// Hand over the result of the last call.
    Give,
    /// Overwrite rows of your part of an input, `first` and what follows, in each copy.
    Write { input: Which, first: usize, values: Vec<f32> },
}

/// One of the three inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Query,
    Key,
    Value,
}

impl Which {
    /// All of them.
    pub const ALL: [(&'static str, Self); 3] = [("query", Self::Query), ("key", Self::Key), ("value", Self::Value)];
}

/// What a worker answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It is there, or it has found its neighbours.
    Ready,
    /// It has computed.
    Done(Used),
    /// Its rows of the result, `[heads, shard, head_dim]`.
    Rows(Vec<f32>),
    /// It cannot go on, and ends.
    Failed(Broken),
}

/// Memory of a worker at its highest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Bytes of the buffers that it held at once.
    pub held: usize,
    /// Of a process of its own: bytes that became resident since it began, 0 where the system does not tell.
    pub resident: Option<usize>,
}

/// Why a worker cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// It ended without a word, and what is known of that.
    Gone(String),
    /// What went wrong with itself.
    Here(String),
    /// A neighbour is gone, which says itself why.
    Elsewhere,
}
