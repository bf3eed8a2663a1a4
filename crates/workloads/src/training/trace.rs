//! A trace of allocations, replayed: blocks of memory that training took and gave back.

use std::collections::{BTreeMap, BTreeSet};

use benchbook_core::{
    Answer, Array, Check, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work,
};

use super::VariableBatchesParams;

/// Blocks that come and go as in training on batches whose size varies, read from a record of it: each is filled where it is taken, and its
/// first numbers are read where it is given back. As it is, the record is that of our own training of a GPT-2
/// (`datasets/allocations.csv`, by `benchbook-worker record-allocations`); the seeded one has the blocks of
/// [`VariableBatches`](super::VariableBatches).
///
/// Input: `input` `[1, width]`, which blocks repeat. Output: `sums` `[steps, width]`: of the blocks that were given back in a step, the
/// sums of their first numbers; a shorter block adds to fewer.
pub struct AllocationTrace;

/// Where blocks come from.
const SEEDED: &str = "seeded";
const RECORDED: &str = "recorded";
const NAMES: [&str; 2] = [SEEDED, RECORDED];

benchbook_core::parameters! {
    /// Parameters of [`AllocationTrace`].
    pub struct AllocationTraceParams {
        /// the trace: drawn from a seed, or recorded
        origin: String = SEEDED.to_owned(), NAMES;
        /// numbers of the input
        width: usize = 1024, 1..=1 << 20;
    }
}

/// What was recorded: lines of what was done, the number of the block, and its numbers of four bytes.
const RECORD: &str = include_str!("../../../../datasets/allocations.csv");

/// What happens to a block, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is taken, with so many numbers.
    Take(usize, usize),
    /// It is given back.
    Give(usize),
}

/// The event of a line, or the end of a step.
fn read(line: &str) -> Result<Option<Event>, String> {
    let words: Vec<&str> = line.split(',').collect();
    let number = |place: usize| -> Result<usize, String> {
        let word = words.get(place).and_then(|word| word.parse().ok());
        word.ok_or_else(|| format!("`{line}` has no number in column {}", place + 1))
    };
    match words[0] {
        "step" => Ok(None),
        "take" => Ok(Some(Event::Take(number(1)?, number(2)?))),
        "give" => Ok(Some(Event::Give(number(1)?))),
        _ => Err(format!("`{line}` is neither take, give nor step")),
    }
}

/// The steps of a record, each block of which is taken once, holds a number at least, and is given back later; nothing where none was
/// recorded.
///
/// # Errors
/// A line that is none, or a block that comes or goes twice, in words.
pub fn steps_of_record(text: &str) -> Result<Vec<Vec<Event>>, String> {
    let mut steps = vec![Vec::new()];
    let mut live = BTreeSet::new();
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let Some(event) = read(line)? else {
            steps.push(Vec::new());
            continue;
        };
        let fits = match event {
            Event::Take(block, numbers) => numbers > 0 && live.insert(block),
            Event::Give(block) => live.remove(&block),
        };
        if !fits {
            return Err(format!("`{line}`: the block is there already, is not there, or holds nothing"));
        }
        steps.last_mut().into_iter().for_each(|step| step.push(event));
    }
    if !live.is_empty() {
        return Err(format!("{} blocks are never given back", live.len()));
    }
    steps.retain(|step| !step.is_empty());
    Ok(steps)
}

/// The blocks of variable batches as a trace.
fn seeded() -> Vec<Vec<Event>> {
    let sizes = VariableBatchesParams::default();
    let mut next = 0;
    let mut steps = Vec::new();
    for batch in sizes.batches() {
        let mut step = Vec::new();
        let mut take = |step: &mut Vec<Event>, layer: usize| {
            step.push(Event::Take(next, sizes.count(batch, layer)));
            next += 1;
            next - 1
        };
        let mut layers: Vec<usize> = (0..=sizes.layers).map(|layer| take(&mut step, layer)).collect();
        let mut after = layers.pop();
        while let (Some(gradient), Some(block)) = (after, layers.pop()) {
            after = Some(take(&mut step, layers.len()));
            step.extend([Event::Give(gradient), Event::Give(block)]);
        }
        step.extend(after.map(Event::Give));
        steps.push(step);
    }
    steps
}

impl AllocationTraceParams {
    /// What happens, step by step. Of a record that is none, nothing: such a case is refused.
    pub fn events(&self) -> Vec<Vec<Event>> {
        if self.origin == RECORDED { steps_of_record(RECORD).unwrap_or_default() } else { seeded() }
    }

    /// Numbers of all blocks at once, at most.
    pub fn most_live(&self) -> usize {
        let mut sizes = BTreeMap::new();
        let (mut live, mut most) = (0, 0);
        for event in self.events().into_iter().flatten() {
            match event {
                Event::Take(block, numbers) => {
                    sizes.insert(block, numbers);
                    live += numbers;
                }
                Event::Give(block) => live -= sizes.remove(&block).unwrap_or(0),
            }
            most = most.max(live);
        }
        most
    }

    /// Numbers of each block that is taken.
    pub fn taken(&self) -> Vec<usize> {
        let of = |event: Event| match event {
            Event::Take(_, numbers) => Some(numbers),
            Event::Give(_) => None,
        };
        self.events().into_iter().flatten().filter_map(of).collect()
    }
}

