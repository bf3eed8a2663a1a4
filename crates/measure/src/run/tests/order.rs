//! In which order a run measures, and by which numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::mock::{Asked, Call, Life, MEMORY_BYTES, Mock, Reply, Seen, cells, plan, seen, usual};
use crate::executor::{PEAK_ADDED, Prepared};
use crate::run::Cell;

/// The implementations that were asked, in order, in groups of `size` requests.
fn asked(seen: &Seen, asked: Asked, size: usize) -> Vec<Vec<&str>> {
    let calls = seen.calls.iter().filter(|call| call.asked == asked);
    let names: Vec<&str> = calls.map(|call| call.implementation.as_str()).collect();
    names.chunks(size).map(<[&str]>::to_vec).collect()
}

/// The implementations of each recorded block, by their position.
fn recorded(seen: &Seen) -> Vec<Vec<&str>> {
    let names: BTreeMap<i64, &str> = seen.trials.iter().map(|one| (one.trial, one.implementation.as_str())).collect();
    let mut blocks: BTreeMap<i64, BTreeMap<usize, &str>> = BTreeMap::new();
    for sample in &seen.samples {
        let before = blocks.entry(sample.block).or_default().insert(sample.position, names[&sample.trial]);
        assert_eq!(before, None, "two at one place of block {}", sample.block);
    }
    let numbers: Vec<i64> = blocks.keys().copied().collect();
    assert!(numbers.into_iter().eq(0..blocks.len() as i64), "blocks are numbered through");
    blocks.into_values().map(|block| block.into_values().collect()).collect()
}

#[test]
fn each_block_has_every_variant_once_in_an_order_that_follows_from_the_seed() {
    let of_seed = |seed| seen(&plan(2, 20).seed(seed), &cells(&["a", "b"], &["x", "y", "z"]), usual);
    let first = of_seed(1);
    let blocks = recorded(&first);
    assert_eq!((blocks.len(), first.summary.blocks, first.summary.samples), (80, 80, 240));
    for block in &blocks {
        let mut sorted = block.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, ["x", "y", "z"]);
    }
    assert_eq!(blocks, asked(&first, Asked::Sample, 3), "the record tells the order in which they were asked");
    // Of 80 random orders one of the six is missing with a chance of 3e-6.
    assert_eq!(blocks.iter().collect::<BTreeSet<_>>().len(), 6);
    assert_eq!(recorded(&of_seed(1)), blocks);
    assert_ne!(recorded(&of_seed(2)), blocks);
}

#[test]
fn nothing_is_told_between_two_samples_of_a_block() {
    let seen = seen(&plan(2, 20), &cells(&["a", "b"], &["x", "y", "z"]), usual);
    assert!(seen.heard.after.len() > 80, "each block is told of");
    for calls in &seen.heard.after {
        let samples = seen.calls[..*calls].iter().filter(|call| call.asked == Asked::Sample).count();
        assert_eq!(samples % 3, 0, "after {calls} requests");
    }
}

#[test]
fn variants_are_prepared_in_a_random_order_too() {
    let seen = seen(&plan(40, 1), &cells(&["a"], &["x", "y"]), usual);
    let orders: BTreeSet<Vec<&str>> = asked(&seen, Asked::Prepare, 2).into_iter().collect();
    assert_eq!(orders, BTreeSet::from([vec!["x", "y"], vec!["y", "x"]]));
}

#[test]
fn memory_is_measured_in_processes_that_start_side_by_side_before_anything_is_timed() {
    let script = |_: &Mock, call: &Call, reply: Reply| {
        let memory_elsewhere = call.implementation != "z";
        Ok(match reply {
            Reply::Prepared(prepared) => Reply::Prepared(Prepared { memory_elsewhere, ..prepared }),
            other => other,
        })
    };
    let seen = seen(&plan(6, 1), &cells(&["a"], &["x", "y", "z"]), script);
    let (begin, memory) = ([Asked::BeginMemory; 2], [Asked::Memory; 2]);
    let (before, after) = ([Asked::Prepare; 3], [[Asked::Sample; 3], [Asked::Finish; 3]].concat());
    let weighed = [&before[..], &begin[..], &memory[..], &after[..]].concat();
    let others = [&before[..], &after[..]].concat();
    let expected = [weighed.repeat(5), others].concat();
    assert_eq!(seen.calls.iter().map(|call| call.asked).collect::<Vec<_>>(), expected);
    let of_memory = seen.measures.iter().filter(|one| one.name == PEAK_ADDED);
    assert_eq!(of_memory.map(|one| one.value).collect::<Vec<_>>(), [MEMORY_BYTES as f64; 10]);
}

