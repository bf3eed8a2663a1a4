//! What runs behind the devices of burn: its threads, and what is known of its build.

/// Gives rayon's global pool, on which flex computes, this many threads.
///
/// # Errors
/// The pool has already been started with another number.
pub fn set_threads(threads: usize) -> Result<(), String> {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        Ok(()) => Ok(()),
        Err(_) if rayon::current_num_threads() == threads => Ok(()),
        Err(_) => Err(format!(
            "rayon's pool already runs {} threads, not {threads}: use a fresh process",
            rayon::current_num_threads()
        )),
    }
}

/// Compile-time facts of these kernels that change their speed.
pub fn build_facts() -> Vec<(String, String)> {
    vec![("burn".into(), "0.22.1".into()), ("gemm".into(), "0.19, x86-v4".into())]
}
