"""Attention and its relatives as functions of PyTorch, which eager, compiled and exported rows share."""

import math

import torch
from torch.nn import functional

from .program import Program
from .rows import Unsupported


def softmax_of(scores, value):
    return functional.softmax(scores, -1) @ value


def hidden_bias(keep, like):
    """What is added to scores: nothing where a key is kept, minus infinity where it is hidden."""
    return torch.zeros(keep.shape, dtype=like.dtype, device=like.device).masked_fill(~keep, -math.inf)


def lower(queries, keys, device):
    """The keys that a query sees where the last query sees all of them."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def seen(setting, x):
    """The keys that queries of `attention` see; nothing where they see all."""
    keep = ~x["mask"] if setting.params.get("masked") else None
    if setting.params.get("causal"):
        causal = lower(setting.seq_q, setting.seq_kv, x["query"].device)
        keep = causal if keep is None else keep & causal
    return keep


def grouped(query, kv_heads):
    """Queries `[batch, kv_heads, group · queries, head_dim]`: those that share a key head side by side."""
    batch, heads, queries, width = query.shape
    return query.reshape(batch, kv_heads, heads // kv_heads * queries, width)


def by_formula(keep, change=None, scale=None):
    """softmax(Q·Kᵀ/√d)·V, with keys hidden, and scores changed where a function does so; `scale` in the place of 1/√d."""

    def attend(query, key, value):
        (batch, heads, queries, width), (_, kv_heads, keys, _) = query.shape, key.shape
        scores = grouped(query, kv_heads) @ key.transpose(-1, -2) * (scale or 1 / math.sqrt(width))
        if change is not None or keep is not None:
            scores = scores.view(batch, kv_heads, heads // kv_heads, queries, keys)
            scores = scores if change is None else change(scores)
            if keep is not None:
                scores = scores + (keep if keep.dim() == 2 else keep.unsqueeze(2))
            scores = scores.view(batch, kv_heads, heads // kv_heads * queries, keys)
        return softmax_of(scores, value).view(batch, heads, queries, value.shape[-1])

    return attend


def attention(setting, x):
    keep = seen(setting, x)
    return by_formula(None if keep is None else hidden_bias(keep, x["query"]))


def attention_sdpa(setting, x):
    square = setting.seq_q == setting.seq_kv and not setting.params.get("masked")
    keep = None if square else seen(setting, x)
    return fused(keep, square and setting.causal, setting.heads != setting.kv_heads)


def fused(keep, causal, is_grouped, scale=None):
    """torch's `scaled_dot_product_attention`. Its mask says what to keep; its `is_causal` is aligned to the top left."""
    # Called without what it is by default, which exporters would write down.
    more = {"enable_gqa": True} if is_grouped else {}
    more |= {} if scale is None else {"scale": scale}
    more |= {"is_causal": True} if causal else {}
    more |= {} if keep is None else {"attn_mask": keep}
    return lambda query, key, value: functional.scaled_dot_product_attention(query, key, value, **more)


def gradients_of(forward):
    def make(setting, x):
        attend = forward(setting, x)

        def gradients(query, key, value, grad):
            leaves = [one.detach().requires_grad_() for one in (query, key, value)]
            with torch.enable_grad():
                return torch.autograd.grad(attend(*leaves), leaves, grad)

        return gradients

    return make


def paged(attend):
    """Decoding over a cache in blocks: the keys of each sequence are gathered, and those that it has not are hidden."""

    def make(setting, x):
        table, lengths = x["table"].clamp(min=0).long(), x["lengths"].long()
        most = table.shape[1] * setting.block_size
        keep = (torch.arange(most, device=table.device) < lengths[:, None])[:, None, None, :]
        inner = attend(keep, x["query"], setting.heads != setting.kv_heads)

        def call(query, key_pool, value_pool):
            def gather(pool):
                batch, (_, heads, block, width) = len(table), pool.shape
                return pool[table].transpose(1, 2).reshape(batch, heads, -1, width)

            return inner(query, gather(key_pool), gather(value_pool))

        return call

    return make


def document(position, seq):
    """The one of four documents that a position belongs to."""
    return position // math.ceil(seq / 4)


def programmed(setting, x):
    """What a program changes of scores, and the keys that it leaves."""
    query, seq = x["query"], setting.seq
    device, at = query.device, torch.arange(seq, device=query.device)
    if setting.program == "softcap":
        return None, (lambda scores: 20.0 * torch.tanh(scores / 20.0))
    causal = lower(seq, seq, device)
    if setting.program == "document":
        return causal & (document(at, seq)[:, None] == document(at, seq)), None
    heads = torch.arange(1, setting.heads + 1, device=device, dtype=torch.float64)
    slopes = torch.exp2(-8.0 * heads / setting.heads)[:, None, None]
    bias = -slopes * (at[:, None] - at)
    return hidden_bias(causal, query) + bias.to(query.dtype), None


def programmable(setting, x):
    keep, change = programmed(setting, x)
    if keep is not None and keep.dtype == torch.bool:
        keep = hidden_bias(keep, x["query"])
    if keep is not None and keep.dim() == 3:
        keep = keep[None]  # heads stand where key heads do: each has its own
    return by_formula(keep, change)


