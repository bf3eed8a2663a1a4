"""CTranslate2: greedy decoding by a GPT-2 or a LLaMA that is written in its own form, with its cache of keys and values."""

import shutil
import tempfile

import ctranslate2
import numpy
from ctranslate2.specs import TransformerDecoderModelSpec, common_spec

from .few_bits import with_bytes
from .names import EPSILON
from .rows import Unsupported

#: Tokens that its vocabularies have beside those of a case, and a term of their logits by which none of them is ever made.
SPECIAL, NEVER = ("<unk>", "<s>", "</s>"), -1e9


def with_tokens(spec, setting, embedding, head):
    """The model with its tables of tokens, and a name for each token, of which those that are none of a case are never made."""
    decoder = spec.decoder
    decoder.scale_embeddings = False
    more = numpy.zeros((len(SPECIAL), setting.width), "f4")
    decoder.embeddings.weight = numpy.concatenate([embedding, more])
    decoder.projection.weight = numpy.concatenate([head, more])
    decoder.projection.bias = numpy.full(setting.vocabulary + len(SPECIAL), NEVER, "f4")
    decoder.projection.bias[: setting.vocabulary] = 0
    spec.register_vocabulary([*(str(token) for token in range(setting.vocabulary)), *SPECIAL])
    return spec


def gpt2(setting, x):
    """The model of a case. Its products have weights `[to, from]`."""
    spec = TransformerDecoderModelSpec.from_config(
        setting.layers, setting.heads, pre_norm=True, activation=common_spec.Activation.GELUTanh
    )
    decoder = spec.decoder
    decoder.position_encodings.encodings = x["wpe"]

    def norm(of, place):
        of.gamma, of.beta = x["norm_gain"][place], x["norm_bias"][place]

    def product(of, name, layer):
        of.weight, of.bias = numpy.ascontiguousarray(x[name][layer].T), x[f"{name}_bias"][layer]

    for at, layer in enumerate(decoder.layer):
        norm(layer.self_attention.layer_norm, 2 * at)
        product(layer.self_attention.linear[0], "qkv", at)
        product(layer.self_attention.linear[1], "merge", at)
        norm(layer.ffn.layer_norm, 2 * at + 1)
        product(layer.ffn.linear_0, "up", at)
        product(layer.ffn.linear_1, "down", at)
    norm(decoder.layer_norm, 2 * setting.layers)
    return with_tokens(spec, setting, x["wte"], x["wte"])


def llama(setting, x):
    """The same of a LLaMA, whose weights lie so already."""
    if setting.architecture != "llama":
        raise Unsupported("CTranslate2 has no norms of heads in its own form of a LLaMA")
    if setting.width != setting.heads * setting.head_dim:
        raise Unsupported("CTranslate2 wants heads that are as wide together as a position")
    spec = TransformerDecoderModelSpec.from_config(
        setting.layers,
        setting.heads,
        pre_norm=True,
        activation=common_spec.Activation.SWISH,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=setting.rotary_base,
        num_heads_kv=None if setting.kv_heads == setting.heads else setting.kv_heads,
    )
    spec.config.layer_norm_epsilon = EPSILON
    for at, layer in enumerate(spec.decoder.layer):
        attention, ffn = layer.self_attention, layer.ffn
        attention.layer_norm.gamma, ffn.layer_norm.gamma = x["norm_1"][at], x["norm_2"][at]
        attention.linear[0].weight = numpy.concatenate([x[f"w_{name}"][at] for name in ("query", "key", "value")])
        attention.linear[1].weight = x["w_out"][at]
        ffn.linear_0.weight, ffn.linear_0_noact.weight = x["w_gate"][at], x["w_up"][at]
        ffn.linear_1.weight = x["w_down"][at]
    spec.decoder.layer_norm.gamma = x["last_norm"]
    return with_tokens(spec, setting, x["embedding"], x["head"])


def opened(setting, spec, make, compute_type="float32"):
    """What `make` reads of a model in CTranslate2's own form, which lies in a folder until then; how long that takes is the metric
    `compile_ns`."""
    spec.validate()
    spec.optimize()
    folder = tempfile.mkdtemp(prefix="benchbook-ctranslate2-")
    try:
        spec.save(folder)
        pools = {"inter_threads": 1, "intra_threads": setting.threads}
        return setting.timed("compile_ns", lambda: make(folder, device="cpu", compute_type=compute_type, **pools))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Decoding:
    """`greedy-decoding` with a step for each token of its stream."""

    specification = staticmethod(gpt2)
    compute_type = "float32"

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        setting.tell_weights(inputs)
        spec = self.specification(setting, inputs)
        self.generator = opened(setting, spec, ctranslate2.Generator, self.compute_type)
        setting.packed = tuple(name for name in inputs if name != "prompt")

    def begin(self):
        self.made = []
        prompt = [str(token) for token in self.inputs["prompt"]]
        # It begins to work with the first step.
        self.stream = self.generator.generate_tokens(prompt, max_length=self.setting.tokens, sampling_topk=1)

    def step(self):
        """Waits for the next token; tells how many came, and whether there are more to come."""
        self.made.append(next(self.stream).token_id)
        return 1, len(self.made) < self.setting.tokens

    def result(self):
        return numpy.array(self.made)[:, None]


class Generate(Decoding):
    """`generate`, likewise."""

    specification = staticmethod(llama)


def matrices_of(inputs, *more):
    """Names of the inputs that it makes codes of where it computes in int8: matrices, and tables of tokens."""
    return [name for name in inputs if name.startswith("w_") or name in more]


def tell_bytes(setting, inputs, names, given):
    """Records the bytes of weights of which those of these names are codes of a byte with a scale for each row."""
    coded = sum(inputs[name].size + 4 * inputs[name].size // inputs[name].shape[-1] for name in names)
    others = sum(one.nbytes for name, one in inputs.items() if name != given and name not in names)
    setting.tell("weight_bytes", coded + others, "bytes")


class GenerateInt8(Generate):
    """The same in int8: a scale for each row of a matrix, and for each token."""

    compute_type = "int8"

    def __init__(self, setting, inputs):
        names = matrices_of(inputs, "embedding", "head")
        super().__init__(setting, with_bytes(setting, [inputs], names, grouped=False)[0])
        setting.metrics[:] = [one for one in setting.metrics if one["name"] != "weight_bytes"]
        tell_bytes(setting, inputs, names, "prompt")


def ran(device):
    """What it computes in; it tells its instructions to its log alone."""
    return "float32, of " + ", ".join(sorted(ctranslate2.get_supported_compute_types("cpu")))
