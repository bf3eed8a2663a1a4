//! Whether a dtype is what it says: `f32` passes for no `f64`, and our kernels compute `bf16` in `f32`.

use std::collections::BTreeMap;

use benchbook_core::{
    DType, Implementation, Inputs, Knob, Knobs, Params, Reference, Registry, Result, Setting, Subject, Support,
    Workload,
};
use burn::tensor::bf16;

use crate::common::{SEED, error, registry, setting};

/// An implementation that says it computes in `f64`, and does so in `f32`.
struct InF32<'a>(&'a dyn Implementation);

impl Implementation for InF32<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn workload(&self) -> &'static str {
        self.0.workload()
    }

    fn on_request(&self) -> bool {
        self.0.on_request()
    }

    fn about(&self) -> &'static str {
        "another's kernel in f32, whatever it is asked for"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        self.0.catalogue()
    }

    fn devices(&self) -> Vec<&'static str> {
        self.0.devices()
    }

    fn supports(&self, _device: &str, _dtype: DType, _params: &Params) -> Support {
        Support::Yes
    }

    fn engine(&self, device: &str) -> (String, String) {
        self.0.engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        self.0.prepare(&Setting { dtype: DType::F32, ..setting.clone() }, params, inputs)
    }

    fn knobs(&self) -> &'static [Knob] {
        self.0.knobs()
    }

    fn prepare_with(
        &self,
        setting: &Setting,
        params: &Params,
        inputs: &Inputs,
        knobs: &Knobs,
    ) -> Result<Box<dyn Subject>> {
        self.0.prepare_with(&Setting { dtype: DType::F32, ..setting.clone() }, params, inputs, knobs)
    }

    fn search(&self, params: &Params, inputs: &Inputs) -> Result<bool> {
        self.0.search(params, inputs)
    }

    fn approximates(&self) -> bool {
        self.0.approximates()
    }

    fn approximation(&self, params: &Params, inputs: &Inputs, seed: u64) -> Option<Reference> {
        self.0.approximation(params, inputs, seed)
    }
}

/// An implementation in a case of the preset `quick`.
struct Taken<'a> {
    workload: &'a dyn Workload,
    implementation: &'a dyn Implementation,
    setting: Setting,
    params: Params,
}

impl Taken<'_> {
    fn place(&self) -> String {
        let Self { workload, implementation, setting: Setting { device, dtype, .. }, params } = self;
        format!("{} {} in {dtype} on {device}, {params}", workload.name(), implementation.name())
    }
}

/// Whatever takes a case of the preset `quick` in `dtype`, on every device of this machine; libtorch's own implementations
/// are no code of ours.
fn taken(registry: &Registry, dtype: DType) -> Vec<Taken<'_>> {
    let mut all = Vec::new();
    for implementation in registry.implementations().filter(|one| !one.name().starts_with("torch-")) {
        let workload = registry.find_workload(implementation.workload()).unwrap();
        let devices = implementation.devices();
        for device in devices.into_iter().filter(|device| benchbook_engines::probe(device).is_none()) {
            for given in workload.presets().remove(0).cases {
                let params = workload.case(given).unwrap().params;
                if implementation.supports(device, dtype, &params) == Support::Yes {
                    all.push(Taken { workload, implementation, setting: setting(device, dtype), params });
                }
            }
        }
    }
    all
}

#[test]
fn arithmetic_in_f32_fails_where_f64_is_asked_for_and_f64_passes() {
    let registry = registry();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    // A look-up computes nothing that could be rounded.
    for one in taken(&registry, DType::F64).into_iter().filter(|one| one.workload.name() != "embedding") {
        let Taken { workload, implementation, setting, params } = &one;
        let posed = workload.pose(params).unwrap();
        let (inputs, bound) = (posed.inputs(SEED), posed.tolerance(DType::F64));
        let honest = error(*workload, *implementation, setting, params, &inputs);
        let planted = error(*workload, &InF32(*implementation), setting, params, &inputs);
        let place = one.place();
        assert!(honest <= bound, "{place}: {honest:e}, allowed are {bound:e}");
        assert!(planted > bound, "{place}: {planted:e} of arithmetic in f32, allowed are {bound:e}");
        *seen.entry(workload.name()).or_default() += 1;
    }
    let mut wanted = vec![
        "attention",
        "attention-gradients",
        "causal-conv",
        "contextual-attention",
        "conv1d",
        "conv2d",
        "hybrid-stack",
        "latent-attention",
        "layer-norm",
        "linear",
        "matmul",
        "mlp",
        "paged-attention",
        "patch-embedding",
        "programmable-attention",
        "retention",
        "rms-norm",
        "rotary",
        "rwkv-4",
        "rwkv-6",
        "rwkv-7",
        "selective-scan",
        "softmax",
        "state-space-duality",
        "transformer-block",
        "window-attention",
    ];
    if benchbook_engines::probe("libtorch").is_none() {
        wanted.push("projected-attention");
        wanted.sort_unstable();
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), wanted, "{seen:?}");
}

/// The inputs as `bf16` holds them: what is left is the error of the computation.
fn rounded(mut inputs: Inputs) -> Inputs {
    for name in inputs.real() {
        if let Some(array) = inputs.get_mut(&name) {
            array.of_mut::<f32>().iter_mut().for_each(|number| *number = bf16::from_f32(*number).to_f32());
        }
    }
    inputs
}

#[test]
fn our_kernels_round_bf16_once_at_the_end() {
    let registry = registry();
    let mut seen = 0;
    for one in taken(&registry, DType::Bf16) {
        let Taken { workload, implementation, setting, params } = &one;
        if implementation.engine(&setting.device).0 != "benchbook-simd" {
            continue;
        }
        let inputs = rounded(workload.pose(params).unwrap().inputs(SEED));
        let error = error(*workload, *implementation, setting, params, &inputs);
        // Computed in f32: what is left is the rounding of the result to 8 bits, half a unit of the last.
        assert!(error > 1e-6 && error <= 1.0 / 256.0 + 1e-5, "{}: {error}", one.place());
        seen += 1;
    }
    assert!(seen > 0);
}
