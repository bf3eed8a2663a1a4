//! libtorch's thread pools.

use super::stand_in::stands_in;

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
