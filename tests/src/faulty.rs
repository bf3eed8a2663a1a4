//! A small workload and kernels that go wrong in every way that kernels do.

use std::io::Write as _;

use benchbook_core::{
    Array, DType, Error, Inputs, Params, Preset, Problem, Reference, Registry, Result, Row, Setting, Subject, Support,
    Work,
};

/// Names of the kernels, each after its fault; the first two have none, the third does its work twice, and one is right
/// unless its input is long. The last three are right and cheat: one keeps its first result, one those of inputs that it knows, one makes a single call of many.
pub const FAULTS: [&str; 17] = [
    "good",
    "twin",
    "half-speed",
    "panics",
    "panics-later",
    "hangs",
    "hangs-when-long",
    "aborts",
    "nan",
    "wrong",
    "wrong-later",
    "prints",
    "absent",
    "unsupported",
    "keeps-first",
    "remembers-inputs",
    "ignores-calls",
];

/// What a call that remembers costs more than one that does not, the first time: remembering pays only for long work.
const LONG: usize = 200;

/// Elements beyond which an input is long.
const LONG_INPUT: usize = 1_000;

/// Single calls after which a kernel that goes wrong later does so. Checks and the warm-up make 32 or 33 of them and each hot
/// sample one or two, so this lies among the samples.
const LATER: u64 = 48;

/// Registers the workload `double` and a kernel for each fault.
pub fn register_faulty(registry: &mut Registry) {
    registry.workload(Double);
    for fault in FAULTS {
        registry.implementation(row(fault));
    }
}

/// The problem: twice the input.
struct Double;

benchbook_core::parameters! {
    /// Parameters of [`Double`].
    struct DoubleParams {
        /// elements
        length: usize = 256, 1..=1 << 40;
    }
}

impl Problem for Double {
    const NAME: &'static str = "double";
    const ABOUT: &'static str = "twice the input";
    type Params = DoubleParams;

    fn presets() -> Vec<Preset> {
        ["quick", "default"].map(|name| Preset { name, cases: vec![Params::default()] }).into()
    }

    fn ugly() -> Vec<DoubleParams> {
        [1, 67, LONG_INPUT + 1].map(|length| DoubleParams { length }).into()
    }

    fn label(params: &DoubleParams) -> String {
        format!("n{}", params.length)
    }

    fn inputs(params: &DoubleParams, seed: u64) -> Inputs {
        Inputs::from([("x", Array::normal(vec![params.length], seed, 0))])
    }

    fn reference(params: &DoubleParams, inputs: &Inputs, _seed: u64) -> Reference {
        let values = inputs.numbers("x").iter().map(|x| 2.0 * f64::from(*x)).collect();
        Reference::of(vec![params.length], vec![0], values)
    }

    fn work(params: &DoubleParams, dtype: DType) -> Work {
        let n = params.length as f64;
        Work { flops: n, bytes: 2.0 * n * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &DoubleParams, _dtype: DType) -> f64 {
        1e-6
    }
}

/// A kernel with the fault that it is named after.
fn row(fault: &'static str) -> Row<Double> {
    let engine = |_: &str| ("test".to_owned(), "1".to_owned());
    let row = Row::<Double>::new(fault, "a kernel for tests", &["host", "moon"], &DType::FLOATS, engine, prepare);
    if fault == "unsupported" { row.only(|_, _, _| Support::No("it never does".into())) } else { row }
}

fn prepare(
    name: &'static str,
    _setting: &Setting,
    _params: &DoubleParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    if name == "absent" {
        let reason = "the engine is not installed".into();
        return Err(Error::Implementation { implementation: "absent".into(), device: "host".into(), reason });
    }
    let x = inputs.numbers("x").to_vec();
    Ok(Box::new(Call { fault: as_planted(name), single_calls: 0, output: x.clone(), known: None, x }))
}

/// What the kernel `good` is in this build of the worker: tests of gates plant a fault by this variable.
fn as_planted(name: &'static str) -> &'static str {
    let planted = std::env::var("BENCHBOOK_TEST_GOOD").unwrap_or_default();
    let fault = FAULTS.into_iter().find(|fault| name == "good" && *fault == planted);
    fault.unwrap_or(name)
}

struct Call {
    fault: &'static str,
    single_calls: u64,
    x: Vec<f32>,
    output: Vec<f32>,
    known: Option<Vec<f32>>,
}

impl Subject for Call {
    fn run(&mut self, iterations: u64) {
        self.single_calls += u64::from(iterations == 1);
        let calls = match self.fault {
            "half-speed" => 2 * iterations,
            "ignores-calls" => 1,
            _ => iterations,
        };
        for _ in 0..calls {
            let known = match (self.fault, &self.known) {
                ("keeps-first", Some(_)) => true,
                ("remembers-inputs", Some(known)) => *known == self.x,
                _ => false,
            };
            if known {
                continue;
            }
            if ["keeps-first", "remembers-inputs"].contains(&self.fault) {
                self.known = Some(self.x.clone());
                for step in 0..LONG * self.x.len() {
                    std::hint::black_box(step);
                }
            }
            let factor = match (self.fault, self.single_calls > LATER, self.x.len() > LONG_INPUT) {
                ("panics", ..) | ("panics-later", true, _) => panic!("a kernel panics on purpose"),
                ("hangs", true, _) | ("hangs-when-long", _, true) => loop {
                    std::hint::spin_loop();
                },
                ("aborts", true, _) => std::process::abort(),
                ("nan", ..) => f32::NAN,
                ("wrong", ..) | ("wrong-later", true, _) => 2.1,
                _ => 2.0,
            };
            for (output, x) in self.output.iter_mut().zip(&self.x) {
                *output = std::hint::black_box(factor * x);
            }
        }
        if self.fault == "prints" {
            let _ = writeln!(std::io::stdout(), "a kernel prints to stdout");
        }
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, _input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        // The input has one row.
        self.x.copy_from_slice(values);
        Ok(true)
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(vec![self.output.len()], &self.output)])
    }
}
