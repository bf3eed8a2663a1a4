"""fla-core: its plain loops over steps, which are what it has without a GPU. They compute in f32."""

from .mixers import RWKV, decays, few_steps, needs_plain, softplus, turns, wide


def heads_first(numbers):
    """`[batch, seq, heads, …]` with the heads before the steps, and back."""
    return numbers.transpose(1, 2)


def rwkv6(setting, x):
    from fla.ops.rwkv6.recurrent_naive import naive_recurrent_rwkv6

    few_steps(setting.seq)
    r, k, v, w, u, start = (x[name] for name in RWKV)

    def call():
        queries, keys, values = (heads_first(one) for one in (r, k, v))
        out, state = naive_recurrent_rwkv6(queries, keys, values, -heads_first(w).exp(), u, 1.0, start, True)
        return heads_first(out), state

    return call


def rwkv7(setting, x):
    """As a recurrence with a decay and a removal of rank one, whose state is `[key, value]`; it divides queries by the root of their
    width."""
    import math

    import torch
    from fla.ops.generalized_delta_rule.dplr.naive import dplr_recurrence
    from torch.nn import functional

    few_steps(setting.seq)
    names = ("r", "w", "k", "v", "kappa", "a")

    def call():
        r, w, k, v, kappa, a = (heads_first(x[name]) for name in names)
        unit = functional.normalize(kappa, dim=-1)
        decay = -math.exp(-0.5) * torch.sigmoid(w)
        queries = r * r.shape[-1] ** 0.5
        start = x["start"].transpose(2, 3)
        out, state = dplr_recurrence(queries, k, v, unit, -torch.sigmoid(a) * unit, decay, start, True)
        return heads_first(out), state.transpose(2, 3)

    return call


def retention(setting, x):
    from fla.ops.simple_gla.naive import naive_recurrent_simple_gla

    few_steps(setting.seq)
    needs_plain(setting)
    turned, scale = turns(setting, x["query"]), setting.key_dim**-0.5
    logs = decays(setting, x["query"]).to(x["query"].dtype).expand(setting.batch, setting.seq, setting.heads)

    def call():
        queries, keys = turned(x["query"]), turned(x["key"]) * scale
        return naive_recurrent_simple_gla(queries, keys, x["value"], logs, 1.0, x["start"], True)

    return call


def duality(setting, x):
    from fla.ops.simple_gla.naive import naive_recurrent_simple_gla

    few_steps(setting.seq)

    def call():
        delta = softplus(x["delta"] + x["delta_bias"])
        logs, values = -delta * x["a_log"].exp(), delta[..., None] * x["x"]
        queries, keys, start = wide(setting, x["c"]), wide(setting, x["b"]), x["start"].transpose(2, 3)
        out, state = naive_recurrent_simple_gla(queries, keys, values, logs, 1.0, start, True)
        return out + x["d"][:, None] * x["x"], state.transpose(2, 3)

    return call
