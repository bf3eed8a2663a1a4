//! Matrix multiplication: C = A·B.

use benchbook_core::{
    DType, Error, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload, sample_rows,
};
use rayon::prelude::*;

/// Dense matrix multiplication: `a` `[m, k]` times `b` `[k, n]` gives `[m, n]`.
pub struct Matmul;

impl Workload for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn about(&self) -> &'static str {
        "dense matrix multiplication, [m, k] times [k, n]"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("m", 512, "rows of the result"),
            ParamSpec::int("n", 512, "columns of the result; follows m unless set"),
            ParamSpec::int("k", 512, "length of the sums; follows m unless set"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let square = |size: i64| Params::default().with("m", Value::Int(size));
        vec![
            Preset { name: "quick", cases: [128, 256, 512].map(square).into() },
            Preset { name: "default", cases: [128, 256, 512, 1024, 2048].map(square).into() },
        ]
    }

    fn derive(&self, mut given: Params) -> Params {
        if let Some(value) = given.0.get("m").cloned() {
            for name in ["n", "k"] {
                given.0.entry(name.into()).or_insert_with(|| value.clone());
            }
        }
        given
    }

    fn check(&self, params: &Params) -> Result<()> {
        for name in ["m", "n", "k"] {
            let value = params.int(name);
            if !(1..=1 << 17).contains(&value) {
                let reason = format!("{value} is not a size, give 1 to 131072");
                return Err(Error::Param { workload: self.name().into(), name: name.into(), reason });
            }
        }
        Ok(())
    }

    fn case_name(&self, params: &Params) -> String {
        let [m, n, k] = ["m", "n", "k"].map(|name| params.int(name));
        if m == n && n == k { format!("{m}³") } else { format!("{m}×{k}·{k}×{n}") }
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let [m, n, k] = ["m", "n", "k"].map(|name| params.size(name));
        let mut inputs = Inputs::default();
        inputs.0.insert("a", HostArray::normal(vec![m, k], seed, 1));
        inputs.0.insert("b", HostArray::normal(vec![k, n], seed, 2));
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        matmul_rows(params, inputs, seed)
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [m, n, k] = ["m", "n", "k"].map(|name| params.int(name) as f64);
        Work { flops: 2.0 * m * n * k, bytes: (m * k + k * n + m * n) * dtype.bytes() as f64 }
    }

    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer.
fn matmul_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [m, n, k] = ["m", "n", "k"].map(|name| params.size(name));
    let (a, b) = (inputs.get("a"), inputs.get("b"));
    let rows = sample_rows(m, (BUDGET / (n * k)).max(16), seed);
    let one = |row: &usize| -> Vec<f64> {
        let mut sums = vec![0.0; n];
        for (p, left) in a.data[row * k..][..k].iter().enumerate() {
            let right = &b.data[p * n..][..n];
            sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += f64::from(*left) * f64::from(*right));
        }
        sums
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![m, n], rows, values }
}
