"""The largest singular values of a matrix, with their vectors, by PyTorch's randomised algorithm."""

from contextlib import contextmanager

import torch

from .rows import Unsupported


@contextmanager
def drawn(numbers):
    """Gives whoever asks PyTorch for normal numbers these."""
    kept, torch.randn = torch.randn, lambda *shape, **more: numbers
    try:
        yield
    finally:
        torch.randn = kept


def svd_lowrank(setting, inputs):
    matrix, start, probe = (inputs[name] for name in ("matrix", "start", "probe"))
    if setting.rows < setting.width:
        raise Unsupported("torch.svd_lowrank turns a matrix with fewer rows than columns, and draws a start of another shape")

    def call():
        with drawn(start):
            left, values, right = torch.svd_lowrank(matrix, setting.rank, setting.passes)
        return [values[None], left @ (values[:, None] * (right.mT @ probe))]

    return call
