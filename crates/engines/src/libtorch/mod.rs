//! libtorch in process, called through tch (the catalogue's EN1).

mod array;
mod gradients;
mod matmul;
mod sdpa;
mod subject;
mod threads;
mod version;

pub use gradients::SdpaGradients;
pub use matmul::Mm;
pub use sdpa::Sdpa;
pub use threads::{set_threads, thread_pools};
pub use version::VERSION;
