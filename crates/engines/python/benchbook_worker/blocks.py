"""The blocks of models as functions of PyTorch, each by its formula and by PyTorch's own."""

import torch
from torch.nn import functional

from .attention import angles, rotated
from .machine import flags
from .names import EPSILON, ONEDNN
from .program import Program
from .rows import Unsupported


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


def normed(given, gain, bias=None):
    """The layer norm where there is a bias, the RMS norm where there is none, over the last axis."""
    if bias is not None:
        given = given - given.mean(-1, keepdim=True)
    scaled = given * torch.rsqrt(given.square().mean(-1, keepdim=True) + EPSILON) * gain
    return scaled if bias is None else scaled + bias


def normed_fused(given, gain, bias=None):
    """The same by what PyTorch has for it."""
    if bias is None:
        return functional.rms_norm(given, gain.shape, gain, EPSILON)
    return functional.layer_norm(given, gain.shape, gain, bias, EPSILON)


def norm(by):
    return lambda setting, x: by


def chain(setting, x):
    """A residual sum, its RMS norm, and a gate."""

    def call(given, residual, gate, gain):
        total = given + residual
        return total, normed(total, gain) * functional.silu(gate)

    return call


def rotary(setting, x):
    cos, sin = angles(setting.seq, setting.head_dim, x["input"])
    return lambda given: rotated(given, cos, sin)


def convolution(function):
    """A convolution by PyTorch's function for so many axes."""

    def make(setting, x):
        window = {name: setting.params[name] for name in ("stride", "padding", "dilation", "groups")}
        return lambda given, weight, bias: function(given, weight, bias, **window)

    return make


def patches(setting, x):
    """A convolution whose stride is its kernel, as vision transformers are written."""
    rows, columns = setting.height // setting.patch_size, setting.width // setting.patch_size
    # What was found of oneDNN 3.7.1 stands at the same row of our own libtorch (engines/src/flex/convolution.rs).
    wrong = setting.patch_size > 1 and (setting.in_channels == 16 or (columns == 1 and rows > 4))
    if wrong and setting.dtype == "bf16" and setting.device in ONEDNN and "amx_bf16" in flags():
        raise Unsupported("oneDNN 3.7 is wrong at this convolution in bf16 by AMX")

    def call(image, weight, first, positions):
        grid = functional.conv2d(image, weight, stride=setting.patch_size).flatten(2).transpose(1, 2)
        return torch.cat([first.expand(setting.batch, 1, -1), grid], 1) + positions

    return call


WEIGHTS = {
    "linear": ("weight", "bias"),
    "mlp": ("w_up", "w_down", "w_gate"),
    "layer-norm": ("gain", "bias"),
    "rms-norm": ("gain",),
    "conv1d": ("weight", "bias"),
    "conv2d": ("weight", "bias"),
    "patch-embedding": ("weight", "class", "positions"),
}
FORMULAS = {
    "linear": Program(("input", *WEIGHTS["linear"]), linear, WEIGHTS["linear"]),
    "mlp": Program(("input", *WEIGHTS["mlp"]), mlp, WEIGHTS["mlp"]),
    "layer-norm": Program(("input", *WEIGHTS["layer-norm"]), norm(normed), WEIGHTS["layer-norm"]),
    "rms-norm": Program(("input", *WEIGHTS["rms-norm"]), norm(normed), WEIGHTS["rms-norm"]),
    "norm-chain": Program(("input", "residual", "gate", "gain"), chain),
    "softmax": Program(("input",), lambda setting, x: lambda given: functional.softmax(given, -1)),
    "embedding": Program(("ids", "table"), lambda setting, x: lambda ids, table: functional.embedding(ids, table)),
    "rotary": Program(("input",), rotary),
    "conv1d": Program(("input", *WEIGHTS["conv1d"]), convolution(functional.conv1d), WEIGHTS["conv1d"]),
    "conv2d": Program(("input", *WEIGHTS["conv2d"]), convolution(functional.conv2d), WEIGHTS["conv2d"]),
    "patch-embedding": Program(("image", *WEIGHTS["patch-embedding"]), patches, WEIGHTS["patch-embedding"]),
}
FUSED = {
    "layer-norm": Program(("input", *WEIGHTS["layer-norm"]), norm(normed_fused), WEIGHTS["layer-norm"]),
    "rms-norm": Program(("input", *WEIGHTS["rms-norm"]), norm(normed_fused), WEIGHTS["rms-norm"]),
}
