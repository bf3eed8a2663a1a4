//! A ring of threads: blocks change hands and are not copied.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use benchbook_workloads::attention::ring::Ring;

use super::crew::{Crew, Hand};
use super::memory::{Held, bytes};
use super::round::{Broken, Link, Order, Reply, Used, serve};
use super::shard::{Input, Shard};

/// A worker thread.
pub struct Thread {
    /// `None` once it has been told to end.
    orders: Option<Sender<Order>>,
    replies: Receiver<Reply>,
}

/// Starts a thread for each worker; `inputs` gives each its part of all copies.
///
/// # Errors
/// The system gives no more threads.
pub fn start(ring: Ring, inputs: impl Fn(usize) -> Vec<Input>) -> Result<Crew<Thread>, String> {
    let held: Vec<Arc<Held>> = (0..ring.workers).map(|_| Arc::default()).collect();
    // The way into each worker, and its word that it has room.
    let (mut to, from): (Vec<_>, Vec<_>) = (0..ring.workers).map(|_| mpsc::channel()).unzip();
    let (free, mut room): (Vec<_>, Vec<_>) = (0..ring.workers).map(|_| mpsc::channel()).unzip();
    // A worker needs those of the next one.
    to.rotate_left(1);
    room.rotate_left(1);
    let mut hands = Vec::with_capacity(ring.workers);
    for (worker, ((to, room), (from, free))) in to.into_iter().zip(room).zip(from.into_iter().zip(free)).enumerate() {
        let (own, next) = (Arc::clone(&held[worker]), Arc::clone(&held[(worker + 1) % ring.workers]));
        let shard = Shard::new(ring, worker, inputs(worker));
        own.take(shard.bytes());
        // The other end is alive, here or in its worker: a lost word is told by the first pass.
        let _ = free.send(());
        hands.push(Thread::start(shard, Channels { own, next, to, room, from, free })?);
    }
    Ok(Crew::new(ring, hands))
}

impl Thread {
    /// The thread is that of a rayon pool of one, so that kernels which share work among their pool stay in it.
    fn start(mut shard: Shard, mut link: Channels) -> Result<Self, String> {
        let name = format!("ring {}", shard.worker());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(move |_| name.clone()).build();
        let pool = pool.map_err(|error| format!("a thread for worker {}: {error}", shard.worker()))?;
        let ((orders, ordered), (answer, replies)) = (mpsc::channel(), mpsc::channel());
        pool.spawn(move || serve(&mut shard, &mut link, ordered, |reply| answer.send(reply).is_ok()));
        Ok(Self { orders: Some(orders), replies })
    }
}

impl Hand for Thread {
    fn order(&mut self, order: Order) {
        if let Some(orders) = &self.orders {
            // A thread that is gone is heard of in its reply.
            let _ = orders.send(order);
        }
    }

    fn reply(&mut self) -> Reply {
        let gone = |_| Reply::Failed(Broken::Gone("its thread has ended".into()));
        self.replies.recv().unwrap_or_else(gone)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.orders = None;
        // Its end of the channel goes with the thread.
        while self.replies.recv().is_ok() {}
    }
}

/// Channels to the neighbours.
///
/// A block is sent once the next worker has taken the one before it: beside the block in work, a worker holds at most
/// the one that arrives. There are as many blocks as workers and twice as many places, so never do all wait for room.
struct Channels {
    own: Arc<Held>,
    next: Arc<Held>,
    to: Sender<Vec<f32>>,
    room: Receiver<()>,
    from: Receiver<Vec<f32>>,
    free: Sender<()>,
}

impl Link for Channels {
    fn pass(
        &mut self,
        block: Vec<f32>,
        compute: &mut dyn FnMut(&[f32]) -> Result<(), Broken>,
    ) -> Result<Vec<f32>, Broken> {
        compute(&block)?;
        let size = bytes(&block);
        self.room.recv().map_err(|_| Broken::Elsewhere)?;
        // Both hold it for a moment: a count must not be lower than what is held.
        self.next.take(size);
        self.to.send(block).map_err(|_| Broken::Elsewhere)?;
        self.own.give(size);
        let block = self.from.recv().map_err(|_| Broken::Elsewhere)?;
        self.free.send(()).map_err(|_| Broken::Elsewhere)?;
        Ok(block)
    }

    fn used(&self) -> Used {
        Used { held: self.own.most(), resident: None }
    }
}

#[cfg(test)]
mod tests {
    use benchbook_workloads::attention::ring::{Layout, worker_bytes};

    use super::super::round::Which;
    use super::*;

    const RING: Ring =
        Ring { heads: 2, kv_heads: 1, seq: 11, head_dim: 4, workers: 3, causal: true, layout: Layout::Zigzag };

    fn input(worker: usize) -> Vec<Input> {
        let mut input = Input::room(&RING);
        input.query.resize(2 * RING.shard(worker) * 4, 1.0);
        input.block.resize(2 * RING.shard(worker) * 4, 1.0);
        vec![input]
    }

    #[test]
    fn call_after_call_gives_the_same_and_holds_what_the_model_says() {
        let mut crew = start(RING, input).unwrap();
        for _ in 0..50 {
            let used = Used { held: worker_bytes(&RING, 1), resident: None };
            assert_eq!(crew.call(0), Ok(used));
        }
        // All values are one, and so is every mean of them.
        assert!(crew.output().unwrap().iter().all(|number| (number - 1.0).abs() < 1e-6));
        crew.write(Which::Value, 0, &[2.0; 11 * 4]).unwrap();
        crew.call(0).unwrap();
        assert!(
            crew.output().unwrap().iter().all(|number| (number - 2.0).abs() < 1e-6),
            "written, and so is every mean"
        );
    }

    #[test]
    fn a_worker_that_fails_is_named_and_nobody_waits_for_ever() {
        let without = |what: fn(&mut Input)| {
            move |worker: usize| {
                let mut inputs = input(worker);
                if worker == 1 {
                    inputs.iter_mut().for_each(what);
                }
                inputs
            }
        };
        let mut refused = start(RING, without(|input| input.block.clear())).unwrap();
        let message = refused.call(0).unwrap_err();
        assert!(message.contains("worker 1 of the ring: a block of 0 numbers"), "{message}");
        assert!(refused.call(0).is_err() && refused.output().is_err(), "it stays broken");
        let mut panicked = start(RING, without(|input| input.query.clear())).unwrap();
        let message = panicked.call(0).unwrap_err();
        assert!(message.contains("worker 1 of the ring: it panicked"), "{message}");
        let mut absent = start(RING, input).unwrap();
        assert!(absent.call(1).unwrap_err().contains("no copy 1"));
    }
}
