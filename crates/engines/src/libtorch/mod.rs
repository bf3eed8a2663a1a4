//! libtorch in process, called through tch (the catalogue's EN1).

mod array;
mod gradients;
mod implementation;
mod matmul;
mod mkl;
mod paged;
mod program;
mod projected;
mod sdpa;
mod stand_in;
mod subject;
mod threads;
mod version;
mod window;

pub use gradients::SDPA_GRADIENTS;
pub use matmul::MM;
pub use mkl::{own_process, probe, settle};
pub use paged::SDPA_PAGED;
pub use program::SDPA_PROGRAM;
pub use projected::SDPA_PROJECTED;
pub use sdpa::SDPA;
pub use stand_in::libraries;
pub use threads::{set_threads, thread_pools};
pub use version::VERSION;
pub use window::SDPA_WINDOW;
