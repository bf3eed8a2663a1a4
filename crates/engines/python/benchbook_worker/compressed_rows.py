"""OpenVINO: products by compressed weights, which its graphs say as codes, what is zero among them, and scales; its plugin for processors
decodes them in the product, and may round the left factor besides (dynamic quantisation). And encoders whose products are such."""

import functools

import numpy

# The first keeps OpenVINO from reporting to its makers.
from .openvino_rows import call_of, compiled_of, converted, opened, openvino  # isort: skip
from openvino import opset15
from openvino.op import Constant
from openvino.passes import ConstantFolding, Manager

from . import machine
from .few_bits import GROUP, bytes_of, columns_of_bytes, four_bits, rounded_by_reciprocal, turned, with_bytes
from .names import MATRICES
from .rows import Unsupported, of_all, sets_of, taking_turns

#: What stands for zero among unsigned codes of four and of eight bits.
ZERO_OF_FOUR, ZERO_OF_EIGHT = 8, 128


@functools.cache
def first_is_low():
    """Which half of a byte the first of two codes of four bits has."""
    return int(Constant(openvino.Type.u4, openvino.Shape([2]), [1, 2]).get_data()[0]) == 0x21


def packed(codes):
    """Codes from 0 to 15, whose last axis is even, two to a byte."""
    first, second = codes[..., 0::2], codes[..., 1::2]
    low, high = (first, second) if first_is_low() else (second, first)
    return numpy.ascontiguousarray(low | (high << 4))


def constant_of(pairs, shape):
    """A constant of this shape, which copies such bytes."""
    return Constant(openvino.Tensor(pairs, list(shape), openvino.Type.u4), shared_memory=False)


