"""Arrays of an engine: taken from the wire, given to it, and written to in place."""

import ctypes
import math

from .wire import Array

#: Bytes of a line of the cache.
LINE = 64


def aligned(shape, dtype):
    """Room for an array of NumPy that begins at a line of the cache, as tensors do; NumPy's own begin between two."""
    import numpy

    size = math.prod(shape) * numpy.dtype(dtype).itemsize
    room = numpy.empty(size + LINE, "u1")
    first = -room.ctypes.data % LINE
    return room[first : first + size].view(dtype).reshape(shape)


class Numpy:
    """Arrays of NumPy."""

    #: What stands for each dtype of the wire, as far as NumPy has it.
    names = {"f64": "<f8", "f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4", "i8": "i1", "u8": "u1", "bool": "?"}

    def __init__(self, device):
        import numpy

        self.numpy = numpy

    def take(self, array, dtype):
        """A copy of an array; real numbers in `dtype`, others as they are."""
        copy = aligned(array.shape, self.names[dtype if array.dtype == "f32" else array.dtype])
        copy[...] = self.numpy.frombuffer(array.data, self.names[array.dtype]).reshape(array.shape)
        return copy

    def give(self, result, dtype):
        """The same on the wire: numbers that are no integers in `dtype`."""
        result = self.numpy.asarray(result)
        if dtype == "bf16" and result.dtype.kind == "f":
            # Rounded to the nearest, to even where two are as near: of f32 the upper half. NaN would overflow.
            bits = self.numpy.ascontiguousarray(result, "<f4").view("<u4")
            rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
            rounded = self.numpy.where(self.numpy.isnan(result), 0x7FC0, rounded)
            return Array(dtype, result.shape, rounded.astype("<u2").tobytes())
        name = {"b": "bool", "i": "i64", "u": "i64"}.get(result.dtype.kind, dtype)
        return Array(name, result.shape, result.astype(self.names[name], copy=False).tobytes())

    def write(self, array, row, values):
        """Overwrites a row of the last axis by numbers that are taken already."""
        array.reshape(-1, array.shape[-1])[row] = values

    def fill(self, array, values):
        """Overwrites all of an array."""
        array[...] = values


class Torch:
    """Tensors of PyTorch, on `cpu` or `cuda`."""

    def __init__(self, device):
        import torch

        self.torch, self.device = torch, device
        self.names = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
        self.names |= {"i64": torch.int64, "i32": torch.int32, "i8": torch.int8, "u8": torch.uint8, "bool": torch.bool}

    def take(self, array, dtype):
        numbers = self.torch.frombuffer(array.data, dtype=self.names[array.dtype]).reshape(array.shape)
        return numbers.to(self.device, self.names[dtype if array.dtype == "f32" else array.dtype], copy=True)

    def give(self, result, dtype):
        result = result.detach()
        # Tokens come one by one, and may lie anywhere; what was computed lies where it was asked for.
        if result.is_floating_point() and result.device.type != self.device:
            raise RuntimeError(f"a result lies on {result.device.type}, and {self.device} was asked for")
        name = dtype if result.is_floating_point() else "bool" if result.dtype == self.torch.bool else "i64"
        result = result.to("cpu", self.names[name]).contiguous()
        size = result.numel() * result.element_size()
        return Array(name, tuple(result.shape), ctypes.string_at(result.data_ptr(), size))

    def write(self, array, row, values):
        with self.torch.no_grad():
            array.view(-1, array.shape[-1])[row] = values.to(array.dtype)

    def fill(self, array, values):
        with self.torch.no_grad():
            array.copy_(values)


KINDS = {"numpy": Numpy, "torch": Torch}
