"""Workloads by what engines can say of them, without loading an engine."""

from .devices import BITSANDBYTES, COMPRESSOR, TORCHAO

REAL, WIDE, SINGLE = ("f32", "f64", "bf16", "f16"), ("f32", "f64"), ("f32",)
#: What is added to a mean of squares before its root, in all norms.
EPSILON = 1e-5
TORCHES = ("torch", "torch-mkl", "torch-cuda")
ON_CPU = ("torch", "torch-mkl")
#: Devices whose convolutions are those of oneDNN.
ONEDNN = (*ON_CPU, "openvino")

#: Workloads by their formula; those that are compiled have something to fuse.
ATTENTION = (
    "attention",
    "programmable-attention",
    "window-attention",
    "contextual-attention",
    "projected-attention",
    "sparse-attention",
)
BLOCKS = ("linear", "mlp", "layer-norm", "rms-norm", "softmax", "rotary", "transformer-block")
#: Several layers as one.
WHOLE = ("transformer-block", "latent-attention")
CONVOLUTIONS = ("conv1d", "conv2d", "patch-embedding")
COMPILED = (*ATTENTION, *BLOCKS, *CONVOLUTIONS, "causal-conv", "norm-chain")
FORMULAS = ("matmul", "read", "attention-gradients", "paged-attention", *COMPILED)
GRAPHS = ("matmul", *ATTENTION, *BLOCKS, *CONVOLUTIONS, "latent-attention")
#: Those whose weights a compiler can pack before it is called.
WEIGHTED = ("linear", "mlp", "projected-attention", *CONVOLUTIONS, *WHOLE)
#: Matrices of their blocks.
MATRICES = tuple(f"w_{part}" for part in ("query", "key", "value", "out", "up", "down"))
#: Whole encoders, with what are their token ids.
ENCODERS = (("text-encoder", ("ids",)), ("audio-encoder", ()))
#: Those that PyTorch's own attention can say.
SDPA = ("attention-gradients", "paged-attention", *(name for name in ATTENTION if name != "contextual-attention"), *WHOLE)
#: Recurrences, which are loops over steps.
RECURRENCES = ("selective-scan", "state-space-duality", "retention", "rwkv-4", "rwkv-6", "rwkv-7")
#: Workloads in a form that is one of several, and which of them a compiler takes.
FORMS = (
    ("selective-scan", "associative", "an associative scan in log2(seq) rounds over all states", True),
    ("selective-scan-gradients", "autograd", "autograd through a loop over steps", False),
    ("state-space-duality", "chunked", "chunks of 64 steps as products of matrices, as ssd_minimal", True),
    ("retention", "chunked", "chunks of 64 steps as products of matrices", True),
    ("retention", "parallel", "the parallel form, with its scores in memory", True),
    ("latent-attention", "expanded", "keys and values of every head and position, the scores in memory", True),
    ("latent-attention", "absorbed", "all heads attend to the cache as it is, the scores in memory", True),
    ("mixture-of-experts", "by-expert", "one expert after another, as the eager experts of Transformers", False),
    ("mixture-of-experts", "by-choice", "the weights of every choice gathered, as batched_mm of Transformers", True),
    ("mixture-of-experts", "by-all", "every token by every expert", True),
    ("mixture-of-experts-gradients", "autograd", "autograd through one expert after another", False),
    (
        "hybrid-stack",
        "composed",
        "attention by SDPA, dualities and retention in chunks, other mixers step by step, one expert after another",
        True,
    ),
)
#: Products by weights of few bits, as libraries beside PyTorch make them: name, dtypes, function, package, and what it is.
LAYERS = (
    (
        "torchao-int8",
        SINGLE,
        "torchao_int8",
        TORCHAO,
        "weights of 8 bits by torchao, a scale for each column, multiplied in f32",
    ),
    (
        "torchao-int8-dynamic",
        SINGLE,
        "torchao_int8_dynamic",
        TORCHAO,
        "both factors of 8 bits by torchao, the left one rounded row by row in the call",
    ),
    ("torchao-int4-g32", ("bf16",), "torchao_int4", TORCHAO, "weights of 4 bits by torchao, groups of 32 along k"),
    (
        "bitsandbytes-nf4",
        ("bf16",),
        "bitsandbytes_nf4",
        BITSANDBYTES,
        "weights of 4 bits (NF4) by bitsandbytes, blocks of 64",
    ),
    (
        "bitsandbytes-int8",
        ("bf16",),
        "bitsandbytes_int8",
        BITSANDBYTES,
        "LLM.int8() by bitsandbytes without its threshold, both factors of 8 bits with a scale for each row",
    ),
    (
        "neural-compressor-int4-g32",
        SINGLE,
        "compressor_int4",
        COMPRESSOR,
        "weights of 4 bits by Intel Neural Compressor, groups of 32 along k, made f32 before they are timed",
    ),
    (
        "neural-compressor-int8-g32",
        SINGLE,
        "compressor_int8",
        COMPRESSOR,
        "weights of 8 bits by Intel Neural Compressor, groups of 32 along k, made f32 before they are timed",
    ),
)
#: Products by weights of few bits in graphs of engines: device, name, function, and what it is.
PRODUCTS = (
    (
        "onnxruntime",
        "int4-g32",
        "nbits_rows:in_single",
        "MatMulNBits: weights of 4 bits, groups of 32 along k, multiplied in f32",
    ),
    (
        "onnxruntime",
        "int4-g32-a8",
        "nbits_rows:in_bytes",
        "MatMulNBits with accuracy_level=4: the same weights, the left factor rounded to 8 bits in groups of 32",
    ),
    (
        "onnxruntime",
        "int8-dynamic",
        "nbits_rows:dynamic",
        "DynamicQuantizeMatMul: weights of 8 bits, a scale for each column; the left factor rounded whole in the call",
    ),
    (
        "openvino",
        "compressed-int4-g32",
        "compressed_rows:four_in_single",
        "compressed weights of 4 bits, groups of 32 along k, multiplied in f32",
    ),
    (
        "openvino",
        "compressed-int4-g32-a8",
        "compressed_rows:four_in_bytes",
        "the same weights, the left factor rounded to 8 bits in groups of 32 in the call (dynamic quantisation)",
    ),
    (
        "openvino",
        "compressed-int8-a8",
        "compressed_rows:eight_in_bytes",
        "compressed weights of 8 bits, a scale for each column, and such a left factor",
    ),
)
#: Those whose sums of thousands, step by step, need more bits than 16 have.
NEED_BITS = ("read", "contextual-attention", "layer-norm", "rms-norm", "norm-chain", "causal-conv", *WHOLE)
