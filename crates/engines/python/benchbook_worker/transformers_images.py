"""Qwen3-VL as Hugging Face Transformers has it, with our weights: an image among the tokens of a prompt, and tokens about it."""

import os

# Nothing is asked of the network, which would be of no use here.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from transformers import DynamicCache  # noqa: E402
from transformers.models.qwen3_vl.configuration_qwen3_vl import (  # noqa: E402
    Qwen3VLConfig,
    Qwen3VLTextConfig,
    Qwen3VLVisionConfig,
)
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLForConditionalGeneration  # noqa: E402

from .rows import Unsupported  # noqa: E402
from .transformers_models import checkpoint, sizes  # noqa: E402

#: Frames of a patch, and patches of a side that become a token.
FRAMES, MERGED = 2, 2
#: Inputs that can be overwritten.
GIVEN = ("prompt", "image_patches")
LAYERS = {
    "norm1": ("gain_1", "bias_1"),
    "norm2": ("gain_2", "bias_2"),
    "attn.qkv": ("w_qkv", "b_qkv"),
    "attn.proj": ("w_out", "b_out"),
    "mlp.linear_fc1": ("w_up", "b_up"),
    "mlp.linear_fc2": ("w_down", "b_down"),
}
MERGERS = {"norm": ("gain", "bias"), "linear_fc1": ("up", "up_bias"), "linear_fc2": ("down", "down_bias")}


def sections(setting):
    """Pairs of a head that are turned by time, row and column: in Qwen3-VL 24, 20 and 20 of 64."""
    pairs = setting.head_dim // 2
    side = pairs * 20 // 64
    return [pairs - 2 * side, side, side]


def configured(setting):
    """The configuration of a case."""
    positions = setting.prompt + setting.rows * setting.columns + setting.tokens
    text = Qwen3VLTextConfig(**sizes(setting, positions, mrope_section=sections(setting)))
    vision = Qwen3VLVisionConfig(
        depth=setting.image_layers,
        hidden_size=setting.image_width,
        intermediate_size=setting.image_hidden,
        num_heads=setting.image_heads,
        patch_size=setting.patch,
        spatial_merge_size=MERGED,
        temporal_patch_size=FRAMES,
        out_hidden_size=setting.width,
        num_position_embeddings=setting.side**2,
        deepstack_visual_indexes=[
            part * setting.image_layers // (setting.deep + 1) - 1 for part in range(1, setting.deep + 1)
        ],
    )
    config = Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False)
    config._attn_implementation = "sdpa"
    return config


def tower(setting, x):
    """The weights of the tower by their names in a checkpoint."""

    def both(at, names, place):
        parts = zip(("weight", "bias"), names, strict=True)
        return {f"model.visual.{at}.{part}": x[f"image_{name}"][place] for part, name in parts}

    state = both("patch_embed.proj", ("w_patch", "b_patch"), 0)
    patches = "model.visual.patch_embed.proj.weight"
    state[patches] = state[patches].reshape(-1, 3, FRAMES, setting.patch, setting.patch)
    state["model.visual.pos_embed.weight"] = x["image_positions"]
    for layer in range(setting.image_layers):
        for theirs, ours in LAYERS.items():
            state |= both(f"blocks.{layer}.{theirs}", ours, layer)
    deep = [(f"deepstack_merger_list.{place}", "deep", place) for place in range(setting.deep)]
    for at, of, place in [("merger", "merge", 0), *deep]:
        for theirs, ours in MERGERS.items():
            state |= both(f"{at}.{theirs}", [f"{of}_{name}" for name in ours], place)
    return state


def finished(setting, x, model):
    """The model, ready; of a case only prompt and image can be overwritten."""
    setting.packed = tuple(name for name in x if name not in GIVEN)
    setting.tell("weight_bytes", sum(x[name].nbytes for name in setting.packed), "bytes")
    return model.to(x["embedding"].dtype).eval()


def model_of(setting, x):
    """The model of a case."""
    model = Qwen3VLForConditionalGeneration(configured(setting))
    of_text = {
        name.replace("model.", "model.language_model.", 1): numbers for name, numbers in checkpoint(setting, x).items()
    }
    model.load_state_dict(of_text | tower(setting, x))
    return finished(setting, x, model)


def looking(setting, inputs):
    """`multimodal-image` by whichever tower looks."""
    if setting.width % setting.heads:
        raise Unsupported("Transformers wants a width that the heads divide")
    if setting.tower == "clip":
        from .transformers_llava import Llava

        return Llava(setting, inputs)
    return Looking(setting, inputs)


class Looking:
    """`multimodal-image` with the cache of Transformers, a token a step."""

    made_of = staticmethod(model_of)

    def __init__(self, setting, inputs):
        self.setting, self.inputs, self.model = setting, inputs, self.made_of(setting, inputs)

    def begin(self):
        self.made, self.cache = [], DynamicCache(config=self.model.config.text_config)

    def look(self):
        """Takes prompt and image."""
        setting, whole = self.setting, self.model.model
        grid = torch.tensor([[1, setting.rows, setting.columns]])
        seen = whole.visual(self.inputs["image_patches"][0], grid_thw=grid, return_dict=True)
        words = whole.language_model.embed_tokens(self.inputs["prompt"].long())
        parts = [words[: setting.before], seen.pooler_output, words[setting.before :]]
        kinds = torch.cat([torch.full((1, len(part)), int(part is parts[1])) for part in parts], 1)
        # Of ids nothing is asked but how many there are.
        places, _ = whole.get_rope_index(kinds, kinds, image_grid_thw=grid)
        self.place = int(places.max()) + 1
        return whole.language_model(
            inputs_embeds=torch.cat(parts)[None],
            position_ids=places,
            cache=self.cache,
            use_cache=True,
            visual_pos_masks=kinds.bool(),
            deepstack_visual_embeds=seen.deepstack_features,
        )

    def go_on(self):
        """Takes the token that was made last."""
        places = torch.full((3, 1, 1), self.place)
        self.place += 1
        language = self.model.model.language_model
        return language(input_ids=self.made[-1][None, None], position_ids=places, cache=self.cache, use_cache=True)

    def step(self):
        """Makes the next token; tells how many were made, and whether there are more to make."""
        given = self.go_on() if self.made else self.look()
        self.made.append(self.model.lm_head(given.last_hidden_state[0, -1]).argmax())
        return 1, len(self.made) < self.setting.tokens

    def result(self):
        return torch.stack(self.made)[:, None]
