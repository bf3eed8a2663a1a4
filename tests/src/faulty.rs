//! A small workload and kernels that go wrong in every way that kernels do.

use std::io::Write as _;

use benchbook_core::{
    DType, Error, HostArray, Implementation, Inputs, ParamSpec, Params, Preset, Reference, Registry, Result, Setting,
    Subject, Support, Work, Workload,
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

/// Single calls after which a kernel that goes wrong later does so. Checks and the warm-up make 62 or 63 of them and each hot
/// sample one, so this lies among the samples.
const LATER: u64 = 72;

/// Registers the workload `double` and a kernel for each fault.
pub fn register_faulty(registry: &mut Registry) {
    registry.workload(Double);
    for fault in FAULTS {
        registry.implementation(Faulty(fault));
    }
}

/// The problem: twice the input.
struct Double;

impl Workload for Double {
    fn name(&self) -> &'static str {
        "double"
    }

    fn about(&self) -> &'static str {
        "twice the input"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![ParamSpec::int("length", 256, "elements")]
    }

    fn presets(&self) -> Vec<Preset> {
        ["quick", "default"].map(|name| Preset { name, cases: vec![Params::default()] }).into()
    }

    fn check(&self, params: &Params) -> Result<()> {
        if params.int("length") < 1 {
            let reason = "give at least 1".into();
            return Err(Error::Param { workload: "double".into(), name: "length".into(), reason });
        }
        Ok(())
    }

    fn case_name(&self, params: &Params) -> String {
        format!("n{}", params.int("length"))
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        Inputs([("x", HostArray::normal(vec![params.size("length")], seed, 0))].into())
    }

    fn reference(&self, _params: &Params, inputs: &Inputs, _seed: u64) -> Reference {
        let x = inputs.get("x");
        Reference {
            shape: x.shape.clone(),
            rows: vec![0],
            values: x.data.iter().map(|x| 2.0 * f64::from(*x)).collect(),
        }
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let n = params.int("length") as f64;
        Work { flops: n, bytes: 2.0 * n * dtype.bytes() as f64 }
    }

    fn tolerance(&self, _params: &Params, _dtype: DType) -> f64 {
        1e-6
    }
}

/// A kernel with the fault that it is named after.
struct Faulty(&'static str);

impl Implementation for Faulty {
    fn name(&self) -> &'static str {
        self.0
    }

    fn workload(&self) -> &'static str {
        "double"
    }

    fn about(&self) -> &'static str {
        "a kernel for tests"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &[]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["host", "moon"]
    }

    fn supports(&self, _device: &str, _dtype: DType, _params: &Params) -> Support {
        if self.0 == "unsupported" { Support::No("it never does".into()) } else { Support::Yes }
    }

    fn engine(&self, _device: &str) -> (String, String) {
        ("test".into(), "1".into())
    }

    fn prepare(&self, _setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        if self.0 == "absent" {
            let reason = "the engine is not installed".into();
            return Err(Error::Implementation { implementation: "absent".into(), device: "host".into(), reason });
        }
        let x = inputs.get("x").clone();
        Ok(Box::new(Call { fault: as_planted(self.0), single_calls: 0, output: x.clone(), known: None, x }))
    }
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
    x: HostArray,
    output: HostArray,
    known: Option<HostArray>,
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
                for step in 0..LONG * self.x.data.len() {
                    std::hint::black_box(step);
                }
            }
            let factor = match (self.fault, self.single_calls > LATER, self.x.data.len() > LONG_INPUT) {
                ("panics", ..) | ("panics-later", true, _) => panic!("a kernel panics on purpose"),
                ("hangs", true, _) | ("hangs-when-long", _, true) => loop {
                    std::hint::spin_loop();
                },
                ("aborts", true, _) => std::process::abort(),
                ("nan", ..) => f32::NAN,
                ("wrong", ..) | ("wrong-later", true, _) => 2.1,
                _ => 2.0,
            };
            for (output, x) in self.output.data.iter_mut().zip(&self.x.data) {
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

    fn write(&mut self, _input: &str, first: usize, values: &[f32]) -> Result<bool> {
        self.x.write(first, values);
        Ok(true)
    }

    fn output(&mut self) -> Result<HostArray> {
        Ok(self.output.clone())
    }
}
