//! The rounds of a call: the loop of a worker, whatever carries the blocks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::order::{Broken, Order, Reply, Used};
use super::shard::Shard;

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
