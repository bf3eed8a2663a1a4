//! libtorch in process, called through tch (the catalogue's EN1).

mod array;
pub mod blocks;
mod implementation;
mod matmul;
mod mkl;
mod paged;
mod program;
mod projected;
mod sdpa;
mod stand_in;
mod subject;
mod transformer;
mod window;

pub use matmul::MM;
pub use mkl::{own_process, probe, settle};
pub use paged::SDPA_PAGED;
pub use program::SDPA_PROGRAM;
pub use projected::SDPA_PROJECTED;
pub use sdpa::{SDPA, SDPA_GRADIENTS};
pub use stand_in::libraries;
pub use transformer::SDPA_BLOCK;
pub use window::SDPA_WINDOW;

use self::stand_in::stands_in;

/// The version that torch-sys is made for, as its build script has checked, and that `environment.yml` pins.
pub const VERSION: &str = env!("LIBTORCH_VERSION");

/// The engine's name and version, for the record.
fn engine(_device: &str) -> (String, String) {
    ("libtorch".into(), VERSION.into())
}

/// Sets the pool that libtorch's operators share (OpenMP and MKL follow it), where there is one.
pub fn set_threads(threads: usize) {
    if !stands_in() {
        tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    }
}

/// The pools and their sizes now.
pub fn thread_pools() -> Vec<(String, usize)> {
    if stands_in() {
        return Vec::new();
    }
    let size = |threads: i32| usize::try_from(threads).unwrap_or(0);
    vec![
        ("libtorch intra-op".into(), size(tch::get_num_threads())),
        ("libtorch inter-op".into(), size(tch::get_num_interop_threads())),
    ]
}
