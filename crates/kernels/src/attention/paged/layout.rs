//! How long the sequences of a case are, and which blocks they have.

use benchbook_core::{HostArray, Params};

/// The pool has this many blocks for every four in use: the others belong to nobody, as between two requests.
const SPARE: [usize; 2] = [5, 4];

/// The golden ratio's fraction: multiples of it, modulo one, spread evenly however many there are.
const SPREAD: f64 = 0.618_033_988_749_895;

/// Keys of each sequence: from a quarter of the context to all of it, spread evenly, the first one whole.
///
/// They follow from the case alone, so that its work does.
pub fn lengths(params: &Params) -> Vec<usize> {
    let (batch, context) = (params.size("batch"), params.size("context"));
    let part = |sequence: usize| 1.0 - 0.75 * (sequence as f64 * SPREAD).fract();
    (0..batch).map(|sequence| ((context as f64 * part(sequence)).round() as usize).clamp(1, context)).collect()
}

/// Blocks that a case uses, and blocks of its pool.
pub fn blocks(params: &Params) -> [usize; 2] {
    let used = lengths(params).iter().map(|length| length.div_ceil(params.size("block"))).sum::<usize>();
    [used, (used * SPARE[0]).div_ceil(SPARE[1])]
}

/// Entries of the table for each sequence.
pub fn entries(params: &Params) -> usize {
    params.size("context").div_ceil(params.size("block"))
}

/// `[batch, entries]`: blocks of the pool in an order drawn by `seed`, −1 behind the last of each sequence.
pub fn table(params: &Params, seed: u64) -> Vec<f32> {
    let [_, pool] = blocks(params);
    let mut order: Vec<usize> = (0..pool).collect();
    let draws = HostArray::normal(vec![pool], seed, 4).data;
    order.sort_by(|a, b| draws[*a].total_cmp(&draws[*b]));
    let mut free = order.into_iter();
    let row = |length: usize| {
        let needed = length.div_ceil(params.size("block"));
        let mut row: Vec<f32> = free.by_ref().take(needed).map(|block| block as f32).collect();
        row.resize(entries(params), -1.0);
        row
    };
    lengths(params).into_iter().flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use benchbook_core::Value;
    use std::collections::BTreeSet;

    #[test]
    fn every_sequence_has_blocks_of_its_own() {
        let sizes = [("batch", 7), ("context", 100), ("block", 16)];
        let params = sizes.into_iter().fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(size)));
        let lengths = lengths(&params);
        assert_eq!(lengths[0], 100);
        assert!(lengths.iter().all(|length| (25..=100).contains(length)), "{lengths:?}");
        let [used, pool] = blocks(&params);
        let table = table(&params, 3);
        assert_eq!(table.len(), 7 * 7);
        let given: Vec<usize> = table.iter().filter(|entry| **entry >= 0.0).map(|entry| *entry as usize).collect();
        assert_eq!(given.len(), used);
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), used, "no block has two owners");
        assert!(given.iter().all(|block| *block < pool) && pool > used);
    }
}
