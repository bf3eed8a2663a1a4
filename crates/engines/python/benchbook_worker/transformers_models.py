"""LLaMA and Qwen3 as Hugging Face Transformers reads them from a file of safetensors, taking a prompt or making tokens."""

import os
import shutil
import tempfile

# Nothing is asked of the network, which would be of no use here.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from transformers import (  # noqa: E402
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    logging,
)

from .blocks import EPSILON  # noqa: E402
from .rows import Unsupported  # noqa: E402

#: Base of the angles, as our own, where a case has no other.
BASE = 10000
KINDS = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM)}
PRODUCTS = {f"self_attn.{name[0]}_proj": name for name in ("query", "key", "value", "out")}
PRODUCTS |= {f"mlp.{name}_proj": name for name in ("gate", "up", "down")}
GAINS = {"input_layernorm": "norm_1", "post_attention_layernorm": "norm_2"}
GAINS |= {"self_attn.q_norm": "query_gain", "self_attn.k_norm": "key_gain"}


def checkpoint(setting, x):
    """The weights of a case by their names in a checkpoint."""
    state = {
        "model.embed_tokens.weight": x["embedding"],
        "model.norm.weight": x["last_norm"],
        "lm_head.weight": x["head"],
    }
    for layer in range(setting.layers):
        at = f"model.layers.{layer}"
        state |= {f"{at}.{theirs}.weight": x[f"w_{ours}"][layer] for theirs, ours in PRODUCTS.items()}
        state |= {f"{at}.{theirs}.weight": x[ours][layer] for theirs, ours in GAINS.items() if ours in x}
    # A file holds each by itself, whatever memory they share here.
    return {name: numbers.clone() for name, numbers in state.items()}


def sizes(setting, positions, **turned):
    """What a configuration says of the text of a case, and what else of how it is turned."""
    return dict(
        vocab_size=setting.vocabulary,
        hidden_size=setting.width,
        intermediate_size=setting.hidden,
        num_hidden_layers=setting.layers,
        num_attention_heads=setting.heads,
        num_key_value_heads=setting.kv_heads,
        head_dim=setting.head_dim,
        max_position_embeddings=positions,
        rms_norm_eps=EPSILON,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": float(setting.params.get("rotary_base", BASE)),
            **turned,
        },
    )


def model_of(setting, x, positions):
    """The model, which Transformers itself reads from a file; of a case only the prompt can be overwritten."""
    if setting.width % setting.heads:
        raise Unsupported("Transformers wants a width that the heads divide")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    configuration, kind = KINDS[setting.architecture]
    config = configuration(
        **sizes(setting, positions),
        tie_word_embeddings=False,
        # It knows tokens that begin and end a text, which are none here.
        bos_token_id=None,
        eos_token_id=None,
        architectures=[kind.__name__],
    )
    folder = tempfile.mkdtemp(prefix="benchbook-transformers-")
    try:
        config.save_pretrained(folder)
        save_file(checkpoint(setting, x), os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        model = kind.from_pretrained(folder, dtype=x["embedding"].dtype, attn_implementation="sdpa")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    setting.packed = tuple(name for name in x if name != "prompt")
    setting.tell_weights(x)
    return model.to(x["embedding"].device).eval()


class Prefill:
    """`prefill` with the cache of Transformers, a chunk of the prompt a step."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        self.model = model_of(setting, inputs, setting.prompt)

    def begin(self):
        self.taken, self.cache = 0, DynamicCache(config=self.model.config)

    def step(self):
        """Takes the next chunk; tells that no token was made, and whether more is to be taken."""
        ids = self.inputs["prompt"].long()[None, self.taken : self.taken + self.setting.chunk]
        given = self.model(input_ids=ids, cache=self.cache, use_cache=True, logits_to_keep=1)
        self.logits, self.taken = given.logits[0], self.taken + ids.shape[1]
        return 0, self.taken < self.setting.prompt

    def result(self):
        return self.logits


class Generate:
    """`generate` with the cache of Transformers, a token a step."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs = setting, inputs
        self.model = model_of(setting, inputs, setting.prompt + setting.tokens)

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
