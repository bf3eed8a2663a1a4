"""A seeded GPT-2 as Hugging Face Transformers has it, and greedy decoding by it, a token a step."""

import os

# Nothing is asked of the network, which would be of no use here.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel  # noqa: E402


def model_of(setting, x):
    """The model with the weights of a case; its only one that can be overwritten is the prompt."""
    positions = setting.prompt + setting.tokens
    sizes = {"vocab_size": setting.vocabulary, "n_positions": positions, "n_embd": setting.width}
    config = GPT2Config(n_layer=setting.layers, n_head=setting.heads, attn_implementation="sdpa", **sizes)
    # It knows tokens that begin and end a text, which are none here.
    config.bos_token_id = config.eos_token_id = None
    state = {"transformer.wte.weight": x["wte"], "transformer.wpe.weight": x["wpe"], "lm_head.weight": x["wte"]}
    products = {"attn.c_attn": "qkv", "attn.c_proj": "merge", "mlp.c_fc": "up", "mlp.c_proj": "down"}
    norms = {"ln_f": 2 * setting.layers}
    for layer in range(setting.layers):
        norms |= {f"h.{layer}.ln_1": 2 * layer, f"h.{layer}.ln_2": 2 * layer + 1}
        for theirs, ours in products.items():
            place = f"transformer.h.{layer}.{theirs}"
            state |= {f"{place}.weight": x[ours][layer], f"{place}.bias": x[f"{ours}_bias"][layer]}
    for theirs, place in norms.items():
        place_of = f"transformer.{theirs}"
        state |= {f"{place_of}.weight": x["norm_gain"][place], f"{place_of}.bias": x["norm_bias"][place]}
    model = GPT2LMHeadModel(config).to(x["wte"].device, x["wte"].dtype).eval()
    model.load_state_dict(state)
    setting.packed = tuple(name for name in x if name != "prompt")
    return model


class Decoding:
    """`greedy-decoding` with the cache of Transformers."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs, self.model = setting, inputs, model_of(setting, inputs)

    def begin(self):
        self.made, self.cache = [], DynamicCache(config=self.model.config)

    def step(self):
        """Makes the next token; tells how many were made, and whether there are more to make."""
        last = self.made[-1][None, None] if self.made else self.inputs["prompt"].long()[None]
        given = self.model(input_ids=last, cache=self.cache, use_cache=True, logits_to_keep=1)
        self.made.append(given.logits[0, -1].argmax())
        return 1, len(self.made) < self.setting.tokens

    def result(self):
        return torch.stack(self.made)[:, None]
