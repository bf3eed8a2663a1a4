//! Training by two processes, each with a half of every batch: they add up their gradients over loopback TCP after each step, so that
//! both have the same weights to the bit.

mod exchange;
mod member;
mod right;
mod wire;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, BufWriter};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use benchbook_core::{Array, DType, Inputs, Loop, Looping, Metric, Result, Row, Setting, Step, Subject, Support};
use benchbook_process::Supervised;
use benchbook_workloads::training::{Gpt2TrainingParams, TENSORS};

use super::elsewhere::ending;
use super::gpt2::Layout;
use super::text::{Health, TextTraining, TextTrainingParams};
use super::told::{Telling, Told};
use crate::flex::calls::failed;
use crate::flex::row::fused_row;
use exchange::Scheme;
pub use member::member_main;
use wire::{Order, Reply, Setup};

/// The first argument of a worker that trains with another.
const WORD: &str = "training";

/// Workers of a training.
const WORKERS: usize = 2;

/// A row of a scheme; where it sends less than a gradient, the first step has a right answer of its own.
macro_rules! row {
    ($scheme:ident, $name:literal, $about:literal) => {{
        let row = fused_row::<TextTraining>($name, $about, &[DType::F32], |name, setting, params, inputs| {
            prepare(name, setting, params, inputs, Scheme::$scheme)
        });
        let row = row.only(|_, _, params: &TextTrainingParams| even(params)).on_request();
        match Scheme::$scheme {
            Scheme::Whole => row,
            _ => row.approximating(|params, inputs, _| right::right(params, inputs, Scheme::$scheme)),
        }
    }};
}

/// Implementations of `text-training` by two processes.
pub const ROWS: [Row<TextTraining>; 7] = [
    row!(
        Whole,
        "two-workers",
        "two processes with half the threads and half of each batch, an all-reduce of gradients in f32 over loopback TCP"
    )
    .catalogue(&["SP5"]),
    row!(
        Int8,
        "two-workers-int8",
        "as two-workers, gradients in eight bits with a scale for each row and error feedback (arXiv 1901.09847)"
    )
    .catalogue(&["SP5"]),
    row!(Int8Plain, "two-workers-int8-plain", "as two-workers-int8, what rounding takes of a gradient is lost"),
    row!(
        TopK,
        "two-workers-top-k",
        "as two-workers, the largest hundredth of each gradient with error feedback (arXiv 1712.01887)"
    )
    .catalogue(&["SP5"]),
    row!(TopKPlain, "two-workers-top-k-plain", "as two-workers-top-k, what is left of a gradient is lost"),
    row!(
        Power,
        "two-workers-power-sgd",
        "as two-workers, gradients as two factors of rank 4 with error feedback (arXiv 1905.13727), of which each worker \
         sends its own"
    )
    .catalogue(&["SP5"]),
    row!(
        PowerPlain,
        "two-workers-power-sgd-plain",
        "as two-workers-power-sgd, what the factors lack of a gradient is lost"
    ),
];

fn even(params: &TextTrainingParams) -> Support {
    if params.batch.is_multiple_of(WORKERS) {
        return params.is_here();
    }
    Support::No(format!("a batch of {} cannot be shared out evenly between {WORKERS} workers", params.batch))
}

/// The training of a worker: its part of each batch.
fn part(params: &Gpt2TrainingParams) -> Gpt2TrainingParams {
    Gpt2TrainingParams { batch: params.batch / WORKERS, ..params.clone() }
}

fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &TextTrainingParams,
    inputs: &Inputs,
    scheme: Scheme,
) -> Result<Box<dyn Subject>> {
    let model = params.model();
    let started = crate::ring::program().and_then(|program| start(&program, setting.threads, &model, inputs, scheme));
    let hands = started.map_err(|reason| failed(name, &setting.device, &reason))?;
    let numbers = Layout::of(&model).numbers();
    let sent = scheme.bytes(numbers, params.width) as f64;
    let together = Together {
        name,
        device: setting.device.clone(),
        telling: Box::new(Health::new(params.layers)),
        losses: Vec::with_capacity(params.steps),
        norms: Vec::with_capacity(params.steps * TENSORS.len()),
        metrics: vec![
            Metric::modelled("compressed_bytes", sent, "bytes"),
            Metric::modelled("compression_ratio", (numbers * size_of::<f32>()) as f64 / sent, "ratio"),
        ],
        params: model,
        hands,
        broken: None,
    };
    Ok(Box::new(Looping::new(name, setting, &TextTraining::steps(params), together)))
}

