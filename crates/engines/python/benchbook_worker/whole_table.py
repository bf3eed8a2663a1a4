"""Rows of whole models: encoders, and decoders that are no GPT-2, whose weights are those of a case."""

from .names import ENCODERS, SINGLE, WIDE, graph, torch_row
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
    *(
        Row(
            "model",
            workload,
            ("transformers", "transformers-mkl"),
            WIDE,
            f"transformers_encoders:{workload.split('-')[0]}",
            about,
            ("EN3",),
            tokens=tokens,
        )
        for (workload, tokens), about in zip(
            ENCODERS,
            (
                "BERT of Hugging Face Transformers, and the mean of its positions",
                "the encoder of Whisper of Hugging Face Transformers",
            ),
            strict=True,
        )
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
    *(
        Row(
            "model",
            workload,
            ("ctranslate2",),
            SINGLE,
            f"ctranslate2_encoders:{workload.split('-')[0]}",
            about,
            ("EN5",),
            tokens=tokens,
        )
        for (workload, tokens), about in zip(
            ENCODERS,
            (
                "a BERT in CTranslate2's form, and the mean of its positions",
                "the encoder of a Whisper in CTranslate2's form",
            ),
            strict=True,
        )
    ),
    *(
        graph(device, workload, SINGLE, f"{module}:cpu", about, ("EN5",), tokens)
        for workload, tokens in ENCODERS
        for device, module, about in (
            ("onnxruntime", "onnx_rows", "exported to ONNX"),
            ("openvino", "openvino_rows", "converted from PyTorch"),
        )
    ),
]
