//! libtorch in process, called through tch (the catalogue's EN1).

mod array;
mod matmul;
mod sdpa;
mod subject;
mod threads;
mod version;

pub use matmul::Mm;
pub use sdpa::Sdpa;
pub use threads::{set_threads, thread_pools};
pub use version::VERSION;
