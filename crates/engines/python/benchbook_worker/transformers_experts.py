"""Hugging Face Transformers: the experts of its Mixtral in the ways in which it computes them, with our weights and our router."""

import os

# Nothing is asked of the network, which would be of no use here.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from transformers.models.mixtral import modeling_mixtral as mixtral  # noqa: E402

from .experts import FORMS, layer  # noqa: E402
from .rows import Unsupported  # noqa: E402
from .torch_rows import bind  # noqa: E402

#: Weights of experts, which its module holds packed in its own way.
WEIGHTS = ("w_gate", "w_up", "w_down")


def module(setting, x, way):
    """Its experts. Of our weights those of shared experts are left, so that memory holds no others twice."""
    sizes = {"num_local_experts": setting.experts, "hidden_size": setting.width, "intermediate_size": setting.hidden}
    config = mixtral.MixtralConfig(num_attention_heads=1, num_key_value_heads=1, **sizes)
    config._experts_implementation = way
    with torch.device("meta"):
        made = mixtral.MixtralExperts(config)
    gate, up, down = (x[name][: setting.experts].transpose(1, 2) for name in WEIGHTS)
    made.load_state_dict({"gate_up_proj": torch.cat([gate, up], 1), "down_proj": down.contiguous()}, assign=True)
    del gate, up, down
    for name in WEIGHTS:
        x[name] = x[name][setting.experts :].clone()
    return made.eval()


def prepared(setting, x, way):
    made = module(setting, x, way)
    setting.packed = WEIGHTS

    def mix(setting, given, ids, weights, *factors):
        return made(given, ids, weights)

    return bind(layer(mix)(setting, x), FORMS["mixture-of-experts", "by-expert"], x)


def eager(setting, x):
    return prepared(setting, x, "eager")


def grouped_mm(setting, x):
    call = prepared(setting, x, "grouped_mm")
    try:
        call()
    except RuntimeError as error:
        # They want rows of whole 16 bytes, and a PyTorch that has them here.
        if isinstance(error, NotImplementedError) or "stride" in str(error):
            raise Unsupported(f"grouped products of PyTorch do not take this case: {error}") from error
        raise
    return call
