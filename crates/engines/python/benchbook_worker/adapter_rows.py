"""A linear layer with an adapter of low rank, forward and back: by autograd, and as peft has it on weights of bitsandbytes."""

import torch

from .rows import Unsupported


def autograd(setting, inputs):
    """The formula; autograd gives what else a step computes."""

    def call():
        given, first, second = (inputs[name].detach().requires_grad_() for name in ("input", "first", "second"))
        with torch.enable_grad():
            out = given @ inputs["weight"] + setting.scale * (given @ first @ second)
        return (out.detach(), *torch.autograd.grad(out, (given, first, second), inputs["grad"]))

    return call


def peft_nf4(setting, inputs):
    """Weights of bitsandbytes, and an adapter of peft beside them whose factors stay where they are overwritten."""
    from peft import LoraConfig, inject_adapter_in_model

    from .weight_rows import nf4_layer

    weight = inputs["weight"].T.contiguous()
    plain = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
    plain.weight = torch.nn.Parameter(weight, requires_grad=False)
    try:
        layer, numbers, _ = nf4_layer(setting, plain)
        config = LoraConfig(r=setting.rank, lora_alpha=setting.scale * setting.rank, target_modules=["0"], lora_dropout=0.0)
        # Who draws its first factor must not change what others draw.
        with torch.random.fork_rng(devices=[]):
            model = inject_adapter_in_model(config, torch.nn.Sequential(layer)).train()
        factors = [model[0].lora_A["default"], model[0].lora_B["default"]]
        for factor, name in zip(factors, ("first", "second"), strict=True):
            factor.weight = torch.nn.Parameter(inputs[name].T)

        def call():
            given = inputs["input"].detach().requires_grad_()
            with torch.enable_grad():
                out = model(given)
            leaves = (given, *(factor.weight for factor in factors))
            of_input, first, second = torch.autograd.grad(out, leaves, inputs["grad"])
            return out.detach(), of_input, first.T, second.T

        call()
    except (RuntimeError, AssertionError, NotImplementedError, ValueError) as error:
        raise Unsupported(f"peft on bitsandbytes does not take this case: {str(error)[-400:]}") from error
    setting.stands_for["weight"] = numbers.T
    return call
