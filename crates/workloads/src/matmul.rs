//! Matrix multiplication: C = A·B.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use crate::rows::by_rows;

/// Dense matrix multiplication: `a` `[m, k]` times `b` `[k, n]` gives `[m, n]`.
pub struct Matmul;

benchbook_core::parameters! {
    /// Parameters of [`Matmul`].
    pub struct MatmulParams {
        /// rows of the result
        m: usize = 512, 1..=1 << 17;
        /// columns of the result; follows m unless set
        n: usize = 512, 1..=1 << 17;
        /// length of the sums; follows m unless set
        k: usize = 512, 1..=1 << 17;
    }
}

impl Problem for Matmul {
    const NAME: &'static str = "matmul";
    const ABOUT: &'static str = "dense matrix multiplication, [m, k] times [k, n]";
    type Params = MatmulParams;

    fn presets() -> Vec<Preset> {
        let square = |size: i64| Params::default().with("m", size.into());
        vec![
            Preset { name: "quick", cases: [128, 256, 512].map(square).into() },
            Preset { name: "default", cases: [128, 256, 512, 1024, 2048].map(square).into() },
        ]
    }

    fn ugly() -> Vec<MatmulParams> {
        let sizes = [[1, 1, 1], [3, 17, 33], [17, 33, 3], [1, 3, 67], [129, 67, 1], [67, 130, 257], [1, 1 << 17, 1]];
        sizes.map(|[m, n, k]| MatmulParams { m, n, k }).into()
    }

    fn derive(given: Params) -> Params {
        given.following("n", "m").following("k", "m")
    }

    fn label(params: &MatmulParams) -> String {
        let MatmulParams { m, n, k } = *params;
        if m == n && n == k { format!("{m}³") } else { format!("{m}×{k}·{k}×{n}") }
    }

    fn inputs(params: &MatmulParams, seed: u64) -> Inputs {
        let MatmulParams { m, n, k } = *params;
        Inputs::from([("a", Array::normal(vec![m, k], seed, 1)), ("b", Array::normal(vec![k, n], seed, 2))])
    }

    fn some_inputs(params: &MatmulParams, seed: u64, names: &[String]) -> Inputs {
        if names.iter().all(|name| name == "a") {
            return Inputs::from([("a", Array::normal(vec![params.m, params.k], seed, 1))]);
        }
        Self::inputs(params, seed)
    }

    fn reference(params: &MatmulParams, inputs: &Inputs, seed: u64) -> Reference {
        let MatmulParams { m, n, k } = *params;
        let [a, b] = ["a", "b"].map(|name| inputs.numbers(name));
        by_rows(vec![m, n], n * k, seed, |row| {
            let mut sums = vec![0.0; n];
            for (left, right) in a[row * k..][..k].iter().zip(b.chunks_exact(n)) {
                sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += f64::from(*left) * f64::from(*right));
            }
            sums
        })
    }

    fn work(params: &MatmulParams, dtype: DType) -> Work {
        let [m, n, k] = [params.m, params.n, params.k].map(|size| size as f64);
        Work { flops: 2.0 * m * n * k, bytes: (m * k + k * n + m * n) * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &MatmulParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}
