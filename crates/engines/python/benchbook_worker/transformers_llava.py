"""LLaVA as Hugging Face Transformers has it, with our weights: an image among the tokens of a prompt, and tokens about it."""

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from .blocks import EPSILON
from .transformers_images import Looking, finished
from .transformers_models import checkpoint, sizes

#: Parts of the tower and of the projector by the names of our inputs.
PARTS = {
    "vision_tower.embeddings.class_embedding": "class",
    "vision_tower.embeddings.patch_embedding.weight": "w_patch",
    "vision_tower.embeddings.position_embedding.weight": "places",
    "vision_tower.pre_layrnorm.weight": "first_gain",
    "vision_tower.pre_layrnorm.bias": "first_bias",
    "multi_modal_projector.linear_1.weight": "project_up",
    "multi_modal_projector.linear_1.bias": "project_up_bias",
    "multi_modal_projector.linear_2.weight": "project_down",
    "multi_modal_projector.linear_2.bias": "project_down_bias",
}
PRODUCTS = {f"self_attn.{name[0]}_proj": name for name in ("query", "key", "value")}
PRODUCTS |= {"self_attn.out_proj": "out", "mlp.fc1": "up", "mlp.fc2": "down"}


def configured(setting):
    """The configuration of a case, whose features come behind its last block: none is computed that nobody looks at."""
    vision = CLIPVisionConfig(
        hidden_size=setting.image_width,
        intermediate_size=setting.image_hidden,
        num_hidden_layers=setting.image_layers,
        num_attention_heads=setting.image_heads,
        image_size=setting.side * setting.patch,
        patch_size=setting.patch,
        layer_norm_eps=EPSILON,
    )
    text = LlamaConfig(**sizes(setting, setting.prompt + setting.side**2 + setting.tokens))
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        vision_feature_layer=-1,
        image_seq_length=setting.side**2,
        tie_word_embeddings=False,
    )
    config._attn_implementation = "sdpa"
    return config


def tower(setting, x):
    """The weights of the tower and of the projector by their names in the model."""
    state = {f"model.{theirs}": x[f"image_{ours}"] for theirs, ours in PARTS.items()}
    patches = "model.vision_tower.embeddings.patch_embedding.weight"
    state[patches] = state[patches].reshape(-1, 3, setting.patch, setting.patch)
    for layer in range(setting.image_layers):
        at = f"model.vision_tower.encoder.layers.{layer}"
        for theirs, ours in PRODUCTS.items():
            parts = {"weight": x[f"image_w_{ours}"], "bias": x[f"image_b_{ours}"]}
            state |= {f"{at}.{theirs}.{part}": numbers[layer] for part, numbers in parts.items()}
        for norm in (1, 2):
            state |= {
                f"{at}.layer_norm{norm}.weight": x[f"image_gain_{norm}"][layer],
                f"{at}.layer_norm{norm}.bias": x[f"image_bias_{norm}"][layer],
            }
    return state


class Llava(Looking):
    """`multimodal-image` by the tower of CLIP, with the cache of Transformers, a token a step."""

    def made_of(self, setting, x):
        model = LlavaForConditionalGeneration(configured(setting))
        # Of the class token alone, which the text is not told of.
        model.model.vision_tower.post_layernorm = torch.nn.Identity()
        of_text = checkpoint(setting, x)
        of_text = {name.replace("model.", "model.language_model.", 1): numbers for name, numbers in of_text.items()}
        model.load_state_dict(of_text | tower(setting, x))
        return finished(setting, x, model)

    def look(self):
        """Takes prompt and image."""
        setting, whole = self.setting, self.model.model
        side, patch = setting.side, setting.patch
        patches = self.inputs["image_patches"].reshape(side, side, 3, patch, patch)
        pixels = patches.permute(2, 0, 3, 1, 4).reshape(1, 3, side * patch, side * patch)
        (seen,) = whole.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
        words = whole.language_model.embed_tokens(self.inputs["prompt"].long())
        given = torch.cat([words[: setting.before], seen, words[setting.before :]])
        return whole.language_model(inputs_embeds=given[None], cache=self.cache, use_cache=True)

    def go_on(self):
        """Takes the token that was made last."""
        return self.model.model.language_model(input_ids=self.made[-1][None, None], cache=self.cache, use_cache=True)
