"""Encoders as functions of PyTorch: by their formula, and by PyTorch's own norms and attention."""

from torch.nn import functional

from .attention import square_formula, square_fused
from .blocks import normed, normed_fused
from .program import Program

PARTS = ("query", "key", "value", "out", "up", "down")
BLOCKS = (*(f"w_{name}" for name in PARTS), *(f"b_{name}" for name in PARTS), "gain_1", "bias_1", "gain_2", "bias_2")
TEXT = ("embedding", "positions", "kinds", "first_gain", "first_bias", *BLOCKS)
AUDIO = ("conv_1", "conv_1_bias", "conv_2", "conv_2_bias", "positions", "last_gain", "last_bias", *BLOCKS)


def blocks(setting, inner, norm, post_norm):
    """All blocks, whose matrices are `[layers, outer, inner]`."""

    def block(given, own):
        def linear(name, numbers):
            return functional.linear(numbers, own[f"w_{name}"], own.get(f"b_{name}"))

        def mixed(numbers):
            names = ("query", "key", "value")
            heads = (linear(name, numbers).unflatten(-1, (setting.heads, -1)).transpose(1, 2) for name in names)
            return linear("out", inner(*heads).transpose(1, 2).flatten(2))

        def fed(numbers):
            return linear("down", functional.gelu(linear("up", numbers)))

        for part, change in (1, mixed), (2, fed):
            of_norm = own[f"gain_{part}"], own[f"bias_{part}"]
            if post_norm:
                given = norm(given + change(given), *of_norm)
            else:
                given = given + change(norm(given, *of_norm))
        return given

    def through(given, weights):
        for layer in range(setting.layers):
            given = block(given, {name: weights[name][layer] for name in BLOCKS if name in weights})
        return given

    return through


def text(attend, norm):
    def make(setting, x):
        names = [name for name in TEXT if name in x]
        through = blocks(setting, attend(setting.seq, False, x["embedding"], False), norm, post_norm=True)

        def call(ids, *weights):
            weights = dict(zip(names, weights))
            given = functional.embedding(ids, weights["embedding"]) + weights["positions"] + weights["kinds"][0]
            given = through(norm(given, weights["first_gain"], weights["first_bias"]), weights)
            mean = given.mean(1)
            return mean * mean.square().sum(-1, keepdim=True).rsqrt()

        return call

    return Program(("ids", *TEXT), make, TEXT)


def audio(attend, norm):
    def make(setting, x):
        names = [name for name in AUDIO if name in x]
        through = blocks(setting, attend(setting.frames // 2, False, x["mel"], False), norm, post_norm=False)

        def call(mel, *weights):
            weights = dict(zip(names, weights))
            given = functional.gelu(functional.conv1d(mel, weights["conv_1"], weights["conv_1_bias"], padding=1))
            given = functional.conv1d(given, weights["conv_2"], weights["conv_2_bias"], stride=2, padding=1)
            given = functional.gelu(given).transpose(1, 2) + weights["positions"]
            return norm(through(given, weights), weights["last_gain"], weights["last_bias"])

        return call

    return Program(("mel", *AUDIO), make, AUDIO)


def programs(attend, norm):
    return {"text-encoder": text(attend, norm), "audio-encoder": audio(attend, norm)}


FORMULAS, FUSED = programs(square_formula, normed), programs(square_fused, normed_fused)
#: By their formula but for their norms.
NORMED = programs(square_formula, normed_fused)
