"""Attention by packages that need a GPU. Their tensors are `[batch, seq, heads, head_dim]`."""

from .rows import Unsupported


def plain(setting):
    """Refuses what these calls have no words for."""
    if setting.masked:
        raise Unsupported("it takes no mask of single keys")


def turned(inputs):
    """Query, key and value as views with the heads behind the positions: what is overwritten shows in them."""
    return [inputs[name].transpose(1, 2) for name in ("query", "key", "value")]


def flash_2(setting, inputs):
    from flash_attn import flash_attn_func

    plain(setting)
    query, key, value = turned(inputs)
    return lambda: flash_attn_func(query, key, value, causal=setting.causal).transpose(1, 2)


def flash_3(setting, inputs):
    from flash_attn_interface import flash_attn_func

    plain(setting)
    query, key, value = turned(inputs)

    def call():
        out = flash_attn_func(query, key, value, causal=setting.causal)
        return (out[0] if isinstance(out, tuple) else out).transpose(1, 2)

    return call


def xformers(setting, inputs):
    from xformers.ops import LowerTriangularFromBottomRightMask, memory_efficient_attention

    plain(setting)
    if setting.heads != setting.kv_heads:
        raise Unsupported("it takes as many key heads as query heads")
    query, key, value = turned(inputs)
    bias = LowerTriangularFromBottomRightMask() if setting.causal else None
    return lambda: memory_efficient_attention(query, key, value, attn_bias=bias).transpose(1, 2)


def transformer_engine(setting, inputs):
    from transformer_engine.pytorch import DotProductAttention

    plain(setting)
    mask = "causal_bottom_right" if setting.causal else "no_mask"
    attend = DotProductAttention(
        setting.heads,
        setting.head_dim,
        num_gqa_groups=setting.kv_heads,
        attn_mask_type=mask,
        qkv_format="bshd",
    )
    query, key, value = turned(inputs)
    shape = (setting.batch, setting.seq_q, setting.heads, setting.head_dim)
    return lambda: attend(query, key, value).view(shape).transpose(1, 2)
