//! Products, attention and the blocks of models as graphs of ONNX.

use benchbook_core::{Array, Inputs, Row, Support};
use benchbook_workloads::attention::{Attention, AttentionParams};
use benchbook_workloads::blocks::{
    Activation, EPSILON, Embedding, EmbeddingParams, LayerNorm, LayerNormParams, Linear, LinearParams, Mlp, MlpParams,
    RmsNorm, RmsNormParams, Softmax, SoftmaxParams,
};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

use super::bound::{row, subject};
use super::graph::Attributed::{Axes, Real, Whole, Word};
use super::graph::{Graph, OUTPUT, Step, step};
use crate::hidden::penalties;

/// Both factors are given to each call, so that none is packed before.
pub const MATMUL: Row<Matmul> = row::<Matmul>("MatMul of ONNX Runtime", |name, setting, params, inputs| {
    subject(name, setting, &matmul(params, inputs))
});

/// The weights are a constant, which the runtime packs.
pub const LINEAR: Row<Linear> =
    row::<Linear>("Gemm of ONNX Runtime and an activation, weights packed", |name, setting, params, inputs| {
        subject(name, setting, &linear(params, inputs))
    });

/// The weights are constants, which the runtime packs.
pub const MLP: Row<Mlp> = row::<Mlp>(
    "MatMul of ONNX Runtime with Gelu, or Sigmoid and Mul, weights packed",
    |name, setting, params, inputs| subject(name, setting, &mlp(params, inputs)),
);

/// One operator.
pub const LAYER_NORM: Row<LayerNorm> =
    row::<LayerNorm>("LayerNormalization of ONNX Runtime", |name, setting, params, inputs| {
        subject(name, setting, &layer_norm(params, inputs))
    });

/// One operator.
pub const RMS_NORM: Row<RmsNorm> =
    row::<RmsNorm>("RMSNormalization of ONNX Runtime", |name, setting, params, inputs| {
        subject(name, setting, &rms_norm(params, inputs))
    });

/// One operator.
pub const SOFTMAX: Row<Softmax> = row::<Softmax>("Softmax of ONNX Runtime", |name, setting, params, inputs| {
    subject(name, setting, &softmax(params, inputs))
});

/// One operator.
pub const EMBEDDING: Row<Embedding> = row::<Embedding>("Gather of ONNX Runtime", |name, setting, params, inputs| {
    subject(name, setting, &embedding(params, inputs))
});

/// The formula, whose scores lie in memory. Hidden places are an array of −∞ that is added, made before timing.
pub const ATTENTION: Row<Attention> =
    row::<Attention>("MatMul, Softmax and MatMul of ONNX Runtime", |name, setting, params, inputs| {
        subject(name, setting, &attention(params, inputs))
    })
    .only(|_, _, params| {
        if params.heads == params.kv_heads {
            Support::Yes
        } else {
            Support::No("its graph has as many key heads as query heads".to_owned())
        }
    });

/// Inputs under these names.
fn named<const N: usize>(inputs: &Inputs, names: [&'static str; N]) -> Vec<(&'static str, Array)> {
    names.map(|name| (name, inputs.get(name).clone())).into()
}

fn matmul(params: &MatmulParams, inputs: &Inputs) -> Graph {
    Graph {
        given: named(inputs, ["a", "b"]),
        constants: Vec::new(),
        steps: vec![step("MatMul", &["a", "b"], OUTPUT)],
        shape: vec![params.m, params.n],
    }
}

fn linear(params: &LinearParams, inputs: &Inputs) -> Graph {
    let product = |output| step("Gemm", &["input", "weight", "bias"], output);
    let steps = match Activation::of(&params.activation) {
        Activation::None => vec![product(OUTPUT)],
        Activation::Relu => vec![product("sum"), step("Relu", &["sum"], OUTPUT)],
        Activation::Gelu => vec![product("sum"), gelu(&["sum"], OUTPUT)],
        Activation::Silu => {
            vec![product("sum"), step("Sigmoid", &["sum"], "share"), step("Mul", &["sum", "share"], OUTPUT)]
        }
    };
    Graph {
        given: named(inputs, ["input", "bias"]),
        constants: named(inputs, ["weight"]),
        steps,
        shape: vec![params.rows, params.outer],
    }
}

/// The GELU by a hyperbolic tangent.
fn gelu(inputs: &'static [&'static str], output: &'static str) -> Step {
    step("Gelu", inputs, output).with("approximate", Word("tanh"))
}

