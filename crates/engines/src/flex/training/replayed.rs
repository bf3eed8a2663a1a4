//! A trace of allocations, replayed by the memories of `variable-batches`.

use benchbook_core::{Array, Inputs, Loop, Looping, Metric, Result, Row, Setting, Step, Subject};
use benchbook_workloads::training::{AllocationTrace, AllocationTraceParams, Event};

use super::memories::{Allocating, rows};
use super::pool::{Memory, page_faults};
use crate::ring::memory::Memory as Resident;

/// Implementations of `allocation-trace`.
pub const ROWS: [Row<AllocationTrace>; 5] = rows([
    "one block that grows to what is needed at once and stays, as pool of variable-batches (best fit)",
    "blocks of the system's allocator; in a worker, glibc keeps what is freed (GLIBC_TUNABLES)",
    "as allocator, by glibc as it comes, once it has freed such blocks: what it maps it gives back (mallopt(3), M_MMAP_THRESHOLD)",
]);

/// A loop of steps.
struct Replayed<M: Memory> {
    steps: Vec<Vec<Event>>,
    input: Array,
    memory: M,
    /// The blocks that are taken, by their numbers.
    blocks: Vec<Option<M::Tensor>>,
    sums: Vec<f32>,
    most_live: usize,
    done: usize,
    faults: f64,
    /// What is resident more than before the first loop.
    resident: Resident,
}

impl Allocating for AllocationTrace {
    fn largest(params: &AllocationTraceParams) -> usize {
        params.taken().into_iter().max().unwrap_or(0)
    }

    fn prepared<M: Memory + 'static>(
        name: &'static str,
        setting: &Setting,
        params: &AllocationTraceParams,
        inputs: &Inputs,
        memory: M,
    ) -> Box<dyn Subject> {
        let steps = params.events();
        let numbers = steps.iter().flatten().map(|event| match event {
            Event::Take(block, _) | Event::Give(block) => block + 1,
        });
        let blocks = numbers.max().unwrap_or(0);
        let replayed = Replayed {
            input: inputs.get("input").clone(),
            memory,
            blocks: (0..blocks).map(|_| None).collect(),
            sums: vec![0.0; steps.len() * params.width],
            most_live: params.most_live(),
            steps,
            done: 0,
            faults: 0.0,
            resident: Resident::watch(),
        };
        Box::new(Looping::new(name, setting, &AllocationTrace::steps(params), replayed))
    }
}

impl<M: Memory> Loop for Replayed<M> {
    fn begin(&mut self) {
        // A loop that was cut off has left some.
        for block in self.blocks.iter_mut().filter_map(Option::take) {
            self.memory.give(block);
        }
        self.sums.fill(0.0);
        self.done = 0;
        self.faults = page_faults();
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let Self { steps, input, memory, blocks, sums, .. } = self;
        let input = input.of::<f32>();
        let sums = &mut sums[self.done * input.len()..][..input.len()];
        for event in &steps[self.done] {
            match *event {
                Event::Take(block, count) => blocks[block] = Some(memory.repeated(count, input)),
                Event::Give(block) => {
                    if let Some(given) = blocks[block].take() {
                        sums.iter_mut().zip(memory.numbers(&given)).for_each(|(sum, number)| *sum += number);
                        memory.give(given);
                    }
                }
            }
        }
        let faults = page_faults();
        values.iter_mut().for_each(|value| *value = faults - self.faults);
        self.faults = faults;
        self.done += 1;
        Ok(Step { tokens: 0, more: self.done < self.steps.len() })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(vec![self.steps.len(), self.input.len()], &self.sums)])
    }

    fn allocates_in_rust(&self) -> bool {
        self.memory.is_counted()
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        if input != "input" {
            return Ok(false);
        }
        self.input.write(first, values);
        Ok(true)
    }

    fn metrics(&self) -> Vec<Metric> {
        self.memory.metrics(self.most_live, self.resident.used().resident.map(|bytes| bytes as f64))
    }
}
