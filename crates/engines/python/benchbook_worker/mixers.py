"""Mixers in linear time as functions of PyTorch: step by step, by associative scans, by pairs of steps, and in chunks."""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from .program import Program
from .rows import Unsupported

#: Steps of a chunk.
CHUNK = 64

#: Numbers of an intermediate result at most.
MOST_NUMBERS = 1 << 27

#: Steps of a loop at most.
MOST_STEPS = 1 << 14


def softplus(x):
    return functional.softplus(x, threshold=40.0)


def few(numbers, what):
    if numbers > MOST_NUMBERS:
        raise Unsupported(f"{numbers} {what} take too much memory, {MOST_NUMBERS} are the most")


def few_steps(steps):
    if steps > MOST_STEPS:
        raise Unsupported(f"{steps} steps of several calls each take too long, {MOST_STEPS} are the most")


@dataclass
class Recurrence:
    """A mixer step by step. `before(*inputs)` gives the state, tensors with an entry for each step along axis 1, and what all
    steps share; `step(state, *of_step, *shared)` gives the next state and what the step adds to the result; `after(results,
    state, *inputs)` gives the outputs.
    """

    before: object
    step: object
    after: object

    def looped(self, step):
        """The whole loop, with a function in the place of the step."""

        def call(*given):
            state, by_step, shared = self.before(*given)
            results = []
            for of_step in zip(*(one.unbind(1) for one in by_step)):
                state, result = step(state, *of_step, *shared)
                results.append(result)
            return self.after(torch.stack(results, 1), state, *given)

        return call

    def first(self, *given):
        """What the first step is called with."""
        state, by_step, shared = self.before(*given)
        return [state, *(one.unbind(1)[0] for one in by_step), *shared]


def plain(results, state, *given):
    return results, state


# Mamba


def scan(setting, x):
    def before(x, delta, z, b, c, a_log, delta_bias, d, start):
        delta = softplus(delta + delta_bias)
        return start, [delta, delta * x, b, c], [-a_log.exp()]

    def step(h, delta, added, b, c, rate):
        h = (delta[..., None] * rate).exp() * h + added[..., None] * b[:, None]
        return h, (h * c[:, None]).sum(-1)

    def after(sums, h, x, delta, z, b, c, a_log, delta_bias, d, start):
        return (sums + d * x) * functional.silu(z), h

    return Recurrence(before, step, after)


def scan_gradients(setting, x):
    """The gradients of all inputs, by autograd through the loop."""
    forward = scan(setting, x)
    forward = forward.looped(forward.step)

    def call(*given):
        leaves = [one.detach().requires_grad_() for one in given[:-1]]
        with torch.enable_grad():
            return torch.autograd.grad(forward(*leaves)[0], leaves, given[-1])

    return call


def scan_in_rounds(setting, x):
    """Pairs of a decay and what is added, joined in log2(seq) rounds (Hillis & Steele, CACM 29(12), 1986)."""
    few(setting.batch * setting.seq * setting.channels * setting.state, "states of all steps")

    def call(x, delta, z, b, c, a_log, delta_bias, d, start):
        delta = softplus(delta + delta_bias)
        decay = (delta[..., None] * -a_log.exp()).exp()
        h = (delta * x)[..., None] * b[:, :, None]
        h = torch.cat([h[:, :1] + decay[:, :1] * start[:, None], h[:, 1:]], 1)
        offset = 1
        while offset < setting.seq:
            h = torch.cat([h[:, :offset], decay[:, offset:] * h[:, :-offset] + h[:, offset:]], 1)
            decay = torch.cat([decay[:, :offset], decay[:, offset:] * decay[:, :-offset]], 1)
            offset *= 2
        return ((h * c[:, :, None]).sum(-1) + d * x) * functional.silu(z), h[:, -1]

    return call


def convolution(setting, x):
    def call(x, weight, bias, start):
        both = torch.cat([start, x], 1)
        out = functional.conv1d(both.transpose(1, 2), weight.T[:, None], bias, groups=setting.channels).transpose(1, 2)
        return functional.silu(out) if setting.silu else out, both[:, setting.seq :]

    return call


# Mamba-2 and RetNet: what is left of a state is one number a head and step


def since(logs):
    """exp(the sum of what lies between two steps), `[..., later, earlier]`; zero where the second is later. Each sum is of its
    own terms: differences of sums would lose their digits."""
    steps = logs.shape[-1]
    ones = torch.ones(steps, steps, dtype=torch.bool, device=logs.device)
    terms = logs[..., None].expand(*logs.shape, steps).masked_fill(~ones.tril(-1), 0)
    return terms.cumsum(-2).masked_fill(~ones.tril(), -torch.inf).exp()


