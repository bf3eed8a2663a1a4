//! Memory of tensors: a block of an allocator for each, or parts of one block that stays.

use std::fs;
use std::ops::Range;

use benchbook_core::{Array, Inputs, Loop, Looping, Metric, Result, Row, Setting, Step, Subject};
use benchbook_workloads::training::{VariableBatches, VariableBatchesParams};

use super::memories::{Allocating, rows};
use crate::ring::memory::Memory as Resident;

/// Implementations of `variable-batches`.
pub const ROWS: [Row<VariableBatches>; 5] = rows([
    "one block that grows to what is needed at once and stays: the smallest free part that is large enough, neighbours joined \
     (best fit; Knuth, The Art of Computer Programming 1, section 2.5)",
    "a block of the system's allocator for each tensor; in a worker, glibc keeps what is freed (GLIBC_TUNABLES)",
    "as allocator, by glibc as it comes, once it has freed such tensors: what it maps it gives back (mallopt(3), M_MMAP_THRESHOLD)",
]);

/// Numbers of a cache line, by which parts are counted.
const LINE: usize = 16;

/// Where tensors lie.
pub(super) trait Memory {
    /// What finds one.
    type Tensor;

    /// Numbers, repeated until there are so many.
    fn repeated(&mut self, count: usize, numbers: &[f32]) -> Self::Tensor;

    /// So many numbers of the next layer by those of a tensor, which are repeated; of a gradient where its layer is given.
    fn halved(&mut self, count: usize, from: &Self::Tensor, layer: Option<&Self::Tensor>) -> Self::Tensor;

    /// The numbers of a tensor.
    fn numbers<'a>(&'a self, tensor: &'a Self::Tensor) -> &'a [f32];

    /// Takes a tensor back.
    fn give(&mut self, tensor: Self::Tensor);

    /// Whether what it takes comes from Rust's allocator, which is counted.
    fn is_counted(&self) -> bool {
        true
    }

    /// What is known of it after a loop, which needs so many numbers at once, and in which the process has grown by so many bytes at
    /// most, where the system tells that.
    fn metrics(&self, most_live: usize, grown_bytes: Option<f64>) -> Vec<Metric> {
        let live = (most_live * size_of::<f32>()) as f64;
        let unused =
            grown_bytes.map(|held| Metric::measured("fragmentation_share", 1.0 - live / held.max(live), "share"));
        unused.into_iter().collect()
    }
}

/// A number of the next layer, and of a gradient beside its layer.
fn next(x: f32) -> f32 {
    0.5 * x + 0.25
}

fn back(grad: f32, layer: f32) -> f32 {
    0.5 * grad + 0.25 * layer
}

/// Puts numbers, repeated, wherever there is a place.
pub(super) fn repeat<T>(to: &mut [T], numbers: &[f32], put: impl Fn(&mut T, f32)) {
    for to in to.chunks_mut(numbers.len()) {
        to.iter_mut().zip(numbers).for_each(|(to, number)| put(to, *number));
    }
}

/// Puts numbers of the next layer, by those of another, repeated; of a gradient where its layer is given.
pub(super) fn halve<T>(to: &mut [T], from: &[f32], beside: Option<&[f32]>, put: impl Fn(&mut T, f32)) {
    for (index, to) in to.chunks_mut(from.len()).enumerate() {
        match beside {
            None => to.iter_mut().zip(from).for_each(|(to, x)| put(to, next(*x))),
            Some(beside) => {
                let beside = &beside[index * from.len()..];
                let both = from.iter().zip(beside);
                to.iter_mut().zip(both).for_each(|(to, (grad, layer))| put(to, back(*grad, *layer)));
            }
        }
    }
}

/// A block for each tensor.
pub(super) struct Allocator;

impl Memory for Allocator {
    type Tensor = Vec<f32>;

    fn repeated(&mut self, count: usize, numbers: &[f32]) -> Vec<f32> {
        let mut made = Vec::with_capacity(count);
        while made.len() < count {
            made.extend_from_slice(&numbers[..numbers.len().min(count - made.len())]);
        }
        made
    }

    fn halved(&mut self, count: usize, from: &Vec<f32>, other: Option<&Vec<f32>>) -> Vec<f32> {
        let mut made: Vec<f32> = Vec::with_capacity(count);
        while made.len() < count {
            let (done, some) = (made.len(), from.len().min(count - made.len()));
            match other {
                None => made.extend(from[..some].iter().map(|x| next(*x))),
                Some(other) => {
                    made.extend(from[..some].iter().zip(&other[done..]).map(|(grad, layer)| back(*grad, *layer)))
                }
            }
        }
        made
    }

    fn numbers<'a>(&'a self, tensor: &'a Vec<f32>) -> &'a [f32] {
        tensor
    }

    fn give(&mut self, tensor: Vec<f32>) {
        drop(tensor);
    }
}

/// Parts of one block.
#[derive(Default)]
pub(super) struct Pool {
    memory: Vec<f32>,
    /// Free parts, by their places; no two of them touch.
    free: Vec<Range<usize>>,
}

