//! A real kernel with a known extra share: single-threaded matrix multiplication by the gemm crate.
#![expect(unsafe_code, reason = "the gemm crate takes pointers and strides")]

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Result, Row, Subject, Value, Work};
use gemm::{Parallelism, gemm};

use super::steps::{check_extra, percent};
use super::{extra, plain};

/// Square matrix multiplication in fp32 on one thread.
pub struct Gemm;

benchbook_core::parameters! {
    /// Parameters of [`Gemm`].
    pub struct GemmParams {
        /// rows and columns
        m: usize = 64, 1..=1024;
        /// share of work that the implementation `extra` does on top
        extra: f64 = 0.0;
    }
}

/// As asked, and with the extra share.
pub const ROWS: [Row<Gemm>; 2] = [
    plain::<Gemm>(|_, _, params, inputs| Ok(Box::new(Calls::new(params, inputs, 0.0)))),
    extra::<Gemm>(|_, _, params, inputs| Ok(Box::new(Calls::new(params, inputs, params.extra)))),
];

impl Problem for Gemm {
    const NAME: &'static str = "known-gemm";
    const ABOUT: &'static str =
        "matrix multiplication [m, m] times [m, m] on one thread, with a known share of calls on top";
    type Params = GemmParams;

    fn presets() -> Vec<Preset> {
        let case = Params::default().with("m", Value::Int(64));
        ["quick", "default"].map(|name| Preset { name, cases: vec![case.clone()] }).into()
    }

    fn ugly() -> Vec<GemmParams> {
        [(1, 0.0), (3, 10.0), (67, 0.05)].map(|(m, extra)| GemmParams { m, extra }).into()
    }

    fn check(params: &GemmParams) -> Result<(), (&'static str, String)> {
        check_extra(params.extra)
    }

    fn label(GemmParams { m, extra }: &GemmParams) -> String {
        if *extra > 0.0 { format!("{m}³, +{} %", percent(*extra)) } else { format!("{m}³") }
    }

    fn inputs(params: &GemmParams, seed: u64) -> Inputs {
        let factor = |stream| Array::normal(vec![params.m; 2], seed, stream);
        Inputs::from([("a", factor(1)), ("b", factor(2))])
    }

    fn reference(params: &GemmParams, inputs: &Inputs, _seed: u64) -> Reference {
        let m = params.m;
        let (a, b) = (inputs.numbers("a"), inputs.numbers("b"));
        let element = |row: usize, column: usize| -> f64 {
            (0..m).map(|p| f64::from(a[row * m + p]) * f64::from(b[p * m + column])).sum()
        };
        let values = (0..m * m).map(|at| element(at / m, at % m)).collect();
        Reference::of(vec![m, m], (0..m).collect(), values)
    }

    fn work(params: &GemmParams, dtype: DType) -> Work {
        let m = params.m as f64;
        Work { flops: 2.0 * m.powi(3), bytes: 3.0 * m * m * dtype.bytes() as f64 }
    }

    /// Rule VA of the catalogue for fp32.
    fn tolerance(_params: &GemmParams, _dtype: DType) -> f64 {
        1e-5
    }
}

/// Calls that are timed. Each adds the extra share to what is owed; whole calls owed are made at once.
struct Calls {
    a: Array,
    b: Array,
    product: Vec<f32>,
    share: f64,
    owed: f64,
}

impl Calls {
    /// Calls of a case with a share on top.
    fn new(params: &GemmParams, inputs: &Inputs, share: f64) -> Self {
        let (a, b) = (inputs.get("a").clone(), inputs.get("b").clone());
        Self { a, b, product: vec![0.0; params.m * params.m], share, owed: 0.0 }
    }

    fn call(&mut self) {
        let (m, a, b) = (self.a.width(), self.a.of::<f32>(), self.b.of::<f32>());
        let (rows, columns) = (m.cast_signed(), 1);
        // SAFETY: the three arrays hold m·m elements each in row-major order (checked by Array and `new`),
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
                a.as_ptr(),
                columns,
                rows,
                b.as_ptr(),
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

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(self.a.shape().to_vec(), &self.product)])
    }
}