#[test]
fn workers_of_a_replicate_end_side_by_side_while_the_next_ones_start() {
    let seen = seen(&plan(2, 1), &cells(&["a", "b"], &["x", "y", "z"]), usual);
    let [started, let_go, dropped] = [Life::Started, Life::LetGo, Life::Dropped].map(|life| [life; 3]);
    assert_eq!(seen.lives, [started, let_go, started, dropped, let_go, dropped].concat());
}

#[test]
fn each_replicate_has_every_case_once_in_an_order_of_its_own() {
    let seen = seen(&plan(40, 1), &cells(&["a", "b"], &["x"]), usual);
    let calls = seen.calls.iter().filter(|call| call.asked == Asked::Prepare);
    let cases: Vec<&str> = calls.map(|call| call.case.as_str()).collect();
    let orders: BTreeSet<&[&str]> = cases.chunks(2).collect();
    assert_eq!(orders, BTreeSet::from([&["a", "b"][..], &["b", "a"][..]]));
    assert_eq!(seen.heard.done, 80);
}

#[test]
fn replicates_take_three_seeds_of_inputs_in_turn_the_same_for_all_variants() {
    let seen = seen(&plan(7, 1), &cells(&["a", "b"], &["x", "y"]), usual);
    let seeds = |replicate: i64| -> BTreeSet<i64> {
        seen.trials.iter().filter(|one| one.replicate == replicate).map(|one| one.input_seed).collect()
    };
    let first: Vec<BTreeSet<i64>> = (0..3).map(&seeds).collect();
    assert!(first.iter().all(|of_replicate| of_replicate.len() == 1), "{first:?}");
    assert_eq!(first.iter().flatten().collect::<BTreeSet<_>>().len(), 3, "{first:?}");
    assert!((3..7).all(|replicate| seeds(replicate) == first[replicate as usize % 3]));
}

#[test]
fn where_answers_are_judged_each_replicate_has_a_seed_of_its_own() {
    let cells: Vec<_> = cells(&["a"], &["x", "y"]).into_iter().map(|cell| Cell { seeds: u32::MAX, ..cell }).collect();
    let seen = seen(&plan(7, 1), &cells, usual);
    let pairs: BTreeSet<(i64, i64)> = seen.trials.iter().map(|one| (one.replicate, one.input_seed)).collect();
    let seeds: BTreeSet<i64> = pairs.iter().map(|(_, seed)| *seed).collect();
    assert_eq!((pairs.len(), seeds.len()), (7, 7), "the same for both variants");
}

#[test]
fn trials_are_numbered_as_the_plan_lists_them() {
    let seen = seen(&plan(3, 1), &cells(&["a", "b"], &["x", "y"]), usual);
    let place = |names: [&str; 2], name: &str| names.iter().position(|one| *one == name).unwrap() as i64;
    for one in &seen.trials {
        let (case, variant) = (place(["a", "b"], &one.case_name), place(["x", "y"], &one.implementation));
        assert_eq!(one.trial, 6 * case + 2 * one.replicate + variant, "{one:?}");
    }
    let prepared = seen.calls.iter().filter(|call| call.asked == Asked::Prepare).map(|call| call.trial);
    let prepared: Vec<i64> = prepared.collect();
    assert_eq!((prepared.len(), seen.trials.len(), seen.summary.trials), (12, 12, 12));
    assert!(!prepared.is_sorted(), "they are measured replicate by replicate");
}
