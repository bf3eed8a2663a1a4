//! A worker of two that train together, as a process: started by its subject, told what to do through its standard input.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use benchbook_simd as simd;
use benchbook_workloads::training::Gpt2TrainingParams;

use super::WORD;
use super::exchange::Exchange;
use super::wire::{Order, Reply, Setup};
use crate::flex::training::casts::Scaling;
use crate::flex::training::gpt2::Model;
use crate::flex::training::keeping::Keeping;
use crate::flex::training::steps::{Trained, moved, norms_of};

/// How often the other is looked for, and the pause between two looks: ten seconds in all.
const LOOKS: usize = 10_000;
const PAUSE: Duration = Duration::from_millis(1);

/// How long the other may take for a step at most.
const PATIENCE: Duration = Duration::from_secs(120);

/// The `main` of such a worker, if this program was started as one: its exit code. Nothing otherwise.
pub fn member_main() -> Option<ExitCode> {
    if std::env::args_os().nth(1).as_deref() != Some(OsStr::new(WORD)) {
        return None;
    }
    Some(match member() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to hear it.
            let _ = say(&Reply::Failed { why: error.to_string(), elsewhere: false });
            ExitCode::from(4)
        }
    })
}

fn member() -> io::Result<()> {
    let setup = Setup::read(&mut io::stdin().lock())?;
    crate::flex::set_threads(setup.threads).map_err(io::Error::other)?;
    let orders = orders(setup.ids.len());
    let listener = if setup.worker == 0 { Some(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?) } else { None };
    let port = match &listener {
        Some(listener) => listener.local_addr()?.port(),
        None => 0,
    };
    say(&Reply::Ready(port))?;
    let Ok(Order::Join(port)) = orders.recv() else {
        return Err(io::Error::other("it was not told to join the other"));
    };
    let partner = match listener {
        Some(listener) => accepted(&listener, setup.token)?,
        None => connected(port, setup.token)?,
    };
    partner.set_nodelay(true)?;
    partner.set_read_timeout(Some(PATIENCE))?;
    partner.set_write_timeout(Some(PATIENCE))?;
    say(&Reply::Ready(0))?;
    let mut worker = Worker::new(setup, partner);
    for order in orders {
        let reply = worker.obey(order);
        let failed = matches!(reply, Reply::Failed { .. });
        say(&reply)?;
        if failed {
            break;
        }
    }
    Ok(())
}

/// Orders, as they come. At their end, which is that of the subject, the process ends at once, whatever it computes.
fn orders(most: usize) -> Receiver<Order> {
    let (send, orders) = mpsc::channel();
    std::thread::spawn(move || {
        let mut from = io::stdin().lock();
        while let Ok(order) = Order::read(&mut from, most) {
            if send.send(order).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    orders
}

/// The way to the first worker, which learns by a word that this is the second.
fn connected(port: u16, token: u64) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(&token.to_ne_bytes())?;
    Ok(stream)
}

/// The way to the second worker, whoever else may have come; it may have died, so that it is not waited for without end.
fn accepted(listener: &TcpListener, token: u64) -> io::Result<TcpStream> {
    listener.set_nonblocking(true)?;
    for _ in 0..LOOKS {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                let mut word = [0; 8];
                if stream.read_exact(&mut word).is_ok() && u64::from_ne_bytes(word) == token {
                    return Ok(stream);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the other worker has not come within ten seconds"))
}

fn say(reply: &Reply) -> io::Result<()> {
    reply.write(&mut BufWriter::new(io::stdout().lock()))
}

/// Its half of a training.
struct Worker {
    params: Gpt2TrainingParams,
    ids: Vec<i32>,
    /// The weights before the first step.
    start: Vec<f32>,
    model: Model,
    moments: [Vec<f32>; 2],
    exchange: Exchange,
    partner: TcpStream,
    done: usize,
    layers: Vec<f64>,
}

impl Worker {
    fn new(setup: Setup, partner: TcpStream) -> Self {
        let Setup { params, scheme, weights, ids, .. } = setup;
        let zeros = || vec![0.0; weights.len()];
        Self {
            exchange: Exchange::new(scheme, weights.len(), params.width),
            moments: [zeros(), zeros()],
            model: Model::new(&params, weights.clone(), Keeping::All, Scaling::None),
            layers: vec![0.0; params.layers],
            ids: ids.iter().map(|id| *id as i32).collect(),
            start: weights,
            params,
            partner,
            done: 0,
        }
    }

    fn obey(&mut self, order: Order) -> Reply {
        match order {
            Order::Join(_) => Reply::Ready(0),
            Order::Begin => {
                self.model.weights.copy_from_slice(&self.start);
                self.moments.iter_mut().for_each(|moments| moments.fill(0.0));
                self.exchange.begin();
                self.done = 0;
                Reply::Ready(0)
            }
            Order::Write { first, values } => {
                let start = first * (self.params.seq + 1);
                match self.ids.get_mut(start..start + values.len()) {
                    Some(ids) => {
                        ids.iter_mut().zip(&values).for_each(|(id, value)| *id = *value as i32);
                        Reply::Ready(0)
                    }
                    None => Reply::Failed { why: format!("there is no text {first}"), elsewhere: false },
                }
            }
            Order::Step => self.step().map_or_else(|failed| failed, Reply::Done),
        }
    }

    /// Makes a step; its own loss, the norm of all gradients, of those of the tensors, and of the layers.
    fn step(&mut self) -> Result<Vec<f64>, Reply> {
        let here = |error: simd::Error| Reply::Failed { why: error.to_string(), elsewhere: false };
        let each = self.params.batch * (self.params.seq + 1);
        let ids = self.ids.get(self.done * each..(self.done + 1) * each);
        let ids = ids.ok_or_else(|| Reply::Failed { why: "there is no further step".into(), elsewhere: false })?;
        let loss = self.model.loss(ids).map_err(here)?;
        if !loss.is_finite() {
            // The other is waiting; who has lost its way is told at the end of the step.
            self.model.grads.fill(0.0);
        }
        self.exchange.compress(&self.model.grads).map_err(here)?;
        self.exchange
            .swap(&self.partner)
            .map_err(|error| Reply::Failed { why: format!("the other worker: {error}"), elsewhere: true })?;
        self.exchange.mean(&mut self.model.grads);
        let looked_at: Vec<usize> = (0..self.params.layers).collect();
        let (norms, all) = norms_of(&self.model.layout, &self.model.grads, &looked_at, &mut self.layers);
        self.done += 1;
        let [first, second] = &mut self.moments;
        let Model { weights, grads, .. } = &mut self.model;
        simd::adamw(&moved(self.params.rate, self.done), [weights, first, second], grads).map_err(here)?;
        Ok([loss, all].into_iter().chain(norms).chain(self.layers.iter().copied()).collect())
    }
}
