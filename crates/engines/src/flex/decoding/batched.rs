//! Requests that arrive one after another, answered several at a time.

use std::ops::Range;

use benchbook_core::{Array, Loop, Metric, Result, Step};
use benchbook_workloads::decoding::{BatchedDecodingParams, Request};

use super::greedy::{Who, as_output, write_prompt};
use super::text::{Model, Part, Text, best};

/// Who joins a batch, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// A full batch, or the last requests, once everybody has left the one before.
    Static,
    /// Whoever has arrived, before each pass, where a slot is free (iteration-level scheduling: Yu et al., Orca, OSDI 2022,
    /// section 3.1).
    Continuous,
    /// The same, where the slots are as many as keep passes within a bound: one more after each pass that does, half of them
    /// after one that does not (Crankshaw et al., Clipper, NSDI 2017, section 4.3.1).
    Adaptive,
}

/// A request that is being answered.
struct Running {
    request: usize,
    /// The text that is its own.
    text: usize,
}

/// Greedy decoding of a trace.
pub struct Batched<M: Model> {
    who: Who,
    model: M,
    policy: Policy,
    params: BatchedDecodingParams,
    requests: Vec<Request>,
    /// All prompts, one after another, and which part is whose.
    prompts: Vec<usize>,
    parts: Vec<Range<usize>>,
    /// A text for each slot, or none before the first loop.
    texts: Vec<M::Text>,
    /// Tokens of each request so far.
    made: Vec<Vec<usize>>,
    running: Vec<Running>,
    /// Texts that are nobody's.
    free: Vec<usize>,
    /// The first request that has not joined.
    next: usize,
    /// Slots that are used at most.
    limit: usize,
    /// The loop's own time, in passes over the weights.
    clock: f64,
    /// From arrival to the last token, of each request that has left.
    latencies: Vec<f64>,
}

impl<M: Model> Batched<M> {
    /// The requests of a case, of which nobody has arrived.
    pub fn new(who: Who, model: M, policy: Policy, params: &BatchedDecodingParams, prompts: Vec<usize>) -> Self {
        let requests = params.requests();
        let mut end = 0;
        let part = |request: &Request| {
            end += request.prompt;
            end - request.prompt..end
        };
        let parts = requests.iter().map(part).collect();
        let made = requests.iter().map(|request| Vec::with_capacity(request.tokens)).collect();
        let (texts, running, free, latencies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (params, next, limit, clock) = (params.clone(), 0, 0, 0.0);
        Self {
            who,
            model,
            policy,
            params,
            requests,
            prompts,
            parts,
            texts,
            made,
            running,
            free,
            next,
            limit,
            clock,
            latencies,
        }
    }

    /// Requests that may join now, and moves the clock to where the next may where nobody is being answered.
    fn joining(&mut self) -> usize {
        let last = self.requests.len() - 1;
        if self.running.is_empty() && self.next <= last {
            let waits_for = match self.policy {
                Policy::Static => last.min(self.next + self.params.slots - 1),
                Policy::Continuous | Policy::Adaptive => self.next,
            };
            self.clock = self.clock.max(self.requests[waits_for].arrival);
        }
        let room = match self.policy {
            Policy::Static if !self.running.is_empty() => 0,
            Policy::Static | Policy::Continuous => self.params.slots - self.running.len(),
            Policy::Adaptive => self.limit.saturating_sub(self.running.len()),
        };
        let arrived = self.requests[self.next..].iter().take_while(|request| request.arrival <= self.clock);
        arrived.count().min(room)
    }

    /// Lets requests join whose turn it is.
    fn join(&mut self) -> benchbook_simd::Result<()> {
        let joining = self.joining();
        for request in self.next..self.next + joining {
            // There are as many texts as slots.
            let Some(text) = self.free.pop() else { break };
            self.texts[text].truncate(0)?;
            self.running.push(Running { request, text });
            self.next = request + 1;
        }
        Ok(())
    }

    /// One pass, and a token for everybody in the batch: positions of the pass.
    fn pass(&mut self) -> benchbook_simd::Result<usize> {
        let part = |Running { request, text }: &Running| {
            let (prompt, made) = (&self.prompts[self.parts[*request].clone()], &self.made[*request]);
            let tokens = if made.is_empty() { prompt } else { &made[made.len() - 1..] };
            Part { text: *text, tokens, wanted: 1 }
        };
        let parts: Vec<Part<'_>> = self.running.iter().map(part).collect();
        let positions = parts.iter().map(|part| part.tokens.len()).sum();
        let vocabulary = self.model.vocabulary();
        let logits = self.model.pass(&mut self.texts, &parts)?;
        for (Running { request, .. }, logits) in self.running.iter().zip(logits.chunks_exact(vocabulary)) {
            self.made[*request].push(best(logits));
        }
        Ok(positions)
    }

    /// Takes those out of the batch that have all their tokens: how many, and their latencies together.
    fn leave(&mut self) -> (usize, f64) {
        let before = self.latencies.len();
        let Self { running, requests, made, free, latencies, clock, .. } = self;
        running.retain(|Running { request, text }| {
            let stays = made[*request].len() < requests[*request].tokens;
            if !stays {
                free.push(*text);
                latencies.push(*clock - requests[*request].arrival);
            }
            stays
        });
        (latencies.len() - before, latencies[before..].iter().sum())
    }

    /// The share `share` of all latencies is this or less (nearest rank); nothing before anybody has left.
    fn latency(&self, share: f64) -> Option<f64> {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied()
    }
}

impl<M: Model> Loop for Batched<M> {
    fn begin(&mut self) {
        if self.texts.is_empty() {
            self.texts = (0..self.params.slots).map(|_| self.model.text()).collect();
        }
        self.made.iter_mut().for_each(Vec::clear);
        self.running.clear();
        self.free = (0..self.params.slots).collect();
        (self.next, self.limit, self.clock) = (0, 1, 0.0);
        self.latencies.clear();
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let joined = self.join();
        self.who.said(joined)?;
        let batch = self.running.len();
        let passed = self.pass();
        let cost = self.params.cost(self.who.said(passed)?);
        self.clock += cost;
        self.limit =
            if cost > self.params.pass_bound { (self.limit / 2).max(1) } else { self.params.slots.min(self.limit + 1) };
        let (finished, latency) = self.leave();
        for (value, number) in values.iter_mut().zip([batch as f64, finished as f64, latency]) {
            *value = number;
        }
        Ok(Step { tokens: batch as i64, more: self.latencies.len() < self.requests.len() })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![as_output(&self.made.concat())])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        Ok(write_prompt(&mut self.prompts, input, values))
    }

