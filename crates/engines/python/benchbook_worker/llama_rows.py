"""llama.cpp: products by weights in its own formats, by the kernels of its library ggml, which the package llama-cpp-python brings."""

import ctypes
import functools
from pathlib import Path

import llama_cpp
import numpy

from . import machine
from .arrays import aligned
from .few_bits import GROUP, rounded_to_bytes, turned
from .rows import Unsupported, of_all, sets_of, taking_turns

#: How to have it built for the processor that it runs on.
BUILD = "CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-cache-dir --no-binary llama-cpp-python llama-cpp-python"

#: Numbers of ggml's types (ggml.h, `ggml_type`), and how a block of 32 is laid out: an f16 that is its scale, and its codes.
F32, Q4_0, Q8_0 = 0, 2, 8
LAYOUTS = {Q4_0: ("<f2", (16, "u1")), Q8_0: ("<f2", (32, "i1"))}

#: Bytes for what ggml keeps of tensors and of a graph, without their numbers.
KEPT_BYTES = 16 << 20


class Settings(ctypes.Structure):
    """`ggml_init_params`."""

    _fields_ = [("size", ctypes.c_size_t), ("buffer", ctypes.c_void_p), ("no_numbers", ctypes.c_bool)]


class Plan(ctypes.Structure):
    """`ggml_cplan`, with room for what newer versions add."""

    _fields_ = [("size", ctypes.c_size_t), ("work", ctypes.c_void_p), ("threads", ctypes.c_int), ("more", ctypes.c_void_p * 8)]


#: Functions of ggml that are called, with what they give and take; `p` is a pointer, `z` a size, `l` an i64, `i` an int.
CALLS = {
    "ggml_init": ("p", "s"),
    "ggml_new_tensor_2d": ("p", "pill"),
    "ggml_mul_mat": ("p", "ppp"),
    "ggml_new_graph": ("p", "p"),
    "ggml_build_forward_expand": ("", "pp"),
    "ggml_quantize_chunk": ("z", "ipplllp"),
    "ggml_graph_plan": ("c", "pip"),
    "ggml_graph_compute": ("i", "pC"),
    "ggml_backend_cpu_reg": ("p", ""),
    "ggml_backend_reg_dev_get": ("p", "pz"),
    "ggml_backend_reg_get_proc_address": ("p", "pt"),
    "ggml_backend_dev_supports_op": ("b", "pp"),
    "ggml_backend_cpu_buffer_type": ("p", ""),
    "ggml_backend_cpu_buffer_from_ptr": ("p", "pz"),
    "ggml_backend_alloc_ctx_tensors_from_buft": ("p", "pp"),
    "ggml_backend_buffer_free": ("", "p"),
    "ggml_backend_tensor_alloc": ("i", "ppp"),
    "ggml_backend_tensor_set": ("", "ppzz"),
}
TYPES = {"p": ctypes.c_void_p, "z": ctypes.c_size_t, "l": ctypes.c_int64, "i": ctypes.c_int, "b": ctypes.c_bool}
TYPES |= {"t": ctypes.c_char_p, "s": Settings, "c": Plan, "C": ctypes.POINTER(Plan), "": None}


@functools.cache
def ggml():
    """The functions by their names without `ggml_`, from whichever of its libraries has them."""
    folder = Path(llama_cpp.__file__).parent
    libraries = [ctypes.CDLL(path) for path in machine.loaded(str(folder)) if "ggml" in path]
    found = {}
    for name, (gives, takes) in CALLS.items():
        library = next((one for one in libraries if hasattr(one, name)), None)
        if library is None:
            raise Unsupported(f"the llama.cpp of this package has no `{name}`")
        function = getattr(library, name)
        function.restype, function.argtypes = TYPES[gives], [TYPES[kind] for kind in takes]
        found[name.removeprefix("ggml_")] = function
    return found


def lacks(said, flags):
    """Which instructions of the processor llama.cpp was built without, by its own words (`AVX512 = 1`)."""
    told = {part.split("=")[0].split(":")[-1].strip() for part in said.split("|") if part.strip().endswith("= 1")}
    names = {"avx2": "AVX2", "fma": "FMA", "avx512f": "AVX512", "avx512_vnni": "AVX512_VNNI", "avx512_bf16": "AVX512_BF16"}
    return [name for flag, name in names.items() if flag in flags and name not in told]


@functools.cache
def native():
    """Refuses a build for other processors: it is no rival."""
    if missing := lacks(llama_cpp.llama_print_system_info().decode(), machine.flags()):
        raise Unsupported(f"llama.cpp was built without {', '.join(missing)}, which this processor has: {BUILD}")


def numbers_of(blocks, kind):
    """What codes `[n, k / 32]` of a format stand for, `[n, k]`."""
    codes = blocks["codes"]
    if kind == Q4_0:
        codes = numpy.concatenate([codes & 15, codes >> 4], -1).astype("i1") - 8
    return (blocks["scale"].astype("f4")[..., None] * codes).reshape(len(blocks), -1)