/// A part of the block, of which the tensor has the first numbers.
pub(super) struct Part {
    all: Range<usize>,
    count: usize,
}

impl Part {
    fn used(&self) -> Range<usize> {
        self.all.start..self.all.start + self.count
    }
}

impl Pool {
    /// The smallest free part that is large enough; where there is none, the block grows behind its last free part.
    fn take(&mut self, count: usize) -> Part {
        let size = count.next_multiple_of(LINE);
        let fits = self.free.iter().enumerate().filter(|(_, part)| part.len() >= size);
        let best = fits.min_by_key(|(_, part)| part.len()).map(|(place, _)| place);
        let place = best.unwrap_or_else(|| self.grown(size));
        let part = &mut self.free[place];
        let all = part.start..part.start + size;
        part.start = all.end;
        if part.start == part.end {
            self.free.remove(place);
        }
        Part { all, count }
    }

    /// Lets the last free part end with the block, with room for so many numbers.
    fn grown(&mut self, size: usize) -> usize {
        let end = self.memory.len();
        if self.free.last().is_none_or(|last| last.end < end) {
            self.free.push(end..end);
        }
        let place = self.free.len() - 1;
        self.free[place].end = self.free[place].start + size;
        self.memory.resize(self.free[place].end, 0.0);
        place
    }

    /// Takes a part back, and joins it with its neighbours.
    fn put(&mut self, part: Range<usize>) {
        let place = self.free.partition_point(|free| free.start < part.start);
        self.free.insert(place, part);
        if self.free.get(place + 1).is_some_and(|behind| behind.start == self.free[place].end) {
            self.free[place].end = self.free.remove(place + 1).end;
        }
        if place > 0 && self.free[place - 1].end == self.free[place].start {
            self.free[place - 1].end = self.free.remove(place).end;
        }
    }
}

impl Memory for Pool {
    type Tensor = Part;

    fn repeated(&mut self, count: usize, numbers: &[f32]) -> Part {
        let part = self.take(count);
        repeat(&mut self.memory[part.used()], numbers, |to, number| *to = number);
        part
    }

    fn halved(&mut self, count: usize, from: &Part, other: Option<&Part>) -> Part {
        let part = self.take(count);
        // A part of no numbers touches no other, and no two tensors share a number.
        let beside = other.map_or(0..0, Part::used);
        let Ok([to, from, beside]) = self.memory.get_disjoint_mut([part.used(), from.used(), beside]) else {
            return part;
        };
        halve(to, from, other.is_some().then_some(&*beside), |to, number| *to = number);
        part
    }

    fn numbers<'a>(&'a self, tensor: &'a Part) -> &'a [f32] {
        &self.memory[tensor.used()]
    }

    fn give(&mut self, tensor: Part) {
        self.put(tensor.all);
    }

    fn metrics(&self, most_live: usize, _grown_bytes: Option<f64>) -> Vec<Metric> {
        let (held, live) = (self.memory.len() as f64, most_live as f64);
        let bytes = held * size_of::<f32>() as f64;
        vec![
            Metric::measured("pool_bytes", bytes, "bytes"),
            Metric::measured("fragmentation_share", 1.0 - live / held.max(live), "share"),
        ]
    }
}

/// Faults of this process so far that needed no disk; 0 where the system does not tell (proc_pid_stat(5), field 10).
pub(super) fn page_faults() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program may hold spaces; behind its bracket comes field 3.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    behind.split_whitespace().nth(7).and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// A loop of steps.
struct Batches<M: Memory> {
    params: VariableBatchesParams,
    batches: Vec<usize>,
    input: Array,
    memory: M,
    /// Tensors that wait for the way back.
    layers: Vec<M::Tensor>,
    grads: Vec<f32>,
    done: usize,
    faults: f64,
    /// What is resident more than before the first loop.
    resident: Resident,
}

impl Allocating for VariableBatches {
    fn largest(params: &VariableBatchesParams) -> usize {
        params.batches().into_iter().map(|batch| params.count(batch, 2)).max().unwrap_or(0)
    }

    fn prepared<M: Memory + 'static>(
        name: &'static str,
        setting: &Setting,
        params: &VariableBatchesParams,
        inputs: &Inputs,
        memory: M,
    ) -> Box<dyn Subject> {
        let batches = Batches {
            params: params.clone(),
            batches: params.batches(),
            input: inputs.get("input").clone(),
            memory,
            layers: Vec::with_capacity(params.layers + 1),
            grads: vec![0.0; params.steps * params.width],
            done: 0,
            faults: 0.0,
            resident: Resident::watch(),
        };
        Box::new(Looping::new(name, setting, &VariableBatches::steps(params), batches))
    }
}