def in_chunks(logs, values, keys, queries, start):
    """The recurrence h <- exp(log) h + value ⊗ key, and h · query, by products within chunks of steps and of chunks (Dao & Gu,
    arXiv 2405.21060, listing 1). `logs` `[batch, seq, heads]`, `values` `[.., head_dim]`, `keys`, `queries` `[.., state]`, `start`
    `[batch, heads, head_dim, state]`."""
    steps = logs.shape[1]
    chunks = -(-steps // CHUNK)

    def cut(numbers):
        padded = functional.pad(numbers, [0, 0] * (numbers.dim() - 2) + [0, chunks * CHUNK - steps])
        return padded.unflatten(1, (chunks, CHUNK))

    logs, values, keys, queries = cut(logs).transpose(2, 3), cut(values), cut(keys), cut(queries)
    left = since(logs)
    scores = torch.einsum("bcqhn,bckhn->bchqk", queries, keys) * left
    within = torch.einsum("bchqk,bckhp->bcqhp", scores, values)
    until = left[..., -1, :].transpose(2, 3)[..., None]
    added = torch.einsum("bckhp,bckhn->bchpn", values * until, keys)
    # From one chunk to the next in the same way, with the first state before all.
    totals = functional.pad(logs.sum(-1), [0, 0, 1, 0]).transpose(1, 2)
    states = torch.einsum("bhtc,bchpn->bthpn", since(totals), torch.cat([start[:, None], added], 1))
    before = torch.einsum("bcqhn,bchpn->bcqhp", queries, states[:, :-1])
    out = within + before * logs.cumsum(-1).exp().transpose(2, 3)[..., None]
    return out.flatten(1, 2)[:, :steps], states[:, -1]


def wide(setting, shared):
    """What heads of a group share, for each head."""
    return shared.repeat_interleave(setting.heads // setting.groups, 2)


def duality(setting, x):
    def before(x, delta, b, c, delta_bias, a_log, d, start):
        delta = softplus(delta + delta_bias)
        left = (-delta * a_log.exp()).exp()
        return start, [left, delta[..., None] * x, wide(setting, b), wide(setting, c)], []

    def step(h, left, added, b, c):
        h = left[..., None, None] * h + added[..., None] * b[..., None, :]
        return h, (h @ c[..., None]).squeeze(-1)

    def after(sums, h, x, delta, b, c, delta_bias, a_log, d, start):
        return sums + d[:, None] * x, h

    return Recurrence(before, step, after)


def duality_in_chunks(setting, x):
    def call(x, delta, b, c, delta_bias, a_log, d, start):
        delta = softplus(delta + delta_bias)
        logs, values = -delta * a_log.exp(), delta[..., None] * x
        out, h = in_chunks(logs, values, wide(setting, b), wide(setting, c), start)
        return out + d[:, None] * x, h

    return call


def turns(setting, like):
    """What turns queries and keys `[batch, seq, heads, key_dim]` by their positions: pairs of numbers side by side."""
    if not setting.xpos:
        return lambda numbers: numbers
    pairs = setting.key_dim // 2
    speed = 10_000.0 ** -(torch.arange(pairs, dtype=torch.float64) / max(pairs - 1, 1))
    place = torch.arange(setting.first_position, setting.first_position + setting.seq, dtype=torch.float64)
    angle = (place[:, None] * speed)[:, None]
    cos, sin = (one.to(like.device, like.dtype) for one in (angle.cos(), angle.sin()))

    def turned(numbers):
        first, second = numbers.unflatten(-1, (pairs, 2)).unbind(-1)
        return torch.stack([first * cos - second * sin, second * cos + first * sin], -1).flatten(-2)

    return turned


def decays(setting, like):
    """The logarithm of what a step leaves of each head's state."""
    left = 1 - 2.0 ** (-5 - torch.arange(setting.heads, dtype=torch.float64))
    return left.log().to(like.device)


def needs_plain(setting):
    if setting.form != "plain":
        raise Unsupported("it has the plain form alone, give form = plain")


def retention(setting, x):
    needs_plain(setting)
    turned, scale = turns(setting, x["query"]), setting.key_dim**-0.5
    left = decays(setting, x["query"]).exp().to(x["query"].dtype)[:, None, None]

    def before(query, key, value, start):
        return start, [turned(query), turned(key) * scale, value], [left]

    def step(state, query, key, value, left):
        state = left * state + key[..., None] * value[..., None, :]
        return state, (query[..., None, :] @ state).squeeze(-2)

    return Recurrence(before, step, plain)


def retention_by_pairs(setting, x):
    """As attention, with decays in the place of the softmax (Sun et al., arXiv 2307.08621, equation 5)."""
    few(setting.batch * setting.heads * setting.seq**2, "scores")
    like, scale = x["query"], setting.key_dim**-0.5
    turned, logs = turns(setting, like), decays(setting, like)[:, None, None]
    steps = torch.arange(setting.seq, device=like.device, dtype=torch.float64)
    between = (logs * (steps[:, None] - steps).clamp(min=0)).exp().tril()
    if setting.form == "normalised":
        between = between / between.sum(-1, keepdim=True).sqrt()
    of_start = (logs * (steps[:, None] + 1)).exp().to(like.dtype)
    between = between.to(like.dtype)

    def call(query, key, value, start=None):
        query, key, value = (one.transpose(1, 2) for one in (turned(query), turned(key) * scale, value))
        weights = query @ key.transpose(2, 3) * between
        if start is None:
            weights = weights / weights.sum(-1, keepdim=True).abs().clamp(min=1)
            return (weights @ value).transpose(1, 2)
        out = weights @ value + query @ start * of_start
        kept = (key * between[:, -1, :, None]).transpose(2, 3) @ value
        return out.transpose(1, 2), kept + of_start[:, -1:] * start

    return call


def retention_in_chunks(setting, x):
    needs_plain(setting)
    turned, scale = turns(setting, x["query"]), setting.key_dim**-0.5
    logs = decays(setting, x["query"]).to(x["query"].dtype).expand(setting.batch, setting.seq, setting.heads)

    def call(query, key, value, start):
        out, state = in_chunks(logs, value, turned(key) * scale, turned(query), start.transpose(2, 3))
        return out, state.transpose(2, 3)

    return call


# RWKV


def rwkv4(setting, x):
    def before(r, k, v, decay, u, start):
        return (start[..., 0], start[..., 1]), [k, v], [u, decay.exp()]

    def join(one, of_one, other, of_other):
        """The average of two averages, and the logarithm of the weight of both."""
        apart = of_other - of_one
        return one + (other - one) * torch.sigmoid(apart), torch.logaddexp(of_one, of_other)

    def step(state, k, v, u, fade):
        average, weight = state
        out, _ = join(average, weight, v, u + k)
        return join(average, weight - fade, v, k), out

    def after(averages, state, r, k, v, decay, u, start):
        return torch.sigmoid(r) * averages, torch.stack(state, -1)

    return Recurrence(before, step, after)


def rwkv6(setting, x):
    def before(r, k, v, w, u, start):
        return start, [r, k, v, (-w.exp()).exp()], [u[..., None]]

    def step(state, r, k, v, decay, u):
        added = k[..., None] * v[..., None, :]
        out = (r[..., None, :] @ (state + u * added)).squeeze(-2)
        return decay[..., None] * state + added, out

    return Recurrence(before, step, plain)


def rwkv7(setting, x):
    def before(r, w, k, v, kappa, a, start):
        decay = (-math.exp(-0.5) * torch.sigmoid(w)).exp()
        unit = functional.normalize(kappa, dim=-1)
        return start, [r, decay, k, v, unit, torch.sigmoid(a) * unit], []

    def step(state, r, decay, k, v, unit, removed):
        known = state @ unit[..., None]
        state = state * decay[..., None, :] - known * removed[..., None, :] + v[..., None] * k[..., None, :]
        return state, (state @ r[..., None]).squeeze(-1)

    return Recurrence(before, step, plain)


SCAN = ("x", "delta", "z", "b", "c", "a_log", "delta_bias", "d", "start")
DUALITY = ("x", "delta", "b", "c", "delta_bias", "a_log", "d", "start")
RETENTION = ("query", "key", "value", "start")
RWKV = ("r", "k", "v", "w", "u", "start")

#: Each mixer as a recurrence.
STEPS = {
    "selective-scan": Program(SCAN, scan),
    "state-space-duality": Program(DUALITY, duality),
    "retention": Program(RETENTION, retention),
    "rwkv-4": Program(("r", "k", "v", "decay", "u", "start"), rwkv4),
    "rwkv-6": Program(RWKV, rwkv6),
    "rwkv-7": Program(("r", "w", "k", "v", "kappa", "a", "start"), rwkv7),
}

#: Each as a whole, in the form that its name says.
FORMS = {
    ("selective-scan", "associative"): Program(SCAN, scan_in_rounds),
    ("selective-scan-gradients", "autograd"): Program((*SCAN, "grad"), scan_gradients),
    ("state-space-duality", "chunked"): Program(DUALITY, duality_in_chunks),
    ("retention", "parallel"): Program(RETENTION, retention_by_pairs),
    ("retention", "chunked"): Program(RETENTION, retention_in_chunks),
}

FORMULAS = {"causal-conv": Program(("x", "weight", "bias", "start"), convolution)}
