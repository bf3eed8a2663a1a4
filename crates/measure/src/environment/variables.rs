//! Environment variables that change speed.

use std::collections::BTreeMap;

use crate::allocator::{SETTINGS, VARIABLE};

/// Longest value that is kept, in characters.
const LONGEST: usize = 1024;

/// Names that are taken as they are.
const NAMES: [&str; 12] = [
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUDA_VISIBLE_DEVICES",
    "GLIBC_TUNABLES",
    "LD_BIND_NOW",
    "LD_PRELOAD",
    "NVIDIA_TF32_OVERRIDE",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TOKIO_WORKER_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// Families that are taken whole, but for words that hint at a secret, a path or mere output.
const FAMILIES: [&str; 17] = [
    "ATEN_",
    "BLIS_",
    "BURN_",
    "CANDLE_",
    "CUBECL_",
    "CUDNN_",
    "DNNL_",
    "GOMP_",
    "KMP_",
    "MALLOC_",
    "MIMALLOC_",
    "MKL_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "RAYON_",
    "TORCH_",
];

/// Words in a name that keep its value out of the record.
const WORDS_LEFT_OUT: [&str; 20] = [
    "API",
    "AUTH",
    "CREDENTIAL",
    "CREDENTIALS",
    "DIR",
    "DIRECTORY",
    "DISPLAY",
    "FILE",
    "HOME",
    "KEY",
    "LOG",
    "LOGS",
    "PASS",
    "PASSWORD",
    "PATH",
    "SECRET",
    "TOKEN",
    "URL",
    "USER",
    "WARNINGS",
];

/// Those of the variables that change speed; the values of all others are never kept.
///
/// A value longer than 1,024 characters is cut and ends in `…`.
#[must_use]
pub fn speed_variables<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> BTreeMap<String, String>
where
    N: AsRef<str>,
    V: AsRef<str>,
{
    variables
        .into_iter()
        .filter(|(name, _)| wanted(name.as_ref()))
        .map(|(name, value)| (name.as_ref().to_owned(), shorten(value.as_ref())))
        .collect()
}

/// [`speed_variables`] of this process.
#[must_use]
pub fn variables_of_this_process() -> BTreeMap<String, String> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let all = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    // What every process that measures has says nothing of this one.
    speed_variables(all.filter(|(name, value)| (name.as_str(), value.as_str()) != (VARIABLE, SETTINGS)))
}

fn wanted(name: &str) -> bool {
    NAMES.contains(&name)
        || (FAMILIES.iter().any(|family| name.starts_with(family))
            && !name.split('_').any(|word| WORDS_LEFT_OUT.contains(&word.to_ascii_uppercase().as_str())))
}

fn shorten(value: &str) -> String {
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_kept_and_secrets_are_not() {
        let kept = speed_variables([
            ("RAYON_NUM_THREADS", "2"),
            ("OMP_NUM_THREADS", "2"),
            ("MKL_CBWR", "AVX2"),
            ("KMP_AFFINITY", "compact"),
            ("GOMP_CPU_AFFINITY", "0-1"),
            ("MALLOC_ARENA_MAX", "1"),
            ("LD_PRELOAD", "/usr/lib/libjemalloc.so"),
            ("ATEN_CPU_CAPABILITY", "avx2"),
            ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1"),
        ]);
        assert_eq!(kept.len(), 9);
        let left_out = speed_variables([
            ("PATH", "/bin"),
            ("HOME", "/home/someone"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("TORCH_HUB_TOKEN", "s"),
            ("TORCH_HOME", "/home/someone"),
            ("MKL_api_key", "s"),
            ("OMP_DISPLAY_ENV", "true"),
            ("XRAYON_NUM_THREADS", "9"),
            ("omp_num_threads", "9"),
            ("OMP", "9"),
        ]);
        assert_eq!(left_out, BTreeMap::new());
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let kept = speed_variables([("LD_PRELOAD", "é".repeat(2000))]);
        assert_eq!(kept["LD_PRELOAD"].chars().count(), LONGEST + 1);
        assert!(kept["LD_PRELOAD"].ends_with('…'));
        let short = speed_variables([("LD_PRELOAD", "é".repeat(LONGEST))]);
        assert!(!short["LD_PRELOAD"].ends_with('…'));
    }
}
