"""Every device and every row, without loading an engine: what is here can be told at once."""

from .devices import ACCELERATE, BITSANDBYTES, DEVICES, FLA, PEFT, ZENTORCH
from .names import (
    COMPILED,
    FORMS,
    FORMULAS,
    GRAPHS,
    LAYERS,
    ON_CPU,
    PRODUCTS,
    RECURRENCES,
    SDPA,
    SINGLE,
    WEIGHTED,
    WHOLE,
    WIDE,
)
from .row_kinds import dtypes_of, gpu_row, graph, numpy_row, torch_row
from .rows import Row
from .whole_table import MODELS

ROWS = [
    numpy_row("matmul", WIDE, "numpy.matmul, by the BLAS that numpy is linked with"),
    numpy_row("attention", WIDE, "the formula, in numpy"),
    numpy_row("copy", WIDE, "numpy.copyto"),
    numpy_row("read", SINGLE, "numpy's sum"),
    Row(
        "numpy",
        "generate",
        ("numpy",),
        WIDE,
        "numpy_decoding:Generate",
        "a LLaMA or Qwen3 with a cache of keys and values, in numpy",
        tokens=("prompt",),
        loop=True,
    ),
    *(
        torch_row("eager", name, "torch_rows:eager", "the formula, in PyTorch", dtypes=dtypes_of(name))
        for name in FORMULAS
    ),
    torch_row("eager", "embedding", "torch_rows:eager", "PyTorch's embedding", tokens=("ids",)),
    torch_row("eager", "copy", "torch_rows:copy", "Tensor.copy_"),
    torch_row(
        "kv-cache-eager",
        "greedy-decoding",
        "decoding:Gpt2",
        "a GPT-2 with a cache of keys and values, in PyTorch",
        dtypes=WIDE,
        tokens=("prompt",),
        loop=True,
    ),
    torch_row(
        "kv-cache-eager",
        "generate",
        "decoding:Llama",
        "a LLaMA or Qwen3 with a cache of keys and values, in PyTorch",
        dtypes=WIDE,
        tokens=("prompt",),
        loop=True,
    ),
    *(
        torch_row(
            name,
            workload,
            f"training_rows:{name.capitalize()}",
            f"{model} with SDPA and the fused AdamW{how}, in PyTorch",
            dtypes=SINGLE,
            tokens=("ids",),
            loop=True,
            memory=name != "compile",
            on_request=name == "checkpoint",
        )
        for workload, model in (("gpt2-training", "GPT-2"), ("llama-training", "a LLaMA"))
        for name, how in (
            ("eager", ""),
            ("compile", ", loss and gradients by torch.compile"),
            ("checkpoint", ", layers computed again by torch.utils.checkpoint"),
        )
    ),
    torch_row("eager", "norm-chain-gradients", "training_rows:chain", "autograd through the formula, in PyTorch", dtypes=SINGLE),
    torch_row(
        "compile",
        "norm-chain-gradients",
        "training_rows:compile_chain",
        "the same, forward and back by torch.compile",
        dtypes=SINGLE,
        memory=False,
    ),
    torch_row("topk", "top-k-compression", "compression_rows:top_k", "by torch.topk", dtypes=SINGLE),
    torch_row("eager", "int8-compression", "compression_rows:int8", "the formula, in PyTorch", dtypes=SINGLE),
    torch_row("eager", "power-sgd", "compression_rows:power_sgd", "the formula, in PyTorch", dtypes=SINGLE),
    *(
        torch_row(name, "adamw", f"optimizer_rows:{way}", about, dtypes=dtypes, loop=True)
        for name, way, about, dtypes in (
            ("loop", "Loop", "PyTorch's AdamW, one tensor after another", WIDE),
            ("foreach", "Foreach", "PyTorch's AdamW, each operation over lists of tensors", WIDE),
            ("torch-fused", "Fused", "PyTorch's AdamW as one kernel", SINGLE),
        )
    ),
    *(
        torch_row(
            f"sdpa-{backend}",
            name,
            f"torch_rows:sdpa_{backend}",
            f"PyTorch's SDPA by its backend {backend}",
            dtypes=dtypes_of(name),
        )
        for name in SDPA
        for backend in ("flash", "math")
    ),
    *(
        torch_row(
            f"sdpa-{backend}",
            name,
            f"torch_rows:sdpa_{backend}",
            f"PyTorch's SDPA by its backend {backend}",
            devices=("torch-cuda",),
        )
        for name in SDPA
        for backend in ("efficient", "cudnn")
    ),
    *(
        torch_row("native", name, "torch_rows:native", f"PyTorch's {name.replace('-', '_')}")
        for name in ("layer-norm", "rms-norm")
    ),
    *(
        torch_row(
            "compile",
            name,
            "torch_rows:compile_formula",
            "the formula, by torch.compile",
            dtypes=dtypes_of(name),
            memory=False,
        )
        for name in COMPILED
    ),
    torch_row(
        "compile-sdpa",
        "transformer-block",
        "torch_rows:compile_fused",
        "PyTorch's norms and SDPA, by torch.compile",
        dtypes=WIDE,
        memory=False,
    ),
    *(
        torch_row(
            "compile-frozen",
            name,
            "torch_rows:compile_frozen",
            "by torch.compile with its weights as constants, which are packed before (freezing)",
            dtypes=dtypes_of(name),
            memory=False,
        )
        for name in WEIGHTED
    ),
    *(
        Row(
            "zentorch",
            name,
            ("zentorch",),
            SINGLE,
            "torch_rows:compile_zentorch",
            "by torch.compile with the backend of zentorch, AMD's library for its processors, and its weights as constants",
            ("EN5",),
            memory=False,
            needs=ZENTORCH[1:],
            on_request=True,
        )
        for name in WEIGHTED
    ),
    *(
        torch_row("loop", name, "form_rows:loop", "a loop over steps, a few calls of PyTorch each", dtypes=WIDE)
        for name in RECURRENCES
    ),
    *(
        torch_row(
            "compile-step",
            name,
            "form_rows:compile_step",
            "a loop over steps, each by torch.compile",
            dtypes=WIDE,
            memory=False,
        )
        for name in RECURRENCES
    ),
    *(
        torch_row(form, name, f"form_rows:{form.replace('-', '_')}", f"{about}, in PyTorch", dtypes=WIDE)
        for name, form, about, _ in FORMS
    ),
    *(
        torch_row(
            f"compile-{form}",
            name,
            f"form_rows:compile_{form.replace('-', '_')}",
            f"{about}, by torch.compile",
            dtypes=WIDE,
            memory=False,
        )
        for name, form, about, compiles in FORMS
        if compiles
    ),
    torch_row(
        "mambapy",
        "selective-scan",
        "mambapy_rows:selective_scan",
        "the parallel scan of mambapy over all states of all steps",
        dtypes=WIDE,
        needs=(("mambapy", "1.2", "2"),),
    ),
    *(
        torch_row(
            "fla-naive",
            workload,
            f"fla_rows:{prepare}",
            "the plain loop over steps of fla-core",
            dtypes=SINGLE,
            needs=(FLA,),
            on_request=True,
        )
        for workload, prepare in (
            ("state-space-duality", "duality"),
            ("retention", "retention"),
            ("rwkv-6", "rwkv6"),
            ("rwkv-7", "rwkv7"),
        )
    ),
    *(
        Row(
            name,
            "matmul",
            ON_CPU,
            dtypes,
            f"weight_rows:{prepare}",
            about,
            ("EN5",),
            packed=("b",),
            needs=(package,),
            approximates=True,
            on_request=True,
        )
        for name, dtypes, prepare, package, about in LAYERS
    ),
    torch_row("autograd", "lora-step", "adapter_rows:autograd", "autograd through the formula, in PyTorch", dtypes=SINGLE),
    torch_row(
        "peft-nf4",
        "lora-step",
        "adapter_rows:peft_nf4",
        "an adapter of peft beside weights of 4 bits (NF4) by bitsandbytes, blocks of 64",
        devices=ON_CPU,
        dtypes=("bf16",),
        packed=("weight",),
        needs=(PEFT, BITSANDBYTES),
        approximates=True,
        on_request=True,
    ),
    torch_row(
        "peft-lora",
        "linear",
        "weight_rows:lora",
        "the layer with an adapter of rank 16 by peft, whose second factor is zero",
        devices=ON_CPU,
        dtypes=SINGLE,
        needs=(PEFT,),
        on_request=True,
    ),
    *(
        Row(
            name,
            "matmul",
            (device,),
            SINGLE,
            prepare,
            about,
            ("EN5",),
            packed=("b",),
            memory=device != "openvino",
            approximates=True,
        )
        for device, name, prepare, about in PRODUCTS
    ),
    *(
        Row(
            name,
            "matmul",
            ("llama-cpp",),
            SINGLE,
            f"llama_rows:{prepare}",
            f"weights in {about} of llama.cpp, the left factor rounded to 8 bits in groups of 32",
            packed=("b",),
            approximates=True,
        )
        for name, prepare, about in (("q4-0", "q4_0", "Q4_0"), ("q8-0", "q8_0", "Q8_0"))
    ),
    torch_row(
        "torch-csr",
        "sparse-matmul",
        "sparse_rows:torch_csr",
        "PyTorch's CSR of the weights, made before timing",
        devices=ON_CPU,
        dtypes=WIDE,
        packed=("b",),
    ),
    Row(
        "scipy-csr",
        "sparse-matmul",
        ("numpy",),
        WIDE,
        "sparse_rows:scipy_csr",
        "SciPy's CSR of the weights, made before timing; it computes on one thread",
        packed=("b",),
        needs=(("scipy", "1.10", "2"),),
    ),
    torch_row(
        "svd-lowrank",
        "randomised-svd",
        "singular_rows:svd_lowrank",
        "torch.svd_lowrank from the given start",
        devices=ON_CPU,
        dtypes=WIDE,
    ),
    torch_row(
        "flex",
        "programmable-attention",
        "torch_rows:flex",
        "FlexAttention, compiled",
        dtypes=("f32", "bf16"),
        memory=False,
    ),
    *(
        Row(
            name,
            "transformer-block",
            ("transformers", "transformers-mkl"),
            WIDE,
            f"transformers_rows:{prepare}",
            about,
            ("EN3",),
            memory=prepare != "compile_block",
            needs=needs,
            on_request=bool(needs),
        )
        for name, prepare, needs, about in (
            ("block", "block", (), "the block of Hugging Face Transformers, with its default attention"),
            ("compile", "compile_block", (), "the block of Hugging Face Transformers, by torch.compile"),
            ("offload", "offloaded", (ACCELERATE,), "the block, its weights held outside and put in place by Accelerate"),
        )
    ),
    *(
        Row(
            name,
            "mixture-of-experts",
            ("transformers", "transformers-mkl"),
            dtypes,
            f"transformers_experts:{name.replace('-', '_')}",
            f"the experts of Hugging Face Transformers, {about}",
            ("EN3",),
        )
        for name, dtypes, about in (
            ("eager", WIDE, "one after another"),
            ("grouped-mm", SINGLE, "as grouped products, which its models take by themselves"),
        )
    ),
    Row(
        "kv-cache",
        "greedy-decoding",
        ("transformers", "transformers-mkl"),
        WIDE,
        "transformers_decoding:Decoding",
        "GPT-2 of Hugging Face Transformers, with its cache of keys and values",
        ("EN3",),
        tokens=("prompt",),
        loop=True,
    ),
    *(graph("onnxruntime", name, SINGLE, "onnx_rows:cpu", "exported to ONNX", ("EN5",)) for name in GRAPHS),
    *(
        graph(
            "openvino",
            name,
            SINGLE if name in WHOLE else ("f32", "bf16"),
            "openvino_rows:cpu",
            "converted from PyTorch",
            ("EN5",),
        )
        for name in GRAPHS
    ),
    gpu_row("flash", "flash-attention-2", ("f16", "bf16"), "gpu_rows:flash_2", "FlashAttention-2"),
    gpu_row("flash", "flash-attention-3", ("f16", "bf16"), "gpu_rows:flash_3", "FlashAttention-3"),
    gpu_row("memory-efficient", "xformers", ("f32", "f16", "bf16"), "gpu_rows:xformers", "memory_efficient_attention"),
    gpu_row("fused", "transformer-engine", ("f16", "bf16"), "gpu_rows:transformer_engine", "DotProductAttention"),
    gpu_row("bert", "deepspeed", ("f16",), "gpu_blocks:deepspeed", "DeepSpeedTransformerLayer", "transformer-block"),
    gpu_row("bert", "fastertransformer", ("f16",), "gpu_blocks:fastertransformer", "its encoder", "transformer-block"),
    Row(
        "kv-cache",
        "greedy-decoding",
        ("tensorrt-llm",),
        ("f32", "f16", "bf16"),
        "tensorrt_llm_rows:Decoding",
        "a GPT-2 with its paged cache of keys and values",
        ("EN7",),
        tokens=("prompt",),
        loop=True,
    ),
    *(graph("tensorrt", name, SINGLE, "onnx_rows:tensorrt", "exported to ONNX", ("EN7",)) for name in GRAPHS),
    *MODELS,
]
