"""Training of seeded models in PyTorch, a batch a step: autograd, SDPA, and the fused AdamW; and the way back through a chain."""

import math
from functools import partial

import torch
from torch.nn import functional
from torch.optim.adamw import adamw
from torch.utils.checkpoint import checkpoint

from .attention import angles, rotated
from .optimizer_rows import BETAS, DECAY, EPSILON
from .torch_rows import compiled

#: As in `workloads::training`, in the order in which the norms of their gradients are told.
GPT2 = (
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

#: The same of a LLaMA.
LLAMA = ("embedding", "last_norm", "norm_1", "norm_2", "w_qkv", "w_out", "w_gate_up", "w_down")


def plainly(function, *given):
    return function(*given)


def gpt2_loss_of(setting, like, through):
    """The mean cross-entropy of a batch, of its ids and the tensors, which are like `like`; `through` calls each layer."""
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


def llama_loss_of(setting, like, through):
    """The same of a LLaMA."""
    layers, heads, kv_heads, size = setting.layers, setting.heads, setting.kv_heads, setting.head_dim
    cos, sin = angles(setting.seq, size, like, float(setting.rotary_base))

    def norm(x, gain):
        return functional.rms_norm(x, gain.shape, gain, 1e-5)

    def block(x, norm_1, norm_2, qkv, out, gate_up, down):
        batch, seq, _ = x.shape
        parts = (norm(x, norm_1) @ qkv).view(batch, seq, -1, size).transpose(1, 2)
        query, key, value = parts.split((heads, kv_heads, kv_heads), 1)
        query, key = rotated(query, cos, sin), rotated(key, cos, sin)
        if heads != kv_heads:
            # As Transformers repeats them, so that every fused attention takes them.
            key, value = key.repeat_interleave(heads // kv_heads, 1), value.repeat_interleave(heads // kv_heads, 1)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + mixed.transpose(1, 2).reshape(batch, seq, -1) @ out
        gate, up = (norm(x, norm_2) @ gate_up).chunk(2, -1)
        return x + (functional.silu(gate) * up) @ down

    def loss(given, wanted, embedding, last_norm, *of_layers):
        x = embedding[given]
        for layer in range(layers):
            x = through(block, x, *[tensor[layer] for tensor in of_layers])
        logits = norm(x, last_norm) @ embedding.T
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())

    return loss


#: Of each workload the tensors, and what makes its loss.
MODELS = {"gpt2-training": (GPT2, gpt2_loss_of), "llama-training": (LLAMA, llama_loss_of)}


class Eager:
    """Training of a model on one copy of the inputs."""

    through = staticmethod(plainly)

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        self.names, loss_of = MODELS[setting.workload]
        setting.packed = self.names
        self.weights = [inputs[name].clone().requires_grad_() for name in self.names]
        self.moments = [[torch.zeros_like(one) for one in self.weights] for _ in range(2)]
        place = self.weights[0].device
        self.counts = [torch.zeros((), device=place) for _ in self.weights]
        self.loss = loss_of(setting, inputs[self.names[0]], self.through)
        with torch.enable_grad():
            self.prepare()

    def prepare(self):
        """Nothing is to be done before the first step."""

    def batch(self, step):
        ids = self.inputs["ids"][step].long()
        return ids[:, :-1], ids[:, 1:]

    def begin(self):
        with torch.no_grad():
            for weight, name in zip(self.weights, self.names):
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
        losses = torch.stack(self.losses)
        # Looked at behind the last step: in between, a GPU would have to be waited for.
        for step, loss in enumerate(losses.tolist(), 1):
            if not math.isfinite(loss):
                raise ValueError(f"diverged: the loss of step {step} of {self.setting.steps} is {loss}")
        return losses[:, None], torch.stack(self.norms)


class Compile(Eager):
    """The same with loss and gradients by torch.compile."""

    def prepare(self):
        self.loss = compiled(self.setting, self.loss, (*self.batch(0), *self.weights))


class Checkpoint(Eager):
    """The same, of each layer only what comes in waits for the pass back."""

    through = staticmethod(partial(checkpoint, use_reentrant=False, preserve_rng_state=False))


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
