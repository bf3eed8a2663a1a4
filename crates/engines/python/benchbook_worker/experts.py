"""Mixtures of experts as functions of PyTorch: expert by expert, choice by choice, and all by all."""

import torch
from torch.nn import functional

from .mixers import few
from .program import Program


def route(setting, logits, bias):
    """The experts of each token, of equals the one with the lower index first, and what they count."""
    if setting.scoring == "sigmoid":
        probabilities = torch.sigmoid(logits)
        scores = probabilities + bias
    else:
        probabilities, scores = None, logits
    # What is added makes zeros of both signs equal.
    ids = torch.sort(scores + 0.0, dim=-1, descending=True, stable=True)[1][:, : setting.chosen]
    if setting.scoring == "topk-softmax":
        return ids, torch.softmax(logits.gather(1, ids), -1)
    probabilities = torch.softmax(logits, -1) if probabilities is None else probabilities
    weights = probabilities.gather(1, ids)
    return ids, weights / (weights.sum(-1, keepdim=True) + 1e-20) if setting.renormalised else weights


def gated(x, gate, up, down):
    return (functional.silu(x @ gate) * (x @ up)) @ down


def layer(mix):
    """A layer of which `mix(setting, input, ids, weights, *factors)` gives what the chosen experts make."""

    def make(setting, x):
        def call(given, logits, w_gate, w_up, w_down, bias=None):
            factors = (w_gate, w_up, w_down)
            ids, weights = route(setting, logits, bias)
            out = mix(setting, given, ids, weights, *factors) if setting.chosen else torch.zeros_like(given)
            for expert in range(-setting.shared, 0):
                out = out + gated(given, *(one[expert] for one in factors))
            return (out, ids) if setting.chosen else out

        return call

    return make


def by_expert(setting, given, ids, weights, w_gate, w_up, w_down):
    """The tokens of one expert after another."""
    out = torch.zeros_like(given)
    for expert in ids.unique().tolist():
        token, place = torch.where(ids == expert)
        rows = gated(given[token], w_gate[expert], w_up[expert], w_down[expert])
        out.index_add_(0, token, rows * weights[token, place, None])
    return out


def by_choice(setting, given, ids, weights, w_gate, w_up, w_down):
    """The weights of every choice, gathered, as the `batched_mm` of Transformers."""
    choice = ids.flatten()
    rows = given.repeat_interleave(setting.chosen, 0)[:, None]
    rows = gated(rows, w_gate[choice], w_up[choice], w_down[choice]).view(*ids.shape, -1)
    return (rows * weights[..., None]).sum(1)


def by_all(setting, given, ids, weights, w_gate, w_up, w_down):
    """Every token by every expert; what was not chosen counts nothing."""
    factors = (one[: setting.experts] for one in (w_gate, w_up, w_down))
    counted = torch.zeros(setting.tokens, setting.experts, dtype=given.dtype, device=given.device).scatter(1, ids, weights)
    return torch.einsum("etd,te->td", gated(given, *factors), counted)


def by_few_choices(setting, x):
    few(setting.tokens * setting.chosen * setting.width * setting.hidden, "gathered weights")
    return layer(by_choice)(setting, x)


def gradients(setting, x):
    """The gradients of all inputs, by autograd through the layer expert by expert."""
    forward = layer(by_expert)(setting, x)

    def call(*given):
        # A bias has a say in the choice alone, and no gradient.
        leaves = [one.detach().requires_grad_() for one in given[:5]]
        with torch.enable_grad():
            out = forward(*leaves, *given[5:-1])
        out, *ids = out if setting.chosen else (out,)
        if out.requires_grad:
            found = torch.autograd.grad(out, leaves, given[-1], materialize_grads=True)
        else:  # no expert at all
            found = [torch.zeros_like(one) for one in leaves]
        return [*found, *ids] if setting.scoring == "sigmoid" else found

    return call


LAYER = ("input", "logits", "w_gate", "w_up", "w_down", "bias")

FORMS = {
    ("mixture-of-experts", "by-expert"): Program(LAYER, layer(by_expert)),
    ("mixture-of-experts", "by-choice"): Program(LAYER, by_few_choices),
    ("mixture-of-experts", "by-all"): Program(LAYER, layer(by_all)),
    ("mixture-of-experts-gradients", "autograd"): Program((*LAYER, "grad"), gradients),
}
