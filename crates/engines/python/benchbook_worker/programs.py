"""Every workload that is a function of PyTorch here: by its formula, and by what PyTorch has for it."""

from . import attention, blocks, mixers

FORMULAS = attention.FORMULAS | blocks.FORMULAS | mixers.FORMULAS
FUSED = attention.FUSED | blocks.FUSED
