"""The block of a transformer as functions of PyTorch: by its formula, and by PyTorch's own norms and attention."""

from torch.nn import functional

from .attention import angles, rotated, square_formula, square_fused
from .blocks import gelu, normed, normed_fused
from .program import Program

PRODUCTS = ("query", "key", "value", "out", "up", "down", "gate")
NORMS = ("gain_1", "gain_2", "bias_1", "bias_2", "query_gain", "key_gain")
WEIGHTS = (*(f"w_{name}" for name in PRODUCTS), *(f"b_{name}" for name in PRODUCTS), *NORMS)


def block(attend, norm):
    def make(setting, x):
        architecture, heads, kv_heads, seq = setting.architecture, setting.heads, setting.kv_heads, setting.seq
        names = [name for name in WEIGHTS if name in x]
        inner = attend(seq, architecture != "bert", x["input"], heads != kv_heads)
        turn = None if architecture in ("gpt-2", "bert") else angles(seq, setting.head_dim, x["input"])

        def call(given, *weights):
            weights = dict(zip(names, weights))

            def linear(name, numbers):
                return functional.linear(numbers, weights[f"w_{name}"].T, weights.get(f"b_{name}"))

            def placed(name, numbers):
                """Heads of queries or keys, each with its norm and turned, where that is so."""
                if f"{name}_gain" in weights:
                    numbers = norm(numbers, weights[f"{name}_gain"])
                numbers = numbers.transpose(1, 2)
                return rotated(numbers, *turn) if turn else numbers

            def mixed(numbers):
                query, key, value = (
                    linear(name, numbers).unflatten(-1, (count, setting.head_dim))
                    for name, count in (("query", heads), ("key", kv_heads), ("value", kv_heads))
                )
                out = inner(placed("query", query), placed("key", key), value.transpose(1, 2))
                return linear("out", out.transpose(1, 2).flatten(2))

            def fed(numbers):
                up = linear("up", numbers)
                if turn:
                    up = functional.silu(linear("gate", numbers)) * up
                else:
                    up = functional.gelu(up) if architecture == "bert" else gelu(up)
                return linear("down", up)

            for part, change in (1, mixed), (2, fed):
                of_norm = weights[f"gain_{part}"], weights.get(f"bias_{part}")
                # In BERT the norm follows the sum.
                if architecture == "bert":
                    given = norm(given + change(given), *of_norm)
                else:
                    given = given + change(norm(given, *of_norm))
            return given

        return call

    return make


def program(attend, norm):
    return {"transformer-block": Program(("input", *WEIGHTS), block(attend, norm), WEIGHTS)}


FORMULAS, FUSED = program(square_formula, normed), program(square_fused, normed_fused)
#: By its formula but for its norms.
NORMED = program(square_formula, normed_fused)
