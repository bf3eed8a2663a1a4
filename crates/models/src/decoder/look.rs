//! Images among the tokens of a text: where they stand, and by what their queries and keys are turned.

use benchbook_simd::Rotary;

use super::attention::Turn;
use crate::error::{Error, Result};

/// Tokens of an image on their way through the layers.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub turn: Turn<'a>,
    /// What is added to them behind each of the first layers (DeepStack, Meng et al., arXiv 2406.04334).
    pub deep: &'a [&'a [f32]],
}

/// The images of a text, in their order.
#[derive(Debug, Default)]
pub struct Looked(Vec<Image>);

/// An image, whose tokens come row by row.
#[derive(Debug, Clone, Copy)]
pub struct Image {
    /// Its first position.
    first: usize,
    /// By what that is turned.
    turned: usize,
    /// Rows and columns of its grid.
    grid: [usize; 2],
    /// Its tokens: as many as its grid has cells, or those that are left of them.
    count: usize,
}

impl Looked {
    /// By what a position of the text is turned that no image holds: an image counts for no more than the larger side of its grid (as
    /// `get_rope_index` of Transformers' `modeling_qwen3_vl.py` has it).
    pub fn turned(&self, position: usize) -> usize {
        match self.0.iter().rfind(|image| image.end() <= position) {
            Some(image) => image.turned + image.grid[0].max(image.grid[1]) + position - image.end(),
            None => position,
        }
    }

    /// An image of this grid and so many tokens from a position on, which is one of these from now on.
    pub fn add(&mut self, first: usize, grid: [usize; 2], count: usize) -> Image {
        let image = Image { first, turned: self.turned(first), grid, count };
        self.0.push(image);
        image
    }

    /// Forgets what stands behind so many positions, and says how many are left: an image goes as a whole.
    pub fn keep(&mut self, held: usize) -> usize {
        let cut = self.0.iter().find(|image| image.end() > held).map(|image| image.first);
        let held = cut.map_or(held, |first| first.min(held));
        self.0.retain(|image| image.end() <= held);
        held
    }
}

impl Image {
    /// The first position behind it.
    fn end(&self) -> usize {
        self.first + self.count
    }

    /// Time, row and column of the token of a cell, which all stand at one time.
    fn place(&self, cell: usize) -> [usize; 3] {
        let [_, columns] = self.grid;
        [0, cell / columns, cell % columns].map(|place| self.turned + place)
    }

    /// Angles of its tokens, out of those of positions; where some alone are left, `cells` says which.
    ///
    /// # Errors
    /// Positions without an angle.
    pub fn angles(&self, rotary: &Rotary, sections: [usize; 3], cells: Option<&[usize]>) -> Result<Rotary> {
        let cell = |token: usize| cells.map_or(token, |cells| cells[token]);
        Ok(rotary.placed(self.count, |token, pair| self.place(cell(token))[axis(sections, pair)])?)
    }
}

/// Refuses places that are not some of so many, each once and ascending.
pub fn in_order(places: &[usize], count: usize) -> Result<()> {
    if places.is_sorted_by(|one, other| one < other) && places.last().is_none_or(|last| *last < count) {
        return Ok(());
    }
    Err(Error::Session(format!("{places:?} are no places of {count}: give some of these, each once and ascending")))
}

/// Which of time, row and column turns a pair of a head (as `Qwen3VLTextRotaryEmbedding` of Transformers' `modeling_qwen3_vl.py` has it).
fn axis([_, rows, columns]: [usize; 3], pair: usize) -> usize {
    match pair % 3 {
        1 if pair < 3 * rows => 1,
        2 if pair < 3 * columns => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three pairs of numbers, turned as those of this position.
    fn turned(rotary: &Rotary, first: usize) -> [f32; 6] {
        let mut to = [0.0; 6];
        rotary.rotate(benchbook_simd::Isa::detect(), 1, first, &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], &mut to).unwrap();
        to
    }

    #[test]
    fn pairs_take_turns_and_the_last_ones_go_by_time() {
        let of = |sections: [usize; 3]| -> Vec<usize> {
            (0..sections.iter().sum::<usize>()).map(|pair| axis(sections, pair)).collect()
        };
        assert_eq!(of([4, 2, 2]), [0, 1, 2, 0, 1, 2, 0, 0]);
        assert_eq!(of([3, 2, 1]), [0, 1, 2, 0, 1, 0]);
        // Those of Qwen3-VL-2B.
        let published = of([24, 20, 20]);
        assert_eq!([0, 1, 2].map(|axis| published.iter().filter(|one| **one == axis).count()), [24, 20, 20]);
        assert_eq!(published[57..], [0, 1, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn texts_go_on_behind_the_larger_side_of_an_image() {
        let mut looked = Looked::default();
        let first = looked.add(3, [2, 4], 8);
        assert_eq!([0, 3, 4, 7].map(|token| first.place(token)), [[3, 3, 3], [3, 3, 6], [3, 4, 3], [3, 4, 6]]);
        assert_eq!([0, 2, 11, 12].map(|position| looked.turned(position)), [0, 2, 7, 8]);
        let second = looked.add(13, [3, 1], 3);
        assert_eq!([0, 2].map(|token| second.place(token)), [[9, 9, 9], [9, 11, 9]]);
        assert_eq!(looked.turned(16), 12);
        // An image of which a part would be left is forgotten as a whole.
        assert_eq!((looked.keep(17), looked.keep(15), looked.turned(13)), (17, 13, 9));
        assert_eq!((looked.keep(4), looked.turned(12)), (3, 12));
    }

    #[test]
    fn texts_go_on_where_they_did_behind_an_image_of_which_some_is_left() {
        let (rotary, mut looked) = (Rotary::new(9, 6, 3.0).unwrap(), Looked::default());
        let image = looked.add(3, [2, 4], 3);
        // Three tokens are at positions 3 to 5, and the text behind them is turned as if all eight were there.
        assert_eq!([2, 6, 7].map(|position| looked.turned(position)), [2, 7, 8]);
        assert_eq!((looked.keep(5), looked.keep(3)), (3, 3));
        let [whole, some] = [(8, None), (3, Some(&[0, 2, 7][..]))].map(|(count, cells)| {
            let image = Image { count, ..image };
            image.angles(&rotary, [1, 1, 1], cells).unwrap()
        });
        assert_eq!([0, 1, 2].map(|token| turned(&some, token)), [0, 2, 7].map(|cell| turned(&whole, cell)));
    }

    #[test]
    fn each_pair_is_turned_by_its_own_place() {
        let (rotary, mut looked) = (Rotary::new(9, 6, 3.0).unwrap(), Looked::default());
        let angles = looked.add(4, [2, 2], 4).angles(&rotary, [1, 1, 1], None).unwrap();
        // The last token: time 4, row 5, column 5.
        let (own, [time, place]) = (turned(&angles, 3), [4, 5].map(|first| turned(&rotary, first)));
        assert_eq!(own, [time[0], place[1], place[2], time[3], place[4], place[5]]);
        assert!(looked.add(8, [2, 1], 2).angles(&rotary, [1, 1, 1], None).is_ok());
        assert!(Looked::default().add(8, [2, 1], 2).angles(&rotary, [1, 1, 1], None).is_err());
    }
}
