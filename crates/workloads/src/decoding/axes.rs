//! Positions of three axes, by which queries and keys are turned.

/// Where a position stands in time, row and column, and which pairs of a head each of these turns (multimodal rotary positions: Wang et
/// al., arXiv 2409.12191, section 2.1; interleaved as in Qwen3-VL, arXiv 2511.21631, section 2).
#[derive(Debug, Clone)]
pub struct Axes {
    /// The position by which each pair is turned.
    pairs: Vec<usize>,
}

impl Axes {
    /// Of a position that stands there. Pairs 1, 4, 7 and so on go by row, as many as are said to, pairs 2, 5, 8 and so on by column, and
    /// all others by time.
    pub fn at([time, row, column]: [usize; 3], sections: [usize; 3]) -> Self {
        let mut pairs = vec![time; sections.iter().sum()];
        for (first, count, place) in [(1, sections[1], row), (2, sections[2], column)] {
            pairs.iter_mut().skip(first).step_by(3).take(count).for_each(|pair| *pair = place);
        }
        Self { pairs }
    }

    /// The position by which a pair is turned.
    pub fn of(&self, pair: usize) -> usize {
        self.pairs[pair]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_take_turns_and_the_last_ones_go_by_time() {
        assert_eq!(Axes::at([7, 8, 9], [4, 2, 2]).pairs, [7, 8, 9, 7, 8, 9, 7, 7]);
        assert_eq!(Axes::at([7, 8, 9], [1, 0, 0]).pairs, [7]);
        // Those of Qwen3-VL-2B.
        let published = Axes::at([0, 1, 2], [24, 20, 20]).pairs;
        assert_eq!([0, 1, 2].map(|axis| published.iter().filter(|one| **one == axis).count()), [24, 20, 20]);
    }
}
