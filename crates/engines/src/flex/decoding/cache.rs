//! Keys and values of a text: where each position lies, and which of them a query sees.

use benchbook_models::store::Store;
use benchbook_simd::{Error, Result};

use super::text::Text;

/// What a transformer keeps of a text.
pub trait Cache: Text {
    /// Puts the key and value of a position of a layer where they belong, and gives the attention of its query to what it sees,
    /// itself included; `qkv` holds query, key and value, each of the width of `out`.
    fn attend(&mut self, layer: usize, position: usize, qkv: &[f32], scores: &mut [f32], out: &mut [f32]);

    /// So many positions more were read, in every layer.
    fn advance(&mut self, positions: usize);
}

/// Where positions lie.
pub enum Places {
    /// One after another.
    Contiguous,
    /// In pages of so many positions, which a table finds (`PagedAttention`: Kwon et al., arXiv 2309.06180, section 4).
    Pages {
        /// Positions of a page.
        page: usize,
        /// Which page of the pool is which of the text.
        table: Vec<usize>,
        /// Pages of the pool that nobody has.
        free: Vec<usize>,
    },
    /// One after another, but a query sees the first `sinks` and the newest `window`, its own included.
    Hidden {
        /// First positions.
        sinks: usize,
        /// Newest positions.
        window: usize,
    },
    /// The same, where what nobody sees any more is overwritten (StreamingLLM: Xiao et al., arXiv 2309.17453, section 3.2).
    Ring {
        /// First positions.
        sinks: usize,
        /// Newest positions.
        window: usize,
    },
}

impl Places {
    /// Pages for so many positions, taken from the end of the pool, so that they do not lie in order.
    pub fn pages(page: usize, room: usize) -> Self {
        Self::Pages { page, table: Vec::new(), free: (0..room.div_ceil(page)).collect() }
    }

    /// Rows of a layer that `room` positions need.
    pub fn rows(&self, room: usize) -> usize {
        match self {
            Self::Contiguous | Self::Hidden { .. } => room,
            Self::Pages { page, .. } => room.next_multiple_of(*page),
            Self::Ring { sinks, window } => room.min(sinks.saturating_add(*window)),
        }
    }

    /// Takes a page where a position has none.
    fn claim(&mut self, position: usize) {
        if let Self::Pages { page, table, free } = self {
            while table.len() * *page <= position {
                // There are as many pages as the context needs.
                table.extend(free.pop());
            }
        }
    }

    /// Gives back the pages that so many positions do not need.
    fn release(&mut self, positions: usize) {
        if let Self::Pages { page, table, free } = self {
            let needed = positions.div_ceil(*page).min(table.len());
            free.extend(table.drain(needed..).rev());
        }
    }

    /// The row of a position.
    fn row(&self, position: usize) -> usize {
        match self {
            Self::Contiguous | Self::Hidden { .. } => position,
            Self::Pages { page, table, .. } => table[position / page] * page + position % page,
            Self::Ring { sinks, .. } if position < *sinks => position,
            Self::Ring { sinks, window } => sinks + (position - sinks) % window,
        }
    }

    /// Positions that the query of a position sees.
    fn seen(&self, position: usize) -> usize {
        match self {
            Self::Contiguous | Self::Pages { .. } => position + 1,
            Self::Hidden { sinks, window } | Self::Ring { sinks, window } => {
                sinks.saturating_add(*window).min(position + 1)
            }
        }
    }

    /// The row of the one of index `index` among those that it sees.
    fn row_seen(&self, position: usize, index: usize) -> usize {
        match self {
            Self::Hidden { sinks, .. } if index >= *sinks => position + 1 - self.seen(position) + index,
            // All rows of a ring that were written are seen, in whatever order.
            Self::Ring { .. } => index,
            _ => self.row(index),
        }
    }
}

/// Keys and values in a store.
pub struct Kept<S> {
    store: S,
    places: Places,
    heads: usize,
    /// Layers that have rows of their own; all others have those of the first.
    layers: usize,
    room: usize,
    positions: usize,
}

