"""Every workload that is a function of PyTorch here: by its formula, and by what PyTorch has for it."""

from . import attention, blocks, encoders, latent, mixers, transformer

FORMULAS, FUSED = {}, {}
for part in (attention, blocks, transformer, encoders, latent, mixers):
    FORMULAS |= part.FORMULAS
    FUSED |= getattr(part, "FUSED", {})
