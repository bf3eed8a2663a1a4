"""BERT's block by packages that need a GPU, in f16. Their GELU is that by tanh, which f16 hardly tells from the exact one."""

import os

import torch

from .blocks import EPSILON
from .rows import Unsupported

#: The variable that says where the library of FasterTransformer is.
LIBRARY = "FASTERTRANSFORMER_LIBRARY"


def packed(setting, x):
    """Refuses other blocks, and says that nothing but the input can be overwritten."""
    if setting.architecture != "bert":
        raise Unsupported(f"it has the block of BERT, and none of {setting.architecture}")
    setting.packed = tuple(name for name in x if name != "input")


def deepspeed(setting, x):
    """The layer with which DeepSpeed trains BERT, in evaluation."""
    from deepspeed import DeepSpeedTransformerConfig, DeepSpeedTransformerLayer

    packed(setting, x)
    sizes = {"batch_size": setting.batch, "hidden_size": setting.width, "intermediate_size": setting.hidden}
    never = {"attn_dropout_ratio": 0.0, "hidden_dropout_ratio": 0.0, "initializer_range": 0.02, "training": False}
    config = DeepSpeedTransformerConfig(
        heads=setting.heads, num_hidden_layers=1, layer_norm_eps=EPSILON, fp16=True, pre_layer_norm=False, **sizes, **never
    )
    layer = DeepSpeedTransformerLayer(config).to("cuda", torch.float16).eval()
    state = {"attn_qkvw": torch.cat([x[f"w_{name}"].T for name in ("query", "key", "value")])}
    state["attn_qkvb"] = torch.cat([x[f"b_{name}"] for name in ("query", "key", "value")])
    for theirs, ours in ("attn_o", "out"), ("inter_", "up"), ("output_", "down"):
        state |= {f"{theirs}w": x[f"w_{ours}"].T, f"{theirs}b": x[f"b_{ours}"]}
    for theirs, part in ("attn_n", 1), ("norm_", 2):
        state |= {f"{theirs}w": x[f"gain_{part}"], f"{theirs}b": x[f"bias_{part}"]}
    layer.load_state_dict(state)
    given, mask = x["input"], x["input"].new_zeros(setting.batch, 1, 1, setting.seq)
    return lambda: layer(given, mask)


def fastertransformer(setting, x):
    """FasterTransformer's encoder of one layer; its weights are `[layers, from, to]`, and its norms have an ε of 10⁻⁶."""
    packed(setting, x)
    torch.classes.load_library(os.environ[LIBRARY])
    weights = []
    for name in ("query", "key", "value", "out", "up", "down"):
        weights += [x[f"w_{name}"], x[f"b_{name}"]]
        if part := {"out": 1, "down": 2}.get(name):
            weights += [x[f"gain_{part}"], x[f"bias_{part}"]]
    weights = [one[None].contiguous() for one in weights]
    sizes = (setting.heads, setting.head_dim, setting.hidden)
    # Without padding to remove, of one layer, dense, scores scaled as usual, on one device.
    encoder = torch.classes.FasterTransformer.Bert(*weights, *sizes, False, 1, False, 1.0, 1, 1)
    given, lengths = x["input"], torch.full((setting.batch,), setting.seq, dtype=torch.int32, device="cuda")
    return lambda: encoder.forward(given, lengths)