/// A worker process; it is ended when this is dropped, and ends itself when this process does.
struct Hand {
    worker: usize,
    child: Supervised,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
    /// Numbers of a reply at most.
    most: usize,
}

impl Hand {
    fn start(program: &Path, worker: usize, most: usize) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Supervised::start_in_our_group(&mut command)?;
        let pipes = child.take_stdin().zip(child.take_stdout());
        let (orders, replies) = pipes.ok_or_else(|| io::Error::other("its pipes are missing"))?;
        Ok(Self { worker, child, orders, replies: BufReader::new(replies), most })
    }

    /// Hands over an order. Where the worker is gone, its reply says so.
    fn order(&mut self, order: &Order) {
        let _ = order.write(&mut BufWriter::new(&self.orders));
    }

    /// Waits for its answer; where there is none, in words why.
    fn reply(&mut self) -> Result<Reply, String> {
        Reply::read(&mut self.replies, self.most).map_err(|error| {
            format!("no answer from its process {}: {error}; {}", self.child.id(), ending(&mut self.child))
        })
    }
}

/// Waits for an answer of each worker.
///
/// # Errors
/// What went wrong, and with which worker: whoever has ended without a word is why the other could not go on.
fn wait(hands: &mut [Hand]) -> Result<Vec<Reply>, String> {
    let replies: Vec<Result<Reply, String>> = hands.iter_mut().map(Hand::reply).collect();
    let causes: [fn(&Result<Reply, String>) -> Option<&str>; 3] = [
        |reply| reply.as_ref().err().map(String::as_str),
        |reply| match reply {
            Ok(Reply::Failed { why, elsewhere: false }) => Some(why),
            _ => None,
        },
        |reply| match reply {
            Ok(Reply::Failed { why, .. }) => Some(why),
            _ => None,
        },
    ];
    for cause in causes {
        let found = hands.iter().zip(&replies).find_map(|(hand, reply)| Some((hand.worker, cause(reply)?)));
        if let Some((worker, why)) = found {
            return Err(format!("worker {worker} of two that train together: {why}"));
        }
    }
    Ok(replies.into_iter().flatten().collect())
}

/// Gives an order to all, and waits until they have done what tells nothing.
fn ask(hands: &mut [Hand], order: &Order) -> Result<Vec<u16>, String> {
    hands.iter_mut().for_each(|hand| hand.order(order));
    ready(wait(hands)?)
}

fn ready(replies: Vec<Reply>) -> Result<Vec<u16>, String> {
    let port = |reply| match reply {
        Reply::Ready(port) => Ok(port),
        other => Err(format!("a worker answers {other:?}")),
    };
    replies.into_iter().map(port).collect()
}

/// Starts both workers, and has them find each other.
///
/// # Errors
/// The program cannot be started, or is no worker; what a worker says.
fn start(
    program: &Path,
    threads: usize,
    params: &Gpt2TrainingParams,
    inputs: &Inputs,
    scheme: Scheme,
) -> Result<Vec<Hand>, String> {
    let own = part(params);
    let most = 2 + TENSORS.len() + params.layers;
    let started: io::Result<Vec<Hand>> = (0..WORKERS).map(|worker| Hand::start(program, worker, most)).collect();
    let mut hands = started
        .map_err(|error| format!("{} cannot be started as a worker of a training: {error}", program.display()))?;
    // So that nobody else joins them.
    let token = RandomState::new().hash_one(std::process::id());
    let texts = inputs.get("ids").of::<i32>();
    let step = params.batch * (params.seq + 1);
    for hand in &hands {
        let (worker, share) = (hand.worker, step / WORKERS);
        let of_step =
            |texts: &[i32]| -> Vec<f32> { texts[worker * share..][..share].iter().map(|id| *id as f32).collect() };
        let setup = Setup {
            params: own.clone(),
            scheme,
            worker,
            threads: (threads / WORKERS).max(1),
            token,
            weights: Layout::of(params).weights(inputs),
            ids: texts.chunks_exact(step).flat_map(of_step).collect(),
        };
        // A process that does not listen says why in its reply.
        let _ = setup.write(&mut BufWriter::new(&hand.orders));
    }
    let ports = ready(wait(&mut hands)?)?;
    ask(&mut hands, &Order::Join(ports.first().copied().unwrap_or_default()))?;
    Ok(hands)
}

