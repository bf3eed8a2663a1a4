"""Measures a PyTorch module of mine beside everybody's attention: checked against the same reference, in the same blocks.

    pip install ./crates/engines/python
    benchbook run attention --quick --worker "mine=python crates/engines/python/examples/my_module.py"
"""

import math

import torch
from benchbook_worker import Engine


class MyAttention(torch.nn.Module):
    """Softmax by hand: exponents of scores less their maximum, and one division at the end."""

    def forward(self, query, key, value, bias):
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        weights = (scores - scores.amax(-1, keepdim=True)).exp()
        return weights @ value / weights.sum(-1, keepdim=True)


mine = Engine("mine", "torch")


@mine.row("attention", "my-module", dtypes=("f32", "bf16"))
def attention(setting, inputs):
    """My module, on the inputs of a case."""
    query, key, value = inputs["query"], inputs["key"], inputs["value"]
    hidden = torch.zeros(setting.seq_q, setting.seq_kv, dtype=torch.bool)
    if setting.causal:
        hidden |= ~torch.ones_like(hidden).tril(setting.seq_kv - setting.seq_q)
    if setting.masked:
        hidden = hidden | inputs["mask"]
    bias = torch.zeros(hidden.shape, dtype=query.dtype).masked_fill(hidden, -math.inf)
    module, shared = MyAttention(), setting.heads // setting.kv_heads
    # What is overwritten between samples must show: so the keys are repeated in the call.
    return lambda: module(query, key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1), bias)


if __name__ == "__main__":
    mine.serve()