fn mlp(params: &MlpParams, inputs: &Inputs) -> Graph {
    let (up, down) = (step("MatMul", &["input", "w_up"], "up"), step("MatMul", &["between", "w_down"], OUTPUT));
    let (steps, constants) = if params.form == "swiglu" {
        let gate = step("MatMul", &["input", "w_gate"], "gate");
        let silu = [step("Sigmoid", &["gate"], "share"), step("Mul", &["gate", "share"], "silu")];
        let between = step("Mul", &["silu", "up"], "between");
        let steps: Vec<Step> = [up, gate].into_iter().chain(silu).chain([between, down]).collect();
        (steps, named(inputs, ["w_up", "w_down", "w_gate"]))
    } else {
        (vec![up, gelu(&["up"], "between"), down], named(inputs, ["w_up", "w_down"]))
    };
    Graph { given: named(inputs, ["input"]), constants, steps, shape: vec![params.rows, params.width] }
}

/// A norm over the last axis.
fn norm(operator: &'static str, inputs: &'static [&'static str]) -> Step {
    step(operator, inputs, OUTPUT).with("axis", Whole(-1)).with("epsilon", Real(EPSILON as f32))
}

fn layer_norm(params: &LayerNormParams, inputs: &Inputs) -> Graph {
    Graph {
        given: named(inputs, ["input", "gain", "bias"]),
        constants: Vec::new(),
        steps: vec![norm("LayerNormalization", &["input", "gain", "bias"])],
        shape: vec![params.rows, params.width],
    }
}

fn rms_norm(params: &RmsNormParams, inputs: &Inputs) -> Graph {
    Graph {
        given: named(inputs, ["input", "gain"]),
        constants: Vec::new(),
        steps: vec![norm("RMSNormalization", &["input", "gain"])],
        shape: vec![params.rows, params.width],
    }
}

fn softmax(params: &SoftmaxParams, inputs: &Inputs) -> Graph {
    Graph {
        given: named(inputs, ["input"]),
        constants: Vec::new(),
        steps: vec![step("Softmax", &["input"], OUTPUT).with("axis", Whole(-1))],
        shape: vec![params.rows, params.width],
    }
}

fn embedding(params: &EmbeddingParams, inputs: &Inputs) -> Graph {
    Graph {
        given: named(inputs, ["table", "ids"]),
        constants: Vec::new(),
        steps: vec![step("Gather", &["table", "ids"], OUTPUT).with("axis", Whole(0))],
        shape: vec![params.tokens, params.width],
    }
}

fn attention(params: &AttentionParams, inputs: &Inputs) -> Graph {
    let AttentionParams { batch, heads, seq_q, head_dim, .. } = *params;
    let mut given = named(inputs, ["query", "key", "value"]);
    let mut steps = vec![
        step("Transpose", &["key"], "columns").with("perm", Axes(&[0, 1, 3, 2])),
        step("MatMul", &["query", "columns"], "products"),
        step("Mul", &["products", "scale"], "scores"),
    ];
    match penalties(params, inputs) {
        Some(added) => {
            given.push(("added", added));
            steps.push(step("Add", &["scores", "added"], "seen"));
            steps.push(step("Softmax", &["seen"], "shares").with("axis", Whole(-1)));
        }
        None => steps.push(step("Softmax", &["scores"], "shares").with("axis", Whole(-1))),
    }
    steps.push(step("MatMul", &["shares", "value"], OUTPUT));
    let scale = Array::new(vec![1], &[1.0 / (head_dim as f32).sqrt()]);
    Graph { given, constants: vec![("scale", scale)], steps, shape: vec![batch, heads, seq_q, head_dim] }
}