    fn metrics(&self) -> Vec<Metric> {
        let of =
            |(name, share): (&str, f64)| self.latency(share).map(|latency| Metric::modelled(name, latency, "passes"));
        let shares = [("request_latency_p50", 0.5), ("request_latency_p99", 0.99), ("request_latency_most", 1.0)];
        shares.into_iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::{DType, Problem, Setting};
    use benchbook_workloads::decoding::BatchedDecoding;

    use super::super::{Weights, contiguous, gpt2::Gpt2, greedy::ids_of};
    use super::*;

    /// Sizes of the batches, and latencies, of a whole loop.
    fn told(policy: Policy, params: &BatchedDecodingParams) -> (Vec<f64>, Vec<f64>) {
        let inputs = BatchedDecoding::inputs(params, 1);
        let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let model = params.model();
        let weights = Weights::of(&model, &inputs);
        let gpt2 = Gpt2::new(&weights, model.layers, contiguous(&model, &weights));
        let who = Who::new("batched", &setting);
        let mut looped = Batched::new(who, gpt2, policy, params, ids_of(inputs.get("prompt")));
        let (mut values, mut batches) = ([0.0; 3], Vec::new());
        looped.begin();
        loop {
            let step = looped.step(&mut values).unwrap();
            batches.push(values[0]);
            if !step.more {
                return (batches, looped.latencies);
            }
        }
    }

    #[test]
    fn who_waits_for_nobody_answers_sooner_and_a_bound_makes_batches_small() {
        let params = BatchedDecodingParams { width: 16, vocabulary: 64, ..BatchedDecodingParams::default() };
        let mean = |latencies: &[f64]| latencies.iter().sum::<f64>() / latencies.len() as f64;
        let (batches, latencies) = told(Policy::Static, &params);
        let (others, sooner) = told(Policy::Continuous, &params);
        assert_eq!((latencies.len(), sooner.len()), (16, 16), "everybody is answered");
        assert!(batches.iter().chain(&others).all(|batch| (1.0..=4.0).contains(batch)));
        assert!(mean(&sooner) < mean(&latencies), "{sooner:?} {latencies:?}");
        // A pass of one token takes 1.0625 already.
        let (alone, latest) = told(Policy::Adaptive, &BatchedDecodingParams { pass_bound: 1.05, ..params });
        assert!(latest.len() == 16 && alone.iter().all(|batch| *batch == 1.0), "{alone:?}");
    }
}
