//! A worker of the ring as a process: started by its subject, fed through its stdin.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};

use super::memory::{Memory, bytes};
use super::round::{Broken, Link, Order, Reply, Used, serve};
use super::shard::{Input, Shard, room};
use super::sockets::{Sockets, socket};
use super::{WORD, this_one_may_be_a_worker, wire};

/// The `main` of a worker of the ring, if this program was started as one: its exit code. Nothing otherwise.
///
/// Call it first in the `main` of a worker program.
pub fn member_main() -> Option<ExitCode> {
    this_one_may_be_a_worker();
    let mut words = std::env::args_os().skip(1);
    if words.next().as_deref() != Some(OsStr::new(WORD)) {
        return None;
    }
    let folder = words.next().unwrap_or_default();
    Some(match member(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to hear it.
            let _ = say(&Reply::Failed(Broken::Here(error.to_string())));
            ExitCode::from(4)
        }
    })
}

fn member(folder: &Path) -> io::Result<()> {
    // A pool of one, in which all that follows runs: kernels that share work among their pool stay in it.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(io::Error::other)?;
    pool.install(|| {
        let mut memory = Memory::watch();
        let mut shard = receive()?;
        memory.take(shard.bytes());
        let orders = orders();
        let (worker, workers) = (shard.worker(), shard.ring().workers);
        if workers == 1 {
            say(&Reply::Ready)?;
            serve(&mut shard, &mut Alone(memory), orders, |reply| say(&reply).is_ok());
            return Ok(());
        }
        let listener = UnixListener::bind(socket(folder, worker))?;
        say(&Reply::Ready)?;
        if orders.recv() != Ok(Order::Join) {
            return Err(io::Error::other("it was not told to join the ring"));
        }
        let spare = Vec::with_capacity(room(shard.ring())[1]);
        memory.take(bytes(&spare));
        let mut link = Sockets::join(&listener, folder, (worker + 1) % workers, spare, memory, lost)?;
        say(&Reply::Ready)?;
        serve(&mut shard, &mut link, orders, |reply| say(&reply).is_ok());
        Ok(())
    })
}

/// Its sizes and its part of the inputs.
fn receive() -> io::Result<Shard> {
    let mut from = io::stdin().lock();
    let ring = wire::read_ring(&mut from)?;
    let (worker, copies) = (wire::read_size(&mut from)?, wire::read_size(&mut from)?);
    let mut inputs = Vec::new();
    for _ in 0..copies {
        let mut input = Input::room(&ring);
        wire::read_floats(&mut from, &mut input.query)?;
        wire::read_floats(&mut from, &mut input.block)?;
        inputs.push(input);
    }
    Ok(Shard::new(ring, worker, inputs))
}

/// Orders, as they come. At their end, which is that of the subject, the process ends at once, whatever it computes.
fn orders() -> Receiver<Order> {
    let (send, orders) = mpsc::channel();
    std::thread::spawn(move || {
        let mut from = io::stdin().lock();
        while let Ok(order) = wire::read_order(&mut from) {
            if send.send(order).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    orders
}

/// Says that a neighbour is gone and ends, so that the others hear of it at once, not when this one has computed.
fn lost() {
    let _ = say(&Reply::Failed(Broken::Elsewhere));
    std::process::exit(4);
}

fn say(reply: &Reply) -> io::Result<()> {
    let mut to = io::BufWriter::new(io::stdout().lock());
    wire::write_reply(&mut to, reply)?;
    to.flush()
}

/// The link of a worker without neighbours.
struct Alone(Memory);

impl Link for Alone {
    fn pass(
        &mut self,
        block: Vec<f32>,
        compute: &mut dyn FnMut(&[f32]) -> Result<(), Broken>,
    ) -> Result<Vec<f32>, Broken> {
        compute(&block).map(|()| block)
    }

    fn used(&self) -> Used {
        self.0.used()
    }
}
