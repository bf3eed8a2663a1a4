"""Training of a seeded GPT-2 in PyTorch, a batch a step: autograd, SDPA, and the fused AdamW; and the way back through a chain."""

from functools import partial

import torch
from torch.nn import functional
from torch.optim.adamw import adamw
from torch.utils.checkpoint import checkpoint

from .optimizer_rows import BETAS, DECAY, EPSILON
from .torch_rows import compiled

#: As in `workloads::training`, in the order in which the norms of their gradients are told.
TENSORS = (
    "wte",
    "wpe",
    "norm_gain",
    "norm_bias",
    "qkv",
    "qkv_bias",
    "merge",
    "merge_bias",
    "up",
    "up_bias",
    "down",
    "down_bias",
)


def plainly(function, *given):
    return function(*given)


def loss_of(setting, through=plainly):
    """The mean cross-entropy of a batch, of its ids and the tensors; `through` calls each layer."""
    layers, heads, width = setting.layers, setting.heads, setting.width

    def norm(x, gain, bias):
        return functional.layer_norm(x, (width,), gain, bias, 1e-5)

    def block(x, gain, bias, qkv, qkv_bias, merge, merge_bias, up, up_bias, down, down_bias):
        batch, seq, _ = x.shape
        parts = (norm(x, gain[0], bias[0]) @ qkv + qkv_bias).view(batch, seq, 3, heads, width // heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + mixed.transpose(1, 2).reshape(batch, seq, width) @ merge + merge_bias
        wide = functional.gelu(norm(x, gain[1], bias[1]) @ up + up_bias, approximate="tanh")
        return x + wide @ down + down_bias

    def loss(given, wanted, wte, wpe, gain, bias, *of_layers):
        x = wte[given] + wpe
        for layer in range(layers):
            norms = slice(2 * layer, 2 * layer + 2)
            x = through(block, x, gain[norms], bias[norms], *[tensor[layer] for tensor in of_layers])
        logits = norm(x, gain[2 * layers], bias[2 * layers]) @ wte.T
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())

    return loss


class Eager:
    """`gpt2-training` of one copy of the inputs."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        setting.packed = TENSORS
        self.weights = [inputs[name].clone().requires_grad_() for name in TENSORS]
        self.moments = [[torch.zeros_like(one) for one in self.weights] for _ in range(2)]
        place = self.weights[0].device
        self.counts = [torch.zeros((), device=place) for _ in self.weights]
        self.loss = loss_of(setting)
        with torch.enable_grad():
            self.prepare()

    def prepare(self):
        """Nothing is to be done before the first step."""

    def batch(self, step):
        ids = self.inputs["ids"][step].long()
        return ids[:, :-1], ids[:, 1:]

    def begin(self):
        with torch.no_grad():
            for weight, name in zip(self.weights, TENSORS):
                weight.copy_(self.inputs[name])
        for one in (*self.moments[0], *self.moments[1], *self.counts):
            one.zero_()
        self.losses, self.norms = [], []

    def step(self):
        """Takes the next step; tells its tokens, and whether there are more to take."""
        setting = self.setting
        with torch.enable_grad():
            loss = self.loss(*self.batch(len(self.losses)), *self.weights)
            grads = torch.autograd.grad(loss, self.weights)
        self.losses.append(loss.detach())
        self.norms.append(torch.stack([grad.norm() for grad in grads]))
        with torch.no_grad():
            adamw(
                self.weights,
                list(grads),
                *self.moments,
                [],
                self.counts,
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=setting.rate,
                weight_decay=DECAY,
                eps=EPSILON,
                maximize=False,
            )
        return setting.batch * setting.seq, len(self.losses) < setting.steps

    def result(self):
        return torch.stack(self.losses)[:, None], torch.stack(self.norms)


class Compile(Eager):
    """The same with loss and gradients by torch.compile."""

    def prepare(self):
        self.loss = compiled(self.setting, self.loss, (*self.batch(0), *self.weights))


class Checkpoint(Eager):
    """The same, of each layer only what comes in waits for the pass back."""

    def prepare(self):
        self.loss = loss_of(self.setting, partial(checkpoint, use_reentrant=False, preserve_rng_state=False))


def gated(total, gate, gain):
    """The chain after its residual sum."""
    return functional.rms_norm(total, gain.shape, gain, 1e-5) * functional.silu(gate)


def leaves(inputs):
    return [inputs[name].detach().requires_grad_() for name in ("sum", "gate", "gain")]


def chain(setting, inputs, forward=gated):
    """The gradients of the chain, by autograd."""

    def call():
        given = leaves(inputs)
        with torch.enable_grad():
            out = forward(*given)
        of_sum, of_gate, of_gain = torch.autograd.grad(out, given, inputs["output_grad"])
        return of_sum + inputs["sum_grad"], of_gate, of_gain[None]

    return call


def compile_chain(setting, inputs):
    """The same with the chain, forward and back, as torch.compile makes it."""
    with torch.enable_grad():
        forward = compiled(setting, gated, leaves(inputs))
    return chain(setting, inputs, forward)
