//! Where a sequence's keys and values lie.

use std::ops::Range;

use super::Heads;
use crate::error::{Error, Result, expect_len};

/// Blocks of keys and values, listed for each sequence (PagedAttention: Kwon et al., arXiv 2309.06180, section 4.1).
#[derive(Debug, Clone, Copy)]
pub struct Paged<'a> {
    /// Keys of a block.
    pub block: usize,
    /// `[batch, most_blocks]`: which block of the pool holds each stretch of a sequence; negative where there is none.
    pub table: &'a [i32],
    /// `[batch]`: keys of each sequence.
    pub lengths: &'a [usize],
}

/// Keys and values as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub enum Cache<'a> {
    /// `[batch, kv_heads, seq_kv, head_dim]`
    Contiguous,
    /// A pool `[blocks, kv_heads, block, head_dim]` and who has which of its blocks.
    Paged(Paged<'a>),
}

impl Cache<'_> {
    /// Refuses keys of `numbers` numbers, or a table, that do not hold every key of every sequence.
    ///
    /// # Errors
    /// What is wrong, with the sequence and the place in its table.
    pub fn check(&self, heads: &Heads, numbers: usize) -> Result<()> {
        let Self::Paged(Paged { block, table, lengths }) = self else {
            return expect_len("key", &heads.key(), numbers);
        };
        let (block, each) = (*block, heads.kv_heads * *block * heads.head_dim);
        if block == 0 {
            return Err(Error::Shape("blocks of 0 keys hold nothing".into()));
        }
        if !numbers.is_multiple_of(each) {
            let shape = [heads.kv_heads, block, heads.head_dim];
            return Err(Error::Shape(format!("a pool of {numbers} numbers is no whole number of blocks {shape:?}")));
        }
        expect_len("the lengths", &[heads.batch], lengths.len())?;
        let most = table.len() / heads.batch.max(1);
        expect_len("the block table", &[heads.batch, most], table.len())?;
        let blocks = numbers / each;
        for (sequence, length) in lengths.iter().enumerate() {
            let needed = length.div_ceil(block);
            if *length > heads.seq_kv || needed > most {
                let room = heads.seq_kv.min(most * block);
                return Err(Error::Shape(format!("sequence {sequence} has {length} keys, there is room for {room}")));
            }
            for (place, entry) in table[sequence * most..][..needed].iter().enumerate() {
                if usize::try_from(*entry).is_ok_and(|entry| entry < blocks) {
                    continue;
                }
                let what = if *entry < 0 { "a hole".to_owned() } else { format!("block {entry}") };
                return Err(Error::Shape(format!(
                    "the block table of sequence {sequence} has {what} at {place}: its {length} keys need {needed} of \
                     the pool's {blocks} blocks of {block}"
                )));
            }
        }
        Ok(())
    }

    /// Keys of a sequence.
    pub(super) fn length(&self, heads: &Heads, sequence: usize) -> usize {
        match self {
            Self::Contiguous => heads.seq_kv,
            Self::Paged(paged) => paged.lengths[sequence],
        }
    }

    /// Key heads of a sequence that are read side by side, since they lie so.
    pub(super) fn heads_together(&self, heads: &Heads) -> usize {
        match self {
            Self::Contiguous => 1,
            Self::Paged(_) => heads.kv_heads,
        }
    }

    /// Numbers of the keys `keys` of a head, as many of the first as lie together, and how many they are.
    pub(super) fn run(&self, heads: &Heads, sequence: usize, head: usize, keys: Range<usize>) -> (Range<usize>, usize) {
        let d = heads.head_dim;
        let (first, together) = match self {
            Self::Contiguous => ((sequence * heads.kv_heads + head) * heads.seq_kv + keys.start, keys.len()),
            Self::Paged(Paged { block, table, lengths }) => {
                let most = table.len() / lengths.len();
                let entry = table[sequence * most + keys.start / block] as usize;
                let inside = keys.start % block;
                ((entry * heads.kv_heads + head) * block + inside, keys.len().min(block - inside))
            }
        };
        (first * d..(first + together) * d, together)
    }
}
