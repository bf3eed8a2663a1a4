"""mambapy: the selective scan of Mamba by its parallel scan, which is written in PyTorch."""

from mambapy.pscan import pscan
from torch.nn import functional

from .mixers import SCAN, few, softplus
from .program import Program
from .rows import of_all
from .torch_rows import calls_of


def scan(setting, x):
    """As its `MambaBlock.selective_scan`, with a first state before the first step."""
    steps = 1 << (setting.seq - 1).bit_length()
    few(setting.batch * steps * setting.channels * setting.state, "states of all steps, in a power of two,")

    def call(x, delta, z, b, c, a_log, delta_bias, d, start):
        delta = softplus(delta + delta_bias)[..., None]
        decay = (delta * -a_log.exp()).exp()
        added = delta * b[:, :, None] * x[..., None]
        added[:, 0] += decay[:, 0] * start
        h = pscan(decay, added)
        return ((h @ c[..., None]).squeeze(-1) + d * x) * functional.silu(z), h[:, -1]

    return call


@of_all
def selective_scan(setting, copies):
    return calls_of(Program(SCAN, scan), setting, copies)
