//! Which rows each expert computes: those of the tokens that chose it, or of all.

use std::ops::Range;

use super::product::MOST_ROWS;
use crate::error::{Error, Result, expect_len};

/// What a router has decided of some tokens.
#[derive(Debug, Clone, Copy)]
pub struct Routed<'a> {
    /// Tokens.
    pub tokens: usize,
    /// Experts among which was chosen.
    pub experts: usize,
    /// Experts of a token.
    pub chosen: usize,
    /// Experts after those, which every token takes with a weight of 1.
    pub shared: usize,
    /// `[tokens, chosen]`: experts.
    pub ids: &'a [i32],
    /// `[tokens, chosen]`: what they count.
    pub weights: &'a [f32],
    /// `[tokens, chosen]`: 0 where a choice is dropped; without it, none is.
    pub kept: Option<&'a [u8]>,
}

/// Tokens that an expert takes at most, see [`Dispatch::admit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Tokens of an expert at most.
    pub slots: usize,
    /// Who gets them.
    pub priority: Priority,
}

/// Which tokens of an expert come before others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Those that stand first.
    Position,
    /// Those with the largest logits for this expert, of equals those that stand first.
    Logit,
}

/// Rows of one expert that are computed together.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub expert: usize,
    pub rows: Range<usize>,
}

/// Rows of experts, and what becomes of them. It keeps its memory from call to call.
#[derive(Debug, Default)]
pub struct Dispatch {
    tokens: usize,
    experts: usize,
    /// The token of each row; those of an expert lie together.
    rows: Vec<usize>,
    blocks: Vec<Block>,
    /// Rows that a token takes at most.
    each: usize,
    /// `[tokens, each]`: rows and what they count, those of lower experts first.
    places: Vec<(usize, f32)>,
    /// `[tokens]`: how many of its places a token has.
    taken: Vec<usize>,
    /// Rows that other choices of as many tokens can make.
    most: usize,
    /// Room for what is grouped: where groups begin, and their members.
    starts: Vec<usize>,
    members: Vec<usize>,
}

impl Routed<'_> {
    /// Refuses lists of the wrong length, and experts that there are not.
    fn check(&self) -> Result<()> {
        let Self { tokens, experts, chosen, ids, weights, kept, .. } = *self;
        expect_len("the experts chosen", &[tokens, chosen], ids.len())?;
        expect_len("their weights", &[tokens, chosen], weights.len())?;
        kept.map_or(Ok(()), |kept| expect_len("what is kept", &[tokens, chosen], kept.len()))?;
        check_ids(ids, experts)
    }
}

/// Refuses experts that there are not.
pub(super) fn check_ids(ids: &[i32], experts: usize) -> Result<()> {
    match ids.iter().find(|id| !usize::try_from(**id).is_ok_and(|id| id < experts)) {
        Some(id) => Err(Error::Shape(format!("expert {id} was chosen, there are {experts}"))),
        None => Ok(()),
    }
}

impl Dispatch {
    /// Each expert computes the rows of the tokens that chose it and were kept, as sorted by expert, tokens in their order (Gale et
    /// al., MegaBlocks, arXiv 2211.15841, section 5).
    ///
    /// # Errors
    /// Lists of the wrong length, experts that there are not.
    pub fn sorted(&mut self, routed: &Routed) -> Result<()> {
        self.plan(routed, false)
    }

    /// Every expert computes the rows of all tokens, whoever chose it.
    ///
    /// # Errors
    /// As of [`Self::sorted`].
    pub fn dense(&mut self, routed: &Routed) -> Result<()> {
        self.plan(routed, true)
    }