impl<S: Store> Kept<S> {
    /// Room for `room` positions of so many layers, in a store that `of` makes for a number of rows. A model that reads the whole
    /// text in each pass needs rows for one layer alone.
    pub fn new(places: Places, layers: usize, heads: usize, room: usize, of: impl Fn(usize) -> S) -> Self {
        let store = of(layers * places.rows(room));
        Self { store, places, heads, layers, room, positions: 0 }
    }
}

impl<S: Store> Text for Kept<S> {
    fn positions(&self) -> usize {
        self.positions
    }

    fn room(&self) -> usize {
        self.room
    }

    fn truncate(&mut self, positions: usize) -> Result<()> {
        if let Places::Ring { sinks, window } = self.places
            && positions > 0
            && positions < self.positions
            && self.positions > sinks.saturating_add(window)
        {
            let message = format!("{positions} of {} positions: some of them were evicted", self.positions);
            return Err(Error::Shape(message));
        }
        self.positions = self.positions.min(positions);
        self.places.release(self.positions);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.store.bytes()
    }
}

impl<S: Store> Cache for Kept<S> {
    fn attend(&mut self, layer: usize, position: usize, qkv: &[f32], scores: &mut [f32], out: &mut [f32]) {
        let (width, size) = (out.len(), out.len() / self.heads);
        self.places.claim(position);
        let first = layer % self.layers * self.places.rows(self.room);
        let (query, both) = qkv.split_at(width);
        let (key, value) = both.split_at(width);
        self.store.put(first + self.places.row(position), [key, value]);
        let scores = &mut scores[..self.places.seen(position)];
        let row = |index: usize| first + self.places.row_seen(position, index);
        let scale = 1.0 / (size as f32).sqrt();
        out.fill(0.0);
        for (head, (query, out)) in query.chunks_exact(size).zip(out.chunks_exact_mut(size)).enumerate() {
            let mut most = f32::NEG_INFINITY;
            for (index, score) in scores.iter_mut().enumerate() {
                *score = scale * self.store.score(row(index), head, query);
                most = most.max(*score);
            }
            let mut sum = 0.0;
            for score in scores.iter_mut() {
                *score = (*score - most).exp();
                sum += *score;
            }
            for (index, score) in scores.iter().enumerate() {
                self.store.add(row(index), head, score / sum, out);
            }
        }
    }

    fn advance(&mut self, positions: usize) {
        self.positions += positions;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(places: &Places, position: usize) -> Vec<usize> {
        (0..places.seen(position)).map(|index| places.row_seen(position, index)).collect()
    }

    #[test]
    fn sinks_stay_and_the_window_moves() {
        let (hidden, ring) = (Places::Hidden { sinks: 2, window: 3 }, Places::Ring { sinks: 2, window: 3 });
        assert_eq!(seen(&hidden, 3), [0, 1, 2, 3]);
        assert_eq!(seen(&hidden, 4), [0, 1, 2, 3, 4]);
        assert_eq!(seen(&hidden, 7), [0, 1, 5, 6, 7]);
        assert_eq!((ring.row(4), ring.row(5), ring.row(7), ring.rows(100)), (4, 2, 4, 5));
        for position in 0..20 {
            // The rows of the positions that a mask leaves are the rows that a ring reads.
            let mut rows: Vec<usize> = seen(&hidden, position).into_iter().map(|seen| ring.row(seen)).collect();
            rows.sort_unstable();
            assert_eq!(rows, seen(&ring, position), "{position}");
        }
    }

    #[test]
    fn pages_are_taken_and_given_back() {
        let mut pages = Places::pages(4, 10);
        assert_eq!(pages.rows(10), 12);
        pages.claim(0);
        pages.claim(4);
        assert_eq!((pages.row(3), pages.row(4)), (11, 4), "the last page first");
        pages.release(4);
        pages.claim(5);
        assert_eq!(pages.row(5), 5);
        pages.release(0);
        pages.claim(9);
        assert_eq!(pages.row(0), 8, "all of them are there again");
    }
}
