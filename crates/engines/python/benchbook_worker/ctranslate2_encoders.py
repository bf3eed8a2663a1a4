"""CTranslate2: the encoders of a BERT and of a Whisper, which are written in its own form."""

import ctranslate2
import numpy
from ctranslate2.specs import common_spec, transformer_spec, whisper_spec

from .ctranslate2_rows import SPECIAL, matrices_of, opened, tell_bytes
from .few_bits import with_bytes
from .names import EPSILON

#: Tokens that it looks for in a vocabulary of Whisper. Nobody makes any here: its decoder is there because a file has one.
OF_WHISPER = ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>", "<|nospeech|>")


def norm(of, gain, bias):
    of.gamma, of.beta = gain, bias


def product(of, weight, bias):
    of.weight, of.bias = numpy.ascontiguousarray(weight), bias


def blocks(layers, x):
    """Weights of all layers; queries, keys and values are one product there, and keys without a bias have one of zeros."""
    for at, layer in enumerate(layers):
        attention, ffn = layer.self_attention, layer.ffn
        projected = [x[f"w_{name}"][at] for name in ("query", "key", "value")]
        none = numpy.zeros(len(projected[1]), "f4")
        biases = [x[f"b_{name}"][at] if f"b_{name}" in x else none for name in ("query", "key", "value")]
        product(attention.linear[0], numpy.concatenate(projected), numpy.concatenate(biases))
        product(attention.linear[1], x["w_out"][at], x["b_out"][at])
        product(ffn.linear_0, x["w_up"][at], x["b_up"][at])
        product(ffn.linear_1, x["w_down"][at], x["b_down"][at])
        norm(attention.layer_norm, x["gain_1"][at], x["bias_1"][at])
        norm(ffn.layer_norm, x["gain_2"][at], x["bias_2"][at])


def bert(setting, x):
    encoder = transformer_spec.TransformerEncoderSpec(
        setting.layers,
        setting.heads,
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
        layernorm_embedding=True,
    )
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    spec.config.layer_norm_epsilon = EPSILON
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = numpy.concatenate([x["embedding"], numpy.zeros((len(SPECIAL), setting.width), "f4")])
    encoder.embeddings[1].weight = x["kinds"]
    encoder.position_encodings.encodings = x["positions"]
    norm(encoder.layernorm_embedding, x["first_gain"], x["first_bias"])
    blocks(encoder.layer, x)
    spec.register_vocabulary([*(str(token) for token in range(setting.vocabulary)), *SPECIAL])
    return spec


def whisper(setting, x):
    spec = whisper_spec.WhisperSpec(setting.layers, setting.heads, 1, setting.heads)
    encoder, decoder = spec.encoder, spec.decoder
    for number in 1, 2:
        convolution = getattr(encoder, f"conv{number}")
        convolution.weight, convolution.bias = x[f"conv_{number}"], x[f"conv_{number}_bias"]
    encoder.position_encodings.encodings = x["positions"]
    norm(encoder.layer_norm, x["last_gain"], x["last_bias"])
    blocks(encoder.layer, x)
    empty(decoder, setting.width)
    decoder.embeddings.weight = decoder.projection.weight = numpy.zeros((len(OF_WHISPER), setting.width), "f4")
    spec.register_vocabulary(list(OF_WHISPER))
    return spec


def empty(decoder, width):
    """A decoder of one block whose weights are zeros, which is never asked for anything."""
    zeros, ones = numpy.zeros(width, "f4"), numpy.ones(width, "f4")
    decoder.position_encodings.encodings = numpy.zeros((1, width), "f4")
    layer = decoder.layer[0]
    own, others, ffn = layer.self_attention, layer.attention, layer.ffn
    for of in decoder.layer_norm, own.layer_norm, others.layer_norm, ffn.layer_norm:
        norm(of, ones, zeros)
    products = (own.linear[0], 3), (own.linear[1], 1), (others.linear[0], 1), (others.linear[1], 2), (others.linear[2], 1)
    for of, outer in (*products, (ffn.linear_0, 1), (ffn.linear_1, 1)):
        product(of, numpy.zeros((outer * width, width), "f4"), numpy.zeros(outer * width, "f4"))


def text(setting, inputs, compute_type="float32"):
    """A direction for each text, by a mean over its positions."""
    weights = inputs
    if compute_type == "float32":
        setting.tell_weights(inputs, "ids")
    else:
        weights = coded(setting, inputs, "ids", "embedding", "kinds")
    encoder = opened(setting, bert(setting, weights), ctranslate2.Encoder, compute_type)
    setting.packed = tuple(name for name in inputs if name != "ids")
    lengths = numpy.full(setting.batch, setting.seq, "i4")
    # Views of these arrays: what the controller writes there is read from there.
    ids, lengths_of = (ctranslate2.StorageView.from_array(one) for one in (inputs["ids"], lengths))

    def call():
        hidden = numpy.asarray(encoder.forward_batch(ids, lengths_of).last_hidden_state)
        mean = hidden.mean(1)
        return mean / numpy.linalg.norm(mean, axis=-1, keepdims=True)

    # The view does not hold them.
    call.arrays = inputs, lengths
    return call


def coded(setting, inputs, given, *more):
    """The inputs with what its codes stand for, where it computes in int8: a scale for each row of a matrix, and for each position."""
    names = matrices_of(inputs, *more)
    tell_bytes(setting, inputs, names, given)
    return with_bytes(setting, [inputs], names, grouped=False)[0]


def text_int8(setting, inputs):
    return text(setting, inputs, "int8")


def audio_int8(setting, inputs):
    return audio(setting, inputs, "int8")


def audio(setting, inputs, compute_type="float32"):
    weights = inputs
    if compute_type == "float32":
        setting.tell_weights(inputs, "mel")
    else:
        weights = coded(setting, inputs, "mel")
    model = opened(setting, whisper(setting, weights), ctranslate2.models.Whisper, compute_type)
    setting.packed = tuple(name for name in inputs if name != "mel")
    mel = ctranslate2.StorageView.from_array(inputs["mel"])
    return lambda: model.encode(mel)
