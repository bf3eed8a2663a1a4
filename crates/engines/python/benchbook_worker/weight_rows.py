"""Layers of PyTorch with weights of few bits, as torchao, bitsandbytes and Intel Neural Compressor make them, and with an adapter, as
peft does.

Each makes a layer of the right factor, `[out, in]` there, before it is timed. What its codes stand for it is asked itself.
"""

import torch

from .blocks import ACTIVATIONS
from .rows import Unsupported, of_all, sets_of, taking_turns

#: Weights along k that share a scale, where a library lets it be chosen.
GROUP = 32

#: Bits of weights that a library makes numbers of again before they are timed.
FULL_BITS = 32

#: Rank of an adapter.
RANK = 16


def layer_of(inputs):
    """A plain layer that multiplies by the right factor."""
    weight = inputs["b"].T.contiguous()
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    return layer.eval()


def rows_of(name, made, bits):
    """What prepares a product by the layer that `made(setting, layer)` makes of a plain one, with weights of so many bits. It also gives
    the numbers `[out, in]` that its codes stand for, and what makes of the left factor those that it is rounded to, where it is."""

    @of_all
    def prepare(setting, copies):
        layers = []
        try:
            for _ in range(sets_of(copies, setting.k * setting.n * bits // 8)):
                layer, numbers, rounded = made(setting, layer_of(copies[0]))
                layer(copies[0]["a"])
                layers.append(layer)
        except (RuntimeError, AssertionError, NotImplementedError, ValueError) as error:
            raise Unsupported(f"{name} does not take this case: {str(error)[-400:]}") from error
        setting.stands_for["b"] = numbers.T
        if rounded:
            setting.stands_for["a"] = rounded

        def call_of(layer, given):
            return lambda: layer(given)

        return [call_of(one, inputs["a"]) for one, inputs in taking_turns(copies, layers)]

    return prepare


def by_torchao(config_of, bits):
    def made(setting, layer):
        from torchao.quantization import quantize_
        from torchao.utils import TorchAOBaseTensor

        model = torch.nn.Sequential(layer)
        quantize_(model, config_of())
        weight = model[0].weight
        if not isinstance(weight, TorchAOBaseTensor):
            raise Unsupported("torchao leaves a layer of this size as it is")
        rounds = getattr(weight, "input_quant_func", None)
        if rounds is None:
            return model, weight.dequantize().detach(), None
        arguments = weight.quant_kwargs or {}
        return model, weight.original_weight_tensor.dequantize(), lambda a: rounds(a, **arguments).dequantize()

    return rows_of("torchao", made, bits)


def int8_config():
    from torchao.quantization import Int8WeightOnlyConfig

    return Int8WeightOnlyConfig()


def int8_dynamic_config():
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig

    return Int8DynamicActivationInt8WeightConfig()


def int4_config():
    from torchao.dtypes import Int4CPULayout
    from torchao.quantization import Int4WeightOnlyConfig

    return Int4WeightOnlyConfig(group_size=GROUP, layout=Int4CPULayout(), version=1)


torchao_int8, torchao_int8_dynamic = by_torchao(int8_config, 8), by_torchao(int8_dynamic_config, 8)
torchao_int4 = by_torchao(int4_config, 4)


def nf4_layer(setting, layer):
    """Its fast path on a processor packs the codes anew in the first call, so they are read before."""
    from bitsandbytes import functional, nn

    out, width = layer.weight.shape
    made = nn.Linear4bit(width, out, False, layer.weight.dtype, compress_statistics=False, quant_type="nf4")
    weight = nn.Params4bit(layer.weight.data, requires_grad=False, compress_statistics=False, quant_type="nf4", module=made)
    made.weight = weight.to("cpu")
    return made.eval(), functional.dequantize_4bit(made.weight.data, made.weight.quant_state), None


def llm_int8_layer(setting, layer):
    """LLM.int8() without its threshold: rows of both factors have a scale each, and the left one is rounded by way of f16."""
    from bitsandbytes import functional, nn

    out, width = layer.weight.shape
    made = nn.Linear8bitLt(width, out, bias=False, has_fp16_weights=False, threshold=0.0)
    made.weight = nn.Int8Params(layer.weight.data, requires_grad=False, has_fp16_weights=False).to("cpu")
    numbers = functional.int8_vectorwise_dequant(made.weight.data, made.weight.SCB)

    def rounded(a):
        codes, scales, _ = functional.int8_vectorwise_quant(a.to(torch.float16), threshold=0.0)
        return functional.int8_vectorwise_dequant(codes, scales)

    return made.eval(), numbers, rounded


bitsandbytes_nf4, bitsandbytes_int8 = rows_of("bitsandbytes", nf4_layer, 4), rows_of("bitsandbytes", llm_int8_layer, 8)


def by_compressor(bits):
    """Rounding to the nearest by Intel Neural Compressor. On a processor it makes numbers of its codes in the first call, and keeps them."""

    def made(setting, layer):
        from neural_compressor.torch.quantization import RTNConfig, convert, prepare

        model = torch.nn.Sequential(layer)
        config = RTNConfig(dtype="int", bits=bits, group_size=GROUP, use_sym=True)
        model = convert(prepare(model, config))
        if not hasattr(model[0], "recover"):
            raise Unsupported("Intel Neural Compressor leaves a layer of this size as it is")
        return model.eval(), model[0].recover(), None

    return rows_of("Intel Neural Compressor", made, FULL_BITS)


compressor_int4, compressor_int8 = by_compressor(4), by_compressor(8)


def lora(setting, inputs):
    """`linear` with an adapter beside its weights whose second factor is zero, as where training begins: the numbers are those of the
    plain layer, and the time is that of both. The weights stay where they are overwritten."""
    from peft import LoraConfig, inject_adapter_in_model

    weight, after = inputs["weight"].T, ACTIVATIONS[setting.activation]
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    layer.bias = torch.nn.Parameter(inputs["bias"], requires_grad=False)
    model = torch.nn.Sequential(layer)
    # Who draws its first factor must not change what others draw.
    with torch.random.fork_rng(devices=[]):
        model = inject_adapter_in_model(LoraConfig(r=RANK, target_modules=["0"], lora_dropout=0.0), model).eval()
    given = inputs["input"]
    return lambda: after(model(given))
