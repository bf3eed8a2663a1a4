//! All workers of a ring, as their subject sees them.

use benchbook_workloads::attention::ring::{Ring, place};

use super::round::{Broken, Order, Reply, Used, Which};

/// Rows of an input that are written at once.
const MESSAGE_ROWS: usize = 64;

/// A worker that takes orders, in a thread or in a process.
pub trait Hand {
    /// Hands over an order. Where the worker is gone, its next reply says so.
    fn order(&mut self, order: Order);

    /// Waits for its answer.
    fn reply(&mut self) -> Reply;

    /// Its process, where it is one.
    fn process(&self) -> Option<u32> {
        None
    }
}

/// The workers of a ring, in order.
pub struct Crew<H> {
    ring: Ring,
    hands: Vec<H>,
}

impl<H: Hand> Crew<H> {
    /// A ring of these workers.
    pub fn new(ring: Ring, hands: Vec<H>) -> Self {
        Self { ring, hands }
    }

    /// The workers' processes.
    pub fn processes(&self) -> Vec<u32> {
        self.hands.iter().filter_map(Hand::process).collect()
    }

    /// Waits until all have computed once on this copy of the inputs; gives the most memory that one has used.
    ///
    /// # Errors
    /// What went wrong, and with which worker.
    pub fn call(&mut self, copy: usize) -> Result<Used, String> {
        let mut most = Used::default();
        for reply in self.ask(Order::Call(copy))? {
            let Reply::Done(used) = reply else { return Err(format!("a worker answers {reply:?} to a call")) };
            most = Used { held: most.held.max(used.held), resident: most.resident.max(used.resident) };
        }
        Ok(most)
    }

    /// The result of the last call, `[heads, seq, head_dim]`.
    ///
    /// # Errors
    /// As of [`Crew::call`].
    pub fn output(&mut self) -> Result<Vec<f32>, String> {
        let Ring { heads, seq, head_dim, .. } = self.ring;
        let mut output = vec![0.0; heads * seq * head_dim];
        for (worker, reply) in self.ask(Order::Give)?.into_iter().enumerate() {
            let wanted = heads * self.ring.shard(worker) * head_dim;
            match reply {
                Reply::Rows(rows) if rows.len() == wanted => {
                    place(&rows, [seq, head_dim], &self.ring.pieces(worker), &mut output);
                }
                _ => return Err(format!("worker {worker} has not given {wanted} numbers")),
            }
        }
        Ok(output)
    }

    /// Overwrites rows of an input, `first` and what follows, in each copy, with whichever workers hold them.
    ///
    /// # Errors
    /// As of [`Crew::call`].
    pub fn write(&mut self, input: Which, first: usize, values: &[f32]) -> Result<(), String> {
        let width = self.ring.head_dim;
        let rows = first..first + values.len() / width;
        for worker in 0..self.hands.len() {
            for (place, run) in self.ring.held(worker, &rows) {
                let numbers = &values[(run.start - first) * width..(run.end - first) * width];
                // In messages that are small beside what a worker holds, whose memory is watched.
                for (index, part) in numbers.chunks(MESSAGE_ROWS * width).enumerate() {
                    let first = place + index * MESSAGE_ROWS;
                    self.hands[worker].order(Order::Write { input, first, values: part.to_vec() });
                    if let Reply::Failed(broken) = self.hands[worker].reply() {
                        return Err(format!("worker {worker} of the ring: {broken:?}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives an order to all, and waits for every answer.
    ///
    /// # Errors
    /// As of [`Crew::call`].
    pub fn ask(&mut self, order: Order) -> Result<Vec<Reply>, String> {
        self.hands.iter_mut().for_each(|hand| hand.order(order.clone()));
        self.wait()
    }

    /// Waits for an answer of every worker.
    ///
    /// # Errors
    /// As of [`Crew::call`].
    pub fn wait(&mut self) -> Result<Vec<Reply>, String> {
        // All of them, since a ring that breaks makes every worker answer that it is broken.
        let replies: Vec<Reply> = self.hands.iter_mut().map(Hand::reply).collect();
        // Whoever ended without a word is why others lost a neighbour, or did not find one.
        let causes: [fn(&Broken) -> Option<&str>; 3] = [
            |broken| if let Broken::Gone(why) = broken { Some(why) } else { None },
            |broken| if let Broken::Here(why) = broken { Some(why) } else { None },
            |broken| matches!(broken, Broken::Elsewhere).then_some("it lost a neighbour"),
        ];
        let told = causes.iter().find_map(|cause| {
            replies.iter().enumerate().find_map(|(worker, reply)| match reply {
                Reply::Failed(broken) => cause(broken).map(|why| format!("worker {worker} of the ring: {why}")),
                _ => None,
            })
        });
        told.map_or(Ok(replies), Err)
    }
}