impl<M: Memory> Loop for Batches<M> {
    fn begin(&mut self) {
        self.done = 0;
        self.faults = page_faults();
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let Self { params, memory, layers, .. } = self;
        let batch = self.batches[self.done];
        layers.push(memory.repeated(params.count(batch, 0), self.input.of::<f32>()));
        for layer in 0..params.layers {
            let made = memory.halved(params.count(batch, layer + 1), &layers[layer], None);
            layers.push(made);
        }
        // The last layer is its own gradient.
        let mut grad = layers.pop();
        while let (Some(after), Some(layer)) = (grad.take(), layers.pop()) {
            let count = memory.numbers(&layer).len();
            grad = Some(memory.halved(count, &after, Some(&layer)));
            memory.give(after);
            memory.give(layer);
            if layers.is_empty() {
                break;
            }
        }
        if let Some(grad) = grad {
            let to = &mut self.grads[self.done * params.width..][..params.width];
            to.copy_from_slice(&memory.numbers(&grad)[..params.width]);
            memory.give(grad);
        }
        let faults = page_faults();
        values.iter_mut().for_each(|value| *value = faults - self.faults);
        self.faults = faults;
        self.done += 1;
        Ok(Step { tokens: 0, more: self.done < params.steps })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(vec![self.params.steps, self.params.width], &self.grads)])
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
        self.memory.metrics(self.params.most_live(), self.resident.used().resident.map(|bytes| bytes as f64))
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::DType;

    use super::*;

    #[test]
    fn parts_are_the_smallest_that_fit_and_join_their_neighbours() {
        let mut pool = Pool::default();
        let parts = [48, 16, 32, 16].map(|count| pool.take(count));
        assert_eq!((pool.memory.len(), pool.free.len()), (112, 0));
        let [first, second, third, fourth] = parts;
        pool.give(first);
        pool.give(third);
        assert_eq!(pool.free, [0..48, 64..96]);
        // Of two that fit, the smaller one; what is left of it stays.
        let small = pool.take(17);
        assert_eq!((small.all.clone(), small.used()), (64..96, 64..81));
        let smaller = pool.take(1);
        assert_eq!((smaller.all.clone(), &pool.free[..]), (0..16, &[16..48][..]));
        pool.give(second);
        assert_eq!(pool.free, [16..64], "joined with the one before");
        pool.give(smaller);
        pool.give(small);
        assert_eq!(pool.free, [0..96], "joined on both sides");
        pool.give(fourth);
        assert_eq!(pool.free, [0..112]);
        // What does not fit grows behind the last part.
        assert_eq!(pool.take(200).all, 0..208);
        assert_eq!((pool.memory.len(), pool.free.len()), (208, 0));
    }

    #[test]
    fn a_pool_keeps_its_size_from_loop_to_loop_and_hardly_more_than_is_needed_at_once() {
        let params = VariableBatchesParams { batch: 16, width: 64, layers: 8, steps: 40, trace: 1 };
        let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let inputs = <VariableBatches as benchbook_core::Problem>::inputs(&params, 3);
        let mut subject = VariableBatches::prepared("pool", &setting, &params, &inputs, Pool::default());
        let mut told = || {
            subject.run(1);
            subject.sync().unwrap();
            subject.metrics().iter().map(|metric| metric.value).collect::<Vec<f64>>()
        };
        let first = told();
        assert_eq!(told(), first);
        // The trace is fixed, and so is what it leaves unused.
        assert!((0.0..0.5).contains(&first[1]) && first[0] >= 4.0 * params.most_live() as f64, "{first:?}");
    }

    #[test]
    fn every_memory_gives_the_same_gradients_and_says_what_it_leaves_unused() {
        let params = VariableBatchesParams { batch: 8, width: 1000, layers: 5, steps: 6, trace: 3 };
        let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 1, copies: 1 };
        let inputs = <VariableBatches as benchbook_core::Problem>::inputs(&params, 3);
        let run = |mut subject: Box<dyn Subject>| {
            subject.run(1);
            subject.sync().unwrap();
            let share = subject.metrics().into_iter().find(|metric| metric.name == "fragmentation_share");
            (subject.outputs().unwrap(), share.map(|metric| metric.value))
        };
        let [(pool, of_pool), (allocator, of_allocator)] = [
            run(VariableBatches::prepared("pool", &setting, &params, &inputs, Pool::default())),
            run(VariableBatches::prepared("allocator", &setting, &params, &inputs, Allocator)),
        ];
        assert_eq!(pool, allocator);
        assert!(of_pool.is_some());
        // Where the system watches no memory, nothing is said of it.
        assert!(of_allocator.is_none_or(|share| (0.0..=1.0).contains(&share)), "{of_allocator:?}");
    }

    #[test]
    fn faults_are_counted() {
        let before = page_faults();
        // Untouched, and larger than what any allocator keeps.
        let mut numbers = vec![0_u8; 64 << 20];
        numbers.iter_mut().step_by(4096).for_each(|number| *number = 1);
        std::hint::black_box(&numbers);
        // Of 16,384 pages of 4 KiB, or 32 of 2 MiB.
        assert!(page_faults() - before >= 32.0);
    }
}