def all_zero(shape):
    """A constant of codes of four bits that all stand for zero."""
    count = numpy.prod(shape)
    return constant_of(numpy.full(-(-count // 2), ZERO_OF_FOUR << 4 | ZERO_OF_FOUR, "u1"), shape)


def decoded(codes, zero, scales, shape):
    """Weights `[n, k]`: (codes - zero) times scales, whole or in groups."""
    steps = opset15.subtract(opset15.convert(codes, "f32"), opset15.convert(zero, "f32"))
    weights = opset15.multiply(steps, opset15.constant(scales))
    if scales.ndim == 3:
        weights = opset15.reshape(weights, opset15.constant(numpy.array(shape, "i8")), False)
    return weights


def model_of(setting, codes, zero, scales):
    """A model of the product by such weights."""
    given = opset15.parameter([setting.m, setting.k], openvino.Type.f32)
    weights = decoded(codes, zero, scales, [setting.n, setting.k])
    return openvino.Model([opset15.matmul(given, weights, False, True)], [given], "product")


def refuse_unrounded(call, given, numbers):
    """Refuses a case whose left factor OpenVINO leaves as it is, as it does where none of its kernels for bytes takes the sizes: the
    product then has another right answer."""
    found = numpy.array(call()[0])
    near = lambda left: numpy.linalg.norm(found - left @ numbers)
    if near(given) < near(rounded_by_reciprocal(given)):
        raise Unsupported("OpenVINO leaves the left factor of this case in f32")


def calls_of(setting, copies, made, held, group):
    """Calls of compiled models that `made` makes, each with weights of its own, of so many bytes; the left factor is rounded in groups
    of so many, or not where that is 0."""
    if group and not machine.has_vnni():
        raise Unsupported("without VNNI OpenVINO leaves the left factor in f32")
    setting.tell("weight_bytes", held, "bytes")
    more = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": group}
    models = [opened(setting, made(), **more)]
    models += [compiled_of(setting, made(), **more) for _ in range(sets_of(copies, held) - 1)]
    calls = [call_of(model, [inputs["a"]]) for model, inputs in taking_turns(copies, models)]
    if group:
        setting.stands_for["a"] = rounded_by_reciprocal
        refuse_unrounded(calls[0], copies[0]["a"], setting.stands_for["b"])
    return calls


def of_four_bits(group):
    """Weights as those of `int4-g32` of ONNX Runtime; a left factor rounded in groups of so many."""

    @of_all
    def prepare(setting, copies):
        if setting.k % GROUP:
            raise Unsupported(f"its weights of 4 bits are in groups of {GROUP} along k, and {setting.k} is no multiple")
        codes, scales = four_bits(turned(copies[0]["b"]))
        setting.stands_for["b"] = turned((codes * scales[..., None]).reshape(setting.n, setting.k))
        pairs, scales = packed((codes + ZERO_OF_FOUR).astype("u1")), numpy.ascontiguousarray(scales[..., None])
        made = lambda: model_of(setting, constant_of(pairs, codes.shape), all_zero(scales.shape), scales)
        return calls_of(setting, copies, made, pairs.nbytes + scales.nbytes + -(-scales.size // 2), group)

    return prepare


four_in_single, four_in_bytes = of_four_bits(0), of_four_bits(GROUP)


@of_all
def eight_in_bytes(setting, copies):
    """Weights of eight bits with a scale for each column; a left factor rounded in groups of 32."""
    if setting.k % GROUP:
        raise Unsupported(f"its left factor is rounded in groups of {GROUP} along k, and {setting.k} is no multiple")
    codes, scales = columns_of_bytes(copies[0]["b"])
    setting.stands_for["b"] = codes * scales
    above, scales = numpy.ascontiguousarray((codes.T.astype("i2") + ZERO_OF_EIGHT).astype("u1")), scales[:, None]
    zero = numpy.full((setting.n, 1), ZERO_OF_EIGHT, "u1")

    def made():
        return model_of(setting, opset15.constant(above), opset15.constant(zero), scales)

    return calls_of(setting, copies, made, above.nbytes + scales.nbytes + zero.nbytes, GROUP)


def compress(model, grouped):
    """Puts codes of eight bits in the place of each constant matrix that something is multiplied by: in groups of 32 along the sum, or
    with a scale for each row. They stand for the same numbers where these are on such a grid. Tells the bytes of these codes."""
    held = 0
    for node in model.get_ordered_ops():
        source = node.input_value(1).get_node() if node.get_type_name() == "MatMul" else None
        if source is None or source.get_type_name() != "Constant" or len(source.get_output_shape(0)) != 2:
            continue
        how, matrix = node.get_attributes(), source.get_data()
        rows = numpy.ascontiguousarray(matrix if how["transpose_b"] else matrix.T, "f4")
        codes, scales = bytes_of(rows.reshape(len(rows), -1, GROUP if grouped else rows.shape[1]))
        above = (codes.astype("i2") + ZERO_OF_EIGHT).astype("u1")
        # Without groups all is of two axes.
        above, scales = (above, scales[..., None]) if grouped else (above[:, 0], scales)
        zero = numpy.full(scales.shape, ZERO_OF_EIGHT, "u1")
        weights = decoded(opset15.constant(above), opset15.constant(zero), numpy.ascontiguousarray(scales), rows.shape)
        product = opset15.matmul(node.input_value(0), weights, how["transpose_a"], True)
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(product.output(0))
        held += above.nbytes + scales.nbytes + zero.nbytes
    return held


@of_all
def encoder(setting, copies):
    """A graph whose matrices have eight bits. Where they have groups of 32 along the sum, the left factors are rounded in these."""
    grouped = not any(copies[0][name].shape[-1] % GROUP for name in MATRICES) and machine.has_vnni()
    rounded = with_bytes(setting, copies, MATRICES, grouped)
    if not grouped:
        setting.rounding = None  # its kernels take groups of 32 alone
    graph, model = converted(setting, rounded)
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(model)
    held = compress(model, grouped)
    if not held:
        raise Unsupported("OpenVINO finds no products by constant matrices in its graph")
    setting.tell("weight_bytes", held + others(copies[0], graph.given), "bytes")
    compiled = opened(setting, model, DYNAMIC_QUANTIZATION_GROUP_SIZE=GROUP if grouped else 0)
    return [call_of(compiled, [inputs[name] for name in graph.given]) for inputs in copies]


def others(inputs, given):
    """Bytes of the weights that stay as they are."""
    return sum(one.nbytes for name, one in inputs.items() if name not in (*given, *MATRICES))
