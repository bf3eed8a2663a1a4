"""A LLaMA or Qwen3 in numpy that makes a token a step, with a cache of keys and values."""

import math

import numpy

from .names import EPSILON


def normed(gain, x):
    return x / numpy.sqrt(numpy.square(x).mean(-1, keepdims=True) + EPSILON) * gain


def attended(query, key, value):
    """What the newest queries `[heads, count, head_dim]` see of keys and values `[kv_heads, positions, head_dim]`."""
    key, value = (one.repeat(len(query) // len(one), 0) for one in (key, value))
    scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])
    count, positions = scores.shape[1:]
    later = numpy.arange(positions) > numpy.arange(positions - count, positions)[:, None]
    scores = numpy.where(later, -numpy.inf, scores)
    weights = numpy.exp(scores - scores.max(-1, keepdims=True))
    mixed = weights / weights.sum(-1, keepdims=True) @ value
    return mixed.swapaxes(0, 1).reshape(count, -1)


class Generate:
    """`generate` of one copy of the inputs."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        setting.tell_weights(inputs)
        real, most = inputs["embedding"].dtype, setting.prompt + setting.tokens
        self.cache = numpy.empty((setting.layers, 2, setting.kv_heads, most, setting.head_dim), real)
        pairs = numpy.arange(setting.head_dim // 2) * (-2.0 / setting.head_dim)
        angles = numpy.arange(most)[:, None] * float(setting.rotary_base) ** pairs
        self.cos, self.sin = numpy.cos(angles).astype(real), numpy.sin(angles).astype(real)

    def heads(self, name, layer, x):
        """Queries, keys or values `[heads, positions, head_dim]`, behind their norms where they have some."""
        split = (x @ self.inputs[f"w_{name}"][layer].T).reshape(len(x), -1, self.setting.head_dim)
        gain = self.inputs.get(f"{name}_gain")
        return (split if gain is None else normed(gain[layer], split)).swapaxes(0, 1)

    def turned(self, heads, begin):
        places = slice(begin, begin + heads.shape[1])
        cos, sin = self.cos[places], self.sin[places]
        left, right = numpy.split(heads, 2, -1)
        return numpy.concatenate([left * cos - right * sin, right * cos + left * sin], -1)

    def forward(self, ids, begin):
        """Takes tokens from a position on, and gives the most likely one after them."""
        x, end = self.inputs["embedding"][ids], begin + len(ids)
        for layer in range(self.setting.layers):
            out, gate, up, down = (self.inputs[f"w_{name}"][layer].T for name in ("out", "gate", "up", "down"))
            seen = normed(self.inputs["norm_1"][layer], x)
            query, key, value = (self.heads(name, layer, seen) for name in ("query", "key", "value"))
            keys, values = self.cache[layer, :, :, :end]
            keys[:, begin:], values[:, begin:] = self.turned(key, begin), value
            x = x + attended(self.turned(query, begin), keys, values) @ out
            seen = normed(self.inputs["norm_2"][layer], x)
            gate = seen @ gate
            x = x + (gate / (1 + numpy.exp(-gate)) * (seen @ up)) @ down
        return int((self.inputs["head"] @ normed(self.inputs["last_norm"], x[-1])).argmax())

    def begin(self):
        self.made = []

    def step(self):
        """Makes the next token; tells how many were made, and whether there are more to make."""
        if not self.made:
            token = self.forward(self.inputs["prompt"].astype(int), 0)
        else:
            token = self.forward(self.made[-1:], self.setting.prompt + len(self.made) - 1)
        self.made.append(token)
        return 1, len(self.made) < self.setting.tokens

    def result(self):
        return numpy.array(self.made)[:, None]
