"""Greedy decoding by a GPT-2, a LLaMA or a Qwen3, a token a step: a loop over a cache of keys and values."""

import torch
from torch.nn import functional

from .names import EPSILON


class Greedy:
    """A loop over `forward(ids, begin)`, which takes tokens from a position on and gives the most likely one after them."""

    def begin(self):
        self.made = []

    def step(self):
        """Makes the next token; tells how many were made, and whether there are more to make."""
        if not self.made:
            token = self.forward(self.inputs["prompt"].long(), 0)
        else:
            last = torch.tensor(self.made[-1:], device=self.cache.device)
            token = self.forward(last, self.setting.prompt + len(self.made) - 1)
        self.made.append(token)
        return 1, len(self.made) < self.setting.tokens

    def result(self):
        return torch.tensor(self.made)[:, None]


class Gpt2(Greedy):
    """`greedy-decoding` of one copy of the inputs, in eager PyTorch."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        most = setting.prompt + setting.tokens
        shape = (setting.layers, 2, setting.heads, most, setting.width // setting.heads)
        self.cache = torch.empty(shape, dtype=inputs["wte"].dtype, device=inputs["wte"].device)
        self.tokens = torch.zeros(setting.tokens, 1, dtype=torch.int64, device=self.cache.device)

    def norm(self, place, x):
        gain, bias = self.inputs["norm_gain"][place], self.inputs["norm_bias"][place]
        return functional.layer_norm(x, (self.setting.width,), gain, bias, 1e-5)

    def linear(self, name, layer, x):
        return torch.addmm(self.inputs[name + "_bias"][layer], x, self.inputs[name][layer])

    def forward(self, ids, begin):
        """Takes tokens from a position on, and gives the most likely one after them."""
        setting, count = self.setting, len(ids)
        x = self.inputs["wte"][ids] + self.inputs["wpe"][begin : begin + count]
        for layer in range(setting.layers):
            both = self.linear("qkv", layer, self.norm(2 * layer, x)).view(count, 3, setting.heads, -1)
            query, key, value = both.permute(1, 2, 0, 3)
            cache = self.cache[layer, :, :, : begin + count]
            cache[0, :, begin:], cache[1, :, begin:] = key, value
            # One token sees all before it, the prompt is alone: so the corners fit.
            mixed = functional.scaled_dot_product_attention(
                query[None], cache[0][None], cache[1][None], is_causal=count > 1
            )
            x = x + self.linear("merge", layer, mixed[0].transpose(0, 1).reshape(count, setting.width))
            wide = functional.gelu(self.linear("up", layer, self.norm(2 * layer + 1, x)), approximate="tanh")
            x = x + self.linear("down", layer, wide)
        logits = self.norm(2 * setting.layers, x[-1]) @ self.inputs["wte"].T
        return int(logits.argmax())


class Llama(Greedy):
    """`generate` of one copy of the inputs, in eager PyTorch."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        setting.tell_weights(inputs)
        like, most = inputs["embedding"], setting.prompt + setting.tokens
        shape = (setting.layers, 2, setting.kv_heads, most, setting.head_dim)
        self.cache = torch.empty(shape, dtype=like.dtype, device=like.device)
        pairs = torch.arange(setting.head_dim // 2, dtype=torch.float64) * (-2.0 / setting.head_dim)
        angles = torch.arange(most, dtype=torch.float64)[:, None] * setting.rotary_base**pairs
        self.cos, self.sin = (turn.to(like.device, like.dtype) for turn in (angles.cos(), angles.sin()))

    def norm(self, gain, x):
        return functional.rms_norm(x, gain.shape, gain, EPSILON)

    def heads(self, name, layer, x):
        """Queries, keys or values `[heads, positions, head_dim]`, behind their norms where they have some."""
        split = functional.linear(x, self.inputs[f"w_{name}"][layer]).unflatten(-1, (-1, self.setting.head_dim))
        gain = self.inputs.get(f"{name}_gain")
        return (split if gain is None else self.norm(gain[layer], split)).transpose(0, 1)

    def turned(self, heads, begin):
        places = slice(begin, begin + heads.shape[1])
        cos, sin = self.cos[places], self.sin[places]
        left, right = heads.chunk(2, -1)
        return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)

    def forward(self, ids, begin):
        x, count = self.inputs["embedding"][ids], len(ids)
        for layer in range(self.setting.layers):
            weight = {name: self.inputs[f"w_{name}"][layer] for name in ("out", "gate", "up", "down")}
            seen = self.norm(self.inputs["norm_1"][layer], x)
            query, key, value = (self.heads(name, layer, seen) for name in ("query", "key", "value"))
            cache = self.cache[layer, :, :, : begin + count]
            cache[0, :, begin:], cache[1, :, begin:] = self.turned(key, begin), value
            # One token sees all before it, the prompt is alone: so the corners fit.
            query, how = self.turned(query, begin), {"is_causal": count > 1, "enable_gqa": len(query) != len(value)}
            mixed = functional.scaled_dot_product_attention(query[None], cache[0][None], cache[1][None], **how)
            x = x + functional.linear(mixed[0].transpose(0, 1).flatten(1), weight["out"])
            seen = self.norm(self.inputs["norm_2"][layer], x)
            gate = functional.silu(functional.linear(seen, weight["gate"]))
            x = x + functional.linear(gate * functional.linear(seen, weight["up"]), weight["down"])
        return int((self.inputs["head"] @ self.norm(self.inputs["last_norm"], x[-1])).argmax())