def programmable_sdpa(setting, x):
    keep, change = programmed(setting, x)
    if change is not None:
        raise Unsupported("scaled_dot_product_attention cannot bound scores")
    return fused(keep, False, False)


def angles(seq, width, like, base=10_000.0):
    """Cosines and sines of the rotary embedding, `[seq, head_dim]`: pair (i, i + d/2) turns by position · base^(−2i/d)."""
    speed = base ** (-2.0 * torch.arange(width // 2, dtype=torch.float64) / width)
    turn = torch.arange(seq, dtype=torch.float64)[:, None] * speed
    both = torch.cat([turn, turn], -1)
    return [one.to(like.device, like.dtype) for one in (both.cos(), both.sin())]


def rotated(numbers, cos, sin):
    first, second = numbers.chunk(2, -1)
    return numbers * cos + torch.cat([-second, first], -1) * sin


def window(attend):
    def make(setting, x):
        cos, sin = angles(setting.seq, setting.head_dim, x["query"])
        at = torch.arange(setting.seq, device=x["query"].device)
        behind = at[:, None] - at
        keep = (behind >= 0) & (behind < setting.window_size)
        inner = attend(keep, x["query"], setting.heads != setting.kv_heads)
        return lambda query, key, value: inner(rotated(query, cos, sin), rotated(key, cos, sin), value)

    return make


def contextual(setting, x):
    """Contextual position encoding: positions are sums of gates from the query back."""
    seq, most = setting.seq, setting.positions - 1
    keep = lower(seq, seq, x["query"].device)
    bias, seen_keys = hidden_bias(keep, x["query"]), keep.to(x["query"].dtype)
    kv_heads, scale = setting.kv_heads, 1 / math.sqrt(setting.head_dim)

    def attend(query, key, value, embedding):
        batch, heads, _, width = query.shape
        shape = (batch, heads, seq, seq)
        scores = (grouped(query, kv_heads) @ key.transpose(-1, -2) * scale).view(shape)
        gates = torch.sigmoid(scores) * seen_keys
        position = gates.flip(-1).cumsum(-1).flip(-1).clamp(max=most)
        below = position.floor()
        share = position - below
        of_row = query @ embedding.T
        at = [of_row.gather(-1, one.long()) for one in (below, position.ceil())]
        scores = scores + (1 - share) * at[0] + share * at[1] + bias
        scores = scores.view(batch, kv_heads, heads // kv_heads * seq, seq)
        return softmax_of(scores, value).view(batch, heads, seq, width)

    return attend


def projected(attend):
    def make(setting, x):
        batch, seq, heads, kv_heads = setting.batch, setting.seq, setting.heads, setting.kv_heads
        inner = attend(seq, setting.causal, x["input"], heads != kv_heads)

        def call(given, w_query, w_key, w_value, w_out):
            def split(weights, count):
                return (given @ weights).view(batch, seq, count, setting.head_dim).transpose(1, 2)

            out = inner(split(w_query, heads), split(w_key, kv_heads), split(w_value, kv_heads))
            return out.transpose(1, 2).reshape(batch, seq, heads * setting.head_dim) @ w_out

        return call

    return make


def by_bias(keep, like, is_grouped):
    return by_formula(hidden_bias(keep, like))


def by_mask(keep, like, is_grouped):
    return fused(keep, False, is_grouped)


def square_formula(seq, causal, like, is_grouped):
    """Attention of as many queries as keys."""
    return by_formula(hidden_bias(lower(seq, seq, like.device), like) if causal else None)


def square_fused(seq, causal, like, is_grouped):
    return fused(None, causal, is_grouped)


QKV = ("query", "key", "value")
POOLS = ("query", "key_pool", "value_pool")
WEIGHTS = ("w_query", "w_key", "w_value", "w_out")

#: Each workload by its formula.
FORMULAS = {
    "matmul": Program(("a", "b"), lambda setting, x: lambda a, b: a @ b),
    "attention": Program(QKV, attention),
    "attention-gradients": Program((*QKV, "grad"), gradients_of(attention)),
    "paged-attention": Program(POOLS, paged(by_bias)),
    "programmable-attention": Program(QKV, programmable),
    "window-attention": Program(QKV, window(by_bias)),
    "contextual-attention": Program((*QKV, "embedding"), contextual),
    "projected-attention": Program(("input", *WEIGHTS), projected(square_formula), WEIGHTS),
    "sparse-attention": Program(QKV, lambda setting, x: by_formula(None)),
    "read": Program(("from",), lambda setting, x: lambda numbers: numbers.sum(-1)),
}

#: Each workload by torch's own attention.
FUSED = {
    "attention": Program(QKV, attention_sdpa),
    "attention-gradients": Program((*QKV, "grad"), gradients_of(attention_sdpa)),
    "paged-attention": Program(POOLS, paged(by_mask)),
    "programmable-attention": Program(QKV, programmable_sdpa),
    "window-attention": Program(QKV, window(by_mask)),
    "projected-attention": Program(("input", *WEIGHTS), projected(square_fused), WEIGHTS),
    "sparse-attention": Program(QKV, lambda setting, x: fused(None, False, False)),
}
