"""Stacks of layers as functions of PyTorch: attention by SDPA, dualities and retention in chunks, other recurrences step by step,
one expert after another."""

from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch.nn import functional

from . import experts, mixers
from .program import Program

EPSILON = 1e-5

#: Mixers that are loops over steps.
LOOPS = set("SUVW")

#: What scores experts, of which the best are taken and divided by their sum.
SCORED = dict(scoring="softmax", renormalised=True)


def norm(x):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON)


def convolved(x, weight, bias):
    """A causal convolution that sees nothing before the first step, and silu."""
    padded = functional.pad(x.transpose(1, 2), (weight.shape[0] - 1, 0))
    return functional.silu(functional.conv1d(padded, weight.T[:, None], bias, groups=len(bias))).transpose(1, 2)


def stepwise(recurrence):
    return recurrence.looped(recurrence.step)


@dataclass
class Layer:
    """A layer of a case; `mix(x, w)` is what it adds, where `w` are its weights by name. One of experts gives these too."""

    setting: object
    like: object

    def heads(self, x):
        return x.unflatten(-1, (self.setting.heads, -1))

    def attention(self):
        def mix(x, w):
            query, key, value = (self.heads(x @ w["w_" + name]).transpose(1, 2) for name in ("query", "key", "value"))
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return mixed.transpose(1, 2).flatten(2) @ w["w_out"]

        return mix

    def experts(self):
        router = SimpleNamespace(chosen=self.setting.chosen, **SCORED)

        def mix(x, w):
            rows = x.flatten(0, 1)
            ids, weights = experts.route(router, rows @ w["w_router"], None)
            given = experts.by_expert(router, rows, ids, weights, *(w["w_" + name] for name in ("gate", "up", "down")))
            return given.view_as(x), ids

        return mix

    def feed_forward(self):
        return lambda x, w: (functional.silu(x @ w["w_gate"]) * (x @ w["w_up"])) @ w["w_down"]

    def mamba2(self):
        dual = mixers.duality_in_chunks(SimpleNamespace(heads=2 * self.setting.heads, groups=1), None)

        def mix(x, w):
            u, b, c = (convolved(x @ w["w_" + name], w["conv_" + name], w["bias_" + name]) for name in "xbc")
            values = u.unflatten(-1, (2 * self.setting.heads, -1)), x @ w["w_delta"], b[:, :, None], c[:, :, None]
            mixed, _ = dual(*values, *(w[name] for name in ("delta_bias", "a_log", "skip", "start")))
            return norm(mixed.flatten(2) * functional.silu(x @ w["w_z"])) * w["gain_inner"] @ w["w_out"]

        return mix

    def retention(self):
        batch, seq, heads, width = (getattr(self.setting, name) for name in ("batch", "seq", "heads", "head_dim"))
        sizes = dict(batch=batch, seq=seq, heads=heads, key_dim=width, form="plain", xpos=False)
        retained = mixers.retention_in_chunks(SimpleNamespace(**sizes), dict(query=self.like))

        def mix(x, w):
            query, key, value = (self.heads(x @ w["w_" + name]) for name in ("query", "key", "value"))
            mixed, _ = retained(query, key, value, w["start"])
            return norm(mixed).flatten(2) * functional.silu(x @ w["w_gate"]) @ w["w_out"]

        return mix

    def mamba(self):
        scan = stepwise(mixers.scan(None, None))

        def mix(x, w):
            u = convolved(x @ w["w_x"], w["conv_x"], w["bias_x"])
            values = u, u @ w["w_low"] @ w["w_delta"], x @ w["w_z"], u @ w["w_b"], u @ w["w_c"]
            return scan(*values, *(w[name] for name in ("a_log", "delta_bias", "skip", "start")))[0] @ w["w_out"]

        return mix

    def rwkv4(self):
        recurrence = stepwise(mixers.rwkv4(None, None))

        def mix(x, w):
            r, k, v = (x @ w["w_" + name] for name in "rkv")
            return recurrence(r, k, v, *(w[name] for name in ("decay", "bonus", "start")))[0] @ w["w_out"]

        return mix

    def rwkv(self, version):
        recurrence = stepwise(mixers.rwkv7(None, None) if version == 7 else mixers.rwkv6(None, None))

        def mix(x, w):
            r, k, v = (self.heads(x @ w["w_" + name]) for name in "rkv")
            decay = self.heads(x @ w["w_decay"] + w["decay"])
            if version == 7:
                rate, removed = self.heads(x @ w["w_rate"] + w["rate"]), k * self.heads(w["removal"])
                mixed, _ = recurrence(r, decay, k, v, removed, rate, w["start"])
            else:
                mixed, _ = recurrence(r, k, v, decay, w["bonus"], w["start"])
            return norm(mixed).flatten(2) * functional.silu(x @ w["w_gate"]) @ w["w_out"]

        return mix

    def of(self, letter):
        return {
            "A": self.attention,
            "E": self.experts,
            "F": self.feed_forward,
            "M": self.mamba2,
            "R": self.retention,
            "S": self.mamba,
            "U": self.rwkv4,
            "V": lambda: self.rwkv(7),
            "W": lambda: self.rwkv(6),
        }[letter]()


class Stack(Program):
    """A program of all inputs of its case: which weights there are depends on the pattern."""

    def names(self, x):
        return list(x)


def stack(setting, x):
    """Layer by layer: what it mixes of its normed input is added to that."""
    names, input_at = list(x), list(x).index("input")
    if LOOPS & set(setting.pattern):
        mixers.few_steps(setting.seq)
    layers = []
    for number, letter in enumerate(setting.pattern):
        end = f"_{number}"
        places = {name.removesuffix(end): place for place, name in enumerate(names) if name.endswith(end)}
        layers.append((Layer(setting, x["input"]).of(letter), places))

    def call(*given):
        stream, chosen = given[input_at], []
        for mix, places in layers:
            weights = {name: given[place] for name, place in places.items()}
            added = mix(norm(stream) * weights["gain"], weights)
            if isinstance(added, tuple):
                added, ids = added
                chosen.append(ids)
            stream = stream + added
        return (stream, torch.stack(chosen)) if chosen else stream

    return call


FORMS = {("hybrid-stack", "composed"): Stack((), stack)}
