"""Hugging Face Transformers: its BERT and the encoder of its Whisper, with the weights of a case."""

import os

# Nothing is asked of the network, which would be of no use here.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from transformers.models.bert import modeling_bert as bert  # noqa: E402
from transformers.models.whisper import modeling_whisper as whisper  # noqa: E402

from .blocks import EPSILON  # noqa: E402
from .rows import Unsupported  # noqa: E402

#: Names of a block's parts there, and of our inputs.
OF_TEXT = {f"attention.self.{name}": name for name in ("query", "key", "value")}
OF_TEXT |= {"attention.output.dense": "out", "intermediate.dense": "up", "output.dense": "down"}
NORMS_OF_TEXT = {"attention.output.LayerNorm": 1, "output.LayerNorm": 2}
OF_AUDIO = {f"self_attn.{name[0]}_proj": name for name in ("query", "key", "value")}
OF_AUDIO |= {"self_attn.out_proj": "out", "fc1": "up", "fc2": "down"}
NORMS_OF_AUDIO = {"self_attn_layer_norm": 1, "final_layer_norm": 2}


def blocks(setting, x, at, products, norms):
    """Weights of all layers, `at` being what stands before their numbers."""
    state = {}
    for layer in range(setting.layers):
        for theirs, ours in products.items():
            state[f"{at}.{layer}.{theirs}.weight"] = x[f"w_{ours}"][layer]
            if f"b_{ours}" in x:
                state[f"{at}.{layer}.{theirs}.bias"] = x[f"b_{ours}"][layer]
        for theirs, part in norms.items():
            state[f"{at}.{layer}.{theirs}.weight"] = x[f"gain_{part}"][layer]
            state[f"{at}.{layer}.{theirs}.bias"] = x[f"bias_{part}"][layer]
    return state


def loaded(setting, module, state, x, given):
    module.to(x[given].device, state[next(iter(state))].dtype).eval().load_state_dict(state)
    setting.packed = tuple(name for name in x if name != given)
    return module


def text_model(setting, x):
    config = bert.BertConfig(
        vocab_size=setting.vocabulary,
        hidden_size=setting.width,
        num_hidden_layers=setting.layers,
        num_attention_heads=setting.heads,
        intermediate_size=setting.hidden,
        max_position_embeddings=setting.seq,
        layer_norm_eps=EPSILON,
        pad_token_id=None,
        attn_implementation="sdpa",
    )
    below = {"word_embeddings": "embedding", "position_embeddings": "positions", "token_type_embeddings": "kinds"}
    state = {f"embeddings.{theirs}.weight": x[ours] for theirs, ours in below.items()}
    state |= {"embeddings.LayerNorm.weight": x["first_gain"], "embeddings.LayerNorm.bias": x["first_bias"]}
    state |= blocks(setting, x, "encoder.layer", OF_TEXT, NORMS_OF_TEXT)
    return loaded(setting, bert.BertModel(config, add_pooling_layer=False), state, x, "ids")


def directions(model, ids):
    """A direction for each text, by a mean over its positions."""

    def call():
        mean = model(input_ids=ids.long()).last_hidden_state.mean(1)
        return mean * mean.square().sum(-1, keepdim=True).rsqrt()

    return call


def text(setting, x):
    return directions(text_model(setting, x), x["ids"])


def text_in_bytes(setting, x):
    model = text_model(setting, x)
    in_bytes(setting, model, model.encoder.layer, OF_TEXT)
    return taken(directions(model, x["ids"]))


def taken(call):
    """A call, where torchao takes its sizes."""
    try:
        call()
    except (RuntimeError, AssertionError, NotImplementedError, ValueError) as error:
        raise Unsupported(f"torchao does not take this case: {str(error)[-400:]}") from error
    return call


def in_bytes(setting, model, layers, products):
    """Has torchao make integers of 8 bits of the matrices of a model, a scale for each row, and of what they are multiplied by row by row
    in the call. What its codes stand for it is asked itself; products that it leaves as they are stand for themselves."""
    from torchao.quantization import quantize_

    from .weight_rows import int8_dynamic_config

    quantize_(model, int8_dynamic_config())

    def numbers(layer, name):
        weight = layer.get_submodule(name).weight
        coded = getattr(weight, "original_weight_tensor", None)
        return (weight if coded is None else coded.dequantize()).detach()

    for theirs, ours in products.items():
        setting.stands_for[f"w_{ours}"] = torch.stack([numbers(layer, theirs) for layer in layers])
    setting.rounding = {"bits": 8}


def audio_model(setting, x):
    if setting.width % 2:
        raise Unsupported("Whisper of Transformers wants an even width, since its positions are sines and cosines")
    config = whisper.WhisperConfig(
        num_mel_bins=setting.bins,
        d_model=setting.width,
        encoder_layers=setting.layers,
        encoder_attention_heads=setting.heads,
        encoder_ffn_dim=setting.hidden,
        max_source_positions=setting.frames // 2,
        attn_implementation="sdpa",
    )
    state = {"embed_positions.weight": x["positions"]}
    state |= {"layer_norm.weight": x["last_gain"], "layer_norm.bias": x["last_bias"]}
    for number in 1, 2:
        state |= {f"conv{number}.weight": x[f"conv_{number}"], f"conv{number}.bias": x[f"conv_{number}_bias"]}
    state |= blocks(setting, x, "layers", OF_AUDIO, NORMS_OF_AUDIO)
    return loaded(setting, whisper.WhisperEncoder(config), state, x, "mel")


def audio(setting, x):
    model, mel = audio_model(setting, x), x["mel"]
    return lambda: model(mel).last_hidden_state


def audio_in_bytes(setting, x):
    model, mel = audio_model(setting, x), x["mel"]
    in_bytes(setting, model, model.layers, OF_AUDIO)
    return taken(lambda: model(mel).last_hidden_state)
