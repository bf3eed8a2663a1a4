"""Codes of weights, and of what they are multiplied by, in NumPy: integers of four and of eight bits that share scales."""

import numpy

#: Weights along k that share a scale.
GROUP = 32

#: Rows and columns of the squares in which a matrix is transposed, which stay in a second-level cache.
SIDE = 128


def turned(matrix):
    """A matrix `[rows, columns]` as `[columns, rows]`: what is read and what is written lies together only within a square."""
    rows, columns = matrix.shape
    to = numpy.empty((columns, rows), matrix.dtype)
    for row in range(0, rows, SIDE):
        for column in range(0, columns, SIDE):
            to[column : column + SIDE, row : row + SIDE] = matrix[row : row + SIDE, column : column + SIDE].T
    return to


def in_groups(numbers):
    """Numbers `[rows, k]` in f32 as `[rows, groups, 32]`, filled up with zeros; to be read, since they may be the very same."""
    rows, k = numbers.shape
    if k % GROUP == 0:
        return numpy.ascontiguousarray(numbers, "f4").reshape(rows, k // GROUP, GROUP)
    filled = numpy.zeros((rows, -(-k // GROUP) * GROUP), "f4")
    filled[:, :k] = numbers
    return filled.reshape(rows, -1, GROUP)


def out_of_groups(numbers, k):
    """The first k of `[rows, groups, 32]`."""
    return numbers.reshape(len(numbers), -1)[:, :k]


def four_bits(weights):
    """Codes from -8 to 7 of weights `[rows, k]`, `[rows, groups, 32]`, and their scales `[rows, groups]`: 15 steps from minus the
    largest to plus it, zero at 0, as our own `int4-g32`."""
    groups = in_groups(weights)
    scales = numpy.abs(groups).max(-1) * numpy.float32(2 / 15)
    steps = groups / numpy.where(scales > 0, scales, numpy.float32(1))[..., None]
    return numpy.clip(numpy.rint(steps), -8, 7).astype("i1"), scales


def bytes_of(groups):
    """Codes from -127 to 127 of numbers `[rows, groups, width]`, and the scale of each group `[rows, groups]`."""
    scales = numpy.abs(groups).max(-1) / numpy.float32(127)
    codes = numpy.rint(groups / numpy.where(scales > 0, scales, numpy.float32(1))[..., None])
    return codes.astype("i1"), scales.astype("f4")


def in_bytes(matrices, grouped):
    """What codes of eight bits stand for in the place of matrices `[…, k]`, whose groups of 32 along k share a scale, or whole rows."""
    rows = matrices.reshape(-1, matrices.shape[-1])
    codes, scales = bytes_of(in_groups(rows) if grouped else rows[:, None])
    return out_of_groups(codes * scales[..., None], rows.shape[1]).reshape(matrices.shape)


def with_bytes(setting, copies, names, grouped):
    """The copies of the inputs with such numbers in the place of matrices of these names, which the setting says then: who makes codes
    of them finds the same. What they are multiplied by is rounded in the same groups, which is 8 bits of 32 or of a row."""
    rounded = {name: in_bytes(copies[0][name], grouped) for name in names}
    setting.stands_for |= rounded
    setting.rounding = {"bits": 8} | ({"group": GROUP} if grouped else {})
    return [inputs | rounded for inputs in copies]


def columns_of_bytes(weights):
    """Codes from -127 to 127 of weights `[k, n]`, and the scale of each column `[n]`."""
    scales = numpy.abs(weights).max(0) / numpy.float32(127)
    steps = weights / numpy.where(scales > 0, scales, numpy.float32(1))
    return numpy.clip(numpy.rint(steps), -127, 127).astype("i1"), scales.astype("f4")


def rounded_to_bytes(numbers, scale_in=numpy.float32):
    """Numbers `[rows, k]` as codes from -127 to 127 stand for them, whose 32 share a scale that is held in `scale_in`: each times
    127 over the largest, rounded to the nearest, to even where two are as near."""
    groups = in_groups(numbers)
    most = numpy.abs(groups).max(-1, keepdims=True)
    by = numpy.divide(numpy.float32(127), most, out=numpy.zeros_like(most), where=most > 0)
    scales = (most / numpy.float32(127)).astype(scale_in).astype("f4")
    return out_of_groups(numpy.rint(groups * by) * scales, numbers.shape[1])


def rounded_by_reciprocal(numbers):
    """The same, as oneDNN does it for OpenVINO: each times one over its scale, which is rounded before."""
    groups = in_groups(numbers)
    scales = numpy.abs(groups).max(-1, keepdims=True) / numpy.float32(127)
    by = numpy.divide(numpy.float32(1), scales, out=numpy.zeros_like(scales), where=scales > 0)
    return out_of_groups(numpy.rint(groups * by) * scales, numbers.shape[1])


def rounded_whole(numbers):
    """A matrix as ONNX's DynamicQuantizeLinear rounds it: 256 steps from its least number to its largest, zero among them."""
    least, most = (numpy.float32(edge) for edge in (min(numbers.min(), 0), max(numbers.max(), 0)))
    scale = (most - least) / numpy.float32(255) if most > least else numpy.float32(1)
    zero = numpy.rint(numpy.clip(-least / scale, 0, 255))
    codes = numpy.clip(numpy.rint(numbers / scale) + zero, 0, 255)
    return ((codes - zero) * scale).astype("f4")
