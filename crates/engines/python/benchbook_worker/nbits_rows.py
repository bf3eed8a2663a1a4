"""ONNX Runtime: products by weights of few bits, by its operator MatMulNBits, and of both factors in bytes, by DynamicQuantizeMatMul;
and encoders whose products with matrices are such."""

import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from . import machine
from .few_bits import GROUP, bytes_of, columns_of_bytes, four_bits, in_groups, out_of_groups, rounded_to_bytes, rounded_whole
from .few_bits import turned, with_bytes
from .graphs import Graph
from .names import MATRICES
from .onnx_rows import PROGRAMS, call_of, exported, opened, options_of_all, session_of
from .rows import Unsupported, of_all, sets_of, taking_turns

#: What `accuracy_level` says: in which numbers the left factor is multiplied (ONNX Runtime, Contrib Operators, MatMulNBits). Without
#: it, or where it is 1, weights become f32 first.
SINGLE, BYTES = 1, 4

PROVIDER = "CPUExecutionProvider"


def model_of(setting, node, constants):
    """A model of one operator, whose first input is the left factor and whose others are these constants."""
    weights = [numpy_helper.from_array(numpy.ascontiguousarray(array), name) for name, array in constants.items()]

    def of(name, columns):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [setting.m, columns])

    graph = helper.make_graph([node], "product", [of("a", setting.k)], [of("output", setting.n)], weights)
    # Versions that every ONNX Runtime of the table reads.
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, ir_version=10, opset_imports=opsets).SerializeToString()


def calls_of(setting, copies, node, constants):
    """Calls of sessions of such a model. Each session packs the weights for itself, and where inputs are to leave the caches there are
    as many as fill memory."""
    held = sum(array.nbytes for array in constants.values())
    setting.tell("weight_bytes", held, "bytes")
    count, model = sets_of(copies, held), model_of(setting, node, constants)
    of = (PROVIDER, setting, model, count > 1)
    sessions = [opened(*of), *(session_of(*of) for _ in range(count - 1))]
    return [call_of(session, {"a": inputs["a"]}) for session, inputs in taking_turns(copies, sessions)]


def by_level(level):
    """Weights are `[n, groups, 16]`, two codes to a byte, the first of them below, above zero by 8."""

    @of_all
    def prepare(setting, copies):
        codes, scales = four_bits(turned(copies[0]["b"]))
        above = (codes + 8).astype("u1")
        sizes = {"K": setting.k, "N": setting.n, "bits": 4, "block_size": GROUP, "accuracy_level": level}
        node = helper.make_node("MatMulNBits", ["a", "b", "scales"], ["output"], domain="com.microsoft", **sizes)
        setting.stands_for["b"] = turned(out_of_groups(codes * scales[..., None], setting.k))
        if level == BYTES:
            setting.stands_for["a"] = rounded_to_bytes
        constants = {"b": above[..., 0::2] | (above[..., 1::2] << 4), "scales": scales}
        return calls_of(setting, copies, node, constants)

    return prepare


in_single, in_bytes = by_level(SINGLE), by_level(BYTES)


@of_all
def dynamic(setting, copies):
    """Weights of eight bits with a scale for each column, codes from -127 to 127; the left factor is rounded whole in each call."""
    if not machine.has_vnni():
        raise Unsupported("without VNNI its sums of two products of bytes stop at 16 bits (microsoft/onnxruntime#6004)")
    codes, scales = columns_of_bytes(copies[0]["b"])
    setting.stands_for["b"] = numpy.ascontiguousarray(codes * scales)
    setting.stands_for["a"] = rounded_whole
    node = helper.make_node("DynamicQuantizeMatMul", ["a", "b", "scales"], ["output"], domain="com.microsoft")
    return calls_of(setting, copies, node, {"b": codes, "scales": scales})


def folded(model):
    """A model, as bytes, with what is constant in it computed: the matrix of a layer is a part of a larger constant before."""
    options = options_of_all()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix="benchbook-onnx-") as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        # Else products and what is added to them become one operation, in which none is found.
        onnxruntime.InferenceSession(model, options, providers=[PROVIDER], disabled_optimizers=["MatMulAddFusion"])
        return onnx.load(options.optimized_model_filepath)


def in_eight_bits(model):
    """Puts MatMulNBits in the place of each product by a constant matrix, with codes of eight bits that stand for the same numbers where
    these are on such a grid, and a left factor that is rounded to 8 bits in groups of 32; tells the bytes of all constants."""
    graph = model.graph
    constants, replaced = {one.name: one for one in graph.initializer}, set()
    for node in graph.node:
        matrix = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if matrix is None or len(matrix.dims) != 2:
            continue
        k, n = matrix.dims
        names = [f"{matrix.name}_{part}" for part in ("codes", "scales")]
        if matrix.name not in replaced:
            codes, scales = bytes_of(in_groups(numpy_helper.to_array(matrix).T))
            above = (codes.astype("i2") + 128).astype("u1")
            graph.initializer.extend(numpy_helper.from_array(one, name) for one, name in zip((above, scales), names))
            replaced.add(matrix.name)
        sizes = {"K": k, "N": n, "bits": 8, "block_size": GROUP, "accuracy_level": BYTES}
        inputs = [node.input[0], *names]
        node.CopyFrom(helper.make_node("MatMulNBits", inputs, list(node.output), node.name, domain="com.microsoft", **sizes))
    if not replaced:
        raise Unsupported("ONNX Runtime finds no products by constant matrices in its graph")
    kept = [one for one in graph.initializer if one.name not in replaced]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    if all(one.domain != "com.microsoft" for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return sum(numpy_helper.to_array(one).nbytes for one in kept)


@of_all
def encoder(setting, copies):
    """A graph whose matrices have eight bits, in groups of 32 along the sum, each rounded to the nearest."""
    rounded = with_bytes(setting, copies, MATRICES, grouped=True)
    graph = Graph(setting, rounded, PROGRAMS).eval()
    names = [f"given_{at}" for at in range(len(graph.given))]
    model = folded(exported(graph, names))
    setting.tell("weight_bytes", in_eight_bits(model), "bytes")
    session = opened(PROVIDER, setting, model.SerializeToString())
    return [call_of(session, {name: inputs[given] for name, given in zip(names, graph.given)}) for inputs in copies]
