//! A ring of processes: blocks travel through Unix sockets between neighbours.

use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use benchbook_process::Supervised;
use benchbook_workloads::attention::ring::Ring;

use super::crew::{Crew, Hand};
use super::round::{Broken, Order, Reply};
use super::shard::Input;
use super::sockets::Folder;
use super::{WORD, wire};

/// How long the end of a worker may come after its pipe is closed.
const PATIENCE: Duration = Duration::from_millis(500);

/// A worker process; it is ended when this is dropped, and ends itself when this process does.
pub struct Process {
    child: Supervised,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
    /// Numbers of its rows of the result.
    rows: usize,
}

/// Starts a process of `program` for each worker and hands each its part of all copies, which `inputs` gives.
///
/// # Errors
/// The program cannot be started, or is no worker; what a worker says.
pub fn start(ring: Ring, program: &Path, inputs: impl Fn(usize) -> Vec<Input>) -> Result<Crew<Process>, String> {
    let told = |error: io::Error| error.to_string();
    let folder = Folder::new().map_err(told)?;
    let started = (0..ring.workers).map(|worker| Process::start(&ring, worker, program, folder.path()));
    let mut hands = started
        .collect::<io::Result<Vec<_>>>()
        .map_err(|error| format!("{} cannot be started as a worker of a ring: {error}", program.display()))?;
    for (worker, hand) in hands.iter_mut().enumerate() {
        // A process that does not listen says why in its reply.
        let _ = hand.feed(&ring, worker, &inputs(worker));
    }
    let mut crew = Crew::new(ring, hands);
    all_ready(crew.wait()?)?;
    if ring.workers > 1 {
        all_ready(crew.ask(Order::Join)?)?;
    }
    // Everyone is connected: the folder goes here.
    Ok(crew)
}

fn all_ready(replies: Vec<Reply>) -> Result<(), String> {
    match replies.into_iter().find(|reply| *reply != Reply::Ready) {
        Some(other) => Err(format!("a worker greets with {other:?}")),
        None => Ok(()),
    }
}

impl Process {
    fn start(ring: &Ring, worker: usize, program: &Path, folder: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(WORD).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Supervised::start_in_our_group(&mut command)?;
        let pipes = child.take_stdin().zip(child.take_stdout());
        let (orders, replies) = pipes.ok_or_else(|| io::Error::other("its pipes are missing"))?;
        let rows = ring.heads * ring.shard(worker) * ring.head_dim;
        Ok(Self { child, orders, replies: BufReader::new(replies), rows })
    }

    /// Hands over sizes and inputs.
    fn feed(&mut self, ring: &Ring, worker: usize, inputs: &[Input]) -> io::Result<()> {
        let mut to = BufWriter::new(&self.orders);
        wire::write_ring(&mut to, ring)?;
        wire::write_numbers(&mut to, &[worker as u64, inputs.len() as u64])?;
        for Input { query, block } in inputs {
            wire::write_floats(&mut to, query)?;
            wire::write_floats(&mut to, block)?;
        }
        to.flush()
    }
}

impl Hand for Process {
    fn order(&mut self, order: Order) {
        // A process that is gone is heard of in its reply.
        let _ = wire::write_order(&mut self.orders, &order);
    }

    fn process(&self) -> Option<u32> {
        Some(self.child.id())
    }

    fn reply(&mut self) -> Reply {
        wire::read_reply(&mut self.replies, self.rows).unwrap_or_else(|error| {
            let ended = self.child.ends_within(PATIENCE).then(|| self.child.end().status).flatten();
            let end = ended.map_or_else(|| "it is still there".to_owned(), |status| format!("it ended with {status}"));
            Reply::Failed(Broken::Gone(format!("no answer from its process {}: {error}; {end}", self.child.id())))
        })
    }
}
