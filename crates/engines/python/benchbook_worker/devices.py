"""Every device, and the packages that it needs, without loading an engine."""

import ctypes
import os
import platform
import sys

from .rows import Device


def same_path():
    """Why MKL needs no other answer; nothing where it does."""
    if platform.machine() != "x86_64":
        return "this torch has no MKL that could take another path"
    with open("/proc/cpuinfo") as processors:
        if "GenuineIntel" in processors.read():
            return "same path: MKL takes its fast path on this processor by itself"
    return None


def no_cuda():
    """Why nothing runs on a GPU of NVIDIA here; nothing where it can."""
    try:
        driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
    except OSError:
        return "this machine has no CUDA driver"
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return "the CUDA driver finds no GPU"
    return None


def no_library():
    """Why FasterTransformer, which comes in no package, is not here; nothing where it is."""
    if not os.environ.get("FASTERTRANSFORMER_LIBRARY"):
        return "FasterTransformer comes in no package: build it, and FASTERTRANSFORMER_LIBRARY=…/libth_transformer.so says where"
    return no_cuda()


TORCH, NUMPY = ("torch", "2.6", "3"), ("numpy", "1.26", "3")
# Later ones want a later PyTorch than the project's.
TORCHAO, BITSANDBYTES = ("torchao", "0.14", "0.15"), ("bitsandbytes", "0.46", "1")
# Its library is for the PyTorch that it was built with, which its package does not say.
ZENTORCH = (("zentorch", "2.14", "2.15"), ("torch", "2.14", "2.15"))
COMPRESSOR, PEFT, FLA = ("neural-compressor-pt", "3", "4"), ("peft", "0.15", "1"), ("fla-core", "0.4", "1")
TRANSFORMERS, ACCELERATE = ("transformers", "5.24", "6"), ("accelerate", "1", "2")
# It writes the files that llama.cpp reads, and has no part in what is timed.
GGUF = ("gguf", "0.10", "")
# The exporter to ONNX of these versions of PyTorch needs two packages.
EXPORT = (("torch", "2.9", "3"), ("onnx", "1.18", "2"), ("onnxscript", "0.5", "1"), NUMPY)


def on_gpu(name, engine, *needs):
    return Device(name, engine, (*needs, TORCH), "torch", "torch_rows", "cuda", no_cuda)


DEVICES = [
    Device("numpy", "numpy", (NUMPY,), "numpy", "numpy_rows"),
    Device("torch", "pytorch", (TORCH,), "torch", "torch_rows"),
    Device("torch-mkl", "pytorch", (TORCH,), "torch", "torch_rows", absent=same_path),
    Device("transformers", "transformers", (TRANSFORMERS, TORCH), "torch", "torch_rows"),
    Device("transformers-mkl", "transformers", (TRANSFORMERS, TORCH), "torch", "torch_rows", absent=same_path),
    Device("onnxruntime", "onnxruntime", (("onnxruntime", "1.20", "2"), *EXPORT), "numpy", "onnx_rows"),
    Device("ctranslate2", "ctranslate2", (("ctranslate2", "4.5", "5"), NUMPY), "numpy", "ctranslate2_rows"),
    Device("llama-cpp", "llama-cpp-python", (("llama-cpp-python", "0.3.16", "0.4"), NUMPY), "numpy", "llama_rows"),
    Device("openvino", "openvino", (("openvino", "2025", ""), TORCH, NUMPY), "numpy", "openvino_rows", real="f32"),
    Device("zentorch", "zentorch", ZENTORCH, "torch", "torch_rows", apart=True),
    on_gpu("torch-cuda", "pytorch"),
    on_gpu("flash-attention-2", "flash-attn", ("flash-attn", "2.5", "3")),
    on_gpu("flash-attention-3", "flash-attn-3", ("flash-attn-3", "3", "4")),
    on_gpu("xformers", "xformers", ("xformers", "0.0.28", "1")),
    on_gpu("transformer-engine", "transformer-engine", ("transformer-engine", "1.11", "3")),
    on_gpu("deepspeed", "deepspeed", ("deepspeed", "0.15", "1")),
    Device("fastertransformer", "fastertransformer", (TORCH,), "torch", "torch_rows", "cuda", no_library, told="5"),
    on_gpu("tensorrt-llm", "tensorrt-llm", ("tensorrt-llm", "1", "2"), TRANSFORMERS),
    Device(
        "tensorrt",
        "tensorrt",
        (("tensorrt", "10", ""), ("onnxruntime-gpu", "1.20", "2"), *EXPORT),
        "numpy",
        "onnx_rows",
        absent=no_cuda,
    ),
]


def wanted(engine):
    """What pip is to install for an engine: each package that it needs, in the versions that will do."""
    needs = {device.engine: device.needs for device in DEVICES}
    if engine not in needs:
        sys.exit(f"there is no engine `{engine}`, but {', '.join(sorted(needs))}")
    return [f"{name}>={least}" + (f",<{below}" if below else "") for name, least, below in needs[engine]]
