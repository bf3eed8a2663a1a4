//! A real kernel with a known extra share: single-threaded matrix multiplication by the gemm crate.
#![expect(unsafe_code, reason = "the gemm crate takes pointers and strides")]

use benchbook_core::{
    DType, Error, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Subject, Value, Work, Workload,
};
use gemm::{Parallelism, gemm};

use super::steps::{check_extra, extra_spec, percent};

/// Square matrix multiplication in fp32 on one thread.
pub struct Gemm;

impl Workload for Gemm {
    fn name(&self) -> &'static str {
        "known-gemm"
    }

    fn about(&self) -> &'static str {
        "matrix multiplication [m, m] times [m, m] on one thread, with a known share of calls on top"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::int("m", 64, "rows and columns"), extra_spec()]
    }

    fn presets(&self) -> Vec<Preset> {
        let case = Params::default().with("m", Value::Int(64));
        ["quick", "default"].map(|name| Preset { name, cases: vec![case.clone()] }).into()
    }

    fn check(&self, params: &Params) -> Result<()> {
        let m = params.int("m");
        if !(1..=1024).contains(&m) {
            let reason = format!("{m} is not a size, give 1 to 1024");
            return Err(Error::Param { workload: self.name().into(), name: "m".into(), reason });
        }
        check_extra(self.name(), params)
    }

    fn case_name(&self, params: &Params) -> String {
        let (m, extra) = (params.int("m"), params.float("extra"));
        if extra > 0.0 { format!("{m}³, +{} %", percent(extra)) } else { format!("{m}³") }
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let m = params.size("m");
        let mut inputs = Inputs::default();
        inputs.0.insert("a", HostArray::normal(vec![m, m], seed, 1));
        inputs.0.insert("b", HostArray::normal(vec![m, m], seed, 2));
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, _seed: u64) -> Reference {
        let m = params.size("m");
        let (a, b) = (&inputs.get("a").data, &inputs.get("b").data);
        let element = |row: usize, column: usize| -> f64 {
            (0..m).map(|p| f64::from(a[row * m + p]) * f64::from(b[p * m + column])).sum()
        };
        let values = (0..m * m).map(|at| element(at / m, at % m)).collect();
        Reference { shape: vec![m, m], rows: (0..m).collect(), values }
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let m = params.int("m") as f64;
        Work { flops: 2.0 * m.powi(3), bytes: 3.0 * m * m * dtype.bytes() as f64 }
    }

    /// Rule VA of the catalogue for fp32.
    fn tolerance(&self, _params: &Params, _dtype: DType) -> f64 {
        1e-5
    }
}

/// Calls that are timed. Each adds the extra share to what is owed; whole calls owed are made at once.
pub struct Calls {
    a: HostArray,
    b: HostArray,
    product: Vec<f32>,
    share: f64,
    owed: f64,
}

impl Calls {
    /// Calls of a case with a share on top.
    pub fn new(params: &Params, inputs: &Inputs, share: f64) -> Self {
        let m = params.size("m");
        let (a, b) = (inputs.get("a").clone(), inputs.get("b").clone());
        Self { a, b, product: vec![0.0; m * m], share, owed: 0.0 }
    }

    fn call(&mut self) {
        let m = self.a.width();
        let (rows, columns) = (m.cast_signed(), 1);
        // SAFETY: the three arrays hold m·m elements each in row-major order (checked by HostArray and `new`),
        // the strides stay inside them, and the product overlaps neither factor.
        unsafe {
            gemm(
                m,
                m,
                m,
                self.product.as_mut_ptr(),
                columns,
                rows,
                false,
                self.a.data.as_ptr(),
                columns,
                rows,
                self.b.data.as_ptr(),
                columns,
                rows,
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

impl Subject for Calls {
    fn run(&mut self, iterations: u64) {
        for _ in 0..iterations {
            self.call();
            self.owed += self.share;
            while self.owed >= 1.0 {
                self.call();
                self.owed -= 1.0;
            }
        }
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        match input {
            "a" => self.a.write(first, values),
            "b" => self.b.write(first, values),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn output(&mut self) -> Result<HostArray> {
        Ok(HostArray::new(self.a.shape.clone(), self.product.clone()))
    }
}
