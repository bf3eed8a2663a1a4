"""NumPy, by the BLAS that it is linked with."""

import ctypes
import os

import numpy

from . import machine
from .arrays import aligned
from .rows import Unsupported


def matmul(setting, inputs):
    a, b = inputs["a"], inputs["b"]
    to = aligned((len(a), b.shape[1]), a.dtype)
    return lambda: numpy.matmul(a, b, out=to)


def attention(setting, inputs):
    query, key, value = (inputs[name] for name in ("query", "key", "value"))
    (batch, heads, queries, width), kv_heads, keys = query.shape, setting.kv_heads, setting.seq_kv
    rows = heads // kv_heads * queries
    hidden = numpy.zeros((1, 1, queries, keys), bool)
    if setting.masked:
        hidden = hidden | inputs["mask"]
    if setting.causal:
        hidden = hidden | ~numpy.tri(queries, keys, keys - queries, dtype=bool)
    bias = numpy.where(hidden, -numpy.inf, 0).astype(query.dtype)[:, :, None] if hidden.any() else None
    scale = query.dtype.type(1 / width**0.5)

    def call():
        scores = query.reshape(batch, kv_heads, rows, width) @ key.swapaxes(-1, -2)
        scores *= scale
        if bias is not None:
            scores = scores.reshape(batch, kv_heads, -1, queries, keys)
            scores += bias
            scores = scores.reshape(batch, kv_heads, rows, keys)
        scores -= scores.max(-1, keepdims=True)
        numpy.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        return (scores @ value).reshape(batch, heads, queries, width)

    return call


def copy(setting, inputs):
    to = aligned(inputs["from"].shape, inputs["from"].dtype)

    def call():
        numpy.copyto(to, inputs["from"])
        return to

    return call


def read(setting, inputs):
    return lambda: inputs["from"].sum(-1)


def libraries():
    """The BLAS libraries of this process, by where they lie."""
    return [ctypes.CDLL(path) for path in machine.loaded("openblas")]


def asked(name):
    """A function of OpenBLAS by its name, which the builds of NumPy and SciPy change."""
    for library in libraries():
        for shape in ("scipy_{}64_", "scipy_{}", "{}64_", "{}"):
            if hasattr(library, shape.format(name)):
                return getattr(library, shape.format(name))
    return None


def settle(device, threads):
    if resize := asked("openblas_set_num_threads"):
        resize(threads)
    elif threads != int(os.environ.get("OMP_NUM_THREADS", threads)):
        raise Unsupported("this NumPy has a BLAS whose number of threads nobody here can set")


def ran(device):
    """The kernels that OpenBLAS has chosen for this processor, by its own name for them."""
    function = asked("openblas_get_corename")
    if function is None:
        return "with a BLAS that does not tell its kernels"
    function.restype = ctypes.c_char_p
    return f"OpenBLAS {function().decode()}"
