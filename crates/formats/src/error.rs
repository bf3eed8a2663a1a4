//! What can be wrong with numbers that are to be put into a format.

/// Numbers that no format takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not as many numbers as the shape has places.
    #[error("{found} numbers are no matrix of {} rows and {} columns", .shape[0], .shape[1])]
    Length {
        /// How many there are.
        found: usize,
        /// Rows and columns.
        shape: [usize; 2],
    },
    /// Groups without an element.
    #[error("a group of 0 elements has no scale: give it 1 at least")]
    NoGroup,
    /// Integers of a width that this crate has no codes for.
    #[error("integers of {0} bits: there are those of 2 to 8")]
    Bits(u32),
}

/// An answer, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
