"""ONNX Runtime: products by weights of four bits, by its operator MatMulNBits, and of both factors in bytes, by DynamicQuantizeMatMul."""

import numpy
from onnx import TensorProto, helper, numpy_helper

from . import machine
from .few_bits import GROUP, columns_of_bytes, four_bits, out_of_groups, rounded_to_bytes, rounded_whole
from .onnx_rows import call_of, opened, session_of
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
        codes, scales = four_bits(copies[0]["b"].T)
        above = (codes + 8).astype("u1")
        sizes = {"K": setting.k, "N": setting.n, "bits": 4, "block_size": GROUP, "accuracy_level": level}
        node = helper.make_node("MatMulNBits", ["a", "b", "scales"], ["output"], domain="com.microsoft", **sizes)
        numbers = out_of_groups(codes * scales[..., None], setting.k)
        setting.stands_for["b"] = numpy.ascontiguousarray(numbers.T)
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
