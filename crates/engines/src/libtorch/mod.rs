//! libtorch in process, called through tch (the catalogue's EN1).

mod array;
mod gradients;
mod matmul;
mod paged;
mod program;
mod projected;
mod sdpa;
mod subject;
mod threads;
mod version;
mod window;

pub use gradients::SdpaGradients;
pub use matmul::Mm;
pub use paged::SdpaPaged;
pub use program::SdpaProgram;
pub use projected::SdpaProjected;
pub use sdpa::Sdpa;
pub use threads::{set_threads, thread_pools};
pub use version::VERSION;
pub use window::SdpaWindow;