    fn plan(&mut self, routed: &Routed, dense: bool) -> Result<()> {
        routed.check()?;
        let Routed { tokens, experts, chosen, shared, ids, weights, kept } = *routed;
        let (all, each, first_shared) = (experts + shared, chosen + shared, tokens * chosen);
        let is_kept = |place: &usize| kept.is_none_or(|kept| kept[*place] != 0);
        // What a member is: a place in the list of choices, or behind that a token of a shared expert.
        let of_choices = (0..first_shared).filter(is_kept).map(|place| (ids[place] as usize, place));
        let of_shared = (0..shared * tokens).map(|next| (experts + next / tokens, first_shared + next % tokens));
        self.group(of_choices.chain(of_shared), all, tokens * each);

        (self.tokens, self.experts, self.each) = (tokens, all, each);
        self.most = tokens * if dense { all } else { each };
        let rows = if dense { self.most } else { self.members.len() };
        refilled(&mut self.rows, rows, self.most, 0);
        refilled(&mut self.places, tokens * each, tokens * each, (0, 0.0));
        refilled(&mut self.taken, tokens, tokens, 0);
        self.blocks.clear();
        self.blocks.reserve(all + self.most / MOST_ROWS);
        for expert in 0..all {
            let mine = self.starts[expert]..self.starts[expert + 1];
            let own = if dense { expert * tokens..(expert + 1) * tokens } else { mine.clone() };
            if dense {
                self.rows[own.clone()].iter_mut().enumerate().for_each(|(token, row)| *row = token);
            }
            for (row, member) in mine.clone().zip(&self.members[mine.clone()]) {
                let (token, weight) = match member.checked_sub(first_shared) {
                    Some(token) => (token, 1.0),
                    None => (member / chosen, weights[*member]),
                };
                let row = if dense { own.start + token } else { row };
                self.rows[row] = token;
                self.places[token * each + self.taken[token]] = (row, weight);
                self.taken[token] += 1;
            }
            let blocks = own.clone().step_by(MOST_ROWS).map(|row| row..own.end.min(row + MOST_ROWS));
            self.blocks.extend(blocks.map(|rows| Block { expert, rows }));
        }
        Ok(())
    }

    /// Which choices `ids` `[tokens, chosen]` have a slot of their expert: 1 in `kept`, and 0 where one is dropped. Of an expert's
    /// tokens, as many as there are slots are kept, by their priority.
    ///
    /// # Errors
    /// Lists of the wrong length, experts that there are not.
    pub fn admit(
        &mut self,
        Capacity { slots, priority }: Capacity,
        [experts, chosen]: [usize; 2],
        logits: &[f32],
        ids: &[i32],
        kept: &mut [u8],
    ) -> Result<()> {
        let tokens = ids.len().checked_div(chosen).unwrap_or(0);
        expect_len("the experts chosen", &[tokens, chosen], ids.len())?;
        expect_len("what is kept", &[tokens, chosen], kept.len())?;
        if chosen == 0 {
            return Ok(());
        }
        expect_len("the logits", &[tokens, experts], logits.len())?;
        check_ids(ids, experts)?;
        self.group(ids.iter().enumerate().map(|(place, id)| (*id as usize, place)), experts, ids.len());
        for expert in 0..experts {
            let mine = &mut self.members[self.starts[expert]..self.starts[expert + 1]];
            // What is added makes zeros of both signs equal.
            let logit = |place: &usize| logits[place / chosen * experts + expert] + 0.0;
            if priority == Priority::Logit && mine.len() > slots {
                mine.sort_unstable_by(|a, b| logit(b).total_cmp(&logit(a)).then(a.cmp(b)));
            }
            for (slot, place) in mine.iter().enumerate() {
                kept[*place] = u8::from(slot < slots);
            }
        }
        Ok(())
    }

    /// Sorts members by their groups, those of a group in their order. There are `most` members at most.
    fn group(&mut self, members: impl Iterator<Item = (usize, usize)> + Clone, groups: usize, most: usize) {
        let starts = &mut self.starts;
        refilled(starts, groups + 1, groups + 1, 0);
        members.clone().for_each(|(group, _)| starts[group + 1] += 1);
        (0..groups).for_each(|group| starts[group + 1] += starts[group]);
        refilled(&mut self.members, starts[groups], most, 0);
        for (group, member) in members {
            self.members[starts[group]] = member;
            starts[group] += 1;
        }
        // Each has moved to its end, which is where the next one begins.
        starts.copy_within(..groups, 1);
        starts[0] = 0;
    }

    /// Tokens.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Experts, shared ones included.
    pub(super) fn experts(&self) -> usize {
        self.experts
    }

