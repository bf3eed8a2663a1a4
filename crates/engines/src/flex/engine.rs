//! What runs behind the devices of burn: names, versions, threads.

use benchbook_simd::Isa;

/// The engine behind one of burn's devices and its version; behind it the instructions of its products, where it chooses
/// them as our own kernels do (gemm-common 0.19, `init_gemm_fn`).
pub fn burn_engine(device: &str) -> (String, String) {
    match device {
        "flex" if cfg!(target_arch = "x86_64") => {
            ("burn-flex".to_owned(), format!("{} gemm {}", env!("BURN_FLEX_VERSION"), Isa::detect().name()))
        }
        "flex" => ("burn-flex".to_owned(), env!("BURN_FLEX_VERSION").to_owned()),
        _ => ("burn-tch".to_owned(), env!("BURN_TCH_VERSION").to_owned()),
    }
}

/// Engine and version of the hand-written kernels: the instruction set is what makes them fast.
pub(crate) fn fused_engine() -> (String, String) {
    engine_on(Isa::detect())
}

/// The same of a plain loop, which the compiler makes of what every processor has.
pub(crate) fn plain_engine() -> (String, String) {
    engine_on(Isa::Portable)
}

fn engine_on(isa: Isa) -> (String, String) {
    ("benchbook-simd".to_owned(), format!("{} {}", env!("CARGO_PKG_VERSION"), isa.name()))
}

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
    vec![
        ("burn".into(), env!("BURN_VERSION").into()),
        ("gemm".into(), concat!(env!("GEMM_VERSION"), ", x86-v4").into()),
    ]
}
