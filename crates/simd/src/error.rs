//! What can be wrong with a call.

/// A call that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A slice does not hold what the shape says.
    #[error("{name} holds {found} numbers, its shape {shape} needs {wanted}")]
    Length {
        /// Which argument.
        name: &'static str,
        /// Its shape, readable.
        shape: String,
        /// Numbers that the shape takes.
        wanted: usize,
        /// Numbers that were given.
        found: usize,
    },
    /// Sizes that do not go together.
    #[error("{0}")]
    Shape(String),
    /// This CPU does not have what was asked for.
    #[error("this processor has no {0}")]
    Isa(&'static str),
}

/// An answer, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;

/// Refuses a slice of another length than its shape.
pub fn expect_len(name: &'static str, shape: &[usize], found: usize) -> Result<()> {
    let wanted = shape.iter().product();
    if found == wanted {
        return Ok(());
    }
    Err(Error::Length { name, shape: format!("{shape:?}"), wanted, found })
}
