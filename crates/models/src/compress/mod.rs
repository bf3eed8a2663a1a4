//! What a matrix `[inner, outer]` becomes where it is to take less: codes of few bits, two factors of low rank, or fewer numbers.

mod cholesky;
mod coded;
mod factors;
mod low_rank;
mod pruning;
mod singular;

pub use cholesky::cholesky;
pub use coded::{Coded, Held, Scheme};
pub use factors::factors;
pub use low_rank::Factors;
pub use pruning::{kept_parts, largest, singles, squares, two_of_four};
pub use singular::{Svd, randomised_svd};
