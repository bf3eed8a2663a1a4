"""CTranslate2: greedy decoding by a GPT-2 that is written in its own form, with its cache of keys and values."""

import shutil
import tempfile

import ctranslate2
import numpy
from ctranslate2.specs import TransformerDecoderModelSpec, common_spec

#: Tokens that its vocabularies have beside those of a case, and a term of their logits by which none of them is ever made.
SPECIAL, NEVER = ("<unk>", "<s>", "</s>"), -1e9


def specification(setting, x):
    """The model of a case. Its products have weights `[to, from]`."""
    spec = TransformerDecoderModelSpec.from_config(
        setting.layers, setting.heads, pre_norm=True, activation=common_spec.Activation.GELUTanh
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    more = numpy.zeros((len(SPECIAL), setting.width), "f4")
    decoder.embeddings.weight = numpy.concatenate([x["wte"], more])
    decoder.position_encodings.encodings = x["wpe"]
    decoder.projection.weight = decoder.embeddings.weight
    decoder.projection.bias = numpy.full(setting.vocabulary + len(SPECIAL), NEVER, "f4")
    decoder.projection.bias[: setting.vocabulary] = 0

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
    spec.register_vocabulary([*(str(token) for token in range(setting.vocabulary)), *SPECIAL])
    return spec


class Decoding:
    """`greedy-decoding` with a step for each token of its stream."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        spec = specification(setting, inputs)
        spec.validate()
        spec.optimize()
        folder = tempfile.mkdtemp(prefix="benchbook-ctranslate2-")
        try:
            spec.save(folder)
            pools = {"inter_threads": 1, "intra_threads": setting.threads}
            make = lambda: ctranslate2.Generator(folder, device="cpu", compute_type="float32", **pools)
            self.generator = setting.timed("compile_ns", make)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
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


def ran(device):
    """What it computes in; it tells its instructions to its log alone."""
    return "float32, of " + ", ".join(sorted(ctranslate2.get_supported_compute_types("cpu")))