/// A loop of steps of two workers.
struct Together {
    name: &'static str,
    device: String,
    params: Gpt2TrainingParams,
    hands: Vec<Hand>,
    telling: Box<dyn Telling>,
    /// A number for each step that was made.
    losses: Vec<f32>,
    norms: Vec<f32>,
    metrics: Vec<Metric>,
    /// Why they cannot go on.
    broken: Option<String>,
}

impl Together {
    fn error(&self, reason: &str) -> benchbook_core::Error {
        failed(self.name, &self.device, reason)
    }

    /// The loss of a step, and the norms of its gradient: of all weights, of tensors and of layers.
    fn made(&mut self) -> Result<(f64, Vec<f64>), String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        self.hands.iter_mut().for_each(|hand| hand.order(&Order::Step));
        let mut losses = 0.0;
        let mut norms: Option<Vec<f64>> = None;
        for reply in wait(&mut self.hands)? {
            let Reply::Done(told) = reply else { return Err(format!("a worker answers {reply:?} to a step")) };
            let (loss, of_gradient) = told.split_first().ok_or("a worker tells nothing of its step")?;
            losses += loss;
            let same = |other: &Vec<f64>| {
                other.iter().map(|one| one.to_bits()).eq(of_gradient.iter().map(|one| one.to_bits()))
            };
            if norms.as_ref().is_some_and(|other| !same(other)) {
                return Err("the workers have come to other gradients".into());
            }
            norms = Some(of_gradient.to_vec());
        }
        Ok((losses / WORKERS as f64, norms.unwrap_or_default()))
    }
}

impl Loop for Together {
    fn begin(&mut self) {
        self.losses.clear();
        self.norms.clear();
        self.telling.begin();
        if self.broken.is_none() {
            self.broken = ask(&mut self.hands, &Order::Begin).err();
        }
    }

    fn step(&mut self, values: &mut [f64]) -> benchbook_core::Result<Step> {
        let step = self.losses.len() + 1;
        let (loss, told) = match self.made() {
            Ok(made) => made,
            Err(why) => {
                self.broken = Some(why.clone());
                return Err(self.error(&why));
            }
        };
        if !loss.is_finite() {
            let steps = self.params.steps;
            return Err(self.error(&format!("diverged: the loss of step {step} of {steps} is {loss}")));
        }
        let wrong = || "a worker tells of other gradients than it has".to_owned();
        let Some(([gradient_norm], rest)) = told.split_first_chunk::<1>() else { return Err(self.error(&wrong())) };
        let Some((tensors, layers)) = rest.split_first_chunk::<{ TENSORS.len() }>() else {
            return Err(self.error(&wrong()));
        };
        self.telling.tell(&Told { loss, gradient_norm: *gradient_norm, layers }, values);
        self.losses.push(loss as f32);
        self.norms.extend(tensors.iter().map(|norm| *norm as f32));
        let tokens = self.params.batch * self.params.seq;
        Ok(Step { tokens: tokens as i64, more: step < self.params.steps })
    }

    fn outputs(&mut self) -> benchbook_core::Result<Vec<Array>> {
        let steps = self.params.steps;
        let losses = Array::new(vec![steps, 1], &self.losses);
        Ok(vec![losses, Array::new(vec![steps, TENSORS.len()], &self.norms)])
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> benchbook_core::Result<bool> {
        if input != "ids" {
            return Ok(false);
        }
        let Gpt2TrainingParams { batch, seq, .. } = self.params;
        let own = batch / WORKERS;
        let texts: Vec<&[f32]> = values.chunks_exact(seq + 1).collect();
        let mut at = 0;
        while at < texts.len() {
            // Those that lie together with one worker, in one step.
            let (step, place) = ((first + at) / batch, (first + at) % batch);
            let count = (own - place % own).min(texts.len() - at);
            let order = Order::Write { first: step * own + place % own, values: texts[at..at + count].concat() };
            let worker = place / own;
            ask(&mut self.hands[worker..=worker], &order).map_err(|why| failed(self.name, &self.device, &why))?;
            at += count;
        }
        Ok(true)
    }

    fn processes(&self) -> Vec<u32> {
        self.hands.iter().map(|hand| hand.child.id()).collect()
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}