def room(rows, groups, kind):
    """Blocks of a format, all zero."""
    scale, (count, code) = LAYOUTS[kind]
    return numpy.zeros((rows, groups), [("scale", scale), ("codes", code, (count,))])


def quantised(weights, kind):
    """Weights `[n, k]` in a format of ggml, as ggml rounds them."""
    blocks = room(len(weights), weights.shape[1] // GROUP, kind)
    rows = numpy.ascontiguousarray(weights, "f4")
    ggml()["quantize_chunk"](kind, rows.ctypes.data, blocks.ctypes.data, 0, *rows.shape, None)
    return blocks


class Product:
    """A product by weights `[n, k]` in a format, on threads of its own."""

    def __init__(self, setting, blocks, kind):
        self.call, self.setting, self.kept = ggml(), setting, []
        self.weights = self.placed(blocks, kind)

    def new(self):
        return self.call["init"](Settings(KEPT_BYTES, None, True))

    def tensor(self, context, array):
        """A tensor whose numbers are those of an array, where they lie."""
        tensor = self.call["new_tensor_2d"](context, F32, array.shape[1], array.shape[0])
        buffer = self.call["backend_cpu_buffer_from_ptr"](array.ctypes.data, array.nbytes)
        self.call["backend_tensor_alloc"](buffer, tensor, array.ctypes.data)
        self.kept.append(array)
        return tensor

    def kinds(self):
        """Kinds of memory in which weights may lie: first those that lay them out anew for its fastest kernels, as llama.cpp does where
        it loads a model."""
        registry = self.call["backend_cpu_reg"]()
        more = self.call["backend_reg_get_proc_address"](registry, b"ggml_backend_dev_get_extra_bufts")
        device = self.call["backend_reg_dev_get"](registry, 0)
        if more:
            listed = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(more)(device)
            at = 0
            while listed and listed[at]:
                yield device, listed[at]
                at += 1
        yield None, self.call["backend_cpu_buffer_type"]()

    def placed(self, blocks, kind):
        """The weights in the first kind of memory from which products can be made."""
        row = aligned((1, self.setting.k), "<f4")
        for device, memory in self.kinds():
            context = self.new()
            weights = self.call["new_tensor_2d"](context, kind, self.setting.k, self.setting.n)
            buffer = self.call["backend_alloc_ctx_tensors_from_buft"](context, memory)
            if not buffer:
                continue
            product = self.call["mul_mat"](context, weights, self.tensor(context, row))
            if device is None or self.call["backend_dev_supports_op"](device, product):
                self.call["backend_tensor_set"](weights, blocks.ctypes.data, 0, blocks.nbytes)
                return weights
            self.call["backend_buffer_free"](buffer)
        raise Unsupported("ggml finds no memory for the weights")

    def on(self, left):
        """A call whose left factor is this array, where it lies."""
        context, out = self.new(), aligned((self.setting.m, self.setting.n), "<f4")
        product = self.call["mul_mat"](context, self.weights, self.tensor(context, left))
        buffer = self.call["backend_cpu_buffer_from_ptr"](out.ctypes.data, out.nbytes)
        self.call["backend_tensor_alloc"](buffer, product, out.ctypes.data)
        graph = self.call["new_graph"](context)
        self.call["build_forward_expand"](graph, product)
        plan = self.call["graph_plan"](graph, self.setting.threads, None)
        room = aligned((max(plan.size, 1),), "u1")
        plan.work = room.ctypes.data
        self.kept += [room, plan]
        compute, at = self.call["graph_compute"], ctypes.byref(plan)

        def call():
            if compute(graph, at):
                raise RuntimeError("ggml could not compute its graph")
            return out

        return call


def by_format(kind):
    @of_all
    def prepare(setting, copies):
        native()
        if setting.k % GROUP:
            raise Unsupported(f"ggml has weights in blocks of {GROUP} along k, and {setting.k} is no multiple")
        blocks = quantised(turned(copies[0]["b"]), kind)
        setting.tell("weight_bytes", blocks.nbytes, "bytes")
        setting.stands_for["b"] = turned(numbers_of(blocks, kind))
        # The scales of what it multiplies by are held in f16.
        setting.stands_for["a"] = functools.partial(rounded_to_bytes, scale_in=numpy.float16)
        products = [Product(setting, blocks, kind) for _ in range(sets_of(copies, blocks.nbytes))]
        return [product.on(inputs["a"]) for product, inputs in taking_turns(copies, products)]

    return prepare


q4_0, q8_0 = by_format(Q4_0), by_format(Q8_0)


def ran(device):
    """The instructions that it was built with, by its own words."""
    said = llama_cpp.llama_print_system_info().decode()
    return " ".join(part.split("=")[0].split(":")[-1].strip() for part in said.split("|") if part.strip().endswith("= 1"))
