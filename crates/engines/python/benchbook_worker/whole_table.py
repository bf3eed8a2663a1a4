"""Rows of whole models: encoders, and decoders that are no GPT-2, whose weights are those of a case."""

from .devices import GGUF, TORCHAO
from .names import ENCODERS, SINGLE, WIDE
from .row_kinds import encoder_rows, graph, torch_row
from .rows import Row

MODELS = [
    *(
        torch_row(name, workload, prepare, about, dtypes=WIDE, tokens=tokens, memory=not name.startswith("compile"))
        for workload, tokens in ENCODERS
        for name, prepare, about in (
            ("eager", "torch_rows:eager", "the formula, in PyTorch"),
            ("sdpa-flash", "torch_rows:sdpa_flash", "PyTorch's norms, and its SDPA by its backend flash"),
            (
                "compile-frozen",
                "torch_rows:compile_frozen",
                "by torch.compile with its weights as constants, which are packed before (freezing)",
            ),
        )
    ),
    *encoder_rows(
        ("transformers", "transformers-mkl"),
        WIDE,
        "transformers_encoders",
        ("EN3",),
        "BERT of Hugging Face Transformers, and the mean of its positions",
        "the encoder of Whisper of Hugging Face Transformers",
    ),
    *(
        Row(
            "model",
            workload,
            ("transformers", "transformers-mkl"),
            SINGLE,
            f"transformers_models:{workload.title()}",
            "LLaMA and Qwen3 of Hugging Face Transformers, read by it from safetensors, with its cache of keys and values",
            ("EN3",),
            tokens=("prompt",),
            loop=True,
            needs=(("safetensors", "0.4", "1"),),
        )
        for workload in ("prefill", "generate")
    ),
    Row(
        "model",
        "multimodal-image",
        ("transformers", "transformers-mkl"),
        SINGLE,
        "transformers_images:looking",
        "Qwen3-VL and LLaVA of Hugging Face Transformers, with its cache of keys and values",
        ("EN3",),
        tokens=("prompt",),
        loop=True,
    ),
    *(
        Row(
            "kv-cache",
            workload,
            ("ctranslate2",),
            SINGLE,
            f"ctranslate2_rows:{prepare}",
            f"a {model} in CTranslate2's form, with its cache of keys and values",
            ("EN5",),
            tokens=("prompt",),
            loop=True,
        )
        for workload, prepare, model in (("greedy-decoding", "Decoding", "GPT-2"), ("generate", "Generate", "LLaMA"))
    ),
    *encoder_rows(
        ("ctranslate2",),
        SINGLE,
        "ctranslate2_encoders",
        ("EN5",),
        "a BERT in CTranslate2's form, and the mean of its positions",
        "the encoder of a Whisper in CTranslate2's form",
    ),
    *(
        graph(device, workload, SINGLE, f"{module}:cpu", about, ("EN5",), tokens)
        for workload, tokens in ENCODERS
        for device, module, about in (
            ("onnxruntime", "onnx_rows", "exported to ONNX"),
            ("openvino", "openvino_rows", "converted from PyTorch"),
        )
    ),
    *(
        Row(
            name,
            workload,
            (device,),
            SINGLE,
            f"{module}:{prepare or workload.split('-')[0] + '_int8'}",
            f"{about}, by matrices of 8 bits, what they multiply by rounded to 8 bits in the call",
            ("EN5",),
            tokens=tokens,
            memory=device != "openvino",
            approximates=True,
            on_request=True,
        )
        for workload, tokens in ENCODERS
        for device, name, module, prepare, about in (
            ("onnxruntime", "graph-int8", "nbits_rows", "encoder", "exported to ONNX"),
            ("openvino", "graph-int8", "compressed_rows", "encoder", "converted from PyTorch"),
            ("ctranslate2", "model-int8", "ctranslate2_encoders", "", "in CTranslate2's form"),
        )
    ),
    *(
        Row(
            name,
            workload,
            (device,),
            SINGLE,
            prepare,
            about,
            claims,
            tokens=("prompt",),
            loop=True,
            needs=needs,
            approximates=True,
            on_request=True,
        )
        for workload, device, name, prepare, claims, needs, about in (
            (
                "generate",
                "ctranslate2",
                "kv-cache-int8",
                "ctranslate2_rows:GenerateInt8",
                ("EN5",),
                (),
                "a LLaMA in CTranslate2's form, by matrices of 8 bits, what they multiply by rounded to 8 bits token by token",
            ),
            *(
                (
                    workload,
                    "llama-cpp",
                    f"{name}-q4-1",
                    f"llama_models:{workload.title()}",
                    (),
                    (GGUF,),
                    "a LLaMA by llama.cpp from a file in Q4_1 (tables of tokens in Q8_0), what they multiply by rounded in groups of 32",
                )
                for workload, name in (("generate", "kv-cache"), ("prefill", "chunked"))
            ),
        )
    ),
    *(
        Row(
            "torchao-int8-dynamic",
            workload,
            ("transformers", "transformers-mkl"),
            SINGLE,
            f"transformers_encoders:{workload.split('-')[0]}_in_bytes",
            "that of Hugging Face Transformers, whose products torchao makes of both factors in 8 bits, without a compiler",
            ("EN3", "EN5"),
            tokens=tokens,
            needs=(TORCHAO,),
            approximates=True,
            on_request=True,
        )
        for workload, tokens in ENCODERS
    ),
]