    /// Rows at most that as many tokens can make.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Blocks of rows, one after another.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The tokens of rows.
    pub(super) fn tokens_of(&self, rows: Range<usize>) -> &[usize] {
        &self.rows[rows]
    }

    /// Where they are sorted, the rows of an expert.
    pub(super) fn rows_of(&self, expert: usize) -> Range<usize> {
        self.starts[expert]..self.starts[expert + 1]
    }

    /// Where they are sorted, what rows are: places in the list of choices, and behind these tokens of shared experts.
    pub(super) fn choices_of(&self, rows: Range<usize>) -> &[usize] {
        &self.members[rows]
    }

    /// Rows of a token and what they count, those of lower experts first.
    pub(super) fn places(&self, token: usize) -> &[(usize, f32)] {
        &self.places[token * self.each..][..self.taken[token]]
    }
}

/// Makes a list one of `length` times the same, with room for `most`, so that it does not grow where another call needs more.
fn refilled<T: Clone>(list: &mut Vec<T>, length: usize, most: usize, value: T) {
    list.clear();
    list.reserve(most.max(length));
    list.resize(length, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of each block, with its expert.
    fn blocks(dispatch: &Dispatch) -> Vec<(usize, Vec<usize>)> {
        let of = |block: &Block| (block.expert, dispatch.tokens_of(block.rows.clone()).to_vec());
        dispatch.blocks().iter().map(of).collect()
    }

    #[test]
    fn rows_are_sorted_by_expert_and_tokens_keep_their_order() {
        let mut dispatch = Dispatch::default();
        let weights = [0.5, 0.25, 0.75, 0.125, 1.0, 2.0];
        let routed = Routed {
            tokens: 3,
            experts: 4,
            chosen: 2,
            shared: 1,
            ids: &[3, 0, 0, 1, 3, 1],
            weights: &weights,
            kept: Some(&[1, 1, 1, 0, 1, 1]),
        };
        dispatch.sorted(&routed).unwrap();
        let wanted = [(0, vec![0, 1]), (1, vec![2]), (3, vec![0, 2]), (4, vec![0, 1, 2])];
        assert_eq!(blocks(&dispatch), wanted, "nobody goes to the third");
        assert_eq!(dispatch.places(0), [(0, 0.25), (3, 0.5), (5, 1.0)], "by expert, not by rank");
        assert_eq!(dispatch.places(1), [(1, 0.75), (6, 1.0)], "its second choice is dropped");
        dispatch.dense(&routed).unwrap();
        assert_eq!(blocks(&dispatch), [0, 1, 2, 3, 4].map(|expert| (expert, vec![0, 1, 2])));
        assert_eq!(dispatch.places(2), [(5, 2.0), (11, 1.0), (14, 1.0)]);
        let strange = Routed { ids: &[3, 0, 0, 4, 3, 1], ..routed };
        let said = dispatch.sorted(&strange).unwrap_err().to_string();
        assert_eq!(said, "expert 4 was chosen, there are 4");
    }

    #[test]
    fn slots_go_to_those_that_come_first() {
        let mut dispatch = Dispatch::default();
        // Everybody chooses expert 1, and then one of the others.
        let (ids, logits) = ([1, 0, 1, 2, 1, 0, 1, 0], [0.0, 5.0, 0.0, 0.0, 7.0, 0.0, 0.0, 5.0, 0.0, 0.0, 6.0, 0.0]);
        let mut kept = |slots: usize, priority: Priority| {
            let mut kept = [9; 8];
            dispatch.admit(Capacity { slots, priority }, [3, 2], &logits, &ids, &mut kept).unwrap();
            kept
        };
        assert_eq!(kept(2, Priority::Position), [1, 1, 1, 1, 0, 1, 0, 0]);
        assert_eq!(kept(2, Priority::Logit), [0, 1, 1, 1, 0, 1, 1, 0]);
        assert_eq!(kept(3, Priority::Logit), [1, 1, 1, 1, 0, 1, 1, 1], "of equals the one that stands first");
        assert_eq!(kept(0, Priority::Logit), [0; 8]);
        assert_eq!(kept(9, Priority::Position), [1; 8]);
    }
}