impl AllocationTrace {
    /// The loop of a case.
    pub fn steps(params: &AllocationTraceParams) -> StepsOf {
        let values = vec![("page_faults".to_owned(), "count".to_owned())];
        StepsOf { most: params.events().len().max(1), tokens: None, values }
    }
}

impl Problem for AllocationTrace {
    const NAME: &'static str = "allocation-trace";
    const ABOUT: &'static str =
        "blocks of memory, taken and given back as in a record of training on batches of many sizes";
    type Params = AllocationTraceParams;

    fn presets() -> Vec<Preset> {
        let seeded = Params::default().with("origin", SEEDED.into());
        vec![
            Preset { name: "quick", cases: vec![seeded.clone()] },
            Preset { name: "default", cases: vec![seeded.with("width", Value::Int(4096))] },
        ]
    }

    fn ugly() -> Vec<AllocationTraceParams> {
        let of = |width: usize| AllocationTraceParams { origin: SEEDED.to_owned(), width };
        [1, 17, 5000].map(of).into()
    }

    fn check(params: &AllocationTraceParams) -> Result<(), (&'static str, String)> {
        if params.origin != RECORDED {
            return Ok(());
        }
        let told = |why: &str| {
            let how = "`benchbook-worker record-allocations > datasets/allocations.csv` and a build record it anew";
            Err(("origin", format!("{why}: {how}; {SEEDED} is there")))
        };
        match steps_of_record(RECORD) {
            Ok(steps) if steps.is_empty() => told("nothing has been recorded yet"),
            Ok(_) => Ok(()),
            Err(why) => told(&why),
        }
    }

    fn label(params: &AllocationTraceParams) -> String {
        format!("{} w{}", params.origin, params.width)
    }

    fn task(params: &AllocationTraceParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &AllocationTraceParams, seed: u64) -> Inputs {
        Inputs::from([("input", Array::normal(vec![1, params.width], seed, 1))])
    }

    fn reference(params: &AllocationTraceParams, inputs: &Inputs, _seed: u64) -> Reference {
        let input = inputs.numbers("input");
        let steps = params.events();
        let mut sizes = BTreeMap::new();
        let mut values = Vec::with_capacity(steps.len() * params.width);
        for step in &steps {
            let mut given = Vec::new();
            for event in step {
                match *event {
                    Event::Take(block, numbers) => {
                        sizes.insert(block, numbers);
                    }
                    Event::Give(block) => given.extend(sizes.remove(&block)),
                }
            }
            let times = |place: usize| given.iter().filter(|numbers| **numbers > place).count() as f64;
            values.extend(input.iter().enumerate().map(|(place, number)| times(place) * f64::from(*number)));
        }
        let answer = Answer {
            name: "sums".into(),
            shape: vec![steps.len(), params.width],
            rows: (0..steps.len()).collect(),
            values,
            check: Check::Near,
        };
        Reference { answers: vec![answer] }
    }

    /// A sum for each number that is read of a block, all of whose numbers are written.
    fn work(params: &AllocationTraceParams, dtype: DType) -> Work {
        let taken = params.taken();
        let read: usize = taken.iter().map(|numbers| params.width.min(*numbers)).sum();
        let written: usize = taken.iter().sum();
        Work { flops: read as f64, bytes: ((written + read) * dtype.bytes()) as f64 }
    }

    fn tolerance(_params: &AllocationTraceParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::super::VariableBatches;
    use super::*;

    #[test]
    fn the_committed_record_is_one_or_empty() {
        assert!(RECORD.starts_with("event,block,numbers\n"), "its head says what stands in it");
        let steps = steps_of_record(RECORD).unwrap();
        let params = AllocationTraceParams { origin: RECORDED.to_owned(), width: 1 };
        assert_eq!(AllocationTrace::check(&params).is_err(), steps.is_empty());
    }

    #[test]
    fn a_record_is_read_step_by_step_and_refused_where_it_is_none() {
        let head = "event,block,numbers\n";
        let read = |lines: &str| steps_of_record(&format!("{head}{lines}"));
        let found = read("take,0,5\ntake,1,7\nstep,,\ngive,0,\ngive,1,\n").unwrap();
        assert_eq!(found, [vec![Event::Take(0, 5), Event::Take(1, 7)], vec![Event::Give(0), Event::Give(1)]]);
        assert_eq!(read(""), Ok(Vec::new()));
        let wrong = ["take,0,5\n", "give,0,\n", "take,0,0\n", "take,0,5\ntake,0,5\n", "keep,0,1\n", "take,x,1\n"];
        assert!(wrong.iter().all(|lines| read(lines).is_err()));
    }

    #[test]
    fn the_seeded_trace_has_the_blocks_of_variable_batches() {
        let (params, sizes) = (AllocationTraceParams::default(), VariableBatchesParams::default());
        assert_eq!(params.events().len(), sizes.steps);
        assert_eq!(params.most_live(), sizes.most_live());
        // Of each step nine layers, and eight gradients behind the last layer, which is its own.
        assert_eq!(params.taken().len(), sizes.steps * 17);
        assert_eq!(VariableBatches::steps(&sizes).most, AllocationTrace::steps(&params).most);
    }
}
