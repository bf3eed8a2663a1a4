"""The blocks of models as functions of PyTorch, each by its formula and by PyTorch's own."""

import torch
from torch.nn import functional

from .attention import angles, rotated
from .program import Program

EPSILON = 1e-5


def gelu(x):
    return functional.gelu(x, approximate="tanh")


ACTIVATIONS = {"none": lambda x: x, "relu": torch.relu, "gelu": gelu, "silu": functional.silu}


def linear(setting, x):
    after = ACTIVATIONS[setting.activation]
    return lambda given, weight, bias: after(torch.addmm(bias, given, weight))


def mlp(setting, x):
    if setting.form == "gelu":
        return lambda given, w_up, w_down: gelu(given @ w_up) @ w_down
    return lambda given, w_up, w_down, w_gate: (functional.silu(given @ w_gate) * (given @ w_up)) @ w_down


def layer_norm(setting, x):
    def call(given, gain, bias):
        from_mean = given - given.mean(-1, keepdim=True)
        return from_mean * torch.rsqrt(from_mean.square().mean(-1, keepdim=True) + EPSILON) * gain + bias

    return call


def layer_norm_fused(setting, x):
    return lambda given, gain, bias: functional.layer_norm(given, (setting.width,), gain, bias, EPSILON)


def rms_norm(setting, x):
    return lambda given, gain: given * torch.rsqrt(given.square().mean(-1, keepdim=True) + EPSILON) * gain


def rms_norm_fused(setting, x):
    return lambda given, gain: functional.rms_norm(given, (setting.width,), gain, EPSILON)


def rotary(setting, x):
    cos, sin = angles(setting.seq, setting.head_dim, x["input"])
    return lambda given: rotated(given, cos, sin)


WEIGHTS = {
    "linear": ("weight", "bias"),
    "mlp": ("w_up", "w_down", "w_gate"),
    "layer-norm": ("gain", "bias"),
    "rms-norm": ("gain",),
}
FORMULAS = {
    "linear": Program(("input", *WEIGHTS["linear"]), linear, WEIGHTS["linear"]),
    "mlp": Program(("input", *WEIGHTS["mlp"]), mlp, WEIGHTS["mlp"]),
    "layer-norm": Program(("input", *WEIGHTS["layer-norm"]), layer_norm, WEIGHTS["layer-norm"]),
    "rms-norm": Program(("input", *WEIGHTS["rms-norm"]), rms_norm, WEIGHTS["rms-norm"]),
    "softmax": Program(("input",), lambda setting, x: lambda given: functional.softmax(given, -1)),
    "embedding": Program(("ids", "table"), lambda setting, x: lambda ids, table: functional.embedding(ids, table)),
    "rotary": Program(("input",), rotary),
}
FUSED = {
    "layer-norm": Program(("input", *WEIGHTS["layer-norm"]), layer_norm_fused, WEIGHTS["layer-norm"]),
    "rms-norm": Program(("input", *WEIGHTS["rms-norm"]), rms_norm_fused, WEIGHTS["rms-norm"]),
}
