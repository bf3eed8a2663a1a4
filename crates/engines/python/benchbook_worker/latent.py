"""Multi-head latent attention as functions of PyTorch: by keys and values of every head, and by latents."""

import torch
from torch.nn import functional

from .attention import angles, by_formula, fused, hidden_bias, lower, rotated
from .blocks import normed, normed_fused
from .program import Program

WEIGHTS = ("w_dq", "w_uq", "w_qr", "w_dkv", "w_kr", "w_uk", "w_uv", "w_out", "query_gain", "kv_gain")
INPUTS = ("input", "cache", *WEIGHTS)


def scale_of(setting):
    return (setting.head_dim + setting.rotary_dim) ** -0.5


def latent(form, norm):
    """The layer, where `form(setting, like)` gives a function of queries, of those that carry their place, of all entries of the
    cache and of the weights that make keys and values: what heads give, `[batch, heads, seq_q, value_dim]`.
    """

    def make(setting, x):
        names = [name for name in INPUTS if name in x]
        turn = [one[-setting.seq_q :] for one in angles(setting.seq_kv, setting.rotary_dim, x["input"])]
        mix = form(setting, x["input"])

        def call(*given):
            x = dict(zip(names, given))
            of_kv, of_query = norm(x["input"] @ x["w_dkv"], x["kv_gain"]), norm(x["input"] @ x["w_dq"], x["query_gain"])
            entries = torch.cat([of_kv, rotated(x["input"] @ x["w_kr"], *turn)], -1)
            seen = torch.cat([x["cache"], entries], 1) if "cache" in x else entries
            query, placed = (split(setting, of_query @ x[name]) for name in ("w_uq", "w_qr"))
            out = mix(query, rotated(placed, *turn), seen, x["w_uk"], x["w_uv"])
            return out.transpose(1, 2).flatten(2) @ x["w_out"], entries

        return call

    return make


def split(setting, numbers):
    return numbers.unflatten(-1, (setting.heads, -1)).transpose(1, 2)


def hidden(setting, like):
    """What is added to scores, where there is something after a query."""
    return hidden_bias(lower(setting.seq_q, setting.seq_kv, like.device), like) if setting.seq_q > 1 else None


def expanded(attend):
    """Keys and values of every head and position."""

    def form(setting, like):
        inner = attend(setting, like)

        def mix(query, placed, seen, w_uk, w_uv):
            latents, shared = seen.split([setting.kv_rank, setting.rotary_dim], -1)
            shared = shared[:, None].expand(-1, setting.heads, -1, -1)
            key = torch.cat([split(setting, latents @ w_uk), shared], -1)
            return inner(torch.cat([query, placed], -1), key, split(setting, latents @ w_uv))

        return mix

    return form


def absorbed(attend):
    """What makes keys and values goes to queries and results: all heads attend to the entries as they are."""

    def form(setting, like):
        inner = attend(setting, like)

        def mix(query, placed, seen, w_uk, w_uv):
            of_key, of_value = (one.unflatten(-1, (setting.heads, -1)).transpose(0, 1) for one in (w_uk, w_uv))
            query = torch.cat([query @ of_key.transpose(1, 2), placed], -1)
            return inner(query, seen[:, None]) @ of_value

        return mix

    return form


def fewer(of_heads, of_entries):
    """The one of two forms that takes fewer operations, as the workload counts them."""

    def form(setting, like):
        key, value, place, rank = setting.head_dim, setting.value_dim, setting.rotary_dim, setting.kv_rank
        more_positions = (setting.seq_kv - setting.seq_q) * rank * (key + value)
        pairs = setting.seq_q * (setting.seq_kv - (setting.seq_q - 1) / 2)
        more_numbers = pairs * (2 * rank + place - (key + place + value))
        return (of_heads if more_numbers > more_positions else of_entries)(setting, like)

    return form


def by_scores(setting, like):
    return by_formula(hidden(setting, like))


def latents_by_scores(setting, like):
    inner = by_formula(hidden(setting, like), scale=scale_of(setting))
    return lambda query, entries: inner(query, entries, entries[..., : setting.kv_rank])


def sdpa(setting, like):
    square = setting.seq_q == setting.seq_kv
    keep = None if square or setting.seq_q == 1 else lower(setting.seq_q, setting.seq_kv, like.device)
    return fused(keep, square, False, scale_of(setting))


def by_sdpa(setting, like):
    """By torch's own attention, whose fastest backend wants values as wide as keys."""
    inner, width = sdpa(setting, like), max(setting.head_dim + setting.rotary_dim, setting.value_dim)

    def wide(numbers):
        more = width - numbers.shape[-1]
        return functional.pad(numbers, (0, more)) if more else numbers

    return lambda query, key, value: inner(wide(query), wide(key), wide(value))[..., : setting.value_dim]


def latents_by_sdpa(setting, like):
    """The same over entries, which are keys and values of all heads: what is mixed of their places is left out after."""
    inner = sdpa(setting, like)

    def attend(query, entries):
        shared = entries.expand(-1, setting.heads, -1, -1)
        return inner(query, shared, shared)[..., : setting.kv_rank]

    return attend


def program(form, norm):
    return Program(INPUTS, latent(form, norm), WEIGHTS)


EXPANDED, ABSORBED = expanded(by_scores), absorbed(latents_by_scores)
FORMULAS = {"latent-attention": program(fewer(EXPANDED, ABSORBED), normed)}
FUSED = {"latent-attention": program(fewer(expanded(by_sdpa), absorbed(latents_by_sdpa)), normed_fused)}
#: By its formula but for its norms.
NORMED = {"latent-attention": program(fewer(EXPANDED, ABSORBED), normed_fused)}
#: For engines whose own attention wants keys and values of each head in memory.
MIXED = {"latent-attention": program(fewer(expanded(by_sdpa), ABSORBED), normed_fused)}
FORMS = {
    ("latent-attention", "expanded"): program(EXPANDED, normed),
    ("latent-attention", "absorbed"): program(ABSORBED, normed),
}
