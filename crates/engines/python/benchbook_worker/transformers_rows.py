"""Hugging Face Transformers: its own blocks of GPT-2, BERT, LLaMA and Qwen3, made from configurations, with our weights."""

import os

# Nothing is asked of the network, which would be of no use here.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from transformers.models.bert import modeling_bert as bert  # noqa: E402
from transformers.models.gpt2 import modeling_gpt2 as gpt2  # noqa: E402
from transformers.models.llama import modeling_llama as llama  # noqa: E402
from transformers.models.qwen3 import modeling_qwen3 as qwen3  # noqa: E402

from .attention import angles  # noqa: E402
from .blocks import EPSILON  # noqa: E402
from .rows import Unsupported, of_all, only_hot  # noqa: E402
from .torch_rows import compiled  # noqa: E402


def of_gpt2(setting, x):
    """Products take weights `[from, to]` here, and one makes queries, keys and values."""
    sizes = {"n_embd": setting.width, "n_head": setting.heads, "n_inner": setting.hidden}
    config = gpt2.GPT2Config(layer_norm_epsilon=EPSILON, attn_implementation="sdpa", **sizes)
    module = gpt2.GPT2Block(config, layer_idx=0)
    products = {"attn.c_proj": "out", "mlp.c_fc": "up", "mlp.c_proj": "down"}
    state = {f"{theirs}.weight": x[f"w_{ours}"] for theirs, ours in products.items()}
    state |= {f"{theirs}.bias": x[f"b_{ours}"] for theirs, ours in products.items()}
    for theirs, ours in ("weight", "w"), ("bias", "b"):
        state[f"attn.c_attn.{theirs}"] = torch.cat([x[f"{ours}_{name}"] for name in ("query", "key", "value")], -1)
    return module, state | norms(x, "ln_1", "ln_2")


def of_bert(setting, x):
    sizes = {"hidden_size": setting.width, "num_attention_heads": setting.heads, "intermediate_size": setting.hidden}
    module = bert.BertLayer(bert.BertConfig(layer_norm_eps=EPSILON, attn_implementation="sdpa", **sizes), layer_idx=0)
    products = {f"attention.self.{name}": name for name in ("query", "key", "value")}
    products |= {"attention.output.dense": "out", "intermediate.dense": "up", "output.dense": "down"}
    return module, linear(x, products) | norms(x, "attention.output.LayerNorm", "output.LayerNorm")


def of_llama(setting, x):
    if setting.width % setting.heads:
        raise Unsupported("Transformers wants a width that the heads of LLaMA divide")
    return rotary(setting, x, llama.LlamaConfig, llama.LlamaDecoderLayer)


def of_qwen3(setting, x):
    module, state = rotary(setting, x, qwen3.Qwen3Config, qwen3.Qwen3DecoderLayer)
    of_heads = {"q": x["query_gain"], "k": x["key_gain"]}
    return module, state | {f"self_attn.{name}_norm.weight": gain for name, gain in of_heads.items()}


def rotary(setting, x, configuration, layer):
    if setting.dtype == "f64":
        raise Unsupported(f"the RMS norms of {setting.architecture} in Transformers are in f32")
    sizes = {"hidden_size": setting.width, "num_attention_heads": setting.heads, "head_dim": setting.head_dim}
    sizes |= {"num_key_value_heads": setting.kv_heads, "intermediate_size": setting.hidden, "num_hidden_layers": 1}
    module = layer(configuration(rms_norm_eps=EPSILON, attn_implementation="sdpa", **sizes), layer_idx=0)
    products = {f"self_attn.{name[0]}_proj": name for name in ("query", "key", "value", "out")}
    products |= {f"mlp.{name}_proj": name for name in ("gate", "up", "down")}
    return module, linear(x, products) | norms(x, "input_layernorm", "post_attention_layernorm")


def linear(x, products):
    """Weights of `torch.nn.Linear`, `[to, from]`, with their biases."""
    state = {f"{theirs}.weight": x[f"w_{ours}"].T for theirs, ours in products.items()}
    return state | {f"{theirs}.bias": x[f"b_{ours}"] for theirs, ours in products.items() if f"b_{ours}" in x}


def norms(x, *names):
    state = {f"{name}.weight": x[f"gain_{part}"] for part, name in enumerate(names, 1)}
    return state | {f"{name}.bias": x[f"bias_{part}"] for part, name in enumerate(names, 1) if f"bias_{part}" in x}


MAKE = {"gpt-2": of_gpt2, "bert": of_bert, "llama": of_llama, "qwen3": of_qwen3}


def called(setting, x, changed=lambda module: module):
    """A block, behind what `changed` makes of it, as a function of its input."""
    module, state = MAKE[setting.architecture](setting, x)
    module.to(x["input"].device, x["input"].dtype).eval().load_state_dict(state)
    module = changed(module)
    setting.packed = tuple(name for name in x if name != "input")
    if setting.architecture in ("gpt-2", "bert"):
        return module
    turn = tuple(one[None] for one in angles(setting.seq, setting.head_dim, x["input"]))
    return lambda given: module(given, position_embeddings=turn)


def block(setting, inputs):
    function, given = called(setting, inputs), inputs["input"]
    return lambda: function(given)


def offloaded(setting, inputs):
    """The same with its weights outside, where Accelerate holds them: its hooks put those of each part in place before it runs, and take
    them away behind it. In the memory of the processor nothing is copied, so that the difference is what these hooks take."""
    from accelerate import cpu_offload

    function, given = called(setting, inputs, lambda module: cpu_offload(module, "cpu")), inputs["input"]
    return lambda: function(given)


@of_all
def compile_block(setting, copies):
    only_hot(copies)
    made, given = compiled(setting, called(setting, copies[0]), [copies[0]["input"]]), copies[0]["input"]
    return [lambda: made(given)]
