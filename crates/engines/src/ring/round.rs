//! What a worker is told and what it answers, and the rounds of a call: the loop of a worker, whatever carries the blocks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::shard::Shard;

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

/// A worker's way to its neighbours.
pub trait Link {
    /// Hands `block` on to the next worker, gives the block of the one before, and calls `compute` with `block`
    /// meanwhile or before.
    ///
    /// # Errors
    /// Those of `compute`, and a neighbour that is gone.
    fn pass(
        &mut self,
        block: Vec<f32>,
        compute: &mut dyn FnMut(&[f32]) -> Result<(), Broken>,
    ) -> Result<Vec<f32>, Broken>;

    /// Memory of this worker at its highest so far.
    fn used(&self) -> Used;
}

/// One call: as many rounds as workers (Liu et al., arXiv 2310.01889, algorithm 1). The last one brings every block
/// home, so that nobody keeps a copy.
///
/// # Errors
/// A kernel that refuses, a neighbour that is gone.
pub fn call(shard: &mut Shard, copy: usize, link: &mut impl Link) -> Result<(), Broken> {
    let workers = shard.ring().workers;
    let mut block = shard.begin(copy)?;
    for round in 0..workers {
        let owner = (shard.worker() + workers - round) % workers;
        let mut compute = |block: &[f32]| shard.attend(copy, owner, block);
        if workers == 1 {
            compute(&block)?;
        } else {
            block = link.pass(block, &mut compute)?;
        }
    }
    shard.end(copy, block);
    Ok(())
}

/// Carries out orders until there are none, or nobody takes the answers, or it fails.
pub fn serve(
    shard: &mut Shard,
    link: &mut impl Link,
    orders: impl IntoIterator<Item = Order>,
    mut answer: impl FnMut(Reply) -> bool,
) {
    for order in orders {
        let done = catch_unwind(AssertUnwindSafe(|| match order {
            Order::Join => Ok(Reply::Ready),
            Order::Call(copy) => call(shard, copy, link).map(|()| Reply::Done(link.used())),
            Order::Give => Ok(Reply::Rows(shard.rows().to_vec())),
            Order::Write { input, first, values } => shard.write(input, first, &values).map(|()| Reply::Ready),
        }));
        let reply = match done {
            Ok(Ok(reply)) => reply,
            Ok(Err(broken)) => Reply::Failed(broken),
            Err(panic) => Reply::Failed(Broken::Here(format!("it panicked: {}", panic_text(panic.as_ref())))),
        };
        let failed = matches!(reply, Reply::Failed(_));
        if !answer(reply) || failed {
            return;
        }
    }
}

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
