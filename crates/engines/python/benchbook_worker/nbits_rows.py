"""ONNX Runtime: products by weights of four bits, by its operator MatMulNBits."""

import numpy
from onnx import TensorProto, helper, numpy_helper

from .few_bits import GROUP, four_bits, out_of_groups, rounded_to_bytes
from .onnx_rows import call_of, opened
from .rows import of_all, only_hot

#: What `accuracy_level` says: in which numbers the left factor is multiplied (ONNX Runtime, Contrib Operators, MatMulNBits). Without
#: it, or where it is 1, weights become f32 first.
SINGLE, BYTES = 1, 4


def model_of(setting, codes, scales, level):
    """A model of one operator. Its weights are `[n, groups, 16]`, two codes to a byte, the first of them below, above zero by 8."""
    above = (codes + 8).astype("u1")
    packed = above[..., 0::2] | (above[..., 1::2] << 4)
    sizes = {"K": setting.k, "N": setting.n, "bits": 4, "block_size": GROUP, "accuracy_level": level}
    node = helper.make_node("MatMulNBits", ["a", "b", "scales"], ["output"], domain="com.microsoft", **sizes)
    constants = [numpy_helper.from_array(packed, "b"), numpy_helper.from_array(scales, "scales")]
    setting.tell("weight_bytes", packed.nbytes + scales.nbytes, "bytes")

    def of(name, columns):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [setting.m, columns])

    graph = helper.make_graph([node], "product", [of("a", setting.k)], [of("output", setting.n)], constants)
    # Versions that every ONNX Runtime of the table reads.
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, ir_version=10, opset_imports=opsets).SerializeToString()


def by_level(level):
    @of_all
    def prepare(setting, copies):
        only_hot(copies)
        codes, scales = four_bits(copies[0]["b"].T)
        session = opened("CPUExecutionProvider", setting, model_of(setting, codes, scales, level))
        numbers = out_of_groups(codes * scales[..., None], setting.k)
        setting.stands_for["b"] = numpy.ascontiguousarray(numbers.T)
        if level == BYTES:
            setting.stands_for["a"] = rounded_to_bytes
        return [call_of(session, {"a": inputs["a"]}) for inputs in copies]

    return prepare


in_single, in_bytes = by_level(SINGLE), by_level(BYTES)
