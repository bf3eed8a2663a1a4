//! Implementations that are wrong: the conformance test finds each, and says where.

use benchbook_core::{
    Array, DType, Implementation, Inputs, Knob, Knobs, Loop, Metric, Params, Reference, Registry, Result, Setting,
    Subject, Support, Value,
};
use benchbook_engines::flex::matmul::TILED;
use benchbook_workloads::matmul::Matmul;

use crate::common::case;
use crate::conformance::breaches;

/// What a right kernel is made to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing: shows that the others are found for their fault alone.
    None,
    /// One number of the result is off by a little.
    OneNumber,
    /// The result has one axis instead of two.
    Flat,
    /// There is no result.
    Missing,
    /// There is a result before the first call.
    Early,
    /// It says that it overwrites its inputs, and keeps the old ones.
    Deaf,
    /// A call panics.
    Panics,
    /// It refuses without a reason.
    Silent,
    /// It refuses everything.
    Idle,
}

/// Each fault with what the test must say of it.
const FAULTS: [(Fault, &str); 8] = [
    (Fault::OneNumber, " in f32 on flex, 5×3·3×7: `output` is off by "),
    (Fault::Flat, " in f32 on flex, 5×3·3×7: `output` has shape [35], not [5, 7]"),
    (Fault::Missing, " in f32 on flex, 5×3·3×7: it gives 0 outputs, not 1"),
    (Fault::Early, " in f32 on flex, 5×3·3×7: it has outputs before the first call"),
    (Fault::Deaf, " in f32 on flex, 5×3·3×7: with rows of `a` overwritten, `output` is off by "),
    (Fault::Panics, " in f32 on flex, 5×3·3×7: it panics: on purpose"),
    (Fault::Silent, " in f32 on flex, 5×3·3×7: it refuses without a reason"),
    (Fault::Idle, " takes no case at all"),
];

struct Planted(Fault);

impl Implementation for Planted {
    fn name(&self) -> &'static str {
        match self.0 {
            Fault::None => "none",
            Fault::OneNumber => "one-number",
            Fault::Flat => "flat",
            Fault::Missing => "missing",
            Fault::Early => "early",
            Fault::Deaf => "deaf",
            Fault::Panics => "panics",
            Fault::Silent => "silent",
            Fault::Idle => "idle",
        }
    }

    fn workload(&self) -> &'static str {
        TILED.workload()
    }

    fn on_request(&self) -> bool {
        TILED.on_request
    }

    fn about(&self) -> &'static str {
        "planted"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        TILED.catalogue
    }

    fn devices(&self) -> Vec<&'static str> {
        TILED.devices()
    }

    fn supports(&self, device: &str, dtype: DType, params: &Params) -> Support {
        match self.0 {
            // Faulty calls read their outputs as f32.
            _ if dtype != DType::F32 => Support::No("faults are planted in f32".into()),
            Fault::Silent => Support::No(" ".into()),
            Fault::Idle => Support::No("it is idle".into()),
            _ => TILED.supports(device, dtype, params),
        }
    }

    fn engine(&self, device: &str) -> (String, String) {
        TILED.engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        Ok(Box::new(Faulty { fault: self.0, right: TILED.prepare(setting, params, inputs)? }))
    }

    fn knobs(&self) -> &'static [Knob] {
        TILED.knobs()
    }

    fn prepare_with(
        &self,
        setting: &Setting,
        params: &Params,
        inputs: &Inputs,
        knobs: &Knobs,
    ) -> Result<Box<dyn Subject>> {
        Ok(Box::new(Faulty { fault: self.0, right: TILED.prepare_with(setting, params, inputs, knobs)? }))
    }

    fn search(&self, params: &Params, inputs: &Inputs) -> Result<bool> {
        TILED.search(params, inputs)
    }

    fn approximates(&self) -> bool {
        TILED.approximates()
    }

    fn approximation(&self, params: &Params, inputs: &Inputs, seed: u64) -> Option<Reference> {
        TILED.approximation(params, inputs, seed)
    }
}

struct Faulty {
    fault: Fault,
    right: Box<dyn Subject>,
}

impl Subject for Faulty {
    fn run(&mut self, iterations: u64) {
        assert!(self.fault != Fault::Panics, "on purpose");
        self.right.run(iterations);
    }

    fn sync(&mut self) -> Result<()> {
        self.right.sync()
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let outputs = self.right.outputs();
        if self.fault == Fault::Early && outputs.is_err() {
            return Ok(Vec::new());
        }
        let mut outputs = outputs?;
        match self.fault {
            Fault::OneNumber => outputs[0].of_mut::<f32>()[34] += 1e-3,
            Fault::Flat => outputs[0] = Array::new(vec![35], outputs[0].of::<f32>()),
            Fault::Missing => outputs.clear(),
            _ => {}
        }
        Ok(outputs)
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        if self.fault == Fault::Deaf { Ok(true) } else { self.right.write(input, first, values) }
    }

    fn processes(&self) -> Vec<u32> {
        self.right.processes()
    }

    fn allocates_in_rust(&self) -> bool {
        self.right.allocates_in_rust()
    }

    fn metrics(&self) -> Vec<Metric> {
        self.right.metrics()
    }

    fn looped(&mut self) -> Option<&mut dyn Loop> {
        self.right.looped()
    }
}

#[test]
fn a_wrong_implementation_is_found_and_its_place_is_named() {
    let mut registry = Registry::default();
    registry.workload(Matmul).implementation(Planted(Fault::None));
    for (fault, _) in FAULTS {
        registry.implementation(Planted(fault));
    }
    let found = breaches(&registry, &Matmul, &[case(&Matmul, &[("m", 5), ("n", 7), ("k", 3)])]);
    for (fault, said) in FAULTS {
        let wanted = format!("matmul {}{said}", Planted(fault).name());
        let of_fault: Vec<&String> = found.iter().filter(|line| line.starts_with(&wanted)).collect();
        assert_eq!(of_fault.len(), 1, "{wanted} in {found:#?}");
    }
    assert_eq!(found.len(), FAULTS.len(), "{found:#?}");
}

#[test]
fn a_case_that_cannot_be_is_named_too() {
    let mut registry = Registry::default();
    registry.workload(Matmul).implementation(Planted(Fault::None));
    let none = Params::default().with("m", Value::Int(0));
    let found = breaches(&registry, &Matmul, &[none, case(&Matmul, &[("m", 2)])]);
    assert!(found.len() == 1 && found[0].starts_with("matmul has no case m=0: "), "{found:?}");
}
